"""Putting the stubs into a repository's hooks folder, and taking them out as if they had never been there.

Both can be killed at any moment and run again: what they find is judged by the files themselves (a stub
tells that it is one, and whether it is whole), never by what a previous run wrote down. ``install.json``
only remembers where the folder was, and that it was not there before.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import NamedTuple

from mgit_hooks import __version__, files, lock
from mgit_hooks.errors import MgitError, UsageError
from mgit_hooks.installer import choice, hookfiles, stubs
from mgit_hooks.installer.hookfiles import HookFile, hooks_dir, sharing
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.record import Json


class Change(NamedTuple):
    """What was done about one hook, and what its owner should know of it."""

    hook: str
    action: str  # written | renewed | unchanged | removed | restored | left
    chained: bool
    note: str | None = None

    def to_json(self) -> Json:
        return self._asdict()


class Report(NamedTuple):
    hooks_dir: str
    hooks: tuple[Change, ...]

    def to_json(self) -> Json:
        return {"hooks_dir": self.hooks_dir, "hooks": [change.to_json() for change in self.hooks]}

    @property
    def notes(self) -> list[str]:
        return [f"{change.hook}: {change.note}" for change in self.hooks if change.note]


def boot_path() -> str:
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "boot.py")


def install(
    location: Location,
    *,
    allow_shared: bool = False,
    asked_for: Collection[str] = (),
    python: str | None = None,
    boot: str | None = None,
) -> Report:
    """Write the stubs of all hooks, keeping each hook that is there and running it from the stub.

    ``asked_for`` are those of ``stubs.ASKED_FOR`` that are wanted too, besides those that are there already.
    Running it again changes nothing but what is missing, changed or of another version. ``python`` is
    the interpreter the stubs start, by default the one that runs now. Raises UsageError for a hooks folder
    that others use too, unless ``allow_shared``; MgitError where something cannot be written, after undoing
    what was done.
    """
    directory = hooks_dir(location)
    owner = sharing(location, directory)
    if owner is not None and not allow_shared:
        raise UsageError(
            f"the hooks folder {directory} is not this repository's alone: {owner}",
            "write there all the same with --shared, or give this repository its own: "
            'git config --local core.hooksPath "$(git rev-parse --git-common-dir)/hooks"',
        )
    python = python or sys.executable
    if not python:
        raise MgitError("Python does not know its own path", "start mgit-hooks by the full path of its interpreter")
    boot = boot or boot_path()
    with _alone(location), _undoing(directory) as undo:
        _make_private_tree(location, undo)
        created = _make_hooks_dir(directory, undo)
        wanted = choice.expected(location, directory)
        changes = tuple(
            _install_hook(hookfiles.inspect(directory, hook), stubs.assemble(hook, python, boot), undo)
            for hook in stubs.KNOWN
            if hook in wanted or hook in asked_for
        )
        hookfiles.sync_folder(directory)
        before = choice.remembered(location)
        created = created or (before.get("hooks_dir") == directory and before.get("created_hooks_dir") is True)
        _remember(location, directory, created, (python, boot), changes)
    _evaluate(location)
    return Report(directory, changes)


def uninstall(location: Location) -> Report:
    """Take our stubs out and put back, byte for byte, the hooks that were there. The journal stays.

    Acts on the folder that git names now and on the one that ``install`` wrote to. A hook that is not ours
    is left alone.
    """
    with _alone(location):
        return _uninstall(location)


def _alone(location: Location) -> AbstractContextManager[None]:
    """One install or uninstall at a time: they use the same scratch files, and one would undo the other."""
    return lock.folder(location.common_dir, "the hooks folder")


def _uninstall(location: Location) -> Report:
    before = choice.remembered(location)
    current = hooks_dir(location)
    folders = dict.fromkeys((current, before.get("hooks_dir") or current))
    changes: list[Change] = []
    for directory in folders:
        if files.is_folder(directory):
            with _undoing(directory):
                changes += [_uninstall_hook(hookfiles.inspect(directory, hook)) for hook in stubs.KNOWN]
                hookfiles.sync_folder(directory)
    if before.get("created_hooks_dir") is True:
        with suppress(OSError):  # somebody has put a hook there since
            os.rmdir(before["hooks_dir"])
    with suppress(FileNotFoundError):
        os.unlink(choice.memory_path(location))
    return Report(current, tuple(change for change in changes if change.action != "absent"))


def _evaluate(location: Location) -> None:
    """Write the gate flag, so that not even the first commit asks Python whether there is a policy."""
    from mgit_hooks.judging import gateflag

    with suppress(MgitError):  # the flag then says armed, and the gate what is wrong; so does doctor
        gateflag.refresh(location)


def _install_hook(found: HookFile, content: bytes, undo: ExitStack) -> Change:
    with suppress(FileNotFoundError):
        os.unlink(hookfiles.scratch_name(found.path))
    note = None
    if found.state == "wrapped":
        return _renew_wrapped(found, content, undo)
    if found.state == "foreign":
        note = _keep_foreign(found, undo)
    elif found.state == "modified":
        aside = hookfiles.free_name(found.path + ".mgit-modified")
        hookfiles.keep(found.path, aside)
        undo.callback(hookfiles.put_back, aside, found.path)
        note = f"somebody had changed our stub; that version no longer runs, and is kept as {_name(aside)}"
    chained = files.lexists(found.kept)
    old = hookfiles.read(found.path) if found.ours else None
    if old == content and os.stat(found.path).st_mode & 0o777 == hookfiles.STUB_MODE:
        return Change(found.hook, "unchanged", chained, note)
    if old is not None:
        undo.callback(hookfiles.write, found.path, old, os.stat(found.path).st_mode & 0o777)
    elif not files.lexists(found.path):
        undo.callback(_unlink, found.path)
    hookfiles.write(found.path, content, hookfiles.STUB_MODE)
    return Change(found.hook, "renewed" if found.ours else "written", chained, note)


def _renew_wrapped(found: HookFile, content: bytes, undo: ExitStack) -> Change:
    """pre-commit or prek stands before us and calls us: to come first again would have its next ``install``
    move us over whatever it keeps at HOOK.legacy."""
    note = "another hook manager runs it, and runs ours from its own hook"
    old = hookfiles.read(found.legacy)
    if old == content or old is None:
        return Change(found.hook, "unchanged", found.chained, note)
    undo.callback(hookfiles.write, found.legacy, old, hookfiles.STUB_MODE)
    hookfiles.write(found.legacy, content, hookfiles.STUB_MODE)
    return Change(found.hook, "renewed", found.chained, note)


def _keep_foreign(found: HookFile, undo: ExitStack) -> str | None:
    """Make the hook at ``found.path`` the chained one. One that is chained already had stopped running when
    this one took our stub's place: it is kept aside."""
    if hookfiles.same(found.path, found.kept):
        undo.callback(hookfiles.put_back, found.kept, found.path)
        return None  # a run of ours was killed between keeping and writing
    note = None
    if hookfiles.is_stub(found.legacy, found.hook):
        _remove_stub(found.legacy, undo)
    elif hookfiles.is_framework(found.path) and files.lexists(found.legacy):
        _unlink(found.saved_legacy)
        hookfiles.keep(found.legacy, found.saved_legacy, move=False)
        undo.callback(_unlink, found.saved_legacy)
    if files.lexists(found.kept):
        aside = hookfiles.free_name(found.kept)
        os.replace(found.kept, aside)
        undo.callback(os.replace, aside, found.kept)
        note = (
            "another tool had replaced our stub; its hook runs now, and the one that was here before, "
            f"which it no longer ran, is kept as {_name(aside)}"
        )
    hookfiles.keep(found.path, found.kept)
    undo.callback(hookfiles.put_back, found.kept, found.path)
    return note


def _remove_stub(path: str, undo: ExitStack) -> None:
    """Our own stub, moved by a manager that does not stand here any more: nobody runs it."""
    content = hookfiles.read(path)
    if content is not None:
        os.unlink(path)
        undo.callback(hookfiles.write, path, content, hookfiles.STUB_MODE)


def _uninstall_hook(found: HookFile) -> Change:
    with suppress(FileNotFoundError):
        os.unlink(hookfiles.scratch_name(found.path))
    if found.state in ("foreign", "wrapped"):
        return _leave_foreign(found)
    if hookfiles.same(found.saved_legacy, found.legacy):
        os.unlink(found.saved_legacy)
    note = None
    if found.state == "modified":
        aside = hookfiles.free_name(found.path + ".mgit-modified")
        os.rename(found.path, aside)
        note = f"somebody had changed our stub; that version is kept as {_name(aside)}"
    if found.chained:
        hookfiles.put_back(found.kept, found.path)
        return Change(found.hook, "restored", False, note)
    if found.state == "missing":
        return Change(found.hook, "absent", False)
    with suppress(FileNotFoundError):
        os.unlink(found.path)
    return Change(found.hook, "removed", False, note)


def _leave_foreign(found: HookFile) -> Change:
    if hookfiles.same(found.path, found.kept):
        os.unlink(found.kept)
        return Change(found.hook, "restored", False)
    if hookfiles.is_stub(found.legacy, found.hook):
        _unwrap(found)
    elif not found.chained:
        return Change(found.hook, "absent", False)
    note = "another tool has written this hook since: it stays"
    if files.lexists(found.kept):
        note += f"; the one that was here before us stays beside it as {_name(found.kept)}"
    return Change(found.hook, "left", files.lexists(found.kept), note)


def _unwrap(found: HookFile) -> None:
    """Put at HOOK.legacy what the manager would have there, had it not found our stub."""
    if files.lexists(found.saved_legacy):
        os.replace(found.saved_legacy, found.legacy)
    elif found.chained and not hookfiles.is_framework(found.kept):
        os.replace(found.kept, found.legacy)
    else:
        os.unlink(found.legacy)
    if hookfiles.is_framework(found.kept) and hookfiles.is_framework(found.path):
        os.unlink(found.kept)  # the manager has written that hook anew


@contextmanager
def _undoing(directory: str) -> Iterator[ExitStack]:
    """Steps that are all taken, or undone in reverse."""
    with ExitStack() as undo:
        try:
            yield undo
        except OSError as error:
            undo.close()
            raise MgitError(
                f"cannot change the hooks: {error.filename or directory}: {error.strerror}",
                "mend that and run the command again: what it had done is undone",
            ) from error
        undo.pop_all()


def _make_private_tree(location: Location, undo: ExitStack) -> None:
    for name in ("", "spool", "gate"):
        path = os.path.join(location.mgit_dir, name).rstrip("/")
        if not files.is_folder(path):
            make_private_dir(path)
            undo.callback(os.rmdir, path)


def _make_hooks_dir(directory: str, undo: ExitStack) -> bool:
    if files.is_folder(directory):
        return False
    # Hooks are no secret, and git itself makes the folder with the user's umask.
    os.makedirs(directory)
    undo.callback(os.rmdir, directory)
    return True


def _remember(
    location: Location, directory: str, created: bool, starts: tuple[str, str], changes: tuple[Change, ...]
) -> None:
    hooks = {}
    for change in changes:
        content = hookfiles.read(os.path.join(directory, change.hook)) or b""
        stub = stubs.recognise(content)
        hooks[change.hook] = {"digest": stub.digest if stub else None, "chained": change.chained}
    value = {
        "version": 1,
        "mgit_hooks": __version__,
        "hooks_dir": directory,
        "created_hooks_dir": created,
        "python": starts[0],
        "boot": starts[1],
        "hooks": hooks,
    }
    # ASCII: a path that is not UTF-8 keeps its bytes as surrogates.
    content = json.dumps(value, indent=2).encode("ascii") + b"\n"
    if content != (hookfiles.read(choice.memory_path(location)) or b""):
        hookfiles.write(choice.memory_path(location), content, 0o600)


def _name(path: str) -> str:
    return os.path.basename(path)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
