"""What a push to this repository would bring, as pre-receive is told: its refs, and each commit that is new here.

The commits are in git's quarantine (git-receive-pack(1)): the environment of the hook leads there, and nothing else
does. They are read by git's own commands, which take that environment as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mgit_hooks.errors import UsageError
from mgit_hooks.gatekeeper.candidate import LATER, Candidate, envelope
from mgit_hooks.gatekeeper.existing import MADE, MERGED
from mgit_hooks.git import plumbing
from mgit_hooks.judging.judge import facts_named
from mgit_hooks.judging.rules import Rule, applies
from mgit_hooks.layout import Location
from mgit_hooks.record import Oid
from mgit_hooks.recorder import receiving
from mgit_hooks.recorder.event import PushLine, received
from mgit_hooks.recorder.remotes import Remotes

STAGE: Final = "pre-receive"


def lines(stdin: bytes) -> tuple[PushLine, ...]:
    """Raises UsageError where ``stdin`` is not what git gives pre-receive."""
    try:
        return received(os.fsdecode(stdin))
    except ValueError:
        raise UsageError("pre-receive: the standard input is not git's", "run it from git receive-pack") from None


def candidates(
    pushed: Sequence[PushLine], location: Location, rules: Iterable[Rule], *, all_commits: bool
) -> Iterator[Candidate]:
    """The push itself, then the commits that it brings, oldest first.

    ``all_commits``: though no rule asks for them. Raises ObjectError where git cannot read what was pushed.
    """
    refs = [line for line in pushed if not line.remote_ref.startswith("refs/mgit/")]
    known = tuple(rules)
    asked = all_commits or any(applies(rule, event) for rule in known for event in (*MADE, *MERGED))
    names = facts_named(rule for rule in known if applies(rule, "push"))
    if not asked and not names:
        yield _push(refs, location)
        return
    from mgit_hooks.gatekeeper import pushed as brought

    found = brought.brought(refs, "--all")
    push = _push(refs, location)
    yield push._replace(with_facts=brought.with_facts(push.value, refs, names, found))
    if asked:
        yield from brought.candidates(found.commits, location, STAGE, whole=True)


def _push(pushed: Sequence[PushLine], location: Location) -> Candidate:
    remotes = Remotes(location.common_dir, _is_ancestor, os.environ)
    told = receiving.asked(pushed, remotes)
    unknown = {f"/push/refs/{number}/confirmed" for number in range(len(pushed))}
    value = envelope("push", location, None, push=told.to_json())
    return Candidate(STAGE, ("push",), value, LATER | unknown, location.worktree, None)


def _is_ancestor(old: Oid, new: Oid) -> bool | None:
    return {0: True, 1: False}.get(plumbing.run(("merge-base", "--is-ancestor", old, new)).status)
