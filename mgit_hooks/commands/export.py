"""``mgit-hooks export``: the journal as JSON lines, oldest first, or with ``--bundle`` as one file."""

from __future__ import annotations

import argparse
import os

from mgit_hooks import meter
from mgit_hooks.encoding import exported
from mgit_hooks.errors import UsageError
from mgit_hooks.files import lexists
from mgit_hooks.journal import reader
from mgit_hooks.journal.segment import Damage
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.report import counted
from mgit_hooks.session import drain_first, require_journal


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write to FILE, which must not exist, instead of standard output",
    )
    parser.add_argument(
        "--bundle", action="store_true", help="write the whole journal as it is, for 'import' and 'restore --from'"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where records could not be exported: the export is then not the whole journal."""
    location = locate(args.directory)
    require_journal(location)
    if args.bundle and args.output is None:
        raise UsageError("a bundle needs a file to go to", "name it: mgit-hooks export --bundle -o FILE")
    drain_first(location, out)
    if args.output is None:
        return _export(location.journal_dir, out)
    # "-C DIR" is as if the command had been started there
    target = os.path.normpath(os.path.join(args.directory, args.output))
    if args.bundle:
        return _bundle(location, target, args.output, out)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{args.output} is there already", "name another file, or remove that one") from None
    with open(descriptor, "wb") as file:
        out.redirect(file)
        try:
            return _export(location.journal_dir, out)
        finally:
            out.flush()
            out.restore()


def _bundle(location: Location, target: str, name: str, out: Output) -> int:
    from mgit_hooks.journal import bundle, bundling

    if lexists(target):
        raise UsageError(f"{name} is there already", "name another file, or remove that one")
    with bundling.still(location.mgit_dir):
        written = bundling.write(location.journal_dir, target)
    if out.as_json:
        out.json(bundle.told(written))
    else:
        out.lines(bundle.words(written))
    return 0


def _export(journal_dir: str, out: Output) -> int:
    damaged = foreign = told = 0
    expected = 1
    for block in reader.blocks(journal_dir):
        if isinstance(block, Damage):
            damaged += 1
            continue
        if block.first_seq < expected:
            continue
        expected = block.next_seq
        for stored in block.stored():
            if stored.payload is None:
                continue
            line = exported(stored.payload, stored.seq, stored.id.hex())
            if line is None:
                foreign += 1
            else:
                out.encoded(line)
                told += 1
    meter.done(items=told)
    if damaged:
        out.note(f"mgit-hooks: {damaged} damaged places were passed over; see 'mgit-hooks verify'")
    if foreign:
        out.note(f"mgit-hooks: {counted(foreign, 'record')} passed over that this program did not write")
    return 1 if damaged or foreign else 0
