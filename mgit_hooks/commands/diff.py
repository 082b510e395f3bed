"""``diff``: what the worktrees of repositories differ by, and their last commits, as JSON lines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from mgit_hooks.changesets import discovery, increments
from mgit_hooks.changesets.looking import Seen, Wanted
from mgit_hooks.changesets.shapes import ChangesetCollection, RepositoryChangeset
from mgit_hooks.changesets.sweeping import sweep
from mgit_hooks.commands.pipelinepaths import below
from mgit_hooks.display import escape
from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import MgitError, RepositoryError, UsageError
from mgit_hooks.judging.validate import LEVELS
from mgit_hooks.output import Output
from mgit_hooks.record import Json
from mgit_hooks.report import counted

DEFAULT_NAME: Final = "default"
DEFAULT_CONCURRENCY: Final = 5
DEFAULT_CONTENT: Final = "sample"
DEFAULT_MEMORY: Final = 100  # MiB
STRATEGIES: Final = ("ignore", "repair", "fallback", "checkpoint", "abort")


class Stopped(MgitError):
    """Strategy abort: nothing further is read, and nothing is saved."""

    exit_code = 1


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        metavar="PATH",
        help="in a repository, or a folder of repositories (default: .)",
    )
    parser.add_argument(
        "-r", "--recursive", action="store_true", help="all repositories at and below PATH, those inside others too"
    )
    parser.add_argument(
        "--discover-pattern",
        action="append",
        metavar="GLOB",
        help="only repositories of which the path, the name or a remote's URL fits (can be repeated)",
    )
    parser.add_argument(
        "--merge-discovered",
        action="store_true",
        help="those that the collection has too, wherever they are, and not only those at PATH",
    )
    parser.add_argument(
        "-c",
        "--concurrency",
        type=_number(1, 50),
        default=DEFAULT_CONCURRENCY,
        metavar="N",
        help=f"read so many repositories at a time at most, 1 to 50 (default: {DEFAULT_CONCURRENCY})",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the lines to FILE, in the place of what it is")
    parser.add_argument(
        "-s", "--save-changeset", action="store_true", help="keep what was seen in a collection, by repository"
    )
    parser.add_argument(
        "-n",
        "--changeset-name",
        metavar="NAME",
        default=DEFAULT_NAME,
        help=f"the collection for -s and -i (default: {DEFAULT_NAME})",
    )
    parser.add_argument(
        "-i",
        "--incremental",
        action="store_true",
        help="tell only what is not as the collection has it, by content",
    )
    parser.add_argument(
        "--enable-compression",
        action="store_true",
        help="compress --output FILE and the saved collection as small as they get, and say what that saves",
    )
    parser.add_argument(
        "--validation-level", choices=LEVELS, help="judge each changeset, and tell the verdict in its line"
    )
    parser.add_argument(
        "--recovery-strategy",
        choices=STRATEGIES,
        help="what becomes of an invalid changeset, or of a repository that cannot be read; judges at level standard "
        "where no level is given",
    )
    parser.add_argument("--embed-content", action="store_true", help="put contents of the changed files in")
    parser.add_argument(
        "--content-strategy",
        choices=("none", "summary", "sample", "full"),
        help=f"the most that a file gets (default: {DEFAULT_CONTENT})",
    )
    parser.add_argument(
        "--content-memory-mb",
        type=_number(10, 1000),
        metavar="MB",
        help="of all contents together, 10 to 1000 (default: 100)",
    )


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return int(text)

    return number


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where a repository could not be read or a changeset is invalid: its line says which."""
    places = _places(args, out)
    paths = places.repositories
    run = _Run(args, _wanted(args, len(paths)), out)
    if args.output is None or args.output == "-":
        for line in run.lines(paths):
            out.encoded(line)
    else:
        from mgit_hooks.changesets.linesfile import write

        ended = (line + (b"\0" if args.z else b"\n") for line in run.lines(paths))
        written = write(below(args.directory, args.output), ended, compress=args.enable_compression)
        if args.enable_compression:
            out.note(f"mgit-hooks: {_saving(written.path, written.length, written.size)}")
    run.save()
    out.detail(f"mgit-hooks: {run.words()}")
    return 1 if run.faults or places.problems else 0


def _wanted(args: argparse.Namespace, repositories: int) -> Wanted:
    """The budget is cut into equal parts, so that what is told of a repository does not depend on the others."""
    if not args.embed_content:
        if args.content_strategy is not None or args.content_memory_mb is not None:
            raise UsageError("there are no contents without --embed-content", "add it")
        return Wanted(args.validation_level, args.recovery_strategy)
    memory = (args.content_memory_mb or DEFAULT_MEMORY) * 1024 * 1024
    strategy = args.content_strategy or DEFAULT_CONTENT
    return Wanted(args.validation_level, args.recovery_strategy, strategy, memory // repositories)


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


class _Run:
    """One run of the command: what it has told, and what it keeps in the end."""

    def __init__(self, args: argparse.Namespace, wanted: Wanted, out: Output) -> None:
        self._out = out
        self._wanted = wanted
        self._workers: int = args.concurrency
        self._name: str = args.changeset_name
        self._saves: bool = args.save_changeset
        self._smallest: bool = args.enable_compression
        self._seen: list[RepositoryChangeset] = []
        self._before = self._saved() if args.incremental else None
        self.faults = 0
        self._unchanged = 0

    def lines(self, paths: Sequence[str]) -> Iterator[bytes]:
        """Raises Stopped."""
        for path, seen in zip(paths, sweep(paths, self._wanted, self._workers), strict=True):
            if seen.stopped is not None:
                raise Stopped(f"{path}: {seen.stopped}", "nothing was saved; mend that, or choose another strategy")
            self.faults += not seen.fine
            if seen.keeps and isinstance(seen.changeset, RepositoryChangeset):
                self._seen.append(seen.changeset)
            told = self._told(seen)
            if told is None:
                self._unchanged += 1
            else:
                yield encode_json({**told, **seen.verdicts})

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
            self._out.note(f"mgit-hooks: there is no collection '{self._name}' yet: all is told")
        return saved or {}

    def save(self) -> None:
        """What could be read goes into the collection; what could not stays there as it was."""
        if not self._saves or not self._seen:
            return
        from mgit_hooks.changesets.storage import ChangesetStorage

        storage = ChangesetStorage(quality="best" if self._smallest else "balanced")
        stored = storage.update_changeset_collection(self._name, self._added)
        if self._smallest:
            self._out.note(f"mgit-hooks: {_saving(stored.path, stored.length, stored.size)}")
        self._out.detail(f"mgit-hooks: {_repositories(len(self._seen))} saved in the collection '{self._name}'")

    def _added(self, before: ChangesetCollection | None) -> ChangesetCollection:
        from mgit_hooks import dates

        now = dates.now()
        after = ChangesetCollection(self._name, now, now, {}) if before is None else before
        added = {changeset.repository_key: changeset for changeset in self._seen}
        return after._replace(updated_at=now, repositories={**after.repositories, **added})

    def words(self) -> str:
        dirty = sum(changeset.has_uncommitted_changes for changeset in self._seen)
        told = [_repositories(len(self._seen)), f"{dirty} with uncommitted changes"]
        if self._before is not None:
            told.append(f"{self._unchanged} as saved")
        if self.faults:
            told.append(counted(self.faults, "fault"))
        return ", ".join(told)


def _repositories(count: int) -> str:
    return f"{count} {'repository' if count == 1 else 'repositories'}"


def _saving(path: str, length: int, size: int) -> str:
    saved = 100 * (1 - size / length) if length else 0.0
    return f"{escape(path)}: {length:,} bytes to {size:,}, {saved:.1f} % saved"
