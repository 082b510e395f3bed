"""The commits that a push is about to bring, and what that makes of each of its refs.

At pre-push that is what the remote has not, as far as is known here: by the remote's own refs, as git told of them, and
by the remote-tracking ones. At pre-receive it is what no ref here leads to. One walk serves all refs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from mgit_hooks.errors import ObjectError
from mgit_hooks.gatekeeper.candidate import Candidate, looks_at
from mgit_hooks.gatekeeper.existing import of_commit, quarantine
from mgit_hooks.git import plumbing
from mgit_hooks.judging.facts import OF_REF
from mgit_hooks.judging.judge import facts_named
from mgit_hooks.judging.rules import Rule, applies
from mgit_hooks.layout import Location
from mgit_hooks.record import Commit, Json, Oid
from mgit_hooks.recorder.event import PushLine

EVENT: Final = "pushed-commit"
# What may be the name of a remote, and is no address with a token in it.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
# What of a commit takes more than its own object to tell.
_OF_TREES: Final = ("files", "case_conflicts", "additions", "deletions", "churn", "missing")

_MOST_STEPS: Final = 5_000_000
"""Commits that are counted for all refs of one push; the facts of what is left are unknown."""


class Brought(NamedTuple):
    parents: Mapping[Oid, tuple[Oid, ...]]  # of each new commit, oldest first
    tips: Mapping[Oid, Oid]  # what was pushed -> its commit, where it is one or a tag of one

    @property
    def commits(self) -> list[Oid]:
        return list(self.parents)


def brought(pushed: Sequence[PushLine], *others: str) -> Brought:
    """What ``pushed`` brings; ``others`` are the words of git-rev-list(1) for what is there already.

    Raises ObjectError where git cannot read what was pushed.
    """
    tips = _commits([line.local_oid for line in pushed if line.local_oid is not None])
    if not tips:
        return Brought({}, {})
    there = _commits([line.remote_oid for line in pushed if line.remote_oid is not None])
    words = [*dict.fromkeys(tips.values()), *(f"^{oid}" for oid in dict.fromkeys(there.values()))]
    asked = "".join(f"{word}\n" for word in words).encode("ascii")
    options = ("--reverse", "--topo-order", "--parents", "--stdin")
    listed = plumbing.run(("rev-list", *options, *(("--not", *others) if others else ())), stdin=asked)
    if listed.status:
        said = (listed.stderr.strip().splitlines() or ["git rev-list failed"])[0]
        raise ObjectError(f"what was pushed cannot be read: {said}", "push again; see what 'git fsck' says there")
    lines = (line.split() for line in listed.stdout.decode("ascii").splitlines())
    return Brought({Oid(oid): tuple(map(Oid, parents)) for oid, *parents in lines}, tips)


def _commits(oids: Sequence[Oid]) -> dict[Oid, Oid]:
    """Each of ``oids`` that is here and leads to a commit, with that commit: a tag of something else brings none."""
    unique = list(dict.fromkeys(oids))
    if not unique:
        return {}
    asked = "".join(f"{oid}^{{commit}}\n" for oid in unique).encode("ascii")
    told = plumbing.run(("cat-file", "--batch-check=%(objectname) %(objecttype)"), stdin=asked).stdout.decode()
    lines = zip(unique, told.splitlines(), strict=False)
    return {oid: Oid(line.split()[0]) for oid, line in lines if line.endswith(" commit")}


def with_facts(value: Json, pushed: Sequence[PushLine], names: frozenset[str], found: Brought) -> Json:
    """A copy of ``value``, whose ``push.refs`` stand in the order of ``pushed``, with the facts of its refs."""
    if not names & OF_REF:
        return value
    counts = _Counts(found)
    refs = [
        {**ref, "facts": {**(ref.get("facts") or {}), **counts.of(line)}}
        for ref, line in zip(value["push"]["refs"], pushed, strict=True)
    ]
    return {**value, "push": {**value["push"], "refs": refs}}


class _Counts:
    def __init__(self, found: Brought) -> None:
        self._found = found
        self._known: dict[Oid | None, Json] = {}
        self._left = _MOST_STEPS

    def of(self, line: PushLine) -> Json:
        """``commits`` and ``merges`` of one ref; nothing where too much was counted already."""
        tip = None if line.local_oid is None else self._found.tips.get(line.local_oid)
        if tip not in self._known:
            self._known[tip] = self._counted(tip)
        return self._known[tip]

    def _counted(self, tip: Oid | None) -> Json:
        parents = self._found.parents
        seen: set[Oid] = set()
        waiting = [tip] if tip is not None and tip in parents else []
        while waiting:
            oid = waiting.pop()
            if oid in seen:
                continue
            seen.add(oid)
            self._left -= 1
            if self._left < 0:
                return {}
            waiting += (parent for parent in parents[oid] if parent in parents)
        return {"commits": len(seen), "merges": sum(len(parents[oid]) > 1 for oid in seen)}


def at_push(
    push: Candidate, pushed: Sequence[PushLine], location: Location, rules: Sequence[Rule]
) -> Iterator[Candidate]:
    """``push`` as pre-push was told of it, with what its refs bring, and the new commits where a rule is for those.

    Raises ObjectError.
    """
    remote = push.value["push"]["remote_name"]
    tracking = (f"--remotes={remote}",) if _NAME.fullmatch(remote) else ()
    found = brought(pushed, *tracking)
    names = facts_named(rule for rule in rules if applies(rule, "push"))
    yield push._replace(with_facts=with_facts(push.value, pushed, names, found))
    asked = [rule for rule in rules if applies(rule, EVENT)]
    if asked:
        whole = any(looks_at(rule.schema, _OF_TREES) for rule in asked)
        yield from candidates(found.commits, location, push.stage, (EVENT,), whole=whole)


def candidates(
    oids: Sequence[Oid], location: Location, stage: str, events: tuple[str, ...] | None = None, *, whole: bool
) -> Iterator[Candidate]:
    """Commits that are pushed, in the given order. ``events`` are what they are judged as, by default all that they
    may be. ``whole``: their files, too, for which their trees have to be compared.

    Raises ObjectError where one cannot be read.
    """
    for commit in _read(oids, location, whole) if oids else ():
        yield of_commit(commit, location, stage, events)


def _read(oids: Sequence[Oid], location: Location, whole: bool) -> Iterator[Commit]:
    from mgit_hooks.capture.capturer import Capturer
    from mgit_hooks.git.twin import Twin

    objects = quarantine()
    if whole:
        yield from Capturer(location.common_dir, lambda git_dir: Twin(git_dir, objects=objects)).commits(oids)
        return
    twin = Twin(location.common_dir, objects=objects)
    try:
        for oid in oids:
            yield _without_files(oid, twin.read_commit(oid))
    finally:
        twin.close()


def _without_files(oid: Oid, raw: bytes) -> Commit:
    from mgit_hooks.capture.rawcommit import decode, parse

    parsed = parse(raw, oid)
    texts: dict[str, Any] = {}
    for name, text in (
        ("author_name", parsed.author.name),
        ("author_email", parsed.author.email),
        ("committer_name", parsed.committer.name),
        ("committer_email", parsed.committer.email),
        ("message", parsed.message),
    ):
        texts[name], texts[f"{name}_bytes"] = decode(text, parsed.encoding)
    return Commit(
        hash=oid,
        parents=parsed.parents,
        tree=parsed.tree,
        date=parsed.author.date,
        committer_date=parsed.committer.date,
        files=None,
        encoding=parsed.encoding,
        **texts,
    )
