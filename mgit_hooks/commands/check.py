"""``mgit-hooks check``: commits, the index, a message or patches, judged by the configured policy as the gate would."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mgit_hooks.checking import baseline, commits, given, judging, provenance
from mgit_hooks.checking.baseline import Baseline, Collected
from mgit_hooks.checking.findings import FAIL_ON, Checked, Totals
from mgit_hooks.checking.forms import FORMS, About, Form
from mgit_hooks.checking.judging import Policy
from mgit_hooks.commands import policyoptions, requiregate
from mgit_hooks.display import escape
from mgit_hooks.errors import UsageError
from mgit_hooks.files import named_by_user
from mgit_hooks.git.gitfiles import shallow_boundary
from mgit_hooks.layout import locate
from mgit_hooks.output import Output
from mgit_hooks.progress import progress
from mgit_hooks.report import counted, cut_off

_SOURCES = ("staged", "message", "patch", "mbox")
# What only one of the two uses has; of the common options both take all.
_OF_JUDGING = (
    "staged", "message", "patch", "mbox", "since", "new_only", "base", "format", "output", "baseline",
    "write_baseline", "fail_on", "level", "strategy",
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "range",
        nargs="*",
        metavar="RANGE",
        help="commits as 'git rev-list' takes them (default: HEAD alone; with --require-gate all that it leads to)",
    )
    source = parser.add_argument_group("what is judged, in place of commits")
    source.add_argument(
        "--staged", action="store_true", help="the index against HEAD; with --message, the two together"
    )
    source.add_argument(
        "--message", metavar="FILE", help="a commit message, as git would store it; - is standard input"
    )
    source.add_argument(
        "--patch", action="append", default=[], metavar="FILE", help="of git format-patch, or a plain diff"
    )
    source.add_argument("--mbox", action="append", default=[], metavar="FILE", help="mails with a patch each")
    less = parser.add_argument_group("what is left out")
    less.add_argument("--since", metavar="DATE|COMMIT", help="commits before DATE, or that COMMIT leads to")
    less.add_argument(
        "--new-only", action="store_true", help="commits that the upstream has, and findings of those it has besides"
    )
    less.add_argument("--base", metavar="COMMIT", help=f"what --new-only compares with (default: {commits.UPSTREAM})")
    less.add_argument("--baseline", metavar="FILE", help="findings that FILE knows")
    told = parser.add_argument_group("how it is told")
    told.add_argument("--format", choices=FORMS, help="default: text")
    told.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of standard output")
    told.add_argument("--write-baseline", metavar="FILE", help="write what is found into FILE, and tell nothing")
    told.add_argument("--fail-on", choices=FAIL_ON, help="what ends with status 1 (default: error)")
    policyoptions.configure(parser)
    gate = parser.add_argument_group("the ledger")
    gate.add_argument(
        "--require-gate", action="store_true", help="each commit went through the gate, or none was due for it"
    )
    gate.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="STATE,...",
        help=f"accept these states as well as passed and none: {', '.join(requiregate.STATES[2:])}",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 1 where something was found whose severity fails, and the policy is enforced."""
    if args.require_gate:
        _refuse(args, _OF_JUDGING, "has no effect on --require-gate")
        return requiregate.run(args, out)
    _refuse(args, ("allow",), "goes with --require-gate only")
    form = _form(args)
    _require_one_source(args)
    policy = _policy(args)
    judging.forget()
    settings = judging.settings(policy)
    listed = None if args.baseline is None else baseline.read(args.baseline, _path(args, args.baseline))
    known = [each for each in (_elsewhere(args, policy), listed) if each is not None]
    failing = FAIL_ON[args.fail_on or "error"]
    about = About(
        settings.level, settings.enforce, settings.rules, failing, provenance.of(policy.location, args.directory)
    )
    with _destination(args, out):
        if args.write_baseline is not None:
            collected = Collected()
            _tell(_subjects(args, policy, out), collected.add, known, failing)
            entries = collected.write(_path(args, args.write_baseline))
            out.note(f"mgit-hooks: {counted(entries, 'finding')} written to {escape(args.write_baseline)}")
            return 0
        told = _Begun(form, about, out)
        totals = _tell(_subjects(args, policy, out), told.add, known, failing)
        told.end(totals)
    _remark(totals, listed, policy, about, out)
    return 1 if totals.failing and settings.enforce else 0


class _Begun:
    """A form that begins with its first subject: what goes wrong before leaves nothing on standard output."""

    def __init__(self, form: str, about: About, out: Output) -> None:
        self._made: Form | None = None
        self._make: Callable[[], Form] = lambda: FORMS[form](out, about)

    def add(self, checked: Checked) -> None:
        self._made = self._made or self._make()
        self._made.add(checked)

    def end(self, totals: Totals) -> None:
        (self._made or self._make()).end(totals)


def _refuse(args: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    given_ones = [name for name in names if getattr(args, name) not in (None, False, [])]
    if given_ones:
        raise UsageError(f"--{given_ones[0].replace('_', '-')} {why}", "see 'mgit-hooks check --help'")


def _form(args: argparse.Namespace) -> str:
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} are two forms", "give one of them")
    if args.write_baseline is not None and (args.output is not None or args.format is not None or args.json):
        raise UsageError("--write-baseline tells nothing, in no form", "give it without --output, --format and --json")
    return "json" if args.json else str(args.format or "text")


def _require_one_source(args: argparse.Namespace) -> None:
    sources = [f"--{name}" for name in _SOURCES if getattr(args, name) not in (None, False, [])]
    if args.range:
        sources.append("RANGE")
    if len(sources) > 1 and sources not in (["--staged", "--message"], ["--patch", "--mbox"]):
        raise UsageError(f"{' and '.join(sources)} are judged apart", "give one of them at a time")
    if sources and sources != ["RANGE"]:
        _refuse(args, ("since", "new_only"), "is about commits that are there")
    if args.base is not None and not args.new_only:
        raise UsageError("--base goes with --new-only", "mgit-hooks check --new-only --base COMMIT")
    if [args.message, *args.patch, *args.mbox].count(given.STDIN) > 1:
        raise UsageError("standard input can be read once", "name a file for the others")


def _policy(args: argparse.Namespace) -> Policy:
    skip = os.environ.get("MGIT_SKIP", "").split(",")
    return Policy(
        locate(args.directory),
        tuple(policyoptions.overrides(args).items()),
        frozenset(name.strip() for name in skip if name.strip()),
    )


def _path(args: argparse.Namespace, name: str) -> str:
    """``-C DIR`` is as if the command had been started there."""
    return os.path.normpath(os.path.join(args.directory, name))


def _subjects(args: argparse.Namespace, policy: Policy, out: Output) -> Iterator[Checked]:
    from mgit_hooks.checking import patches, staging

    location = policy.location
    if args.staged or args.message is not None:
        message = None
        if args.message is not None:
            raw = given.read(args.message, _path(args, args.message), given.LARGEST_MESSAGE)
            message = given.shown(args.message), raw
        if args.staged:
            yield judging.checked(policy, *staging.of_index(location, judging.settings(policy).rules, message))
        elif message is not None:
            yield judging.checked(policy, *staging.of_message(location, *message))
    elif args.patch or args.mbox:
        for several, names in ((False, args.patch), (True, args.mbox)):
            for name in names:
                for told in patches.read(name, _path(args, name), location, several=several):
                    for note in told.notes:
                        out.note(f"mgit-hooks: {escape(note)}")
                    if told.candidate is not None:
                        yield judging.checked(policy, told.subject, told.candidate)
    else:
        base = _base(args) if args.new_only else None
        oids = commits.listed(args.directory, args.range, since=args.since, base=base)
        for line in cut_off(len(shallow_boundary(location.common_dir).intersection(oids))):
            out.note(line)
        with progress("checking", out) as show:
            for number, checked in enumerate(commits.judged(policy, oids), 1):
                yield checked
                show(number, len(oids))


def _elsewhere(args: argparse.Namespace, policy: Policy) -> Baseline | None:
    """What was found before a rebase is not new because its commit is."""
    if not args.new_only:
        return None
    found = Collected()
    for checked in commits.judged(policy, commits.elsewhere(args.directory, args.range, _base(args))):
        found.add(checked)
    return found.known()


def _base(args: argparse.Namespace) -> str:
    return str(args.base or commits.UPSTREAM)


def _tell(
    subjects: Iterator[Checked], tell: Callable[[Checked], None], known: Sequence[Baseline], failing: tuple[str, ...]
) -> Totals:
    judged = hidden = fails = 0
    severities: Counter[str] = Counter()
    for checked in subjects:
        kept = checked
        for each in known:
            kept = each.without_known(kept)
        judged += 1
        hidden += len(checked.findings) - len(kept.findings)
        for finding in kept.findings:
            severities[finding.severity] += 1
            fails += finding.enforced and finding.severity in failing
        tell(kept)
    return Totals(judged, hidden, dict(severities), fails)


@contextmanager
def _destination(args: argparse.Namespace, out: Output) -> Iterator[None]:
    """Standard output, or the file of ``-o``, which is there once it is whole."""
    if args.output is None:
        yield
        return
    with named_by_user(_path(args, args.output)) as file:
        out.redirect(file)
        try:
            yield
        finally:
            out.flush()
            out.restore()


def _remark(totals: Totals, known: Baseline | None, policy: Policy, about: About, out: Output) -> None:
    told = ", ".join(
        f"{totals.severities[name]} {name}"
        for name in ("critical", "error", "warning", "info")
        if name in totals.severities
    )
    hidden = f", {totals.hidden} known {'by the baseline' if known else 'already'}" if totals.hidden else ""
    out.note(f"mgit-hooks: {totals.judged} judged at level {about.level}: {told or 'clean'}{hidden}")
    if policy.skip:
        out.note(f"mgit-hooks: MGIT_SKIP leaves out {escape(', '.join(sorted(policy.skip)))}")
    if totals.failing and not about.enforce:
        out.note("mgit-hooks: enforce is off: this is a report, and ends with status 0")
    for entry in [] if known is None else known.gone():
        where = "" if entry.file is None else f" in {escape(entry.file)}"
        out.detail(
            f"mgit-hooks: the baseline's {escape(entry.rule)}{where} does not occur: {escape(entry.subject or '')}"
        )
