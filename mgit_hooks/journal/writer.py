"""Appending to the journal: one writer at a time, one write a frame, synced before success is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mgit_hooks import compress, lock
from mgit_hooks.errors import JournalError, reason
from mgit_hooks.files import sync_directory
from mgit_hooks.journal import identity, segmentfile
from mgit_hooks.journal.blockformat import (
    BLOCK_TARGET,
    MAX_PAYLOAD,
    MAX_RECORDS,
    SALT_LENGTH,
    block_frame,
    chain_ids,
    new_entries,
)
from mgit_hooks.journal.format import (
    GENESIS,
    HOT_VERSION,
    SEGMENT_TARGET,
    ChainId,
    Cursor,
    Frame,
    JournalId,
    SegmentInfo,
    cursor_frame,
    footer_frame,
    pack_frame,
    segment_frame,
)
from mgit_hooks.journal.quarantine import quarantine
from mgit_hooks.journal.segment import (
    known_journals,
    segment_journals,
    segment_names,
    segment_number,
)
from mgit_hooks.journal.segmentfile import SegmentFile
from mgit_hooks.journal.tail import Tail, read_end
from mgit_hooks.layout import make_private_dir
from mgit_hooks.record import Seq


class Appended(NamedTuple):
    """Where a record went: enough for the index, and for whoever must name it later."""

    seq: Seq
    id: ChainId
    segment: str
    offset: int


class Appender:
    """The one writer. Make it with ``appender``, which holds the lock."""

    def __init__(self, journal_dir: str, adopted: Callable[[str, int, str], bytes]) -> None:
        self._dir = journal_dir
        self._segment = SegmentFile()
        self.cursor: Cursor | None = None
        try:
            self._open(adopted)
        except BaseException:
            self.close()
            raise

    def _open(self, adopted: Callable[[str, int, str], bytes]) -> None:
        names = segment_names(self._dir)
        own = identity.read(self._dir)
        if not names:
            self._begin(own.journal if own and own.at_home else None)
            return
        journals = known_journals(self._dir, names, own)
        if not journals:
            raise JournalError(
                "the journal's identity and every segment header are unreadable", "run 'mgit-hooks repair'"
            )
        # The newest segment says what its frames stand under, and the identity only where that is damaged.
        headers = segment_journals(self._dir, reversed(names))
        self._journal = next((id for id in headers if id in journals), journals[-1])
        self._continue(names, journals)
        if own is None:
            identity.write(self._dir, self._journal, journals)
        elif not own.at_home:
            self._adopt(adopted, journals)

    # What follows is the state after each append: the next record's seq and the chain's head.

    @property
    def next_seq(self) -> Seq:
        return self._next_seq

    @property
    def head(self) -> ChainId:
        return self._head

    @property
    def journal(self) -> JournalId:
        return self._journal

    def append(self, payloads: Iterable[bytes], cursor: Cursor | None = None) -> list[Appended]:
        """Append each payload as a record, in blocks of at most 64 records.

        ``cursor`` goes into the last block, so that it counts only where all of its records do; with
        no payload it goes into a frame of its own. Nothing is promised before ``sync``.
        Raises JournalError where the disk will not take it: the segment then ends where it ended before
        the frame that failed. Also for a payload of more than MAX_PAYLOAD bytes: those before it may stand.
        """
        done: list[Appended] = []
        pending: list[bytes] = []
        for group in _groups(payloads):
            if pending:
                done += self._append_block(pending, None)
            pending = group
        if done and cursor is not None:
            self._segment.sync()  # or a power cut could leave the cursor, and not all of the records before it
        if pending:
            done += self._append_block(pending, cursor)
        elif cursor is not None:
            self._write(cursor_frame(cursor, self._next_seq, self._head))
        if cursor is not None:
            self.cursor = cursor
        return done

    def sync(self) -> None:
        """Return once all that was appended is on the disk; only then may it be reported as recorded.

        After a failed fsync the kernel may call the pages clean without having written them: this writer
        is done for, and the next one reads what really is on file.
        """
        segment = self._segment
        segment.sync()
        last = self._next_seq - 1
        place = (segment.name, segment.last_offset, segment.end, self._first_seq, self.cursor)
        identity.write_head(self._dir, identity.Head(last, self._head, *place))

    def roll(self) -> None:
        """Seal the newest segment and open another, so that what was the newest may be rewritten.

        One that holds no record yet is left as it is. Raises JournalError where the disk will not take it.
        """
        if self._next_seq > self._first_seq:
            self._seal()
            self._open_segment(segment_number(self._segment.name) + 1)
            self.sync()

    def close(self) -> None:
        self._segment.close()

    # Beginning and continuing

    def _begin(self, journal: JournalId | None) -> None:
        self._journal = journal or identity.new_id()
        self._next_seq, self._head = Seq(1), GENESIS
        hint = identity.read_head(self._dir)
        if hint is not None:
            # Records were reported, and every segment is gone: their numbers are not given out again.
            self._next_seq, self._head = Seq(hint.seq + 1), ChainId(hint.id)
        # What is synced in a folder is lost all the same where the folder's own name is not on the disk.
        parent = os.path.dirname(self._dir)
        sync_directory(os.path.dirname(parent))
        sync_directory(parent)
        # The identity before the first segment: a crash between leaves an empty journal with a name.
        identity.write(self._dir, self._journal)
        self._open_segment(1 if hint is None else segment_number(hint.segment) + 1)

    def _continue(self, names: Sequence[str], journals: Sequence[JournalId]) -> None:
        name = names[-1]
        hint = identity.read_head(self._dir)
        end = read_end(self._dir, names, journals, hint)
        tail = end.tail
        self._next_seq, self._head, self.cursor = end.next_seq, end.head, end.cursor
        self._first_seq = tail.first_seq or self._next_seq
        self._make_ready(name, tail, hint.end if hint is not None and hint.segment == name else 0)
        if tail.end and not tail.sealed:
            self._segment = SegmentFile.going_on(self._dir, name, tail.end, tail.frame_offset)
            if end.half_open and self.cursor is not None:
                self._write(cursor_frame(self.cursor, self._next_seq, self._head))
        if hint is not None and hint.seq >= self._next_seq:
            # Reported records are gone from the end. The hole stays visible: their numbers and the chain
            # id after them are known from the hint, and a new segment goes on from there.
            if self._segment.is_open:
                self._seal(report=False)
            self._next_seq, self._head = Seq(hint.seq + 1), ChainId(hint.id)
        if not self._segment.is_open:
            self._open_segment(segment_number(name) + (1 if tail.end else 0))

    def _make_ready(self, name: str, tail: Tail, told: int) -> None:
        """Let the segment end with a whole frame that is on the disk; up to byte ``told`` it was reported to be."""
        if tail.torn is not None:
            # What a write that was cut off has left. Kept aside, since nothing is ever deleted.
            quarantine(self._dir, tail.torn)
            segmentfile.cut(self._dir, name, tail.end)
        segmentfile.confirm(self._dir, name, told, tail.end)
        if not tail.end:
            # What a crash left of a segment that was being opened: nothing, by now.
            os.unlink(os.path.join(self._dir, name))

    def _adopt(self, adopted: Callable[[str, int, str], bytes], journals: Sequence[JournalId]) -> None:
        """This folder is a copy: it goes on under an id of its own, from a segment that says where it came from."""
        before = (self._journal.hex(), self._next_seq - 1, self._head.hex())
        self._seal()
        new = identity.new_id()
        # Before a frame stands under the new id, or a crash would leave frames that pass for another's.
        identity.write(self._dir, self._journal, [*journals, new], at_home=False)
        self._journal = new
        self._open_segment(segment_number(self._segment.name) + 1)
        self.append([adopted(*before)])
        self.sync()
        # Last: a crash before this leaves a copy that adopts itself once more, which is true twice.
        identity.write(self._dir, self._journal)

    # Writing

    def _append_block(self, payloads: list[bytes], cursor: Cursor | None) -> list[Appended]:
        if self._segment.end >= SEGMENT_TARGET:
            self._seal()
            self._open_segment(segment_number(self._segment.name) + 1)
        entries = new_entries(payloads, os.urandom(SALT_LENGTH * len(payloads)))
        frame = block_frame(entries, self._next_seq, self._head, cursor, compress.SNAPPY)
        name, offset = self._segment.name, self._segment.end
        self._write(frame)
        ids = chain_ids(self._head, self._next_seq, entries)
        done = [Appended(Seq(seq), id, name, offset) for seq, id in enumerate(ids, self._next_seq)]
        self._next_seq, self._head = Seq(self._next_seq + len(ids)), ids[-1]
        return done

    def _seal(self, *, report: bool = True) -> None:
        """End the segment. Its numbers have no gap, so that they alone tell the footer's count."""
        count = self._next_seq - self._first_seq
        self._write(footer_frame(count, self._first_seq, Seq(self._next_seq - 1), self._head))
        try:
            if report:
                self.sync()
            else:  # the head still names records that are gone, until a new segment goes on after them
                self._segment.sync()
        finally:
            self._segment.close()  # nothing may follow a footer, whatever became of the head

    def _open_segment(self, number: int) -> None:
        self._first_seq = self._next_seq
        place = (self._next_seq, self._head)
        frames = [segment_frame(SegmentInfo(HOT_VERSION, self._journal, number, int(time.time())), *place)]
        if self.cursor is not None:
            # So that the newest segment alone always tells how far the spool has been read.
            frames.append(cursor_frame(self.cursor, *place))
        self._segment = SegmentFile.new(self._dir, number, (pack_frame(frame, self._journal) for frame in frames))

    def _write(self, frame: Frame) -> None:
        self._segment.write(pack_frame(frame, self._journal))


@contextmanager
def appender(journal_dir: str, adopted: Callable[[str, int, str], bytes]) -> Iterator[Appender]:
    """The writer, under the one lock that all worktrees share.

    ``adopted`` gives the payload of the record that a copied journal begins with, from the old
    journal's id, its last seq and its chain head.
    """
    make_private_dir(journal_dir)
    with lock.journal(journal_dir):
        try:
            made = Appender(journal_dir, adopted)
        except OSError as error:
            raise JournalError(
                f"cannot go on with the journal: {reason(error)}", "mend that; what waits is kept"
            ) from error
        try:
            yield made
        finally:
            made.close()


def _groups(payloads: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Payloads by the block: at most 64 of them, and no more than about a mebibyte unless one alone is larger."""
    group: list[bytes] = []
    size = 0
    for payload in payloads:
        length = len(payload)
        if group and (len(group) == MAX_RECORDS or size + length > BLOCK_TARGET):
            yield group
            group, size = [], 0
        if length > MAX_PAYLOAD:
            raise JournalError(f"a record of {length} bytes is more than the journal takes", "see docs/format.md")
        group.append(payload)
        size += length
    if group:
        yield group
