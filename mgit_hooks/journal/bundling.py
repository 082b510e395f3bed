"""Writing a bundle: of the journal, what is there to stay, and never a file that was not read back and verified."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.errors import JournalError
from mgit_hooks.files import is_file, lexists, open_to_read, sync_directory
from mgit_hooks.journal import bundle, identity, manifest
from mgit_hooks.journal.bundle import BundleError, Checked, pieces
from mgit_hooks.journal.findings import Hole
from mgit_hooks.journal.format import ChainId, FormatError, Frame, JournalId, unpack_frame
from mgit_hooks.journal.manifest import BEGINNING, Gap, Manifest, Part
from mgit_hooks.journal.segment import known_journals, segment_names
from mgit_hooks.journal.tail import Tail, read_tail
from mgit_hooks.lock import exclusive, required
from mgit_hooks.record import Seq

# A writer at work is waited for this long, before a bundle takes the journal as it was last reported.
_PATIENCE: Final = 1.0


class Extent(NamedTuple):
    """The bytes of a journal that are there to stay: sealed segments, and the newest to its last whole frame."""

    parts: tuple[tuple[str, int], ...]  # name and length of each segment, oldest first
    last_seq: Seq
    head: ChainId
    journals: tuple[JournalId, ...]


class Selection(NamedTuple):
    """That ``found`` is a part of the journal only; what is missing in it is declared in what is not taken."""

    holes: tuple[Hole, ...]
    erased: tuple[int, ...]


@contextmanager
def still(mgit_dir: str) -> Iterator[None]:
    """Nobody rewrites or removes a sealed segment meanwhile. Where we may not write, no lock can be had."""
    if not os.access(mgit_dir, os.W_OK):
        yield
        return
    with required(os.path.join(mgit_dir, "maintenance.lock"), "the journal"):
        yield


def write(journal_dir: str, path: str, found: Extent | None = None, selection: Selection | None = None) -> Checked:
    """Write the journal, or the ``selection`` of it, to ``path``: synced, read back, verified, then named.

    ``found`` is what ``extent`` said a moment ago, where that was asked. Call it under ``still``. Raises
    BundleError where the journal is damaged or ``path`` is there already, JournalError where something cannot be
    read or written; ``path`` is then as it was.
    """
    if lexists(path):
        raise BundleError(f"{path} is there already", "name another file, or remove that one")
    temporary = f"{path}.{os.getpid()}.new"
    try:
        _write(journal_dir, temporary, found or extent(journal_dir), selection)
        checked = bundle.check(temporary, bundle.scratch(journal_dir, temporary))
        _name(temporary, path)
    except OSError as error:
        what = error.filename or path
        raise JournalError(f"cannot write {what}: {error.strerror}", "mend that and try again") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    return checked._replace(path=path)


def extent(journal_dir: str) -> Extent:
    """How far the journal stands: with the writer's lock all whole frames, else what the head last reported.

    A drain may hold that lock for minutes; what it has not reported is not waited for.
    """
    if not os.access(journal_dir, os.W_OK):
        return _extent(journal_dir, reported=False)
    with exclusive(os.path.join(journal_dir, "lock"), wait=_PATIENCE) as held:
        return _extent(journal_dir, reported=not held)


def _extent(journal_dir: str, *, reported: bool) -> Extent:
    names = segment_names(journal_dir)
    hint = identity.read_head(journal_dir)
    journals = tuple(known_journals(journal_dir, names, identity.read(journal_dir)))
    if reported:
        if hint is None or hint.segment not in names:
            raise JournalError("the journal is in use by another process", "wait for it to end and try again")
        names = names[: names.index(hint.segment) + 1]
    tail = _tail(journal_dir, names, journals, hint)
    if tail is not None and not tail.end:
        names.pop()  # what a crash left of a segment that was being opened
        tail = _tail(journal_dir, names, journals, hint)
    if tail is None or not tail.end:
        raise BundleError("there is no journal to copy", "run 'mgit-hooks init' to begin one")
    if hint is not None and hint.seq >= tail.next_seq:
        raise BundleError("the journal has lost its end, and a copy would hide that", "run 'mgit-hooks repair' first")
    end, last_seq, head = tail.end, Seq(tail.next_seq - 1), tail.head
    if reported and hint is not None and not tail.sealed:
        end, last_seq, head = hint.end, Seq(hint.seq), ChainId(hint.id)
    lengths = [os.path.getsize(os.path.join(journal_dir, name)) for name in names[:-1]]
    return Extent(tuple(zip(names, [*lengths, end], strict=True)), last_seq, head, journals)


def _tail(
    journal_dir: str, names: Sequence[str], journals: Sequence[JournalId], hint: identity.Head | None
) -> Tail | None:
    return read_tail(journal_dir, names[-1], journals, hint) if names else None


def _write(journal_dir: str, path: str, found: Extent, selection: Selection | None) -> None:
    own = identity.read(journal_dir)
    first = _first_frame(journal_dir, found)
    beginning = _beginning(journal_dir)
    value = Manifest(
        journal=own.journal if own is not None and own.journal in found.journals else found.journals[-1],
        lineage=found.journals,
        first_seq=first.first_seq,
        last_seq=found.last_seq,
        before=first.previous,
        head=found.head,
        made_at=dates.now(),
        segments=tuple(_part(journal_dir, name, length) for name, length in found.parts),
        holes=tuple(Gap(*hole) for hole in selection.holes) if selection is not None else (),
        erased=selection.erased if selection is not None else (),
        beginning=beginning,
    )
    pack(journal_dir, path, value)


def pack(directory: str, path: str, value: Manifest) -> None:
    """Write the files of ``directory`` that ``value`` names to the new file ``path``, under that manifest; synced."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    with open(descriptor, "wb") as target:
        os.chmod(path, 0o600)
        try:
            target.write(manifest.encode(value))
        except ValueError as error:
            raise JournalError(f"the journal has {error}", "archive a part of it first") from error
        for part in value.parts:
            with open_to_read(os.path.join(directory, part.name)) as source:
                for piece in pieces(source, part.length):
                    target.write(piece)
        target.flush()
        os.fsync(descriptor)


def _first_frame(journal_dir: str, found: Extent) -> Frame:
    with open_to_read(os.path.join(journal_dir, found.parts[0][0])) as file:
        start = file.read(4096)
    try:
        return unpack_frame(start, 0, found.journals)
    except FormatError as error:
        raise BundleError("the journal is damaged, and a copy would be", "run 'mgit-hooks repair' first") from error


def _part(journal_dir: str, name: str, length: int) -> Part:
    digest = sha256()
    with open_to_read(os.path.join(journal_dir, name)) as file:
        for piece in pieces(file, length):
            digest.update(piece)
    return Part(name, length, digest.hexdigest())


def part(directory: str, name: str) -> Part:
    """A file of ``directory`` as it stands there, whole. Raises OSError."""
    return _part(directory, name, os.path.getsize(os.path.join(directory, name)))


def _beginning(journal_dir: str) -> Part | None:
    path = os.path.join(journal_dir, BEGINNING)
    return part(journal_dir, BEGINNING) if is_file(path) else None


def _name(temporary: str, path: str) -> None:
    """Give a file its name, never one that another file has by now."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise BundleError(f"{path} is there already", "name another file, or remove that one") from None
    except OSError:  # a file system without links
        os.rename(temporary, path)
    else:
        os.unlink(temporary)
    sync_directory(os.path.dirname(path) or ".")
