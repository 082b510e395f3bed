"""The mark of an erasure that has not come to its end, in the journal or in any other place that it goes to.

``.git/mgit/journal.erasing`` is there from after the ``erase`` record is synced until nothing is left to do; verify
counts what it names as ``unerased``. ``.git/mgit/journal.erased`` stays: the commits and, as digests, the ref movements
that were erased. It is not what the journal declares, only what nobody is to record again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from mgit_hooks.files import read, replacing, sync_directory
from mgit_hooks.journal import checked

_LONGEST: Final = 256 * 1024 * 1024  # bytes: a few million records


class Remembered(NamedTuple):
    """Commits, and ``contents.movement_key`` of ref movements in hexadecimal."""

    commits: frozenset[str]
    movements: frozenset[str]


def pending(journal_dir: str) -> dict[int, str] | None:
    """The records whose erasure has begun and was not ended, in some place: not only in the journal. Seq and chain id.

    By its id a record is told from another that has its number since (after a restore, say): that one is to stay.
    None where the mark is there and does not say which: it may be any that was ever erased.
    """
    try:
        value = checked.decode(read(_mark(journal_dir), _LONGEST))
        return {int(seq): str(id) for seq, id in value["records"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def begin(journal_dir: str, records: Mapping[int, str]) -> None:
    """Name them; synced on return. Raises OSError."""
    # Under names as JSON has them: the check is over what will be read.
    _write(_mark(journal_dir), {"records": {str(seq): id for seq, id in records.items()}})


def remember(journal_dir: str, commits: Iterable[str], movements: Iterable[str]) -> None:
    """Add to what is never to be recorded again; synced on return. Raises OSError."""
    before = remembered(journal_dir)
    added = Remembered(before.commits | set(commits), before.movements | set(movements))
    if added != before:
        _write(_memory(journal_dir), {name: sorted(values) for name, values in added._asdict().items()})


def remembered(journal_dir: str) -> Remembered:
    """What was erased by now, though damage or a restore has taken the ``erase`` record, or all of the record."""
    try:
        value = checked.decode(read(_memory(journal_dir), _LONGEST))
        return Remembered(frozenset(map(str, value["commits"])), frozenset(map(str, value["movements"])))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Remembered(frozenset(), frozenset())


def end(journal_dir: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_mark(journal_dir))
    sync_directory(os.path.dirname(journal_dir))


def _mark(journal_dir: str) -> str:
    return f"{journal_dir}.erasing"


def _memory(journal_dir: str) -> str:
    return f"{journal_dir}.erased"


def _write(path: str, value: Mapping[str, object]) -> None:
    with replacing(path) as file:
        file.write(checked.encode(value))
