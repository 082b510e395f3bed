"""Commits that are there, oldest first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from mgit_hooks.checking import judging
from mgit_hooks.checking.findings import Checked
from mgit_hooks.checking.judging import Policy
from mgit_hooks.errors import UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.record import Oid
from mgit_hooks.report import UNSHALLOW

UPSTREAM: Final = "@{upstream}"
_NOW: Final = 2  # seconds


def listed(directory: str, given: Sequence[str], *, since: str | None, base: str | None) -> list[Oid]:
    """The commits that ``given`` names as ``git rev-list`` takes it; without anything HEAD alone, or all that it leads
    to where ``since`` or ``base`` bounds it.

    ``since`` is a commit, which is left out with all behind it, or a date, as git reads it: by it only those are taken
    that were committed then or later. ``base``: what it leads to is left out.

    Raises UsageError where git does not take one of them.
    """
    words = list(given)
    earliest = 0
    if since is not None:
        commit = _commit(directory, since)
        if commit is None:
            earliest = _second(directory, since)
        else:
            words.append(f"^{commit}")
    if base is not None:
        words.append(f"^{_base(directory, base)}")
    alone = not given and since is None and base is None
    if not given:
        words.insert(0, "HEAD")
    options = ("--no-walk",) if alone else ("--reverse", "--topo-order")
    told = plumbing.run(("rev-list", "--timestamp", *options, "--end-of-options", *words, "--"), directory=directory)
    if told.status:
        raise not_taken(directory, given, told.stderr)
    lines = (line.split() for line in told.stdout.decode("ascii").splitlines())
    return [Oid(oid) for seconds, oid in lines if int(seconds) >= earliest]


def not_taken(directory: str, given: Sequence[str], stderr: str) -> UsageError:
    """What to say where git's ``rev-list`` did not take ``given``, or HEAD where nothing is given."""
    if not given and _commit(directory, "HEAD") is None:
        return UsageError("HEAD is no commit: there is none yet on this branch", "commit something, or give a RANGE")
    said = (stderr.strip().splitlines() or ["git gives no reason"])[0].removeprefix("fatal: ")
    what = f"git does not take '{' '.join(given or ['HEAD'])}' for commits: {said}"
    return UsageError(what, _remedy(directory, "for example: origin/main..HEAD"))


def _remedy(directory: str, usual: str) -> str:
    """What is not here may be beyond the edge of a shallow clone."""
    told = plumbing.run(("rev-parse", "--is-shallow-repository"), directory=directory)
    return f"this clone is shallow: {UNSHALLOW}" if told.stdout.strip() == b"true" else usual


def elsewhere(directory: str, given: Sequence[str], base: str) -> list[Oid]:
    """The commits that ``base`` leads to and none that ``given`` names (or HEAD) does: what the others have meanwhile,
    and what a rebase or a forced push has taken the place of. Raises UsageError.
    """
    words = ("rev-parse", "--revs-only", "--end-of-options", *(given or ("HEAD",)))
    named = plumbing.run(words, directory=directory).stdout.decode("ascii", "replace").split()
    tips = [f"^{oid}" for oid in named if not oid.startswith(("^", "-"))]
    told = plumbing.run(("rev-list", _base(directory, base), *tips, "--"), directory=directory)
    return [Oid(oid) for oid in told.stdout.decode("ascii").split()] if told.status == 0 else []


def judged(policy: Policy, oids: Sequence[Oid]) -> Iterator[Checked]:
    """Each of ``oids`` with what was found in it, in their order.

    Raises ObjectError where git has not got one of them. In a hook of a push they are read where git keeps them until
    it is taken.
    """
    from mgit_hooks.gatekeeper.existing import quarantine

    make = partial(judging.of, policy)
    if places := quarantine():
        from mgit_hooks.capture.capturer import Capturer
        from mgit_hooks.git.twin import Twin

        return map(
            make, Capturer(policy.location.common_dir, lambda git_dir: Twin(git_dir, objects=places)).commits(oids)
        )
    from mgit_hooks.capture import bulk

    return bulk.capture(policy.location.common_dir, oids, make)


def _commit(directory: str, expression: str) -> Oid | None:
    told = plumbing.run(
        ("rev-parse", "-q", "--verify", "--end-of-options", f"{expression}^{{commit}}"), directory=directory
    )
    return Oid(told.stdout.decode("ascii").strip()) if told.status == 0 else None


def _base(directory: str, expression: str) -> Oid:
    found = _commit(directory, expression)
    if found is None:
        what = "this branch has no upstream" if expression == UPSTREAM else f"git knows no commit '{expression}'"
        raise UsageError(what, _remedy(directory, "say what is known already: --new-only --base origin/main"))
    return found


def _second(directory: str, date: str) -> int:
    """The second since 1970 of a date. Of what it cannot read git says nothing, and means now: a slip in a branch's
    name would leave nothing to judge."""
    said = plumbing.run(("rev-parse", f"--since={date}"), directory=directory).stdout.decode().strip()
    number = said.rpartition("=")[2]
    if not number.isdecimal() or abs(int(number) - time.time()) < _NOW:
        raise UsageError(f"'{date}' is neither a commit nor a date that has passed", "for example: --since=2.weeks")
    return int(number)
