"""What a gate says to the person whose commit or push it judged."""

from __future__ import annotations

from collections.abc import Sequence

from mgit_hooks.credentials import strip
from mgit_hooks.display import escape
from mgit_hooks.gatekeeper.candidate import Candidate
from mgit_hooks.gatekeeper.judgement import Gathered, Judgement, culprits
from mgit_hooks.judging.policy import FAILING, Abort, Recover
from mgit_hooks.record import Issue
from mgit_hooks.report import counted

_MOST_ISSUES = 20
_MOST = 400  # characters of one text of someone else's


def words(candidate: Candidate, judgement: Judgement, *, edited: bool) -> list[str]:
    """Lines for standard error; none where there is nothing to say. ``edited``: the message took an editor."""
    decision = judgement.decision
    failing = [issue for issue in decision.issues if issue.severity in FAILING]
    if not failing:
        return []
    what = "push" if candidate.stage == "pre-push" else "commit"
    count = f"{len(failing)} finding{'s' if len(failing) > 1 else ''}"
    if isinstance(decision, Abort):
        return [f"mgit-hooks: {what} refused: {count}", *_listed(failing), *_ways_out(candidate, judgement, edited)]
    if isinstance(decision, Recover):
        effect = f"the {what} goes on, and is recorded by strategy {decision.strategy}"
    else:
        effect = f"the {what} goes on, since enforce is off"
    return [f"mgit-hooks: report: {count}; {effect}", *_listed(failing)]


def pushed(gathered: Gathered) -> list[str]:
    """Of a push and the commits that it brings, before it leaves; none where there is nothing to say."""
    names = escape(",".join(dict.fromkeys(name for _, each in gathered.judged for name in culprits(each))))
    skip = f"hint: to skip it this once: MGIT_SKIP={names} git push ..., or git push --no-verify"
    return _of_push(gathered, "report; the push goes on", [skip], ways_out=True)


def answered(gathered: Gathered) -> list[str]:
    """What somebody reads who has asked about what is there, be it that all is well."""
    told = f"mgit-hooks: judged: {_judged(gathered)}"
    found = _failing(gathered.judged)
    if not found:
        return [told]
    lines = [f"{told}: {counted(len(found), 'finding')}", *_each(found, ways_out=True)]
    if gathered.refused:
        names = escape(",".join(dict.fromkeys(name for _, each in gathered.judged for name in culprits(each))))
        lines.append("hint: 'git rebase -i' rewrites commits that nobody has yet")
        lines.append(f"hint: to let it pass this once: MGIT_SKIP={names}")
    return lines


def _judged(gathered: Gathered) -> str:
    push = gathered.judged[0][0].value.get("push") if gathered.judged else None
    if push is None:
        return counted(gathered.candidates, "commit")
    if not push["refs"]:
        return "nothing, since no push was told of"
    return "a push" + (f" and {counted(gathered.candidates - 1, 'commit')}" if gathered.candidates > 1 else "")


def received(gathered: Gathered) -> list[str]:
    """What the client of a push reads, each line behind git's ``remote:``; none where there is nothing to say."""
    hints = [
        "hint: mend the commits ('git commit --amend', 'git rebase -i') or the refs, and push again",
        "hint: the policy is this server's: whoever runs it can change it, or let one push through",
    ]
    return _of_push(gathered, "report; the push is taken", hints, ways_out=False)


def _of_push(gathered: Gathered, report: str, hints: list[str], *, ways_out: bool) -> list[str]:
    found = _failing(gathered.judged)
    if not found:
        return []
    effect = "push refused" if gathered.refused else report
    lines = [f"mgit-hooks: {effect}: {counted(len(found), 'finding')}", *_each(found, ways_out=ways_out)]
    return [*lines, *hints] if gathered.refused else lines


def _failing(judged: Sequence[tuple[Candidate, Judgement]]) -> list[tuple[Candidate, Issue]]:
    return [
        (candidate, issue)
        for candidate, judgement in judged
        for issue in judgement.decision.issues
        if issue.severity in FAILING
    ]


def _each(found: Sequence[tuple[Candidate, Issue]], *, ways_out: bool) -> list[str]:
    lines = []
    for candidate, issue in found[:_MOST_ISSUES]:
        lines.append(f"  {issue.severity}: {_about(candidate)}{_what(issue)}")
        if ways_out and issue.suggested_fix:
            lines.append(f"    {_bounded(issue.suggested_fix)}")
    if len(found) > _MOST_ISSUES:
        lines.append(f"  and {len(found) - _MOST_ISSUES} more")
    return lines


def _about(candidate: Candidate) -> str:
    commit = candidate.value.get("commit")
    if commit is None:
        return ""
    return f"{commit['hash'][:10]} ({_bounded(candidate.subject or '')[:60]}): "


def _what(issue: Issue) -> str:
    name = "" if issue.message.startswith("rule ") else f"{issue.code}: "
    where = f" ({_bounded(issue.field_path)})" if issue.field_path else ""
    return f"{name}{_bounded(issue.message)}{where}"


def _listed(issues: list[Issue]) -> list[str]:
    lines = []
    for issue in issues[:_MOST_ISSUES]:
        # a rule's own finding begins with its name
        name = "" if issue.message.startswith("rule ") else f"{issue.code}: "
        lines.append(f"  {issue.severity}: {name}{_bounded(issue.message)}")
        if issue.field_path:
            lines.append(f"    where: {_bounded(issue.field_path)}")
        if issue.suggested_fix:
            lines.append(f"    {_bounded(issue.suggested_fix)}")
    if len(issues) > _MOST_ISSUES:
        lines.append(f"  and {len(issues) - _MOST_ISSUES} more")
    return lines


def _ways_out(candidate: Candidate, judgement: Judgement, edited: bool) -> list[str]:
    # Of a refused merge too: git keeps it, for git commit to conclude.
    command = "git push" if candidate.stage == "pre-push" else "git commit"
    names = escape(",".join(culprits(judgement)))
    lines = [f"hint: to skip it this once: MGIT_SKIP={names} {command} ..., or {command} --no-verify"]
    if candidate.stage == "commit-msg" and edited:
        lines.append('hint: your message is kept: git commit -e -F "$(git rev-parse --git-path COMMIT_EDITMSG)"')
    return lines


def _bounded(text: str) -> str:
    text = escape(strip(text))
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"
