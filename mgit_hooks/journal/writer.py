"""Appending to the journal: one writer at a time, one write a frame, synced before success is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mgit_hooks import compress, lock
from mgit_hooks.errors import JournalError, reason
from mgit_hooks.files import sync_directory, write_all
from mgit_hooks.journal import identity
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
    segment_name,
    segment_names,
    segment_number,
)
from mgit_hooks.journal.tail import read_tail
from mgit_hooks.layout import make_private_dir
from mgit_hooks.record import Seq

# Bytes.
_CONFIRMED_AT_ONCE = 1024 * 1024


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
        self._fd = -1
        self._name = ""
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
            self._sync_segment()  # or a power cut could leave the cursor, and not all of the records before it
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
        self._sync_segment()
        last = self._next_seq - 1
        place = (self._name, self._last_offset, self._end, self._first_seq, self.cursor)
        identity.write_head(self._dir, identity.Head(last, self._head, *place))

    def roll(self) -> None:
        """Seal the newest segment and open another, so that what was the newest may be rewritten.

        One that holds no record yet is left as it is. Raises JournalError where the disk will not take it.
        """
        if self._next_seq > self._first_seq:
            self._seal()
            self._open_segment(segment_number(self._name) + 1)
            self.sync()

    def close(self) -> None:
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _sync_segment(self) -> None:
        self._require_open()
        try:
            os.fsync(self._fd)
            size = os.fstat(self._fd).st_size
        except OSError as error:
            self.close()
            raise JournalError(
                f"the disk did not take the journal: {error.strerror}", "run 'mgit-hooks verify' once it is mended"
            ) from error
        if size != self._end:
            # Someone wrote to it or cut it without the lock, or the disk told of more than it took.
            self.close()
            raise JournalError(f"{self._name} is not as long as what was written to it", "run 'mgit-hooks verify'")

    def _require_open(self) -> None:
        if self._fd < 0:
            raise JournalError("the journal was closed after a failure of the disk", "run the command again")

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
        tail = read_tail(self._dir, name, journals, hint)
        self._next_seq, self._head = tail.next_seq, tail.head
        self.cursor = tail.cursor
        # Killed between a segment's header and the cursor that it begins with.
        half_open = bool(tail.end) and not tail.frame_offset and tail.cursor is None
        if tail.damaged or not tail.end or half_open:
            # The last segment alone no longer says where the journal and the spool's cursor stand.
            self._look_back(names[:-1], journals)
        self._first_seq = tail.first_seq or self._next_seq
        if tail.torn is not None:
            # What a write that was cut off has left. Kept aside, since nothing is ever deleted.
            quarantine(self._dir, tail.torn)
            _cut(os.path.join(self._dir, name), tail.end)
        path = os.path.join(self._dir, name)
        self._confirm(path, hint.end if hint is not None and hint.segment == name else 0, tail.end)
        if not tail.end:
            os.unlink(path)  # what a crash left of a segment that was being opened: nothing, by now
        elif not tail.sealed:
            self._name, self._end, self._last_offset = name, tail.end, tail.frame_offset
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            if half_open and self.cursor is not None:
                self._write(cursor_frame(self.cursor, self._next_seq, self._head))
        lost = hint is not None and hint.seq >= self._next_seq
        if lost and hint is not None:
            # Reported records are gone from the end. The hole stays visible: their numbers and the chain
            # id after them are known from the hint, and a new segment goes on from there.
            if self._fd >= 0:
                self._seal(report=False)
            self._next_seq, self._head = Seq(hint.seq + 1), ChainId(hint.id)
        if self._fd < 0:
            self._open_segment(segment_number(name) + (1 if tail.end else 0))

    def _confirm(self, path: str, start: int, end: int) -> None:
        """Bring to the disk what the segment holds and nobody was told of, since records will follow it.

        After a failed fsync the kernel may call pages clean that the disk never took: they can be read, another
        fsync passes them over, and they are gone with the power. Written again, each is the disk's once more.
        """
        if start >= end:
            return
        with open(path, "r+b", buffering=0) as file:
            for at in range(start, end, _CONFIRMED_AT_ONCE):
                file.seek(at)
                data = file.read(min(_CONFIRMED_AT_ONCE, end - at))
                file.seek(at)
                write_all(file.fileno(), data)
            os.fsync(file.fileno())
        sync_directory(self._dir)

    def _look_back(self, names: Sequence[str], journals: Sequence[JournalId]) -> None:
        for name in reversed(names):
            before = read_tail(self._dir, name, journals, None)
            self.cursor = self.cursor or before.cursor
            if before.next_seq > self._next_seq:
                self._next_seq, self._head = before.next_seq, before.head
            if self.cursor is not None and self._next_seq > 1:
                return

    def _adopt(self, adopted: Callable[[str, int, str], bytes], journals: Sequence[JournalId]) -> None:
        """This folder is a copy: it goes on under an id of its own, from a segment that says where it came from."""
        before = (self._journal.hex(), self._next_seq - 1, self._head.hex())
        self._seal()
        new = identity.new_id()
        # Before a frame stands under the new id, or a crash would leave frames that pass for another's.
        identity.write(self._dir, self._journal, [*journals, new], at_home=False)
        self._journal = new
        self._open_segment(segment_number(self._name) + 1)
        self.append([adopted(*before)])
        self.sync()
        # Last: a crash before this leaves a copy that adopts itself once more, which is true twice.
        identity.write(self._dir, self._journal)

    # Writing

    def _append_block(self, payloads: list[bytes], cursor: Cursor | None) -> list[Appended]:
        if self._end >= SEGMENT_TARGET:
            self._seal()
            self._open_segment(segment_number(self._name) + 1)
        entries = new_entries(payloads, os.urandom(SALT_LENGTH * len(payloads)))
        frame = block_frame(entries, self._next_seq, self._head, cursor, compress.SNAPPY)
        offset = self._end
        self._write(frame)
        ids = chain_ids(self._head, self._next_seq, entries)
        done = [Appended(Seq(seq), id, self._name, offset) for seq, id in enumerate(ids, self._next_seq)]
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
                self._sync_segment()
        finally:
            self.close()  # nothing may follow a footer, whatever became of the head

    def _open_segment(self, number: int) -> None:
        self._name = segment_name(number)
        self._first_seq, self._end, self._last_offset = self._next_seq, 0, 0
        place = (self._next_seq, self._head)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._fd = os.open(os.path.join(self._dir, self._name), flags, 0o600)
        except OSError as error:
            raise JournalError(
                f"cannot make {self._name}: {error.strerror}", "mend that; what waits is kept"
            ) from error
        try:
            os.fchmod(self._fd, 0o600)
            self._write(segment_frame(SegmentInfo(HOT_VERSION, self._journal, number, int(time.time())), *place))
            if self.cursor is not None:
                # So that the newest segment alone always tells how far the spool has been read.
                self._write(cursor_frame(self.cursor, *place))
            self._sync_segment()
            sync_directory(self._dir)
        except BaseException as error:
            # No block may go into a segment without a header, or into one whose name may vanish.
            self.close()
            if isinstance(error, OSError):
                raise JournalError(
                    f"cannot make {self._name}: {error.strerror}", "mend that; what waits is kept"
                ) from error
            raise

    def _write(self, frame: Frame) -> None:
        data = pack_frame(frame, self._journal)
        self._require_open()
        try:
            write_all(self._fd, data)
        except BaseException as error:
            # Not a byte of it may stay, whatever stopped it: the next frame would come after it.
            self._take_back()
            if not isinstance(error, OSError):
                raise
            raise JournalError(
                f"cannot append to {self._name}: {error.strerror}", "make room on the disk; what waits is kept"
            ) from error
        self._last_offset = self._end
        self._end += len(data)

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._fd, self._end)
        except OSError:
            # A part of a frame stays: a torn tail, which the next writer moves aside. This one writes nothing after it.
            self.close()


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


def _cut(path: str, size: int) -> None:
    """Shorten a segment, durably: a later write that is torn must not bring up again what lay there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
