"""What other tools have done to our stubs, and how each gets what it would have had without us.

pre-commit and prek move the hook that they find to HOOK.legacy and run it from there; lefthook moves it to HOOK.old and
runs it no more (docs/decisions/0010-neighbours.md).
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from typing import Final

from mgit_hooks import files
from mgit_hooks.installer import hookfiles
from mgit_hooks.installer.changes import Change
from mgit_hooks.installer.hookfiles import HookFile

_WRAPPED: Final = "another hook manager runs it, and runs ours from its own hook"


def renew_wrapped(found: HookFile, content: bytes, undo: ExitStack) -> Change:
    """pre-commit or prek stands before us and calls us: to come first again would have its next ``install``
    move us over whatever it keeps at HOOK.legacy."""
    old = hookfiles.read(found.legacy)
    if old == content or old is None:
        return Change(found.hook, "unchanged", found.chained, _WRAPPED)
    undo.callback(hookfiles.write, found.legacy, old, hookfiles.STUB_MODE)
    hookfiles.write(found.legacy, content, hookfiles.STUB_MODE)
    return Change(found.hook, "renewed", found.chained, _WRAPPED)


def goes_behind(found: HookFile) -> bool:
    """Whether ours is to stand at HOOK.legacy, as if pre-commit or prek had come later: its ``uninstall`` takes away
    the hook that it finds in its own place, and puts back the one at HOOK.legacy. From post-rewrite's they hand on
    nothing of what git says on standard input: there ours comes first."""
    return found.executable and found.hook != "post-rewrite" and hookfiles.is_framework(found.path)


def go_behind(found: HookFile, content: bytes, undo: ExitStack) -> Change:
    """Write our stub at HOOK.legacy; what stood there runs from it."""
    remove_stub(found, found.old, undo)
    note = _set_aside(found, undo)
    if files.lexists(found.legacy):
        unlink(found.saved_legacy)
        hookfiles.keep(found.legacy, found.saved_legacy)
        undo.callback(hookfiles.put_back, found.saved_legacy, found.legacy)
    else:
        undo.callback(unlink, found.legacy)
    hookfiles.write(found.legacy, content, hookfiles.STUB_MODE)
    return Change(found.hook, "written", files.lexists(found.saved_legacy), note or _WRAPPED)


def keep_foreign(found: HookFile, undo: ExitStack) -> str | None:
    """Make the hook at ``found.path`` the chained one."""
    if hookfiles.same(found.path, found.kept):
        undo.callback(hookfiles.put_back, found.kept, found.path)
        return None  # a run of ours was killed between keeping and writing
    remove_stub(found, found.old, undo)  # lefthook's next run would find its name taken, and complain of it
    if hookfiles.is_stub(found.legacy, found.hook):
        remove_stub(found, found.legacy, undo)
    elif hookfiles.is_framework(found.path) and files.lexists(found.legacy):
        unlink(found.saved_legacy)
        hookfiles.keep(found.legacy, found.saved_legacy, move=False)
        undo.callback(unlink, found.saved_legacy)
    note = _set_aside(found, undo)
    hookfiles.keep(found.path, found.kept)
    undo.callback(hookfiles.put_back, found.kept, found.path)
    return note


def _set_aside(found: HookFile, undo: ExitStack) -> str | None:
    """The hook that was chained until another tool took our stub's place, and its own: it stopped running then. It is
    kept under a number, or goes if that same tool has written it anew."""
    if not files.lexists(found.kept):
        return None
    if hookfiles.of_one_maker(found.kept, found.path):
        content, mode = hookfiles.read(found.kept) or b"", os.stat(found.kept).st_mode & 0o777
        os.unlink(found.kept)
        undo.callback(hookfiles.write, found.kept, content, mode)
        return None
    aside = hookfiles.free_name(found.kept)
    os.replace(found.kept, aside)
    undo.callback(os.replace, aside, found.kept)
    return (
        "another tool had replaced our stub; its hook runs now, and the one that was here before, "
        f"which it no longer ran, is kept as {os.path.basename(aside)}"
    )


def remove_stub(found: HookFile, path: str, undo: ExitStack) -> None:
    """Our own stub, moved by a manager that does not stand here any more: nobody runs it."""
    content = hookfiles.read(path)
    if content is not None and hookfiles.is_stub(path, found.hook):
        os.unlink(path)
        undo.callback(hookfiles.write, path, content, hookfiles.STUB_MODE)


def leave_foreign(found: HookFile) -> Change:
    """Take out what is ours beside a hook that is not."""
    if hookfiles.same(found.path, found.kept):
        os.unlink(found.kept)
        return Change(found.hook, "restored", False)
    if hookfiles.is_stub(found.legacy, found.hook):
        _unwrap(found)
    elif hookfiles.is_stub(found.old, found.hook):
        _put_at_old(found)
    elif not found.chained:
        return Change(found.hook, "absent", False)
    if hookfiles.of_one_maker(found.kept, found.path):
        os.unlink(found.kept)  # the manager has written that hook anew
    note = "another tool has written this hook since: it stays"
    if files.lexists(found.kept):
        note += f"; the one that was here before us stays beside it as {os.path.basename(found.kept)}"
    return Change(found.hook, "left", files.lexists(found.kept), note)


def _unwrap(found: HookFile) -> None:
    """Put at HOOK.legacy what the manager would have there, had it not found our stub."""
    if files.lexists(found.saved_legacy):
        os.replace(found.saved_legacy, found.legacy)
    elif found.chained and not hookfiles.is_framework(found.kept):
        os.replace(found.kept, found.legacy)
    else:
        os.unlink(found.legacy)


def _put_at_old(found: HookFile) -> None:
    """The same for lefthook, whose own ``uninstall`` puts HOOK.old back."""
    if found.chained and not hookfiles.of_one_maker(found.kept, found.path):
        os.replace(found.kept, found.old)
    else:
        os.unlink(found.old)


def unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
