"""What .gitattributes and its kin say of how to compare a path (gitattributes(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mgit_hooks.git.library import common_dir

if TYPE_CHECKING:
    from pygit2 import Repository

_PATHS_KNOWN = 10_000
_TRUE = ("true", "yes", "on", "1", "")


class Attributes:
    """The ``diff`` attribute of paths, which says what git takes for text.

    Looked up only where an attributes file can apply: a look-up per file would cost as much as its lines.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._root = os.fsencode(repository.workdir) if repository.workdir else None
        self._everywhere = any(map(os.path.lexists, _attribute_files(repository)))
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
        told = self._repository.get_attr(path, "diff")
        if isinstance(told, str):  # a driver of the user's; it is text unless its configuration knows better
            return _driver_binary(self._repository, told)
        return None if told is None else not told

    def _may_apply(self, folder: bytes) -> bool:
        known = self._folders.get(folder)
        if known is None:
            known = self._may_apply(folder.rpartition(b"/")[0]) or self._has_file(folder)
            self._folders[folder] = known
        return known

    def _has_file(self, folder: bytes) -> bool:
        return self._root is not None and os.path.lexists(os.path.join(self._root, folder, b".gitattributes"))


def _attribute_files(repository: Repository) -> Iterator[str]:
    yield os.path.join(common_dir(repository), "info", "attributes")
    yield "/etc/gitattributes"
    if "core.attributesfile" in repository.config:
        yield os.path.expanduser(repository.config["core.attributesfile"] or "")
    settings = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    yield os.path.join(settings, "git", "attributes")


def _driver_binary(repository: Repository, driver: str) -> bool | None:
    key = f"diff.{driver}.binary"
    if key not in repository.config:
        return None
    told = repository.config[key]
    return told is not None and told.lower() in _TRUE
