"""A judgement as the verdict that the spool carries to the journal: bounded, and without credentials."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mgit_hooks import layout
from mgit_hooks.encoding import encode_json
from mgit_hooks.gatekeeper import staged
from mgit_hooks.gatekeeper.candidate import Candidate
from mgit_hooks.gatekeeper.judgement import Gathered, Judgement, culprit, culprits
from mgit_hooks.judging.policy import FAILING, Abort, Recover
from mgit_hooks.layout import Location
from mgit_hooks.record import Issue, Json, Oid, Repaired
from mgit_hooks.recorder import event, spool
from mgit_hooks.recorder.event import HookEvent, Verdict

_MOST_ISSUES = 20
_MOST = 500  # characters of one text
_MOST_SUBJECT = 200


def of(candidate: Candidate, judgement: Judgement, skip_reason: str | None) -> Verdict:
    """The verdict; ``skip_reason`` is MGIT_SKIP_REASON."""
    status = "refused" if isinstance(judgement.decision, Abort) else "passed"
    if status == "passed" and judgement.only_skipped:
        status = "skipped"
    reason = _reason(judgement, skip_reason)
    return Verdict(
        candidate.stage,
        status,
        None if reason is None else _text(reason),
        candidate.tree,
        candidate.message_sha256,
        judgement.level,
        tuple(map(_bounded, judgement.issues[:_MOST_ISSUES])),
        _detail(candidate, judgement),
        _parents(candidate),
    )


def of_repaired(
    candidate: Candidate, judgement: Judgement, skip_reason: str | None, repaired: Sequence[Repaired], was: Candidate
) -> Verdict:
    """The verdict on a message that was repaired, with the message that it was, whole, as a record holds one."""
    verdict = of(candidate, judgement, skip_reason)
    told: Json = {
        "repaired": [each._replace(what=_text(each.what)).to_json() for each in repaired],
        "original_message": was.value["commit"]["message"],
        "original_sha256": was.message_sha256,
    }
    return verdict._replace(detail={**verdict.detail, **told})


def of_push(gathered: Gathered, skip_reason: str | None) -> Verdict:
    """One verdict on a push and all of the commits that it brings: that of the first that was refused, with the
    issues of all. Each issue says which commit it is about."""
    judged = gathered.judged
    candidate, judgement = next(
        ((each, found) for each, found in judged if isinstance(found.decision, Abort)),
        next(((each, found) for each, found in judged if found.issues), judged[0]),
    )
    verdict = of(candidate, judgement, skip_reason)
    issues = [_of_commit(issue, each) for each, found in judged for issue in found.issues]
    detail = {**_detail(*judged[0]), "commits": gathered.candidates - 1}
    rules = dict.fromkeys(name for _, found in judged for name in found.rules)
    detail |= {"rules": list(rules)} | ({"issue_count": len(issues)} if len(issues) > _MOST_ISSUES else {})
    bounded = tuple(map(_bounded, issues[:_MOST_ISSUES]))
    return verdict._replace(tree=None, parents=None, issues=bounded, detail=detail)


def _of_commit(issue: Issue, candidate: Candidate) -> Issue:
    commit = candidate.value.get("commit")
    if commit is None:
        return issue
    return issue._replace(data_context={**(issue.data_context or {}), "commit": commit["hash"]})


def skip(stage: str, because: str) -> Verdict:
    """The verdict on a stage that was left out as a whole."""
    return Verdict(stage, "skipped", _text(because), None, None, "standard", (), {"event": None})


def write(location: Location, git: str, verdict: Verdict, flag: str) -> None:
    """Append to the spool; on return it is on the disk. ``git`` is the process that asked. Raises OSError."""
    said = encode_json(verdict.to_json()).decode("utf-8")
    head = staged.head(location).oid
    layout.make_private_dir(location.mgit_dir)
    pid, started = event.process(git)
    line = HookEvent("gate", pid, flag, location.worktree, head, (said,), started)
    spool.append(location.spool_dir, line, sync=True)


def _parents(candidate: Candidate) -> tuple[Oid, ...] | None:
    found = candidate.value["commit"]["parents"] if "commit" in candidate.value else None
    return None if found is None else tuple(map(Oid, found))


def _reason(judgement: Judgement, skip_reason: str | None) -> str | None:
    if isinstance(judgement.decision, Abort):
        return "refused by " + ", ".join(culprits(judgement))
    if judgement.skipped:
        return f"MGIT_SKIP={','.join(judgement.skipped)}" + (f": {skip_reason}" if skip_reason else "")
    failing = [issue for issue in judgement.issues if issue.severity in FAILING]
    if not failing:
        return None
    kind = "left to recovery" if isinstance(judgement.decision, Recover) else "reported, not enforced"
    return f"{kind}: " + ", ".join(dict.fromkeys(map(culprit, failing)))


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
        subject, files = candidate.subject, value["commit"]["files"]
        detail |= {
            "message": None if subject is None else _text(subject, _MOST_SUBJECT),
            "files": None if files is None else len(files),  # of a commit that is pushed, only where a rule asks
        }
    detail["rules"] = list(judgement.rules)
    if judgement.skipped:
        detail["skipped_rules"] = list(judgement.skipped)
    if len(judgement.issues) > _MOST_ISSUES:
        detail["issue_count"] = len(judgement.issues)
    return detail


def _bounded(issue: Issue) -> Issue:
    context = issue.data_context
    return issue._replace(
        message=_text(issue.message),
        field_path=_text(issue.field_path),
        suggested_fix=None if issue.suggested_fix is None else _text(issue.suggested_fix),
        data_context=None if context is None else {name: _plain(value) for name, value in context.items()},
    )


def _plain(value: object) -> object:
    return _text(value) if isinstance(value, str) else value


def _text(text: str, most: int = _MOST) -> str:
    if "@" in text or "://" in text:  # a message or a value may hold a URL with its token
        from mgit_hooks.credentials import strip

        text = strip(text)
    text = os.fsencode(text).decode("utf-8", "replace")
    return text if len(text) <= most else text[: most - 1] + "…"
