"""``pipeline validate``: the verdict on a saved collection or, without one, on the records of the journal."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from mgit_hooks.commands import validate
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.judging.explain import path_of
from mgit_hooks.output import Output
from mgit_hooks.record import Issue, Json
from mgit_hooks.report import counted


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--collection-name", metavar="NAME", help="a saved collection; default: this journal's records")
    validate.configure(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    if args.collection_name is None:
        return validate.run(args, out)
    if not args.collection_name:
        raise UsageError("--collection-name needs a name", "mgit-hooks pipeline validate --collection-name NAME")
    from mgit_hooks.changesets.storage import ChangesetStorage
    from mgit_hooks.pipeline.validation import validate_collection

    collection = ChangesetStorage().load_json(args.collection_name)
    result = validate_collection(collection, args.validation_level or "standard")
    if out.as_json:
        out.json({"collection": args.collection_name, **result.to_json()})
        return 0 if result.is_valid else 1
    for issue in result.issues:
        validate.tell(*_whose(collection, args.collection_name, issue), out)
    said = result.statistics
    repositories = said["validated_repositories"]
    looked = f"{repositories} {'repository' if repositories == 1 else 'repositories'}"
    looked += f", {counted(said['total_commits'], 'commit')}, {counted(said['total_files'], 'file')}"
    validate.sum_up(looked, result.validation_level, said, result.issue_counts, out)
    return 0 if result.is_valid else 1


def _whose(collection: Json, name: str, issue: Issue) -> tuple[str, Issue]:
    """What an issue is about, in a person's words, and the issue with its place in that."""
    parts = path_of(issue.field_path)
    held: Any = collection.get("repositories")
    if len(parts) < 3 or parts[0] != "repositories" or not isinstance(held, Mapping):
        return escape(name), issue
    changeset = held.get(parts[1])
    known = changeset.get("repository_name") if isinstance(changeset, dict) else None
    place = issue.field_path.split("/", 3)[3]
    return escape(f"{name}: {known or parts[1]}"), issue._replace(field_path=f"/{place}")
