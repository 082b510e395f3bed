"""Erasing records from a bundle: unpacked, rewritten as the journal itself is, and packed anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from mgit_hooks.errors import JournalError
from mgit_hooks.files import remove_folder, sync_directory
from mgit_hooks.journal import beginning, bundle, bundling, erasure, reader, swap
from mgit_hooks.journal.format import BLOCK
from mgit_hooks.journal.manifest import Manifest
from mgit_hooks.journal.reader import open_block
from mgit_hooks.journal.segment import Located, scan, segment_names
from mgit_hooks.journal.wanted import Wanted
from mgit_hooks.record import Seq

IsRefWanted = Callable[[str, int], bool]


def erase(path: str, scratch: str, wanted: Wanted, is_ref_wanted: IsRefWanted) -> int:
    """Erase what is wanted from the bundle at ``path``; how many records. ``scratch`` is a folder to work in.

    ``is_ref_wanted`` says it of the refs that an archived beginning tells of, as ``beginning.forget_refs``.

    What the bundle has no erase record for, its manifest names as erased. Killed anywhere, the old bundle or the new
    one is there. Raises BundleError where it is no bundle that holds, JournalError where it cannot be written.
    """
    value = bundle.read_manifest(path)
    remove_folder(scratch)
    try:
        bundle.extract(path, value, scratch)
        erased = {seq for name in segment_names(scratch) for seq in _erase_segment(scratch, name, wanted)}
        forgotten = beginning.forget_refs(scratch, is_ref_wanted)
        if erased or forgotten:
            known = set(erasure.declared(scratch)) | set(value.erased)
            named = sorted({*value.erased, *map(Seq, erased - known)})
            segments = tuple(bundling.part(scratch, each.name) for each in value.segments)
            sidecar = bundling.part(scratch, value.beginning.name) if value.beginning else None
            _replace(path, scratch, value._replace(segments=segments, erased=tuple(named), beginning=sidecar))
    except OSError as error:
        raise JournalError(f"cannot rewrite {path}: {error.strerror}", "mend that and try again") from error
    finally:
        remove_folder(scratch)
    return len(erased)


def _erase_segment(folder: str, name: str, wanted: Wanted) -> set[int]:
    journals = reader.journal_ids(folder)
    found: set[int] = set()
    for item in scan(folder, name, journals):
        if isinstance(item, Located) and item.frame.kind == BLOCK:
            for stored in open_block(item).stored():
                if stored.payload is not None and wanted.is_met_by(stored.id, stored.payload):
                    found.add(stored.seq)
    if found:
        journal = erasure.journal_of(folder, name, journals)
        new = swap.write_new(folder, name, erasure.erased_frames(folder, name, journals, found), journal)
        swap.require_same(folder, name, new, journals, erased=found)
        os.replace(os.path.join(folder, new), os.path.join(folder, name))
    return found


def _replace(path: str, scratch: str, value: Manifest) -> None:
    temporary = f"{path}.new"
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        bundling.pack(scratch, temporary, value)
        os.chmod(temporary, os.stat(path).st_mode & 0o777)
        bundle.check(temporary, f"{scratch}.checked")
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(path) or ".")
