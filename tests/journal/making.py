"""Journals for the tests: made by the real writer, small, with several segments where asked for."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from mgit_hooks.journal import reader, writer
from mgit_hooks.journal.format import Cursor
from mgit_hooks.journal.reader import Stored
from mgit_hooks.journal.segment import Located, segment_names


def adopted(journal: str, last_seq: int, head: str) -> bytes:
    detail = {"journal": journal, "last_seq": last_seq, "head": head}
    return json.dumps({"event": "adopted", "detail": detail}).encode()


def append(journal_dir: str, payloads: Iterable[bytes] = (), cursor: Cursor | None = None) -> list[writer.Appended]:
    with writer.appender(journal_dir, adopted) as journal:
        done = journal.append(payloads, cursor)
        journal.sync()
    return done


def records(journal_dir: str) -> list[Stored]:
    return list(reader.records(journal_dir))


def payloads(count: int, seed: int = 7, *, short: bool = False) -> list[bytes]:
    """Payloads of which some compress, some do not, and one is empty."""
    if short:
        return [b"%d" % number * (number % 4) for number in range(count)]
    dice = random.Random(seed)
    made = []
    for number in range(count):
        text = json.dumps({"event": "commit", "number": number, "text": "again and " * dice.randrange(8)}).encode()
        made.append(dice.choice([text, dice.randbytes(dice.randrange(60)), text[:20]]))
    made[0] = b""
    return made


def small(path: Path, count: int, *, target: int = 1000, group: int = 4, short: bool = False) -> str:
    """A journal of ``count`` records in several segments, cursors in blocks and in frames of their own."""
    journal_dir = str(path / "mgit" / "journal")
    data = payloads(count, short=short)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", target)
        for number, start in enumerate(range(0, count, group)):
            cursor = Cursor(1, 100 * number) if number % 2 else None
            append(journal_dir, data[start : start + group], cursor)
            if number % 3 == 0:
                append(journal_dir, (), Cursor(1, 100 * number + 50))
    return journal_dir


def eighteen(path: Path) -> str:
    """18 records in three segments, in a shape that tests may count on; its frames count from 0.

    0 header, 1 records 1 to 3, 2 cursor, 3 records 4 to 6, 4 footer; 5 header, 6 cursor, 7 records 7 to 9, 8 records
    10 to 12, 9 cursor, 10 footer; 11 header, 12 cursor, 13 records 13 to 15, 14 records 16 to 18.
    """
    made = small(path, 18, target=400, group=3, short=True)
    shape = "".join("_SBCF"[item.frame.kind] for item in frames(made))
    assert shape == "SBCBFSCBBCFSCBB"
    return made


def frames(journal_dir: str, name: str | None = None) -> list[Located]:
    found = list(reader.frames(journal_dir))
    assert all(isinstance(item, Located) for item in found)
    return [item for item in found if isinstance(item, Located) and name in (None, item.segment)]


def segment_bytes(journal_dir: str) -> dict[str, bytes]:
    return {name: Path(journal_dir, name).read_bytes() for name in segment_names(journal_dir)}


def put(journal_dir: str, name: str, data: bytes) -> None:
    Path(journal_dir, name).write_bytes(data)


def is_subsequence(part: Sequence[Stored], whole: Sequence[Stored]) -> bool:
    rest = iter(whole)
    return all(item in rest for item in part)


def quarantined(journal_dir: str) -> list[str]:
    folder = Path(journal_dir).parent / "quarantine"
    return sorted(os.listdir(folder)) if folder.exists() else []
