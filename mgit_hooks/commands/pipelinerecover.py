"""``pipeline recover``: a saved collection brought back, from whatever still holds it."""

from __future__ import annotations

import argparse

from mgit_hooks.commands.pipelinepaths import below
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.judging.policy import STRATEGIES
from mgit_hooks.judging.validate import LEVELS
from mgit_hooks.output import Output
from mgit_hooks.record import Action, Json

_MOST_ATTEMPTS = 100


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--collection-name", metavar="NAME", help="the saved collection")
    parser.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="repair",
        metavar="STRATEGY",
        help=f"{', '.join(STRATEGIES)} (default: repair)",
    )
    parser.add_argument(
        "--validation-level", choices=LEVELS, default="standard", help="what it must be valid at (default: standard)"
    )
    parser.add_argument(
        "--from",
        dest="source",
        choices=("backup", "checkpoint", "git"),
        help="take that in place of what there is; default: what is whole of the file, then each of them in turn",
    )
    parser.add_argument(
        "--repository",
        action="append",
        default=[],
        metavar="PATH",
        help="one that belongs into it, where nothing is left that names it; may be given again",
    )
    parser.add_argument("--max-attempts", type=int, default=3, metavar="N", help="how often it is tried (default: 3)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
    parser.add_argument("--statistics", action="store_true", help="what recovery has done so far, in all runs")


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where something could not be recovered; under ``--dry-run`` also where something would be done."""
    from mgit_hooks.changesets.storage import GENERATIONS, ChangesetStorage
    from mgit_hooks.pipeline.recovery import ChangesetRecoveryManager

    if not 1 <= args.max_attempts <= _MOST_ATTEMPTS:
        raise UsageError(f"--max-attempts is 1 to {_MOST_ATTEMPTS}", "leave it out for 3")
    storage = ChangesetStorage()
    manager = ChangesetRecoveryManager(storage, args.strategy, args.max_attempts, level=args.validation_level)
    if args.statistics:
        return _tell_statistics(manager.get_recovery_statistics(), out)
    name = args.collection_name
    if not name:
        raise UsageError("which collection?", "mgit-hooks pipeline recover --collection-name NAME")
    repositories = [below(args.directory, path) for path in args.repository]
    if not repositories and all(storage.content(name, each) is None for each in GENERATIONS):
        storage.load_json(name)  # says that there is none, and what there is
    result = manager.recover_storage_operation(
        name, "recover", source=args.source, repositories=repositories, dry_run=args.dry_run
    )
    done = [action.action_type for action in result.actions_taken]
    written = "storage_repair" in done
    if out.as_json:
        told = {"collection": name, "strategy": args.strategy, "dry_run": args.dry_run}
        out.json({**told, "written": written and not args.dry_run, **result.to_json()})
    else:
        out.lines(map(_line, result.actions_taken))
        out.line(f"{escape(name)}: {_outcome(result.recovery_successful, written, args.dry_run)}")
        out.detail(f"mgit-hooks: {result.action_summary}")
    return 0 if result.recovery_successful and not (args.dry_run and written) else 1


def _outcome(good: bool, written: bool, dry_run: bool) -> str:
    if good and not written:
        return "nothing to recover"
    if dry_run:
        return "would be recovered" if good else "would not be recovered whole"
    return "recovered" if good else "not recovered whole"


def _line(action: Action) -> str:
    mark = "ok" if action.success else "--"
    why = f": {escape(action.error)}" if action.error else ""
    return f"{mark} {action.action_type}: {escape(action.description)}{why}"


def _tell_statistics(said: Json, out: Output) -> int:
    if out.as_json:
        out.json(said)
    else:
        out.lines(f"{name}: {value}" for name, value in said.items())
    return 0
