"""What is recorded: the real operations, run in a process of their own as ``python -m power.acts NAME FOLDER``.

After each step that the product calls done, the process prints ``SEQ ID SHA256`` of the records that it reports.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence

from journal.making import adopted

from mgit_hooks.journal import writer
from mgit_hooks.journal.format import Cursor
from power import plants


def told(seq: int, id: bytes, payload: bytes | None) -> str:
    return f"{seq} {id.hex()} {hashlib.sha256(payload or b'').hexdigest()}"


def report(lines: Sequence[str]) -> None:
    os.write(1, "".join(f"{line}\n" for line in lines).encode())


def _append(journal_dir: str, payloads: Sequence[bytes], cursor: Cursor | None = None) -> None:
    with writer.appender(journal_dir, adopted) as journal:
        done = journal.append(payloads, cursor)
        journal.sync()
        report([told(item.seq, item.id, payload) for item, payload in zip(done, payloads, strict=True)])


def _noise(count: int, length: int) -> list[bytes]:
    """Payloads that do not compress: several sectors of them."""
    return [os.urandom(length).hex().encode()[:length] for _ in range(count)]


def append(journal_dir: str) -> None:
    for number in range(3):
        _append(journal_dir, _noise(3, 300), Cursor(1, 1000 + number))
    _append(journal_dir, [b"one more"])


def group(journal_dir: str) -> None:
    """An append of several blocks, the cursor in the last."""
    _append(journal_dir, _noise(150, 20), Cursor(2, 70))
    _append(journal_dir, _noise(2, 900))


def rotate(journal_dir: str) -> None:
    writer.SEGMENT_TARGET = 1000  # type: ignore[misc]
    for number in range(5):
        _append(journal_dir, _noise(2, 400), Cursor(3, number))


ACTS: dict[str, Callable[[str], None]] = {
    "append": append,
    "group": group,
    "rotate": rotate,
    "first": append,
    "adopt": append,
}


def main(name: str, folder: str, plant: str = "") -> None:
    if plant:
        plants.PLANTS[plant]()
    ACTS[name](folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
