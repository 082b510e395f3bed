"""``pipeline checkpoint``: a copy of a saved collection that ``pipeline recover`` brings back."""

from __future__ import annotations

import argparse
import os

from mgit_hooks.display import escape
from mgit_hooks.errors import ChangesetStorageError, UsageError
from mgit_hooks.output import Output


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--collection-name", metavar="NAME", help="the saved collection")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where the collection is damaged: then the checkpoint that is there stays."""
    from mgit_hooks.changesets.storage import CHECKPOINT, ChangesetStorage
    from mgit_hooks.pipeline.recovery import ChangesetRecoveryManager

    name = args.collection_name
    if not name:
        raise UsageError("which collection?", "mgit-hooks pipeline checkpoint --collection-name NAME")
    storage = ChangesetStorage()
    value = storage.load_json(name)
    path = storage.path(name, CHECKPOINT)
    held = value.get("repositories")
    count = len(held) if isinstance(held, dict) else 0
    if not args.dry_run:
        action = ChangesetRecoveryManager(storage).create_recovery_checkpoint(name, value)
        if not action.success:
            raise ChangesetStorageError(f"{action.description}: {action.error}", "mend that and try again")
        if storage.load_json(name, CHECKPOINT) != value:
            raise ChangesetStorageError(f"{path} does not hold what was saved", "see to the disk, and try again")
    if out.as_json:
        size = None if args.dry_run else os.path.getsize(path)
        told = {"collection": name, "checkpoint_path": path, "repositories": count, "size": size}
        out.json({**told, "dry_run": args.dry_run})
        return 0
    what = f"{count} {'repository' if count == 1 else 'repositories'}"
    out.line(f"{escape(path)}: {what} {'would be kept' if args.dry_run else 'kept'}")
    return 0
