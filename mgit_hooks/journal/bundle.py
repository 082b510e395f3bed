"""The journal as one file: the bundle of ``export --bundle``, of generations and of archives. ``bundling`` writes it.

Two lines that tell every length and SHA-256 (manifest.py), then the segments byte for byte. Nothing of a
bundle is believed before it was held against those lines, and none is reported as written, or put in a
journal's place, before ``verify`` has read through the journal that is in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO, Final, NamedTuple

from mgit_hooks.display import escape
from mgit_hooks.errors import JournalError, LaterFormatError
from mgit_hooks.files import create, open_to_read, remove_folder, sync_directory
from mgit_hooks.journal import identity, manifest
from mgit_hooks.journal.findings import Hole, Report
from mgit_hooks.journal.format import HEADER_LENGTH, FormatError, NewerFormat, segment_info, unpack_frame
from mgit_hooks.journal.manifest import Manifest, Part
from mgit_hooks.journal.segment import segment_number
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import make_private_dir
from mgit_hooks.record import Json
from mgit_hooks.report import counted

_PIECE: Final = 1024 * 1024


class BundleError(JournalError):
    """A file that is no bundle, or not the one that it says it is."""

    exit_code = 1


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


def scratch(journal_dir: str, path: str) -> str:
    """A folder to unpack the bundle ``path`` into, to look at it under ``still``: the next one clears what is left."""
    mgit_dir = os.path.dirname(journal_dir)
    return os.path.join(mgit_dir, "unpacked.new") if os.access(mgit_dir, os.W_OK) else f"{path}.unpacked"


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
                for piece in pieces(file, part.length):
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
        _require_beginnings(file, path, value)
        file.seek(0)
        whole = sha256()
        for piece in pieces(file, end):
            whole.update(piece)
        for part in value.parts:
            digest = sha256()
            for piece in pieces(file, part.length):
                digest.update(piece)
                whole.update(piece)
            if digest.hexdigest() != part.sha256:
                raise BundleError(f"{path}: {part.name} is not what its manifest says", "choose another copy")
    return value, whole.hexdigest()


def _require_beginnings(file: BinaryIO, path: str, value: Manifest) -> None:
    """That each part begins as it must: of a file that only says that it is long, nothing else need be read."""
    for part in value.parts:
        at = file.tell()
        start = file.read(4 * HEADER_LENGTH)
        if not _is_beginning(start, part, value):
            raise BundleError(f"{path}: {part.name} is not what its manifest says", "choose another copy")
        file.seek(at + part.length)


def _is_beginning(start: bytes, part: Part, value: Manifest) -> bool:
    if part is value.beginning:
        return start.startswith(manifest.BEGINNING_FORM)
    try:
        return segment_info(unpack_frame(start, 0, value.lineage)).number == segment_number(part.name)
    except NewerFormat:
        return True  # verify says which
    except FormatError:
        return False


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


def pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The next ``length`` bytes of a file. Raises BundleError where it ends before."""
    while length:
        piece = file.read(min(_PIECE, length))
        if not piece:
            raise BundleError(f"{file.name}: it became shorter while it was read", "try again")
        length -= len(piece)
        yield piece
