"""What hooks, drain and policy leave of a record's text beside the journal, and taking it out of there.

Spool and logs are overwritten in place, so that who has one open appends to it as before. Each of these may be
killed anywhere and done again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from mgit_hooks.errors import JournalError
from mgit_hooks.files import is_folder, is_link, open_to_read, sync_directory, write_all
from mgit_hooks.journal.cursor import Cursor
from mgit_hooks.journal.wanted import Wanted, commit_of
from mgit_hooks.recorder import event, held
from mgit_hooks.recorder.spool import taken_in
from mgit_hooks.recovery import checkpoints

_ERASED: Final = b'{"erased": true}'
# A side file that a line of the spool names.
_SIDE_FILE: Final = re.compile(rb"\t@(x\.[^\t/]+)")


def erase_logs(mgit_dir: str, is_wanted: Callable[[bytes], bool]) -> int:
    """Blank out the lines of the logs that are wanted; how many."""
    folder = os.path.join(mgit_dir, "logs")
    count = 0
    for name in sorted(os.listdir(folder)) if is_folder(folder) else ():
        path = os.path.join(folder, name)
        with open_to_read(path) as file:
            data = file.read()
        places = [(at, len(line)) for at, line in _lines(data) if is_wanted(line)]
        _overwrite(path, [(at, _ERASED.ljust(length)[:length]) for at, length in places])
        count += len(places)
    return count


def erase_spool(spool_dir: str, cursor: Cursor | None, is_wanted: Callable[[bytes], bool]) -> int:
    """Blank out the lines that a drain has taken in and that are wanted; how many. The journal has what they say."""
    count = 0
    for path, end in taken_in(spool_dir, cursor):
        with open_to_read(path) as file:
            data = file.read(end)
        lines = [(at, line) for at, line in _lines(data) if line.strip(b"#") and _says(line, is_wanted)]
        for name in {name for _, line in lines for name in _SIDE_FILE.findall(line)}:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(spool_dir, os.fsdecode(name)))
        _overwrite(path, [(at, b"#" * len(line)) for at, line in lines])
        count += len(lines)
    return count


def _says(line: bytes, is_wanted: Callable[[bytes], bool]) -> bool:
    """Whether a line of the spool says what is wanted, in its own form or in that of its fields."""
    try:
        fields = event.parse(line).fields
    except ValueError:
        fields = ()
    return is_wanted(line) or any(is_wanted(os.fsencode(field)) for field in fields)


def erase_held(mgit_dir: str, is_wanted: Callable[[bytes], bool]) -> int:
    """Forget hook lines that wait for another one and say what is wanted; how many."""
    gone = 0
    for name in held.NAMES:
        waiting = held.read(mgit_dir, name)
        kept = [said for said in waiting if not any(is_wanted(os.fsencode(field)) for field in said.fields)]
        if len(kept) < len(waiting):
            held.write(mgit_dir, kept, name)
        gone += len(waiting) - len(kept)
    return gone


def erase_copies(mgit_dir: str, wanted: Wanted, names: frozenset[str]) -> list[str]:
    """Delete the copies that strategy ``checkpoint`` made of what is wanted, and those of ``names``.

    One that cannot be read is of no use to anybody, and may hold it: it goes as well.
    """
    folder = os.path.join(mgit_dir, "checkpoints")
    gone = []
    for name in sorted(os.listdir(folder)) if is_folder(folder) else ():
        if name.endswith(".json.gz") and (name in names or _holds(os.path.join(folder, name), wanted)):
            os.unlink(os.path.join(folder, name))
            gone.append(name)
    if gone:
        sync_directory(folder)
    return gone


def _holds(path: str, wanted: Wanted) -> bool:
    try:
        content = checkpoints.read(path)
    except JournalError:
        return True
    value = content.get("value")
    if isinstance(value, dict) and commit_of(value) in wanted.commits:
        return True
    return wanted.secret is not None and wanted.secret.is_in(content)


def erase_leftovers(mgit_dir: str) -> None:
    """Delete what killed writers have left beside the files that they were writing. Call it under all locks."""
    from shutil import rmtree

    for folder in (mgit_dir, *(os.path.join(mgit_dir, each) for each in ("journal", "quarantine", "checkpoints"))):
        for name in os.listdir(folder) if is_folder(folder) else ():
            path = os.path.join(folder, name)
            if name.endswith((".new", ".new.checked")):
                if is_folder(path) and not is_link(path):
                    rmtree(path)
                else:
                    os.unlink(path)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for line in data.split(b"\n"):
        if line:
            yield at, line
        at += len(line) + 1


def _overwrite(path: str, pieces: list[tuple[int, bytes]]) -> None:
    if not pieces:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    try:
        for at, data in pieces:
            os.lseek(descriptor, at, os.SEEK_SET)
            write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
