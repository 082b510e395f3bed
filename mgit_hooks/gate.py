"""The gate lane: one hook's event is judged while git waits, and refused where the policy says so.

``capture staged → judge → decide → verdict into the spool, synced → words and exit code``. Called by the
stubs where the gate is armed or where nobody knows whether it is, and by hook managers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from mgit_hooks import candidate as candidates
from mgit_hooks import gatewords, layout, policy
from mgit_hooks.candidate import Candidate
from mgit_hooks.config import Config
from mgit_hooks.display import escape
from mgit_hooks.errors import ConfigError, MgitError
from mgit_hooks.event import HookEvent, PushLine, Verdict
from mgit_hooks.judgement import Judgement
from mgit_hooks.layout import Location
from mgit_hooks.record import Issue, Json, encode_json

# By these names SKIP, which hook managers know too, leaves out a stage.
_SKIP_NAMES = {
    "pre-commit": "mgit-validate",
    "pre-merge-commit": "mgit-validate",
    "commit-msg": "mgit-commit-msg",
    "pre-push": "mgit-push",
}
_LAST_STAGES = ("commit-msg", "pre-push")
_MOST_ISSUES = 20
_MOST = 500  # characters of one text in a verdict
_MOST_SUBJECT = 200


def main(stage: str, ppid: int, arguments: Sequence[str]) -> int:
    """Judge ``stage`` as a stub calls it: 0 lets git go on, 1 stops it.

    ``MGIT_GATE_WAS`` is what the gate flag last said (a, o or u). Where the policy cannot be read or not be
    applied, git stops; a failure of another kind stops it unless the policy is known to refuse nothing.
    """
    try:
        location = _here()
        config = _refresh(location)
        if not policy.armed(config):
            return 0
        if (because := _skipped(stage, os.environ)) is not None:
            _write(location, ppid, _skip(stage, location, because), "a")
            return 0
        return _judge(_candidate(stage, ppid, arguments, location, config), config, location, ppid)
    except MgitError as error:
        # Nobody knows what a broken configuration would have refused.
        unknown = isinstance(error, ConfigError) or os.environ.get("MGIT_GATE_WAS") != "o"
        return _not_judged(stage, error, stops=unknown)


def framework(stage: str, ppid: int, arguments: Sequence[str], pushes: Sequence[PushLine] | None) -> int:
    """Judge ``stage`` for a hook manager, armed or not: it was asked for by name.

    ``pushes``: of pre-push, where the manager tells of the push in its own way.
    """
    try:
        location = layout.locate()
        config = _refresh(location)
        flag = "a" if policy.armed(config) else "o"
        because = "MGIT=0" if os.environ.get("MGIT") == "0" else _skipped(stage, os.environ)
        if because is not None:
            _write(location, ppid, _skip(stage, location, os.environ.get("MGIT_SKIP_REASON") or because), flag)
            return 0
        found = _candidate(stage, ppid, arguments, location, config, pushes)
        found.value["source"] = "framework"
        return _judge(found, config, location, ppid, flag=flag, alone=True)
    except MgitError as error:
        return _not_judged(stage, error, stops=True)


def _refresh(location: Location) -> Config:
    from mgit_hooks import gateflag

    return gateflag.refresh(location)


def _here() -> Location:
    """The repository of the hook that runs, without asking git: a process is a quarter of the time there is."""
    env = os.environ
    if "GIT_COMMON_DIR" in env or "GIT_WORK_TREE" in env or "GIT_CEILING_DIRECTORIES" in env:
        return layout.locate()
    git_dir = os.path.realpath(env.get("GIT_DIR", ".git"))
    common_dir = git_dir
    try:
        with open(os.path.join(git_dir, "commondir"), encoding="utf-8", errors="surrogateescape") as file:
            common_dir = os.path.realpath(os.path.join(git_dir, file.read().rstrip("\n")))
    except OSError:
        pass
    if not os.path.isfile(os.path.join(git_dir, "HEAD")) or not os.path.isdir(os.path.join(common_dir, "objects")):
        return layout.locate()
    here = os.getcwd()
    return Location(git_dir, common_dir, None if here == git_dir else here)


def _candidate(
    stage: str,
    ppid: int,
    arguments: Sequence[str],
    location: Location,
    config: Config,
    pushes: Sequence[PushLine] | None = None,
) -> Candidate:
    if stage != "pre-push":
        return candidates.from_commit(stage, arguments, location, config.rules, command_line(ppid))
    remote, url = (*arguments, "", "")[:2]
    lines = candidates.pushed(candidates.read_stdin()) if pushes is None else pushes
    return candidates.from_push(remote, url, lines, location, config.rules)


def command_line(pid: int) -> list[str] | None:
    """The words that started a git process; None where the system does not tell, or it is not git."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).split("\0")[:-1]
    except OSError:
        return None
    return words if words and os.path.basename(words[0]).startswith("git") else None


def _judge(
    candidate: Candidate, config: Config, location: Location, ppid: int, *, flag: str = "a", alone: bool = False
) -> int:
    """``alone``: no later stage of ours is sure to speak of the same commit."""
    from mgit_hooks import schemas
    from mgit_hooks.judgement import judge

    judgement = judge(candidate, config, schemas.load(), _names(os.environ.get("MGIT_SKIP")))
    _write(location, ppid, _verdict(candidate, judgement), flag)
    refused = isinstance(judgement.decision, policy.Abort)
    if refused or alone or candidate.stage in _LAST_STAGES:
        _say(gatewords.words(candidate, judgement, edited=os.environ.get("GIT_EDITOR") != ":"))
    return 1 if refused else 0


def _verdict(candidate: Candidate, judgement: Judgement) -> Verdict:
    status = "refused" if isinstance(judgement.decision, policy.Abort) else "passed"
    if status == "passed" and judgement.only_skipped:
        status = "skipped"
    return Verdict(
        candidate.stage,
        status,
        gatewords.reason(judgement, os.environ.get("MGIT_SKIP_REASON")),
        candidate.tree,
        candidate.message_sha256,
        judgement.level,
        tuple(map(_bounded_issue, judgement.issues[:_MOST_ISSUES])),
        _detail(candidate, judgement),
    )


def _detail(candidate: Candidate, judgement: Judgement) -> Json:
    value = candidate.value
    detail: Json = {"event": value["event"], "branch": value["branch"]}
    if "push" in value:
        refs = value["push"]["refs"]
        detail |= {
            "remote_name": value["push"]["remote_name"],
            "remote_url": value["push"]["remote_url"],
            "refs": refs[:_MOST_ISSUES],
            "ref_count": len(refs),
        }
    else:
        subject = candidate.subject
        detail |= {
            "message": None if subject is None else _text(subject, _MOST_SUBJECT),
            "files": len(value["commit"]["files"]),
        }
    detail["rules"] = list(judgement.rules)
    if judgement.skipped:
        detail["skipped_rules"] = list(judgement.skipped)
    if len(judgement.issues) > _MOST_ISSUES:
        detail["issue_count"] = len(judgement.issues)
    return detail


def _skip(stage: str, location: Location, because: str) -> Verdict:
    return Verdict(stage, "skipped", _text(because, _MOST), None, None, "standard", (), {"event": None})


def _skipped(stage: str, env: os._Environ[str]) -> str | None:
    """Why this stage is left out, if it is."""
    name = _SKIP_NAMES.get(stage)
    if name is None or name not in _names(env.get("SKIP")):
        return None
    return env.get("MGIT_SKIP_REASON") or f"SKIP={name}"


def _names(text: str | None) -> frozenset[str]:
    return frozenset(name.strip() for name in (text or "").split(",") if name.strip())


def _write(location: Location, ppid: int, verdict: Verdict, flag: str) -> None:
    """The verdict into the spool, on the disk before git goes on. A spool that cannot take it stops nobody."""
    from mgit_hooks import spool, staged

    try:
        said = encode_json(verdict.to_json()).decode("utf-8")
        head = staged.head(location).oid
        layout.make_private_dir(location.mgit_dir)
        spool.append(location.spool_dir, HookEvent("gate", ppid, flag, location.worktree, head, (said,)), sync=True)
    except OSError as error:
        where = error.filename or location.spool_dir
        _say([f"mgit-hooks: this verdict ({verdict.status}) is not recorded: {where}: {error.strerror}"])


def _bounded_issue(issue: Issue) -> Issue:
    context = issue.data_context
    return issue._replace(
        message=_text(issue.message, _MOST),
        field_path=_text(issue.field_path, _MOST),
        suggested_fix=None if issue.suggested_fix is None else _text(issue.suggested_fix, _MOST),
        data_context=None if context is None else {name: _plain(value) for name, value in context.items()},
    )


def _plain(value: object) -> object:
    return _text(value, _MOST) if isinstance(value, str) else value


def _text(text: str, most: int) -> str:
    """Bounded, and without credentials: a message or a value may hold a URL with its token."""
    from mgit_hooks.credentials import strip

    text = strip(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _say(lines: list[str]) -> None:
    for line in lines:
        print(escape(line), file=sys.stderr)


def _not_judged(stage: str, error: MgitError, *, stops: bool) -> int:
    from mgit_hooks.credentials import strip

    effect = "git stops here" if stops else "git goes on"
    lines = [f"mgit-hooks: {stage} was not judged, {effect}: {error.message}"]
    if error.remedy:
        lines.append(f"hint: {error.remedy}")
    if stops:
        lines.append("hint: once without the gate: MGIT=0 git ..., or git ... --no-verify")
    _say([strip(line) for line in lines])
    return 1 if stops else 0
