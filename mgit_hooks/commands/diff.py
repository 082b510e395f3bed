"""``diff``: what the worktrees of repositories differ by, and their last commits, as JSON lines."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mgit_hooks import meter
from mgit_hooks.changesets import discovery, increments
from mgit_hooks.changesets.looking import Seen, Wanted
from mgit_hooks.changesets.shapes import ChangesetCollection, RepositoryChangeset
from mgit_hooks.changesets.sweeping import sweep, sweep_by
from mgit_hooks.commands.diffoptions import COLLECTION, CONTENT, MEMORY
from mgit_hooks.commands.diffoptions import configure as configure
from mgit_hooks.commands.pipelinepaths import below
from mgit_hooks.display import escape
from mgit_hooks.encoding import encode_json
from mgit_hooks.ending import cleaning_up
from mgit_hooks.errors import ChangesetValidationError, MgitError, RepositoryError, UsageError
from mgit_hooks.output import Output
from mgit_hooks.progress import progress
from mgit_hooks.record import Json
from mgit_hooks.report import counted

if TYPE_CHECKING:
    from mgit_hooks.bulk import Plan
    from mgit_hooks.changesets.storage import ChangesetStorage


class Stopped(MgitError):
    """Strategy abort: nothing further is read, and nothing is saved."""

    exit_code = 1


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where a repository could not be read or a changeset is invalid: its line says which."""
    with cleaning_up():
        return _run(args, out)


def _run(args: argparse.Namespace, out: Output) -> int:
    if args.changeset_name != COLLECTION and not (args.save_changeset or args.incremental or args.merge_discovered):
        name = escape(args.changeset_name)
        out.note(
            f"mgit-hooks: nothing is done with the collection '{name}': -s keeps what is seen, -i compares with it"
        )
    places = _places(args, out)
    paths = places.repositories
    run = _Run(args, _wanted(args, len(paths)), _plan(args, len(paths), out), out)
    with progress("reading", out) as show:
        lines = run.lines(paths, show if _is_apart(args) else lambda done, total: None)
        if not _is_printed(args):
            _write(lines, args, out)
        elif args.enable_compression and not args.save_changeset:
            _print_and_weigh(lines, out)
        else:
            for line in lines:
                out.encoded(line)
    out.flush()  # what nobody could be told of is no news of yesterday at the next --incremental
    run.save()
    out.detail(f"mgit-hooks: {run.words()}")
    return 1 if run.faults or places.problems else 0


def _is_printed(args: argparse.Namespace) -> bool:
    return args.output is None or args.output == "-"


def _is_apart(args: argparse.Namespace) -> bool:
    """Whether the lines go elsewhere than to the terminal that shows how far they are."""
    return not (_is_printed(args) and sys.stdout.isatty())


def _write(lines: Iterator[bytes], args: argparse.Namespace, out: Output) -> None:
    from mgit_hooks.changesets.linesfile import write

    end = b"\0" if args.z else b"\n"
    written = write(
        below(args.directory, args.output), (line + end for line in lines), compress=args.enable_compression
    )
    if args.enable_compression:
        out.note(f"mgit-hooks: {escape(written.path)}: {_saving(written.length, written.size)}")


def _print_and_weigh(lines: Iterator[bytes], out: Output) -> None:
    """Nothing is to be stored: it is said what that would take."""
    from mgit_hooks.changesets.linesfile import compressed

    def printed() -> Iterator[bytes]:
        for line in lines:
            out.encoded(line)
            yield line + b"\n"

    length, size = compressed(printed(), "zstd", lambda piece: None)
    out.note(f"mgit-hooks: {_saving(length, size)}, were it stored: -o FILE or -s does that")


def _wanted(args: argparse.Namespace, repositories: int) -> Wanted:
    """The budget is cut into equal parts, so that what is told of a repository does not depend on the others."""
    if not args.embed_content:
        if args.content_strategy is not None or args.content_memory_mb is not None:
            raise UsageError("there are no contents without --embed-content", "add it")
        return Wanted(args.validation_level, args.recovery_strategy)
    memory = (args.content_memory_mb or MEMORY) * 1024 * 1024
    strategy = args.content_strategy or CONTENT
    share = memory // repositories
    return Wanted(args.validation_level, args.recovery_strategy, strategy, share, args.content_strategy is None)


class _Places(NamedTuple):
    repositories: list[str]
    problems: int  # folders that could not be looked into


def _places(args: argparse.Namespace, out: Output) -> _Places:
    """Raises RepositoryError where there is none."""
    root = below(args.directory, args.path)
    if not os.access(root, os.F_OK):
        raise RepositoryError(f"there is no {os.path.abspath(root)}", "name a folder in a repository")
    paths: set[str] = set()
    problems = 0
    for found in discovery.find(root, recursive=args.recursive, patterns=args.discover_pattern or ()):
        if found.kind == discovery.FOLDER:
            problems += 1
            out.note(f"mgit-hooks: {escape(found.path)}: {found.problem}: what is in there is not known")
        else:
            paths.add(found.path)
    if args.merge_discovered:
        paths.update(each.repository_path for each in (_collected(args.changeset_name) or {}).values())
    if not paths:
        raise _nothing(args, root)
    return _Places(sorted(paths), problems)


def _nothing(args: argparse.Namespace, root: str) -> RepositoryError:
    where = f"{'below' if args.recursive else 'directly below'} {os.path.realpath(root)}"
    if args.discover_pattern:
        return RepositoryError(f"no repository {where} fits {' or '.join(args.discover_pattern)}", "try it without")
    if args.recursive:
        return RepositoryError(f"there is no repository {where}", "name another folder")
    return RepositoryError(
        f"{os.path.realpath(root)} is not in a git repository, and none is directly below it",
        "name a folder that is, or look deeper with -r",
    )


def _collected(name: str) -> dict[str, RepositoryChangeset] | None:
    """What the collection has, by its keys; None where there is none yet."""
    from mgit_hooks.changesets.storage import ChangesetStorage
    from mgit_hooks.errors import ChangesetMissingError

    try:
        return dict(ChangesetStorage().load_changeset_collection(name).repositories)
    except ChangesetMissingError:
        return None


def _plan(args: argparse.Namespace, repositories: int, out: Output) -> Plan | None:
    """The numbers of the strategy that was asked for; one repository needs none."""
    strategy = args.optimization_strategy
    if strategy is None:
        return None
    if repositories == 1:
        out.detail(f"mgit-hooks: strategy {strategy}: one repository is read by this process, whatever the strategy")
        return None
    from mgit_hooks.pipeline.optimization import Workload, plan, resource_limits, words

    limits = resource_limits(max_workers=args.concurrency, batch_size=args.batch_size)
    chosen = plan(strategy, Workload(repositories), limits)
    for line in words(strategy, chosen):
        out.detail(f"mgit-hooks: {line}")
    return chosen


def _storage(args: argparse.Namespace, plan: Plan | None) -> ChangesetStorage | None:
    """Where to keep what is seen. Raises UsageError where no collection can have that name."""
    if not args.save_changeset:
        return None
    from mgit_hooks.changesets.storage import ChangesetStorage

    method, quality = ("zstd", "balanced") if plan is None else (plan.codec, plan.quality)
    if args.enable_compression:
        method, quality = "zstd", "best"
    storage = ChangesetStorage(method=method, quality=quality)
    try:
        storage.path(args.changeset_name)  # before any work
    except ChangesetValidationError as error:
        raise UsageError(error.message, error.remedy) from error
    return storage


class _Run:
    """One run of the command: what it has told, and what it keeps in the end."""

    def __init__(self, args: argparse.Namespace, wanted: Wanted, plan: Plan | None, out: Output) -> None:
        self._out = out
        self._wanted = wanted
        self._plan = plan
        self._args = args
        self._name: str = args.changeset_name
        self._storage = _storage(args, plan)
        self._smallest: bool = args.enable_compression
        self._seen: list[RepositoryChangeset] = []
        self._before = self._saved() if args.incremental else None
        self.faults = 0
        self._count = self._dirty = self._unchanged = 0

    def lines(self, paths: Sequence[str], show: Callable[[int, int], None]) -> Iterator[bytes]:
        """Raises Stopped."""
        for path, seen in zip(paths, self._sweep(paths), strict=True):
            if seen.stopped is not None:
                raise Stopped(f"{path}: {seen.stopped}", "nothing was saved; mend that, or choose another strategy")
            self._count += 1
            show(self._count, len(paths))
            meter.done(items=self._count)
            self.faults += not seen.fine
            if isinstance(seen.changeset, RepositoryChangeset):
                self._dirty += seen.changeset.has_uncommitted_changes
                if seen.keeps and self._storage is not None:
                    self._seen.append(seen.changeset)
            told = self._told(seen)
            if told is None:
                self._unchanged += 1
            else:
                yield encode_json({**told, **seen.verdicts})

    def _sweep(self, paths: Sequence[str]) -> Iterator[Seen]:
        if self._plan is not None:
            return sweep_by(paths, self._wanted, self._plan)
        return sweep(paths, self._wanted, self._args.concurrency, self._args.batch_size)

    def _told(self, seen: Seen) -> Json | None:
        """The line's JSON; None where all is as it was saved, and nothing is wrong with it."""
        if not isinstance(seen.changeset, RepositoryChangeset):
            return seen.changeset
        if self._before is None or not seen.keeps:
            return seen.changeset.to_json()
        increment = increments.between(self._before.get(seen.changeset.repository_key), seen.changeset)
        if increment is None and not seen.fine:
            return seen.changeset.to_json()
        return None if increment is None else increment.to_json()

    def _saved(self) -> dict[str, RepositoryChangeset]:
        saved = _collected(self._name)
        if saved is None:
            self._out.note(f"mgit-hooks: there is no collection '{escape(self._name)}' yet: all is told")
        return saved or {}

    def save(self) -> None:
        """What could be read goes into the collection; what could not stays there as it was."""
        if self._storage is None or not self._seen:
            return
        stored = self._storage.update_changeset_collection(self._name, self._added)
        if self._smallest:
            self._out.note(f"mgit-hooks: {escape(stored.path)}: {_saving(stored.length, stored.size)}")
        saved = _repositories(len(self._seen))
        self._out.detail(f"mgit-hooks: {saved} saved in the collection '{escape(self._name)}'")

    def _added(self, before: ChangesetCollection | None) -> ChangesetCollection:
        from mgit_hooks import dates

        now = dates.now()
        after = ChangesetCollection(self._name, now, now, {}) if before is None else before
        added = {changeset.repository_key: changeset for changeset in self._seen}
        return after._replace(updated_at=now, repositories={**after.repositories, **added})

    def words(self) -> str:
        told = [_repositories(self._count), f"{self._dirty} with uncommitted changes"]
        if self._before is not None:
            told.append(f"{self._unchanged} as saved")
        if self.faults:
            told.append(counted(self.faults, "fault"))
        return ", ".join(told)


def _repositories(count: int) -> str:
    return f"{count} {'repository' if count == 1 else 'repositories'}"


def _saving(length: int, size: int) -> str:
    return f"{length:,} bytes to {size:,}, {100 * (1 - size / length) if length else 0.0:.1f} % saved"
