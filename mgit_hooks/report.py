"""Records as people read them: one line each, or one record whole. Pure; every text is made safe here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from mgit_hooks.display import escape, escape_block
from mgit_hooks.record import Commit, FileChange, Gate, Json, Oid, Push, Record

Style = Callable[..., str]

UNSHALLOW: Final = "'git fetch --unshallow' gets the rest; in CI: fetch-depth: 0, or GIT_DEPTH: 0"
_MOST_NAMED: Final = 10
_FULL: Final = re.compile(r"\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b")

_EVENT_STYLES: Final = {
    "refused": ("red",), "skipped": ("yellow",), "repair": ("yellow",), "rebuilt": ("yellow",), "push": ("cyan",),
    "push-outcome": ("cyan",), "checkout": ("dim",), "ref-update": ("dim",), "snapshot": ("dim",),
}  # fmt: skip


def unrecorded(missing: Sequence[Oid]) -> Iterator[str]:
    """A line for each commit that is named and not in git, as far as anybody reads them."""
    for oid in missing[:_MOST_NAMED]:
        yield f"mgit-hooks: commit {oid} is named and no longer in git: it cannot be recorded"
    if len(missing) > _MOST_NAMED:
        yield f"mgit-hooks: so are {len(missing) - _MOST_NAMED} more: 'git fsck' names what is missing"


def one_line(record: Record, style: Style, when: Callable[[str], str], *, who: bool = False) -> str:
    """``seq  event  when  what  marks``, its time as ``when`` tells it; with ``who``, of a commit its committer too."""
    at = escape(when(record.occurred_at or record.recorded_at))
    event = style(f"{record.event:<12}", *_EVENT_STYLES.get(record.event, ("green",)))
    marks = "".join(f"  {style(mark, color)}" for mark, color in _marks(record))
    person = f"  by {_committer(record.commit)}" if who and record.commit is not None else ""
    return f"{style(f'{record.seq:>6}', 'dim')}  {event}  {at}  {_what(record, changes=not who)}{person}{marks}"


def _committer(commit: Commit) -> str:
    return f"{escape(commit.committer_name)} <{escape(commit.committer_email)}>"


def _is_unseen_push(record: Record) -> bool:
    return record.event == "push-outcome" and record.gate.status == "unobserved"


def _marks(record: Record) -> Iterator[tuple[str, str]]:
    if record.gate.status in ("bypassed", "refused", "skipped") or _is_unseen_push(record):
        yield f"[gate {record.gate.status}]", "yellow"
    if record.gate.repaired:
        yield "[message repaired]", "yellow"
    if not record.validation.is_valid:
        yield "[" + ", ".join(dict.fromkeys(issue.code for issue in record.validation.issues)) + "]", "red"
    if record.recovery:
        yield f"[{record.recovery[-1].action_type}]", "yellow"


def _what(record: Record, *, changes: bool = True) -> str:
    if record.commit is not None:
        return f"{record.commit.hash[:10]} {subject(record.commit, 100)}{_changes(record.commit) if changes else ''}"
    if record.push is not None:
        return _push_words(record.push)
    if record.original is not None:
        return f"in place of an invalid record: {escape(_stands_for(record.original))}"
    if record.refs:
        first = record.refs[0]
        old, new = ((oid or "none")[:10] for oid in (first.old_oid, first.new_oid))
        return f"{escape(first.name)} {old} → {new}  {_short(escape(first.reason or ''))[:80]}".rstrip()
    if record.event in _DETAILS and record.detail is not None:
        return escape(_DETAILS[record.event](record.detail))[:120]
    return escape(record.gate.reason or record.repository_name)[:120]


def subject(commit: Commit, most: int) -> str:
    """The message's first line; of more than ``most`` characters the beginning, and a sign that it is no more."""
    line = escape(commit.message.partition("\n")[0])
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _short(text: str) -> str:
    """A reflog's words, with the full hashes that git puts in as short as those beside them."""
    return _FULL.sub(lambda found: found[0][:10], text)


def cut_off(number: int) -> Iterator[str]:
    """What to say of commits at the edge of a shallow clone that were judged: a clean word on them says little."""
    if number:
        yield f"mgit-hooks: this clone is shallow and ends at {number} of these commits: no file there is judged"
        yield f"hint: {UNSHALLOW}"


def counted(number: int, thing: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _stands_for(original: Json) -> str:
    """What a minimal record (strategy fallback) stands for, in a few words."""
    commit = original.get("commit")
    if not isinstance(commit, dict):
        return str(original.get("event"))
    subject = str(commit.get("message") or "").partition("\n")[0]
    return f"{original.get('event')} {str(commit.get('hash'))[:10]} {subject}"[:100]


def _repaired(detail: Json) -> str:
    holes = sum(hole["last_seq"] - hole["first_seq"] + 1 for hole in detail["holes"])
    restored = f"{detail['restored']} restored from copies, " if detail.get("restored") else ""
    return f"{counted(holes, 'record')} missing, {restored}{detail['rebuilt']} rebuilt from git, {detail['lost']} lost"


def _checkpointed(detail: Json) -> str:
    if "archived" in detail:
        last = max((hole["last_seq"] for hole in detail["archived"]), default=0)
        return f"records up to {last} are in the archive {detail['file']}"
    return f"generation {detail['generation']}, up to record {detail['last_seq']}"


# What the events about the journal itself have to say for themselves.
_DETAILS: Final[dict[str, Callable[[Json], str]]] = {
    "snapshot": lambda detail: f"recording begins: {counted(len(detail['refs']), 'ref')}",
    "repair": _repaired,
    "checkpoint": _checkpointed,
    "erase": lambda detail: f"{counted(len(detail['erased']), 'record')} erased by {detail['by']}: {detail['reason']}",
    "adopted": lambda detail: f"a copy goes on here: journal {detail['journal'][:8]} up to record {detail['last_seq']}",
}


def _changes(commit: Commit) -> str:
    if not commit.files:
        return ""
    added = sum(change.additions or 0 for change in commit.files)
    deleted = sum(change.deletions or 0 for change in commit.files)
    return f"  ({counted(len(commit.files), 'file')}, +{added} -{deleted})"


def _push_words(push: Push) -> str:
    to = "here" if push.remote_name == "." else escape(push.remote_name)
    names = ", ".join(escape(ref.remote_ref.removeprefix("refs/heads/")) for ref in push.refs[:3]) or "no refs"
    more = f" and {len(push.refs) - 3} more" if len(push.refs) > 3 else ""
    kinds = ["forced"] * any(ref.forced for ref in push.refs) + ["deleted"] * any(ref.deleted for ref in push.refs)
    dropped = sum(ref.dropped_count or 0 for ref in push.refs if ref.confirmed is not False)
    kinds += [f"{counted(dropped, 'commit')} dropped"] * bool(dropped)
    marks = f" ({', '.join(kinds)})" if kinds else ""
    by = f" by {escape(push.pusher)}" if push.pusher else ""
    return f"{names}{more} → {to}{by}{marks}{_outcome_words(push)}"


def _outcome_words(push: Push) -> str:
    if push.confirmed is not None:
        return ", confirmed" if push.confirmed else ", failed"
    parts = [
        f"{sum(ref.confirmed is said for ref in push.refs)} {word}"
        for said, word in ((True, "confirmed"), (False, "failed"))
        if any(ref.confirmed is said for ref in push.refs)
    ]
    return f", {', '.join(parts)} of {len(push.refs)}" if parts else ""


def whole(record: Record, style: Style) -> Iterator[str]:
    """One record as a page, in the order in which a reader asks: what, when, by whom, judged how, on which files."""
    yield style(f"record {record.seq}", "bold", "yellow") + f"  {record.event}"
    yield f"id         {record.id}"
    yield f"recorded   {record.recorded_at} (from {record.source})"
    if record.occurred_at:
        yield f"occurred   {record.occurred_at}" + (
            f" (as the {record.occurred_from} says)" * bool(record.occurred_from)
        )
    yield f"repository {escape(record.repository_name)}"
    if record.worktree:
        yield f"worktree   {escape(record.worktree)}" + (f" on {escape(record.branch)}" if record.branch else "")
    yield f"gate       {record.gate.status}" + (f": {escape(record.gate.reason)}" if record.gate.reason else "")
    yield from _message_page(record.gate)
    verdict = "valid" if record.validation.is_valid else style("invalid", "red")
    yield f"validation {verdict} at level {record.validation.level}"
    yield from judged(record)
    if record.original is not None:
        yield f"stands for {escape(_stands_for(record.original))}"
    if record.supersedes:
        yield f"supersedes record {record.supersedes}"
    for movement in record.refs or ():
        old, new = (oid or "none" for oid in (movement.old_oid, movement.new_oid))
        yield f"ref        {escape(movement.name)} {old[:12]} → {new[:12]}  {escape(movement.reason or '')}".rstrip()
    if record.push is not None:
        yield from _push_page(record.push)
    if record.event == "erase" and record.detail is not None:
        yield from _erasure_page(record.detail)
    if record.commit is not None:
        yield from _commit_page(record, record.commit)


def _message_page(gate: Gate) -> Iterator[str]:
    for each in gate.repaired:
        yield f"repaired   {escape(each.what)} (rule {escape(each.rule)})"
    if gate.original_message is not None:
        lines = escape_block(gate.original_message).rstrip("\n").split("\n")
        for number, line in enumerate(lines):
            yield f"{'' if number else 'was':<11}{line}".rstrip()


def judged(record: Record) -> Iterator[str]:
    """Each issue, and each thing that was done about them."""
    for issue in record.validation.issues:
        yield f"  {issue.severity} {issue.code} {escape(issue.field_path)}: {escape(issue.message)}"
    for action in record.recovery:
        yield f"recovery   {action.action_type}: {escape(action.description)}" + ("" if action.success else " (failed)")


def _erasure_page(detail: Json) -> Iterator[str]:
    yield f"by         {escape(detail['by'])}"
    yield f"reason     {escape(detail['reason'])}"
    for each in detail["erased"]:
        yield f"erased     record {each['seq']}" + (f", commit {escape(each['commit'])}" if each["commit"] else "")


def _push_page(push: Push) -> Iterator[str]:
    yield f"remote     {escape(push.remote_name)} {escape(push.remote_url or '')}".rstrip()
    if push.pusher:
        yield f"pusher     {escape(push.pusher)}"
    for ref in push.refs:
        local, remote = ((oid or "none")[:12] for oid in (ref.local_oid, ref.remote_oid))
        marks = " forced" * bool(ref.forced) + " deleted" * ref.deleted
        marks += {True: ", confirmed", False: ", failed", None: ""}[ref.confirmed]
        yield f"push       {escape(ref.local_ref or '')} {local} → {escape(ref.remote_ref)} (was {remote}){marks}"
        for oid in ref.dropped or ():
            yield f"  dropped  {oid}"
        if ref.dropped is not None and (ref.dropped_count or 0) > len(ref.dropped):
            yield f"  dropped  {(ref.dropped_count or 0) - len(ref.dropped)} more"


def _commit_page(record: Record, commit: Commit) -> Iterator[str]:
    yield f"commit     {commit.hash}"
    for parent in commit.parents:
        yield f"parent     {parent}"
    for old in record.replaces or ():
        yield f"replaces   {old}"
    yield f"author     {escape(commit.author_name)} <{escape(commit.author_email)}> {commit.date}"
    yield f"committer  {escape(commit.committer_name)} <{escape(commit.committer_email)}> {commit.committer_date}"
    yield ""
    for line in escape_block(commit.message).rstrip("\n").split("\n"):
        yield f"    {line}".rstrip()
    yield ""
    if commit.files is None:
        yield "files were not looked at" + (" (the history is cut off here)" if commit.boundary else "")
    for oid in commit.missing or ():
        yield f"missing    {oid}: git no longer has this object"
    for change in commit.files or ():
        yield _file_line(change)


def _file_line(change: FileChange) -> str:
    counts = "binary" if change.binary else f"+{_or_dash(change.additions)} -{_or_dash(change.deletions)}"
    name = escape(change.filename)
    if change.old_filename is not None:
        name = f"{escape(change.old_filename)} → {name}"
    return f"  {change.index_status} {counts:>12}  {name}"


def _or_dash(count: int | None) -> str:
    return "?" if count is None else str(count)
