"""``mgit-hooks anchor``: write down what the journal's head is, outside the journal."""

from __future__ import annotations

import argparse
import os

from mgit_hooks import dates
from mgit_hooks.errors import MgitError, UsageError
from mgit_hooks.files import open_to_append, open_to_read, sync_directory, write_all
from mgit_hooks.git import anchorref
from mgit_hooks.journal import anchors, manifest
from mgit_hooks.journal.anchors import TRAILER, Anchor
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.session import drain_first, require_journal


def configure(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--file", metavar="FILE", help="append it to FILE as a line (-: standard output), and write no ref"
    )
    where.add_argument(
        "--trailer",
        action="store_true",
        help='print it as a trailer, for git commit --trailer "$(mgit-hooks anchor --trailer)", and write no ref',
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Without an option the anchor goes to ``refs/mgit/anchor``; nobody but its user pushes that."""
    location = locate(args.directory)
    require_journal(location)
    drain_first(location, out)
    anchor = anchors.of_head(location.journal_dir, dates.now())
    if args.file is None and not args.trailer:
        _to_ref(location, anchor, out)
        return 0
    if args.json:
        out.json(anchor.to_json())
    elif args.trailer:
        out.line(f"{TRAILER}: {anchor.text}")
    elif args.file == "-":
        out.line(_line(anchor))
    if args.file not in (None, "-"):
        # "-C DIR" is as if the command had been started there
        _append(os.path.normpath(os.path.join(args.directory, args.file)), _line(anchor))
        out.note(f"mgit-hooks: record {anchor.seq} is anchored in {args.file}")
    return 0


def _to_ref(location: Location, anchor: Anchor, out: Output) -> None:
    written = anchorref.write(location.common_dir, anchor)
    if out.as_json:
        out.json({**anchor.to_json(), "ref": anchorref.REF, "commit": written.commit, "written": written.is_new})
    else:
        out.line(f"record {anchor.seq} is anchored in {anchorref.REF}")
    before = written.before
    if written.is_new and before and before.journal == anchor.journal and before.seq >= anchor.seq:
        out.note(
            f"mgit-hooks: the anchor before it is of another record {before.seq}: the journal has gone back; "
            "see 'mgit-hooks verify --anchor'"
        )
    elif written.is_new:
        out.note(f"hint: to keep it out of reach, push it: git push REMOTE {anchorref.REF}")


def _line(anchor: Anchor) -> str:
    return f"{anchor.text} {anchor.made_at}"


def _append(path: str, line: str) -> None:
    try:
        before = _line_end(path)
        descriptor = open_to_append(path)
        try:
            write_all(descriptor, before + line.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(os.path.dirname(path) or os.curdir)  # its name, where it was only just made
    except OSError as error:
        raise MgitError(f"cannot write {path}: {error.strerror}", "name a file that can be written") from error


def _line_end(path: str) -> bytes:
    """The newline that the file's last line lacks, where a write was cut off or an editor left it out: an anchor
    behind it would be no line of its own. Raises UsageError for a bundle, which one more line would spoil.
    """
    try:
        file = open_to_read(path)
    except OSError:
        return b""  # nothing there; or nothing to be read, and then to write it may fail as well
    with file:
        if manifest.form(file.readline(manifest.FORM_LENGTH)) is not None:
            raise UsageError(f"{path} is a bundle, not a file of anchors", "name another file")
        if not file.seek(0, os.SEEK_END):
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"
