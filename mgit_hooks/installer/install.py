"""Putting the stubs into a repository's hooks folder, and taking them out as if they had never been there.

Both can be killed at any moment and run again: what they find is judged by the files themselves (a stub
tells that it is one, and whether it is whole), never by what a previous run wrote down. ``install.json``
only remembers where the folder was, and that it was not there before.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from mgit_hooks import __version__, files, lock
from mgit_hooks.errors import MgitError, UsageError
from mgit_hooks.installer import choice, front, hookfiles, neighbours, stubs
from mgit_hooks.installer.changes import Change, Report
from mgit_hooks.installer.hookfiles import HookFile, hooks_dir, sharing
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.record import Json


def boot_path() -> str:
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "boot.py")


def install(
    location: Location,
    *,
    allow_shared: bool = False,
    in_front: bool = False,
    asked_for: Collection[str] = (),
    python: str | None = None,
    boot: str | None = None,
) -> Report:
    """Write the stubs of all hooks, keeping each hook that is there and running it from the stub.

    ``asked_for`` are those of ``stubs.ASKED_FOR`` that are wanted too, besides those that are there already.
    ``in_front``: to a folder of our own, which goes on to the one that git names now; once asked for, it stays so.
    Running it again changes nothing but what is missing, changed or of another version. ``python`` is
    the interpreter the stubs start, by default the one that runs now. Raises UsageError for a hooks folder
    that others use too, unless ``allow_shared``; MgitError where something cannot be written, after undoing
    what was done.
    """
    in_front = in_front or front.stands(location)
    directory = front.folder(location) if in_front else hooks_dir(location)
    if not in_front:
        _refuse_shared(location, directory, allow_shared)
    python = python or sys.executable
    if not python:
        raise MgitError("Python does not know its own path", "start mgit-hooks by the full path of its interpreter")
    boot = boot or boot_path()
    with _alone(location):
        before = choice.remembered(location)
        former = before.get("hooks_dir") or hooks_dir(location)
        with _undoing(directory) as undo:
            _make_private_tree(location, undo)
            created = _make_hooks_dir(directory, undo)
            asked = {*asked_for, *choice.expected(location, directory), *choice.expected(location, former)}
            wanted = tuple(hook for hook in stubs.KNOWN if hook in asked)
            if in_front:
                front.fill(location, wanted, undo)
            changes = tuple(
                _install_hook(
                    hookfiles.inspect(directory, hook), stubs.assemble(hook, python, boot, front=in_front), undo
                )
                for hook in wanted
            )
            hookfiles.sync_folder(directory)
            if in_front:
                front.point(location, undo)
            created = created or (before.get("hooks_dir") == directory and before.get("created_hooks_dir") is True)
            _remember(location, directory, created, (python, boot), changes)
        if in_front:
            _take_out(dict.fromkeys((former, os.path.join(location.common_dir, "hooks"))), but=directory)
            if former != directory:
                _remove_created(before)
    _evaluate(location)
    return Report(directory, changes, front.behind(location) if in_front else None)


def _refuse_shared(location: Location, directory: str, allow_shared: bool) -> None:
    if hookfiles.is_husky(directory):
        raise UsageError(
            f"{directory} is husky's: no hook runs there under another name, and each npm install writes it anew",
            "--in-front gives this repository a hooks folder before it, which git alone sees, and goes on to husky's",
        )
    owner = sharing(location, directory)
    if owner is not None and not allow_shared:
        raise UsageError(
            f"the hooks folder {directory} is not this repository's alone: {owner}",
            "--in-front gives this repository one before it, which git alone sees, and goes on to that one; "
            "--shared writes there all the same",
        )


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
    in_front = front.stands(location)
    if in_front:
        with _undoing(front.folder(location)):
            front.unpoint(location)
    folders = (current, before.get("hooks_dir") or current, *((front.folder(location),) if in_front else ()))
    changes = _take_out(dict.fromkeys(folders))
    with _undoing(front.folder(location)):
        front.clear(location)
    _remove_created(before)
    with suppress(FileNotFoundError):
        os.unlink(choice.memory_path(location))
    return Report(current, tuple(change for change in changes if change.action != "absent"))


def _take_out(folders: Iterable[str], but: str | None = None) -> list[Change]:
    changes: list[Change] = []
    for directory in folders:
        if directory != but and files.is_folder(directory):
            with _undoing(directory):
                changes += [_uninstall_hook(hookfiles.inspect(directory, hook)) for hook in stubs.KNOWN]
                hookfiles.sync_folder(directory)
    return changes


def _remove_created(before: Json) -> None:
    if before.get("created_hooks_dir") is True:
        with suppress(OSError):  # somebody has put a hook there since
            os.rmdir(before["hooks_dir"])


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
        return neighbours.renew_wrapped(found, content, undo)
    if found.state == "foreign" and neighbours.goes_behind(found):
        return neighbours.go_behind(found, content, undo)
    if found.state == "foreign":
        note = neighbours.keep_foreign(found, undo)
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
        undo.callback(neighbours.unlink, found.path)
    hookfiles.write(found.path, content, hookfiles.STUB_MODE)
    return Change(found.hook, "renewed" if found.ours else "written", chained, note)


def _uninstall_hook(found: HookFile) -> Change:
    with suppress(FileNotFoundError):
        os.unlink(hookfiles.scratch_name(found.path))
    if found.state in ("foreign", "wrapped"):
        return neighbours.leave_foreign(found)
    if hookfiles.same(found.saved_legacy, found.legacy):
        os.unlink(found.saved_legacy)
    if hookfiles.is_stub(found.old, found.hook):
        os.unlink(found.old)
    note = None
    if found.state == "modified":
        aside = hookfiles.free_name(found.path + ".mgit-modified")
        os.rename(found.path, aside)
        note = f"somebody had changed our stub; that version is kept as {_name(aside)}"
    if found.chained:
        hookfiles.put_back(found.kept, found.path)
        return Change(found.hook, "restored", False, note)
    if found.ours and files.lexists(found.saved_legacy):
        hookfiles.put_back(found.saved_legacy, found.path)  # the manager has gone, and left us in its place
        return Change(found.hook, "restored", False, note)
    if found.state == "missing":
        return Change(found.hook, "absent", False)
    with suppress(FileNotFoundError):
        os.unlink(found.path)
    return Change(found.hook, "removed", False, note)


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
