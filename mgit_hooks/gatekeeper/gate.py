"""The gate lane: one hook's event is judged while git waits, and refused where the policy says so.

``capture staged → judge → decide → verdict into the spool, synced → words and exit code``. Called by the
stubs where the gate is armed or where nobody knows whether it is, and by hook managers.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mgit_hooks import layout, operation
from mgit_hooks.errors import ConfigError, MgitError
from mgit_hooks.files import is_file, is_folder, read
from mgit_hooks.gatekeeper import quick
from mgit_hooks.judging import gateflag, policy
from mgit_hooks.layout import Location

if TYPE_CHECKING:  # what follows is loaded only where the gate is armed
    from mgit_hooks.gatekeeper.candidate import Candidate
    from mgit_hooks.gatekeeper.judgement import Facts, Gathered
    from mgit_hooks.gatekeeper.managed import Told
    from mgit_hooks.judging.config import Config
    from mgit_hooks.recorder.event import PushLine, Verdict

_LONGEST_PATH = 64 * 1024
# By these names SKIP, which hook managers know too, leaves out a stage.
_SKIP_NAMES = {
    "pre-commit": "mgit-validate",
    "pre-merge-commit": "mgit-validate",
    "commit-msg": "mgit-commit-msg",
    "pre-push": "mgit-push",
    "pre-receive": "mgit-receive",
}
_LAST_STAGES = ("commit-msg", "pre-push")


def main(stage: str, git: str, arguments: Sequence[str]) -> int:
    """Judge ``stage`` as a stub calls it: 0 lets git go on, 1 stops it. ``git`` is the process that waits: PID.STARTED.

    ``MGIT_GATE_WAS`` is what the gate flag last said (a, m, o or u). Where the policy cannot be read or not be
    applied, git stops unless ``fail`` is open; a failure of another kind stops it unless the policy is known to
    refuse nothing.
    """
    location = config = None
    started = time.time()
    try:
        location = _here()
        operation.at(location.mgit_dir)
        looked = time.perf_counter()
        config = gateflag.refresh(location)
        _spent("policy", looked)
        if not policy.armed(config):
            return 0
        if (because := _skipped(stage)) is not None:
            return _skip(stage, because, location, git, "a")
        if stage == "pre-receive":
            return _judge_received(config, location, git)
        return _judge(_candidates(stage, git, arguments, location, config), config, location, git, since=started)
    except MgitError as error:
        # Nobody knows what a broken configuration would have refused.
        unknown = isinstance(error, ConfigError) or os.environ.get("MGIT_GATE_WAS") not in ("m", "o")
        return _not_judged(stage, error, stops=unknown and not _fails_open(location, config))


def framework(stage: str, git: str, arguments: Sequence[str]) -> int:
    """Judge ``stage`` for a hook manager, armed or not: it was asked for by name."""
    from mgit_hooks.gatekeeper import managed

    location = config = None
    try:
        location = layout.locate()
        config = gateflag.refresh(location)
        flag = "a" if policy.armed(config) else "o"
        because = "MGIT=0" if os.environ.get("MGIT") == "0" else _skipped(stage)
        if because is not None:
            return _skip(stage, os.environ.get("MGIT_SKIP_REASON") or because, location, git, flag)
        told = managed.told(stage, git, arguments, os.environ, location)
        if told.is_question:
            return _answer(stage, told, location, config)
        if told.pushes is not None:
            from mgit_hooks.gatekeeper import witness

            witness.attempt(location, git, told, flag)
        found = map(_by_framework, _candidates(stage, git, told.arguments, location, config, told.pushes))
        if told.by_hand or flag == "o" or not managed.is_judged_by_stub(stage, location):
            return _judge(found, config, location, git, flag=flag, alone=True, lasting=not told.by_hand)
        # One verdict, told once; and yet the manager is not to show as passed what is refused.
        code = _judge(found, config, location, git, lasting=False, aloud=False)
        if code:
            _say(["mgit-hooks: refused, as git's own hook has said before"])
        return code
    except MgitError as error:
        return _not_judged(stage, error, stops=not _fails_open(location, config))


def _answer(stage: str, told: Told, location: Location, config: Config) -> int:
    from mgit_hooks.gatekeeper import answering

    if told.commits is None:
        found = _candidates(stage, "0", told.arguments, location, config, told.pushes)
    else:
        found = answering.commits(told.commits, location, stage)
    skip = _names(os.environ.get("MGIT_SKIP"))
    code, lines = answering.answer(map(_by_framework, found), told.unknown, config, location, skip)
    _say([*lines, *answering.cut_off(told.commits or (), location)])
    return code


def _by_framework(candidate: Candidate) -> Candidate:
    candidate.value["source"] = "framework"
    return candidate


def _here() -> Location:
    """The repository of the hook that runs, without asking git: a process is a quarter of the time there is."""
    env = os.environ
    if "GIT_COMMON_DIR" in env or "GIT_WORK_TREE" in env or "GIT_CEILING_DIRECTORIES" in env:
        return layout.locate()
    git_dir = os.path.realpath(env.get("GIT_DIR", ".git"))
    common_dir = git_dir
    try:
        named = os.fsdecode(read(os.path.join(git_dir, "commondir"), _LONGEST_PATH)).rstrip("\n")
        common_dir = os.path.realpath(os.path.join(git_dir, named))
    except OSError:
        pass
    try:
        found = is_file(os.path.join(git_dir, "HEAD")) and is_folder(os.path.join(common_dir, "objects"))
    except OSError:
        found = False
    if not found:
        return layout.locate()  # where nothing is, or nothing can be seen: git says which
    here = os.getcwd()
    return Location(git_dir, common_dir, None if here == git_dir else here)


def _candidates(
    stage: str,
    git: str,
    arguments: Sequence[str],
    location: Location,
    config: Config,
    pushes: Sequence[PushLine] | None = None,
) -> Iterable[Candidate]:
    """One, or a push and the commits that it brings, where a rule is for those."""
    from mgit_hooks.gatekeeper import candidate as candidates
    from mgit_hooks.judging.judge import facts_named
    from mgit_hooks.judging.rules import applies

    if stage != "pre-push":
        return [candidates.from_commit(stage, arguments, location, config.rules, command_line(git))]
    remote, url = (*arguments, "", "")[:2]
    lines = candidates.pushed(candidates.read_stdin()) if pushes is None else pushes
    push = candidates.from_push(remote, url, lines, location, config.rules)
    by_push = [rule for rule in config.rules if applies(rule, "push")]
    if not lines or (not facts_named(by_push) and not any(applies(rule, "pushed-commit") for rule in config.rules)):
        return [push]
    from mgit_hooks.gatekeeper import pushed

    return pushed.at_push(push, lines, location, config.rules)


def command_line(git: str) -> list[str] | None:
    """The words that started a git process; None where the system does not tell, or it is not git."""
    try:
        with open(f"/proc/{git.partition('.')[0]}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).split("\0")[:-1]
    except OSError:
        return None
    return words if words and os.path.basename(words[0]).startswith("git") else None


def _judge(
    candidates: Iterable[Candidate],
    config: Config,
    location: Location,
    git: str,
    *,
    flag: str = "a",
    alone: bool = False,
    lasting: bool = True,
    aloud: bool = True,
    since: float | None = None,
) -> int:
    """``alone``: no later stage of ours is sure to speak of the same commit. ``lasting``: a verdict, for the record.
    ``since``: when the policy was read, where what came of it may be remembered for ``quick``."""
    from mgit_hooks.gatekeeper import verdicts
    from mgit_hooks.gatekeeper.judgement import Facts, gather
    from mgit_hooks.judging import schemas

    skip, objects = _names(os.environ.get("MGIT_SKIP")), os.path.join(location.common_dir, "objects")
    facts = Facts(folder=objects)
    began = time.perf_counter()
    found = gather(candidates, config, schemas.load(), skip, facts)
    _spent("judge", began)
    candidate, judgement = found.judged[0]
    if lasting and candidate.message is not None and judgement.issues and any(rule.repair for rule in config.rules):
        found = _repaired(found, config, skip, facts, location, git, flag)
        candidate, judgement = found.judged[0]
    elif lasting:
        reason = os.environ.get("MGIT_SKIP_REASON")
        whole = verdicts.of(candidate, judgement, reason) if found.candidates == 1 else verdicts.of_push(found, reason)
        _write(location, git, whole, flag)
    told = any(judgement.issues for _, judgement in found.judged)
    if told and aloud and (found.refused or alone or candidate.stage in _LAST_STAGES):
        from mgit_hooks.gatekeeper import words

        edited = os.environ.get("GIT_EDITOR") != ":"
        _say(words.words(candidate, judgement, edited=edited) if found.candidates == 1 else words.pushed(found))
    if since is not None and not told and not quick.usable:
        from mgit_hooks.gatekeeper import remembered

        remembered.write(candidate, config, schemas.load(), location, since)
    return 1 if found.refused else 0


def _repaired(
    found: Gathered, config: Config, skip: frozenset[str], facts: Facts, location: Location, git: str, flag: str
) -> Gathered:
    """The commit with its message repaired, if it can be; its verdict is written."""
    from mgit_hooks.gatekeeper.judgement import Gathered, judging
    from mgit_hooks.gatekeeper.repairing import Repairable, State
    from mgit_hooks.gatekeeper.settling import settle
    from mgit_hooks.judging import schemas
    from mgit_hooks.judging.rules import applies

    candidate, judgement = found.judged[0]
    if candidate.message is None:
        return found
    rules = [
        Repairable(rule, rule.repair)
        for rule in config.rules
        if rule.repair is not None and rule.id not in skip and any(applies(rule, each) for each in candidate.events)
    ]
    state = State(candidate, judgement, candidate.message)
    again = judging(candidate, config, schemas.load(), skip, facts)
    settled = settle(
        state, rules, config.enforce, again, location, lambda verdict: _write(location, git, verdict, flag)
    )
    _say(list(settled.words))
    return Gathered([settled.state[:2]], 1)


def _judge_received(config: Config, location: Location, git: str) -> int:
    """A push to this repository: its refs, and each commit that it brings."""
    from mgit_hooks.gatekeeper import received, verdicts
    from mgit_hooks.gatekeeper.candidate import read_stdin
    from mgit_hooks.gatekeeper.judgement import Facts, gather
    from mgit_hooks.judging import schemas

    lines = received.lines(read_stdin())
    candidates = received.candidates(lines, location, config.rules, all_commits=config.strategy == "abort")
    found = gather(candidates, config, schemas.load(), _names(os.environ.get("MGIT_SKIP")), Facts())
    _write(location, git, verdicts.of_push(found, os.environ.get("MGIT_SKIP_REASON")), "a")
    from mgit_hooks.gatekeeper.words import received as words

    _say(words(found))
    return 1 if found.refused else 0


def _skip(stage: str, because: str, location: Location, git: str, flag: str) -> int:
    from mgit_hooks.gatekeeper import verdicts

    _write(location, git, verdicts.skip(stage, because), flag)
    return 0


def _skipped(stage: str) -> str | None:
    """Why this stage is left out, if it is."""
    name = _SKIP_NAMES.get(stage)
    if name is None or name not in _names(os.environ.get("SKIP")):
        return None
    return os.environ.get("MGIT_SKIP_REASON") or f"SKIP={name}"


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name.strip() for name in (text or "").split(",") if name.strip())


def _write(location: Location, git: str, verdict: Verdict, flag: str) -> bool:
    """Before git goes on. A spool that cannot take the verdict (a full disk, a read-only one) stops nobody."""
    from mgit_hooks.gatekeeper import verdicts

    began = time.perf_counter()
    try:
        verdicts.write(location, git, verdict, flag)
    except OSError as error:
        where = error.filename or location.spool_dir
        _say([f"mgit-hooks: this verdict ({verdict.status}) is not recorded: {where}: {error.strerror}"])
        return False
    _spent("write", began)
    return True


def _spent(phase: str, began: float) -> None:
    """As ``meter.phase``, which a gate has no time to load."""
    if (of := operation.under_way()) is not None:
        of.phases[phase] = of.phases.get(phase, 0.0) + time.perf_counter() - began


def _say(lines: list[str]) -> None:
    from mgit_hooks.display import escape

    for line in lines:
        print(escape(line), file=sys.stderr)


def _fails_open(location: Location | None, config: Config | None) -> bool:
    """``config`` is what could be read; where nothing could, what the user alone says counts."""
    if config is not None:
        return config.fail == "open"
    if location is None:
        return False
    from mgit_hooks.judging.config import fails_open

    return fails_open(location)


def _not_judged(stage: str, error: MgitError, *, stops: bool) -> int:
    from mgit_hooks.credentials import strip

    if (of := operation.under_way()) is not None:
        of.error = type(error).__name__
    effect = "git stops here" if stops else "git goes on"
    lines = [f"mgit-hooks: {stage} was not judged, {effect}: {error.message}"]
    if error.remedy:
        lines.append(f"hint: {error.remedy}")
    if stops:
        lines.append("hint: once without the gate: MGIT=0 git ..., or git ... --no-verify")
    _say([strip(line) for line in lines])
    return 1 if stops else 0
