"""From candidates to findings, by the very judge of the gate."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mgit_hooks.checking.findings import Checked, Subject, sorted_findings
from mgit_hooks.gatekeeper.candidate import CHECK, Candidate
from mgit_hooks.gatekeeper.existing import of_commit, quarantine
from mgit_hooks.gatekeeper.judgement import Facts, Judgement, judge
from mgit_hooks.judging import config, schemas
from mgit_hooks.judging.config import Config
from mgit_hooks.judging.judge import facts_named
from mgit_hooks.layout import Location
from mgit_hooks.record import Commit, Json

if TYPE_CHECKING:
    from mgit_hooks.gatekeeper.objects import Objects


class Policy(NamedTuple):
    """What a check judges by. Small, and picklable: each worker reads the configuration itself."""

    location: Location
    overrides: tuple[tuple[str, str], ...]
    skip: frozenset[str]  # rules and codes that are let go this once


_facts: dict[tuple[int, Location], Facts] = {}
_configs: dict[tuple[Location, tuple[tuple[str, str], ...]], Config] = {}


def settings(policy: Policy) -> Config:
    """Read once for each process. Raises ConfigError."""
    key = policy.location, policy.overrides
    if key not in _configs:
        _configs[key] = config.load(policy.location, dict(policy.overrides))
    return _configs[key]


def forget() -> None:
    """What was read is read anew the next time: a process may check more than once."""
    _configs.clear()
    for each in _facts.values():
        each.close()
    _facts.clear()


def judgement(policy: Policy, candidate: Candidate) -> Judgement:
    return judge(candidate, settings(policy), schemas.load(), policy.skip, _facts_of(policy.location))


def _facts_of(location: Location) -> Facts:
    """One for each process, forked ones too: it keeps a git that answers one."""
    key = os.getpid(), location
    if key not in _facts:
        # In a hook of a push objects lie where only git looks for them.
        _facts[key] = (
            Facts(location.root or location.git_dir) if quarantine() else Facts(read=partial(_reader, location))
        )
    return _facts[key]


def _reader(location: Location) -> Objects:
    from mgit_hooks.checking.blobs import Blobs

    return Blobs(location)


def checked(policy: Policy, subject: Subject, candidate: Candidate) -> Checked:
    found = judgement(policy, candidate)
    value = _looked_at(policy, candidate, found)
    return Checked(subject, sorted_findings(found.issues, value, subject, found.rules), found.rules)


def _looked_at(policy: Policy, candidate: Candidate, found: Judgement) -> Json:
    """What was judged; with its facts where a finding is about one of a file: it may know a line."""
    if not any("/facts/" in issue.field_path for issue in found.issues):
        return candidate.value
    asked = [rule for rule in settings(policy).rules if rule.id in found.rules]
    return _facts_of(policy.location).of(candidate, facts_named(asked))


def of(policy: Policy, commit: Commit) -> Checked:
    """A commit that is there. Runs in the worker that captured it."""
    return checked(policy, subject_of(commit), of_commit(commit, policy.location, CHECK))


def subject_of(commit: Commit) -> Subject:
    title = commit.message.partition("\n")[0]
    return Subject("commit", commit.hash, title, f"{commit.author_name} <{commit.author_email}>", commit.date)
