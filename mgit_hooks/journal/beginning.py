"""What must be known of records that were moved to an archive: ``journal/beginning``, which the index reads first.

Their commits, so that none is recorded again; their ref movements, for the same reason; where recording began; and
which of them were erased. It is made from an index of the archive itself, and can be made again from it. Line of form,
line of JSON, commits (hash, seq), movements, and the SHA-256 of all before it. Without it nothing is indexed, and so
nothing is recorded: a drain that did not know of the archive would record all of it once more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from sqlite3 import Connection
from typing import BinaryIO, Final, NamedTuple

from mgit_hooks.errors import JournalError
from mgit_hooks.files import exists, open_to_read, replacing
from mgit_hooks.journal.manifest import BEGINNING, BEGINNING_FORM

_DIGEST: Final = 32
_SEQ: Final = 8
_KEY: Final = 16
_MAX_LINE: Final = 256 * 1024 * 1024
_BATCH: Final = 10_000
_ERASED: Final = "SELECT seq, erased_by FROM record WHERE erased_by IS NOT NULL UNION SELECT seq, erased_by FROM erased"


class _Header(NamedTuple):
    last_seq: int
    oid: int  # bytes of a commit's hash
    commits: int
    movements: int
    refs: list[list[object]]  # name, oid, seq
    baseline: list[str]
    began: list[list[object]]  # seq, time
    erased: Sequence[Sequence[int]] = ()  # seq, and that of the record that says so


def write(journal_dir: str, archive: Connection, last_seq: int) -> None:
    """Put the sidecar in place, from the index of an archive that goes to ``last_seq``; synced."""
    path = os.path.join(journal_dir, BEGINNING)
    try:
        with replacing(path) as file:
            digest = sha256()
            for piece in _pieces(archive, last_seq):
                digest.update(piece)
                file.write(piece)
            file.write(digest.digest())
    except OSError as error:
        raise JournalError(f"cannot write {path}: {error.strerror}", "mend that and try again") from error


def holds(journal_dir: str) -> bool:
    """Whether the sidecar is there, and as it was written."""
    try:
        with open_to_read(os.path.join(journal_dir, BEGINNING)) as file:
            return _holds(file)
    except FileNotFoundError:
        return False


def forget_refs(journal_dir: str, is_wanted: Callable[[str, int], bool]) -> int:
    """Take refs out of the sidecar, by name and the seq of their newest record; how many. Synced on return.

    A sidecar that does not hold stays: it is made again from the archive. Raises OSError.
    """
    path = os.path.join(journal_dir, BEGINNING)
    if not exists(path) or not holds(journal_dir):
        return 0
    with open_to_read(path) as file:
        file.seek(len(BEGINNING_FORM))
        header = _Header(**json.loads(file.readline(_MAX_LINE)))
        kept = [row for row in header.refs if not is_wanted(str(row[0]), int(str(row[2])))]
        if len(kept) == len(header.refs):
            return 0
        with replacing(path) as new:
            head = BEGINNING_FORM + json.dumps(header._replace(refs=kept)._asdict()).encode() + b"\n"
            digest = sha256(head)
            new.write(head)
            for row in _cut(file, 1, header.commits * (header.oid + _SEQ) + header.movements * _KEY):
                digest.update(row)
                new.write(row)
            new.write(digest.digest())
    return len(header.refs) - len(kept)


def load(database: Connection, journal_dir: str) -> bool:
    """Put what the sidecar says into an index that is empty; False where there is none, or none that holds."""
    try:
        with open_to_read(os.path.join(journal_dir, BEGINNING)) as file:
            if not _holds(file):
                return False
            file.seek(len(BEGINNING_FORM))
            header = _Header(**json.loads(file.readline(_MAX_LINE)))
            rows = _cut(file, header.commits, header.oid + _SEQ)
            database.executemany(
                "INSERT OR IGNORE INTO archived VALUES (?,?)",
                ((row[: header.oid], int.from_bytes(row[header.oid :], "little")) for row in rows),
            )
            keys = ((key,) for key in _cut(file, header.movements, _KEY))
            database.executemany("INSERT OR IGNORE INTO movement VALUES (?)", keys)
    except (FileNotFoundError, ValueError, TypeError):
        return False
    database.executemany("INSERT OR IGNORE INTO ref VALUES (?,?,?)", header.refs)
    database.executemany("INSERT OR IGNORE INTO baseline VALUES (?)", ((oid,) for oid in header.baseline))
    database.executemany("INSERT OR IGNORE INTO beginning VALUES (?,?)", header.began)
    database.executemany("INSERT OR IGNORE INTO erased VALUES (?,?)", header.erased)
    return True


def _pieces(archive: Connection, last_seq: int) -> Iterator[bytes]:
    commits = "SELECT hash, seq FROM record WHERE hash IS NOT NULL UNION SELECT hash, seq FROM archived"
    count, longest = archive.execute(f"SELECT count(*), max(length(hash)) FROM ({commits})").fetchone()  # noqa: S608
    movements = archive.execute("SELECT count(*) FROM movement").fetchone()[0]
    header = _Header(
        last_seq,
        longest or 20,
        count,
        movements,
        archive.execute("SELECT name, oid, seq FROM ref ORDER BY name").fetchall(),
        [row[0] for row in archive.execute("SELECT oid FROM baseline ORDER BY oid")],
        archive.execute("SELECT seq, occurred_at FROM beginning ORDER BY seq").fetchall(),
        archive.execute(f"{_ERASED} ORDER BY 1").fetchall(),
    )
    yield BEGINNING_FORM + json.dumps(header._asdict()).encode() + b"\n"
    for hash, seq in archive.execute(f"{commits} ORDER BY 1, 2"):
        yield hash + int(seq).to_bytes(_SEQ, "little")
    for (key,) in archive.execute("SELECT key FROM movement ORDER BY key"):
        yield key


def _holds(file: BinaryIO) -> bool:
    left = os.fstat(file.fileno()).st_size - _DIGEST
    digest = sha256()
    if left < len(BEGINNING_FORM) or file.read(len(BEGINNING_FORM)) != BEGINNING_FORM:
        return False
    digest.update(BEGINNING_FORM)
    left -= len(BEGINNING_FORM)
    while left:
        piece = file.read(min(left, 1 << 20))
        if not piece:
            return False
        digest.update(piece)
        left -= len(piece)
    return file.read(_DIGEST) == digest.digest()


def _cut(file: BinaryIO, count: int, length: int) -> Iterator[bytes]:
    while count:
        data = file.read(min(count, _BATCH) * length)
        yield from (data[at : at + length] for at in range(0, len(data), length))
        count -= min(count, _BATCH)
