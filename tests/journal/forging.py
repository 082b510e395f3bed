"""What the owner of a journal can do to it without a trace: the whole of it put back, or written anew from a record on.

Both leave a journal in which ``verify`` finds nothing wrong. docs/limits.md says so; the tests hold it to that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mgit_hooks import compress
from mgit_hooks.journal import blockformat, format, identity, reader
from mgit_hooks.journal.blockformat import Entry
from mgit_hooks.journal.format import BLOCK, FOOTER, SEGMENT, ChainId, Frame
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.record import Seq

from . import making

Files = dict[str, bytes]


def kept(folder: str) -> Files:
    """Every file below ``folder``, by its path there."""
    top = Path(folder)
    return {str(path.relative_to(top)): path.read_bytes() for path in sorted(top.rglob("*")) if path.is_file()}


def put_back(folder: str, files: Files) -> None:
    """The folder as it was: files that stay keep their inode, as under who restores contents and not files."""
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, data in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def forge(journal_dir: str, first: int, change: Callable[[int, bytes], bytes]) -> None:
    """Write everything anew from record ``first`` on, as if ``change`` of each payload had been recorded.

    New salts, ids, checksums, footers and head: nothing is left that could contradict.
    """
    head, offset, segment_first, cursor = format.GENESIS, 0, 1, None
    for name in segment_names(journal_dir):
        data = b""
        for item in making.frames(journal_dir, name):
            journal = reader.journal_ids(journal_dir)[-1]
            frame, offset = item.frame, len(data)
            if frame.kind == SEGMENT:
                journal_here, segment_first = format.segment_info(frame).journal, frame.first_seq
                assert journal_here == journal
            if frame.kind == BLOCK:
                frame, last = _block(frame, head, first, change)
            else:
                frame, last = frame._replace(previous=head), head
            if frame.kind in (BLOCK, format.CURSOR):
                cursor = blockformat.frame_cursor(frame) or cursor
            data += format.pack_frame(frame, journal)
            head = last
            next_seq = frame.first_seq + frame.records
            if frame.kind == FOOTER:
                next_seq = Seq(format.footer_info(frame).last_seq + 1)
        making.put(journal_dir, name, data)
    place = (name, offset, len(data), segment_first, tuple(cursor) if cursor else None)
    identity.write_head(journal_dir, identity.Head(next_seq - 1, head, *place))


def _block(frame: Frame, head: ChainId, first: int, change: Callable[[int, bytes], bytes]) -> tuple[Frame, ChainId]:
    entries: list[Entry] = []
    last = head
    for seq, entry in enumerate(blockformat.block_entries(frame), frame.first_seq):
        if seq >= first and entry.payload is not None:
            entry = blockformat.new_entry(change(seq, entry.payload), os.urandom(blockformat.SALT_LENGTH))
        entries.append(entry)
        last = blockformat.chain(last, seq, entry)
    cursor = blockformat.frame_cursor(frame)
    return blockformat.block_frame(entries, frame.first_seq, head, cursor, compress.SNAPPY), last
