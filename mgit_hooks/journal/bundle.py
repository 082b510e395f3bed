"""The journal as one file: the bundle of ``export --bundle``, of generations and of archives.

Two lines that tell every length and SHA-256 (manifest.py), then the segments byte for byte. Nothing of a
bundle is believed before it was held against those lines, and none is reported as written, or put in a
journal's place, before ``verify`` has read through the journal that is in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import BinaryIO, Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.display import escape
from mgit_hooks.errors import JournalError, LaterFormatError
from mgit_hooks.files import create, open_to_read, remove_folder, sync_directory
from mgit_hooks.journal import identity, manifest
from mgit_hooks.journal.format import ChainId, FormatError, Frame, JournalId, unpack_frame
from mgit_hooks.journal.manifest import BEGINNING, Gap, Manifest, Part
from mgit_hooks.journal.segment import known_journals, segment_names
from mgit_hooks.journal.tail import Tail, read_tail
from mgit_hooks.journal.verify import Hole, Report, verify
from mgit_hooks.layout import make_private_dir
from mgit_hooks.lock import exclusive, required
from mgit_hooks.record import Json, Seq
from mgit_hooks.report import counted

_PIECE: Final = 1024 * 1024
# A writer at work is waited for this long, before a bundle takes the journal as it was last reported.
_PATIENCE: Final = 1.0


class BundleError(JournalError):
    """A file that is no bundle, or not the one that it says it is."""

    exit_code = 1


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


class Checked(NamedTuple):
    """A bundle that holds, and what ``verify`` says of the journal in it."""

    path: str
    manifest: Manifest
    report: Report
    sha256: str  # of the whole file


def told(checked: Checked) -> Json:
    """A bundle as ``--json`` shows it."""
    value = checked.manifest
    return {
        "file": checked.path,
        "journal": value.journal.hex(),
        "records": checked.report.records,
        "segments": len(value.segments),
        "first_seq": value.first_seq,
        "last_seq": value.last_seq,
        "head": value.head.hex(),
        "made_at": value.made_at,
        "sha256": checked.sha256,
    }


def words(checked: Checked) -> list[str]:
    """The same for people."""
    value = checked.manifest
    size = f"{counted(checked.report.records, 'record')} in {counted(len(value.segments), 'segment')}"
    return [
        f"{escape(checked.path)}: {size}, up to {value.last_seq} ({value.head.hex()[:16]}), of {value.made_at}",
        f"journal {value.journal.hex()}, verified",
    ]


# Writing


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
    if os.path.lexists(path):
        raise BundleError(f"{path} is there already", "name another file, or remove that one")
    temporary = f"{path}.{os.getpid()}.new"
    try:
        _write(journal_dir, temporary, found or extent(journal_dir), selection)
        checked = check(temporary, scratch(journal_dir, temporary))
        _name(temporary, path)
    except OSError as error:
        what = error.filename or path
        raise JournalError(f"cannot write {what}: {error.strerror}", "mend that and try again") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    return checked._replace(path=path)


def scratch(journal_dir: str, path: str) -> str:
    """A folder to unpack the bundle ``path`` into, to look at it under ``still``: the next one clears what is left."""
    mgit_dir = os.path.dirname(journal_dir)
    return os.path.join(mgit_dir, "unpacked.new") if os.access(mgit_dir, os.W_OK) else f"{path}.unpacked"


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
                for piece in _pieces(source, part.length):
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
        for piece in _pieces(file, length):
            digest.update(piece)
    return Part(name, length, digest.hexdigest())


def part(directory: str, name: str) -> Part:
    """A file of ``directory`` as it stands there, whole. Raises OSError."""
    return _part(directory, name, os.path.getsize(os.path.join(directory, name)))


def _beginning(journal_dir: str) -> Part | None:
    path = os.path.join(journal_dir, BEGINNING)
    return part(journal_dir, BEGINNING) if os.path.isfile(path) else None


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


# Reading


def read_manifest(path: str) -> Manifest:
    """What the bundle says of itself, held against its own checksum and the file's length, nothing more.

    Raises BundleError where it is no bundle, LaterFormatError where it is one of a later version.
    """
    with _opened(path) as file:
        return _read_manifest(file, path)


def check(path: str, scratch: str) -> Checked:
    """Read all of a bundle, and verify the journal in it, unpacked into the folder ``scratch`` meanwhile.

    Raises BundleError where anything in it is not as it says, LaterFormatError for a later version.
    """
    with unpacked(path, scratch) as (value, whole, directory):
        report = verify(directory)
    fault = _fault(value, report)
    if fault is not None:
        raise BundleError(f"{path}: {fault}", "it cannot be used; choose another copy")
    return Checked(path, value, report, whole)


@contextmanager
def unpacked(path: str, directory: str) -> Iterator[tuple[Manifest, str, str]]:
    """A bundle's journal in ``directory`` for as long as it is looked at: manifest, the file's SHA-256, the folder.

    Its bytes are the bundle's; what they are worth the caller judges. Raises as ``check``.
    """
    value, whole = _hold(path)
    remove_folder(directory)
    try:
        extract(path, value, directory)
        yield value, whole, directory
    finally:
        remove_folder(directory)


def unpack(path: str, directory: str) -> Manifest:
    """Put the journal of a bundle that was checked into ``directory``, which must not be there: whole or not at all."""
    value, _ = _hold(path)
    temporary = f"{directory}.new"
    remove_folder(temporary)
    extract(path, value, temporary)
    os.rename(temporary, directory)
    sync_directory(os.path.dirname(directory))
    return value


def extract(path: str, value: Manifest, directory: str) -> None:
    """The segments, the identity and the head into ``directory``, synced. A copy: who appends to it adopts it."""
    make_private_dir(directory)
    with _opened(path) as file:
        if _read_manifest(file, path) != value:
            raise BundleError(f"{path}: it changed while it was read", "try again")
        for part in value.parts:
            descriptor = create(os.path.join(directory, part.name))
            with open(descriptor, "wb") as target:
                os.chmod(os.path.join(directory, part.name), 0o600)
                digest = sha256()
                for piece in _pieces(file, part.length):
                    digest.update(piece)
                    target.write(piece)
                if digest.hexdigest() != part.sha256:
                    raise BundleError(f"{path}: {part.name} is not what its manifest says", "choose another copy")
                target.flush()
                os.fsync(descriptor)
    identity.write(directory, value.journal, value.lineage, at_home=False)
    sync_directory(directory)


def _hold(path: str) -> tuple[Manifest, str]:
    """The manifest, once every byte was held against it; and the SHA-256 of the file."""
    with _opened(path) as file:
        value = _read_manifest(file, path)
        end = file.tell()
        file.seek(0)
        whole = sha256()
        for piece in _pieces(file, end):
            whole.update(piece)
        for part in value.parts:
            digest = sha256()
            for piece in _pieces(file, part.length):
                digest.update(piece)
                whole.update(piece)
            if digest.hexdigest() != part.sha256:
                raise BundleError(f"{path}: {part.name} is not what its manifest says", "choose another copy")
    return value, whole.hexdigest()


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        file = open_to_read(path)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}", "name a bundle that can be read") from error
    with file:
        yield file


def _read_manifest(file: BinaryIO, path: str) -> Manifest:
    """Leaves ``file`` at the first byte of the first part. The lengths add up to the file's before any is used."""
    version = manifest.form(file.readline(manifest.FORM_LENGTH))
    if version is None:
        raise BundleError(f"{path}: not a bundle of mgit-hooks", "'mgit-hooks export --bundle' makes them")
    if version > manifest.VERSION:
        raise LaterFormatError(
            f"{path}: a bundle of version {version}, and this mgit-hooks knows versions up to {manifest.VERSION}",
            "upgrade mgit-hooks; nothing was changed",
        )
    try:
        value = manifest.decode(file.readline(manifest.MAX_LINE))
    except ValueError as error:
        raise BundleError(f"{path}: {error}", "choose another copy") from None
    told = file.tell() + sum(part.length for part in value.parts)
    size = os.fstat(file.fileno()).st_size
    if size != told:
        what = "cut short" if size < told else "longer than it says"
        raise BundleError(f"{path}: {what}: {size} bytes, and {told} are told", "choose another copy")
    return value


def _fault(value: Manifest, report: Report) -> str | None:
    """What of the journal in a bundle is not as a copy must be; None where it may be used."""
    allowed = {Hole(*gap) for gap in value.holes}
    if report.damaged or report.torn_tail is not None or not report.chain_intact:
        return "the journal in it is damaged"
    if not allowed.issuperset(report.holes) or not set(report.undeclared) <= set(value.erased) or report.unerased:
        return "the journal in it has holes that no record declares"
    if (report.head_seq, report.head_id) != (value.last_seq, value.head.hex()):
        return "the journal in it does not end where its manifest says"
    return None


def _pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length:
        piece = file.read(min(_PIECE, length))
        if not piece:
            raise BundleError(f"{file.name}: it became shorter while it was read", "try again")
        length -= len(piece)
        yield piece
