"""Moving the oldest segments of a journal into an archive: a bundle elsewhere, while the chain stays provable.

The order makes it safe to kill and run again. The archive is written and verified; what must be known of its records
is put beside the segments; a ``checkpoint`` record declares what is about to be missing; and only then the segments
go. ``finish`` ends what a kill left.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from mgit_hooks import dates, restored
from mgit_hooks.copies import not_recording
from mgit_hooks.encoding import encode
from mgit_hooks.errors import JournalError
from mgit_hooks.files import exists, open_to_read, sync_directory
from mgit_hooks.journal import beginning, bundle, bundling, database, exchange, reader
from mgit_hooks.journal.bundle import Checked
from mgit_hooks.journal.bundling import Extent, Selection
from mgit_hooks.journal.findings import Hole
from mgit_hooks.journal.format import ChainId, FormatError, Frame, segment_info, unpack_frame
from mgit_hooks.journal.manifest import BEGINNING
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.record import Seq
from mgit_hooks.recorder.intake import journal_of, plain_record

_CHECKPOINT = b'{"event":"checkpoint"'


class Archived(NamedTuple):
    checked: Checked
    segments: tuple[str, ...]  # that are gone from the journal


def archive(
    location: Location,
    directory: str,
    *,
    keep_newer: float | None = None,
    keep_size: int | None = None,
    wait: float = 60.0,
) -> Archived | None:
    """Move the oldest whole segments into a bundle in ``directory``; None where none has to go.

    ``keep_newer``: those whose records are all older than so many seconds go; ``keep_size``: so many of the oldest
    that no more than so many bytes are left. The newest segment never goes. Raises BundleError where the journal is
    damaged, JournalError where something cannot be written.
    """
    with not_recording(location, wait), bundling.still(location.mgit_dir):
        exchange.settle(location.journal_dir)
        with journal_of(location):
            pass  # what a kill left of a segment that was being opened goes, as before any append
        finish(location)
        names = _oldest(location.journal_dir, keep_newer, keep_size)
        if not names:
            return None
        checked = _write(location, directory, names)
        _remember(location, checked)
        _declare(location, checked)
        _remove(location, names)
        return Archived(checked, tuple(names))


def finish(location: Location) -> bool:
    """Remove the segments of which a record says that they are archived; whether there were any.

    Call it under both locks. Their archive was verified before that record was written. Where a restore has brought
    both back, segments and record, they stay: it was not written of these files.
    """
    if not exists(os.path.join(location.journal_dir, BEGINNING)):
        return False  # it is there before any such record: the whole journal need not be read for one
    declared = _declared(location.journal_dir, restored_too=False)
    names = segment_names(location.journal_dir)
    places = [_place(location.journal_dir, name) for name in names]
    left = None if declared is None else (declared.last_seq + 1, declared.after)
    gone = names[: places.index(left)] if left is not None and left in places else []
    if gone:
        _remove(location, gone)
    return bool(gone)


def remember_again(location: Location, given: Sequence[str]) -> None:
    """Make the sidecar again where it does not hold, if one of ``given`` is the archive that goes furthest."""
    hole = _declared(location.journal_dir, restored_too=True) if given else None
    if hole is None or not _is_missing(location.journal_dir, hole) or beginning.holds(location.journal_dir):
        return
    for path in given:
        value = bundle.read_manifest(path)
        if (value.last_seq, value.head.hex()) == (hole.last_seq, hole.after):
            _remember(location, bundle.check(path, bundle.scratch(location.journal_dir, path)))
            database.remove(location.mgit_dir)


def _is_missing(journal_dir: str, hole: Hole) -> bool:
    names = segment_names(journal_dir)
    return bool(names) and _place(journal_dir, names[0]) == (hole.last_seq + 1, hole.after)


def _oldest(journal_dir: str, keep_newer: float | None, keep_size: int | None) -> list[str]:
    names = segment_names(journal_dir)
    left = sum(os.path.getsize(os.path.join(journal_dir, name)) for name in names)
    chosen: list[str] = []
    for name, after in pairwise(names):
        # The next segment was opened when this one had got its last record.
        if keep_newer is not None and _opened(journal_dir, after) >= time.time() - keep_newer:
            break
        if keep_size is not None and left <= keep_size:
            break
        left -= os.path.getsize(os.path.join(journal_dir, name))
        chosen.append(name)
    return chosen


def _header(journal_dir: str, name: str) -> Frame:
    with open_to_read(os.path.join(journal_dir, name)) as file:
        try:
            return unpack_frame(file.read(4096), 0, ())
        except FormatError as error:
            raise bundle.BundleError(f"{name} is damaged", "run 'mgit-hooks repair' first") from error


def _place(journal_dir: str, name: str) -> tuple[int, str] | None:
    """The first seq of a segment and the chain id before it; None where its header is damaged."""
    try:
        header = _header(journal_dir, name)
    except bundle.BundleError:
        return None
    return header.first_seq, header.previous.hex()


def _opened(journal_dir: str, name: str) -> int:
    return segment_info(_header(journal_dir, name)).created


def _first(location: Location, name: str) -> Frame:
    return _header(location.journal_dir, name)


def _write(location: Location, directory: str, names: Sequence[str]) -> Checked:
    journal_dir = location.journal_dir
    report = verify(journal_dir)
    if not report.is_clean:
        raise bundle.BundleError("the journal is damaged, and an archive would be", "run 'mgit-hooks repair' first")
    every = segment_names(journal_dir)
    following = _first(location, every[len(names)])
    last_seq = Seq(following.first_seq - 1)
    lengths = [os.path.getsize(os.path.join(journal_dir, name)) for name in names]
    found = Extent(
        tuple(zip(names, lengths, strict=True)),
        last_seq,
        ChainId(following.previous),
        tuple(reader.journal_ids(journal_dir)),
    )
    holes = tuple(hole for hole in (*report.archived, *report.mended) if hole.last_seq <= last_seq)
    erased = tuple(
        seq
        for block in reader.blocks(journal_dir)
        if isinstance(block, reader.Block) and block.first_seq <= last_seq
        for seq, entry in enumerate(block.entries, block.first_seq)
        if entry.payload is None
    )
    make_private_dir(directory)
    first = _first(location, names[0]).first_seq
    made = dates.now()[:26].replace("-", "").replace(":", "")
    path = os.path.join(directory, f"archive-{first:010d}-{last_seq:010d}-{made}Z.mgit")
    return bundling.write(journal_dir, path, found, Selection(holes, erased))


def _remember(location: Location, checked: Checked) -> None:
    """The sidecar, made from the archive itself, so that it can be made from it again."""
    from tempfile import TemporaryDirectory

    with (
        bundle.unpacked(checked.path, bundle.scratch(location.journal_dir, checked.path)) as (value, _, directory),
        TemporaryDirectory(prefix="mgit-hooks-") as folder,
        database.open_index(folder, directory) as index,
    ):
        beginning.write(location.journal_dir, index.connection, value.last_seq)


def _declare(location: Location, checked: Checked) -> None:
    value = checked.manifest
    hole = Hole(1, value.last_seq, bytes(32).hex(), value.head.hex())
    detail: dict[str, object] = {
        "archived": [hole.to_json()],
        "file": os.path.basename(checked.path),
        "sha256": checked.sha256,
        "first_seq": value.first_seq,
        "last_seq": value.last_seq,
        "id": value.head.hex(),
    }
    folder = os.path.dirname(os.path.abspath(checked.path))
    if folder == folder.encode("utf-8", "replace").decode():
        detail["folder"] = folder  # an erasure looks for it there; of what is no UTF-8 it has to be told
    with journal_of(location) as journal:
        journal.append([encode(plain_record(location, "checkpoint", detail))])
        journal.sync()


def _remove(location: Location, names: Sequence[str]) -> None:
    database.remove(location.mgit_dir)
    for name in names:
        try:
            os.unlink(os.path.join(location.journal_dir, name))
        except OSError as error:
            raise JournalError(f"cannot remove {name}: {error.strerror}", "mend that and run it again") from error
    sync_directory(location.journal_dir)


def _declared(journal_dir: str, *, restored_too: bool) -> Hole | None:
    """What the record that goes furthest says is archived; one that a copy gave back counts if ``restored_too``."""
    furthest: Hole | None = None
    for stored in reader.records(journal_dir):
        if stored.payload is None or not stored.payload.startswith(_CHECKPOINT):
            continue
        try:
            value = json.loads(stored.payload)
            for hole in map(Hole.from_json, value["detail"].get("archived", ())):
                if hole.first_seq != 1 or (restored.origin(value) is not None and not restored_too):
                    continue
                if furthest is None or hole.last_seq > furthest.last_seq:
                    furthest = hole
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return furthest
