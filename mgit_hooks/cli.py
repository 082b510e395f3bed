"""The command line: ``mgit-hooks``, ``mgit`` and ``git mgit`` are this program.

Each command is a module of ``mgit_hooks.commands`` with ``configure(parser)`` and ``run(args, out) -> int``;
only the one that is asked for is imported.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module

from mgit_hooks import __version__
from mgit_hooks.errors import MgitError, UsageError, reason
from mgit_hooks.meter import elapsed
from mgit_hooks.operation import COMMAND, HOOK, Operation
from mgit_hooks.output import Output, open_streams

COMMANDS = {
    "init": "install the hooks, record the existing history, say what to do next",
    "install": "write the hooks of this repository",
    "uninstall": "put back what was there before install",
    "status": "what is installed, what is recorded, what waits",
    "doctor": "check everything and say how to mend each fault",
    "log": "the records, newest first",
    "show": "one record, whole",
    "check": "judge commits, the index, a message or patches by the policy",
    "verify": "check every byte of the journal",
    "validate": "judge again the records that are on file",
    "anchor": "write down what the journal's head is, for verify --anchor",
    "repair": "mend the journal, or with --records the records in it",
    "compact": "pack the sealed segments of the journal as small as they get",
    "erase": "take a record's text out of the journal and its copies, for good",
    "backfill": "record the history that is already there",
    "export": "the journal as JSON lines, oldest first, or as one file",
    "import": "take a whole journal from one file into a repository that has none",
    "checkpoint": "write a verified copy of the journal that 'restore' brings back",
    "restore": "bring a copy of the journal back, and what came after it from git",
    "archive": "move the oldest records into a file elsewhere",
    "config": "the configuration in force and where it comes from",
    "schema": "the JSON Schemas that records and configuration are judged by",
    "pipeline": "compress files; judge, keep and recover saved changesets",
    "diff": "what repositories are now, and what changed since the last look",
    "monitoring": "what operations cost, and what they did",
    "stats": "how many operations, how fast: 'monitoring pipeline-stats'",
    "drain": "turn what the hooks spooled into records now",
}
INTERNAL = {"gate": "judge one hook's event (called by the hooks)"}

COUNTED = "counted"
"""The default by which a command says that ``-5`` means ``-n 5``."""

_OVER_MANY = frozenset(("diff",))  # writes nothing into the repositories that it reads
_OUTSIDE = _OVER_MANY | {"pipeline"}
_LIKE, _ABOUT = 0.65, 0.1
"""From which likeness on (0 to 1) a word is taken for a slip of another, and which difference of it tells nothing."""


def build_parser(name: str | None) -> argparse.ArgumentParser:
    """The parser; of the commands only ``name``'s own options are known, the others are just listed."""
    parser = _Parser(
        prog="mgit-hooks",
        description="Records every commit and push, and judges them where a policy says so.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n"
        + "\n".join(f"  {command:<10} {summary}" for command, summary in COMMANDS.items())
        + "\n\nexit status: 0 clean, 1 findings, 2 usage or configuration, 128 fatal",
    )
    parser.add_argument("--version", action="version", version=f"mgit-hooks {__version__}")
    add_common(parser, suppressed=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for command, summary in (COMMANDS | INTERNAL).items():
        if command == name:
            sub = commands.add_parser(command, help=summary, description=summary[0].upper() + summary[1:] + ".")
            add_common(sub, suppressed=True)
            _module(command).configure(sub)
    return parser


def add_common(parser: argparse.ArgumentParser, *, suppressed: bool) -> None:
    """The options that every command has; they may stand before it too, as git's own."""

    def default(value: object) -> object:
        # What stood before the command holds unless it is said again after it: a default there would undo it.
        return argparse.SUPPRESS if suppressed else value

    group = parser.add_argument_group("common options")
    group.add_argument("-C", dest="directory", metavar="DIR", default=default("."), help="work as if started in DIR")
    for names, meaning in (
        (("--json",), "one JSON object, or one a line for lists"),
        (("-z",), "end each line of output with NUL"),
        (("-q", "--quiet"), "print no remarks"),
        (("-v", "--verbose"), "say more, on standard error"),
        (("--no-pager",), "do not start a pager"),
    ):
        group.add_argument(*names, action="store_true", default=default(False), help=meaning)
    group.add_argument("--profile", metavar="FILE", default=default(None), help="write to FILE where the time went")
    group.add_argument("--color", choices=("auto", "always", "never"), default=default("auto"), help="default: auto")


class _Parser(argparse.ArgumentParser):
    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """As it is, but that the parser of the command itself tells of what it does not know, and of what is near."""
        if self.get_default(COUNTED):
            args = list(self._counted(args))
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown)
        return known, unknown

    def _counted(self, words: Sequence[str]) -> Iterator[str]:
        """``-5`` as ``-n5``, as git has it: for argparse it is a word. Not where it is an option's value, or a path."""
        end = words.index("--") if "--" in words else len(words)
        for at, word in enumerate(words):
            before = self._option_string_actions.get(words[at - 1]) if at else None
            is_value = before is not None and before.nargs != 0
            yield f"-n{word[1:]}" if at < end and word[1:].isdecimal() and word[0] == "-" and not is_value else word

    def _refuse(self, unknown: list[str]) -> None:
        option = next((word[2:].partition("=")[0] for word in unknown if word.startswith("--")), "")
        known = [each[2:] for each in self._option_string_actions if each.startswith("--")]
        if near := [f"--{each}" for each in _near(option, known)]:
            raise UsageError(f"unrecognized arguments: {' '.join(unknown)}", f"did you mean {' or '.join(near)}?")
        self.error(f"unrecognized arguments: {' '.join(unknown)}")

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(message, f"see '{self.prog} --help'")


def _near(word: str, known: Iterable[str]) -> list[str]:
    """What of ``known`` was perhaps meant by ``word``, the nearest first: two where they are about as near."""
    from difflib import SequenceMatcher

    likeness = {each: SequenceMatcher(None, each, word).ratio() for each in known}
    best = max(likeness.values(), default=0.0)
    if best < _LIKE:
        return []
    return sorted((each for each in likeness if likeness[each] > best - _ABOUT), key=lambda each: -likeness[each])[:2]


def _module(command: str):  # type: ignore[no-untyped-def]
    # "import" is a word of Python's own: its module's name ends with an underscore.
    return import_module(f"mgit_hooks.commands.{'import_' if command == 'import' else command.replace('-', '_')}")


def _command_name(arguments: list[str]) -> str | None:
    """The first word that is a command; of the options before it, three are followed by a value."""
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in ("-C", "--color", "--profile"):
            skip = True
        elif not argument.startswith("-"):
            return argument
    return None


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code. The one place where an error becomes words and a code."""
    open_streams()
    given = sys.argv[1:] if arguments is None else arguments
    verbose = "-v" in given or "--verbose" in given
    try:
        return _run(given)
    except MgitError as error:
        return _report(error.message, error.remedy, error.exit_code)
    except BrokenPipeError:
        # The reader of our output has left (`log | head`): as quiet an end as git's own.
        _let_output_go()
        return 141
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:
            _let_output_go()
        return _report(reason(error), "mend that and run the command again", 128)
    except MemoryError:
        return _report("not enough memory", "give it more (see 'ulimit -v') and run the command again", 128)
    except Exception as error:
        if verbose:
            _print_traceback(error)
        what = f"internal error: {type(error).__name__}: {error}"
        return _report(what, "run it again with -v and report what it prints", 128)


def _let_output_go() -> None:
    """What nobody took is in a buffer still: as it is flushed at the end, Python would fail, with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _run(given: list[str]) -> int:
    name = _command_name(given)
    if name == "help":  # as git has it
        at = given.index(name)
        given = [*given[:at], *given[at + 1 :], "--help"]
        name = _command_name(given)
    if name is not None and name not in COMMANDS and name not in INTERNAL:
        near = " or ".join(f"'mgit-hooks {each}'" for each in _near(name, COMMANDS))
        hint = f"did you mean {near}?" if near else "see 'mgit-hooks --help' for the commands"
        raise UsageError(f"'{name}' is not a command", hint)
    parser = build_parser(name)
    args = parser.parse_args(given)
    if args.command is None:
        parser.print_help()
        return 2 if given else 0
    out = Output(json=args.json, z=args.z, quiet=args.quiet, verbose=args.verbose, color=args.color)
    with _operation(args) as operation:
        try:
            operation.code = _done(args, out)
        finally:
            out.flush()
        if operation.folder in (None, operation.otherwise) and args.command in _OUTSIDE:
            _make_place(operation)
    out.detail(f"mgit-hooks: {args.command} took {elapsed(operation):.2f} s")
    return operation.code


def _done(args: argparse.Namespace, out: Output) -> int:
    run = _module(args.command).run
    if args.profile is None:
        return int(run(args, out))
    from mgit_hooks.commands.pipelinepaths import below
    from mgit_hooks.profiling import profiled

    code: int = profiled(below(args.directory, args.profile), lambda: run(args, out))
    out.detail(f"mgit-hooks: the profile is in {args.profile}: 'python -m pstats', or snakeviz, shows it")
    return code


def _operation(args: argparse.Namespace) -> Operation:
    """The one place where commands are counted: by their own names, and by no other word of their command line."""
    from mgit_hooks.datafolder import data_folder

    if args.command == "gate":
        return Operation(HOOK, f"gate.{args.stage}")
    name = " ".join(filter(None, (args.command, getattr(args, "part", None))))
    folder = data_folder()
    return Operation(COMMAND, name, folder if args.command in _OVER_MANY else None, otherwise=folder)


def _make_place(operation: Operation) -> None:
    """What is done outside of any repository is counted in the user's own folder. No other command makes that."""
    from mgit_hooks.layout import make_private_dir

    with suppress(OSError):
        make_private_dir(operation.otherwise or "")
        make_private_dir(os.path.join(operation.otherwise or "", "metrics"))


def _report(what: str, remedy: str, code: int) -> int:
    from mgit_hooks.credentials import strip
    from mgit_hooks.display import escape

    print(f"mgit-hooks: {escape(strip(what))}", file=sys.stderr)
    if remedy:
        print(f"hint: {escape(strip(remedy))}", file=sys.stderr)
    return code


def _print_traceback(error: BaseException) -> None:
    import traceback

    from mgit_hooks.credentials import strip
    from mgit_hooks.display import escape_block

    sys.stderr.write(escape_block(strip("".join(traceback.format_exception(error)))))


if __name__ == "__main__":
    raise SystemExit(main())
