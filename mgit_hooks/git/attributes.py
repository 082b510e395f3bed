"""What .gitattributes and its kin say of how to compare a path (gitattributes(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mgit_hooks.files import lexists
from mgit_hooks.git import gitfiles
from mgit_hooks.git.backend import Backend

_PATHS_KNOWN = 10_000
_TRUE = ("true", "yes", "on", "1", "")


class Attributes:
    """The ``diff`` attribute of paths, which says what git takes for text.

    Looked up only where an attributes file can apply: a look-up per file would cost as much as its lines.
    """

    def __init__(self, git: Backend) -> None:
        self._git = git
        workdir = git.workdir()
        self._root = os.fsencode(workdir) if workdir else None
        self._everywhere = any(map(_may_be_there, _attribute_files(git)))
        self._known: dict[bytes, bool | None] = {}
        self._folders: dict[bytes, bool] = {b"": self._everywhere or self._has_file(b"")}

    def binary(self, path: bytes) -> bool | None:
        """None where the content decides."""
        if not self._may_apply(path.rpartition(b"/")[0]):
            return None
        if path in self._known:
            return self._known[path]
        if len(self._known) > _PATHS_KNOWN:
            self._known.clear()
        self._known[path] = told = self._ask(path)
        return told

    def _ask(self, path: bytes) -> bool | None:
        told = self._git.attribute(path)
        if isinstance(told, str):  # a driver of the user's; it is text unless its configuration knows better
            return _driver_binary(self._git, told)
        return None if told is None else not told

    def _may_apply(self, folder: bytes) -> bool:
        unknown = []  # from the folder up: a tree may be deeper than Python's stack
        while (known := self._folders.get(folder)) is None:
            unknown.append(folder)
            folder = folder.rpartition(b"/")[0]
        for below in reversed(unknown):
            known = self._folders[below] = known or self._has_file(below)
        return known

    def _has_file(self, folder: bytes) -> bool:
        return self._root is not None and _may_be_there(os.path.join(self._root, folder, b".gitattributes"))


def _may_be_there(path: str | bytes) -> bool:
    try:
        return lexists(path)
    except OSError:
        return True  # git is asked then, and knows what it makes of a folder that cannot be looked into


def _attribute_files(git: Backend) -> Iterator[str]:
    yield os.path.join(gitfiles.common_dir(git.git_dir), "info", "attributes")
    yield "/etc/gitattributes"
    named = git.setting("core.attributesfile")
    if named is not None:
        yield os.path.expanduser(named)
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    yield os.path.join(settings, "git", "attributes")


def _driver_binary(git: Backend, driver: str) -> bool | None:
    told = git.setting(f"diff.{driver}.binary")
    return None if told is None else told.lower() in _TRUE
