"""The spool's lines: to values and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks.record import Oid
from mgit_hooks.recorder import event
from mgit_hooks.recorder.event import HookEvent, PushLine

A, B = Oid("a" * 40), Oid("b" * 40)
ZERO = "0" * 40
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=40)


@given(TEXT, TEXT)
def test_what_is_formatted_parses_back(stage: str, reason: str) -> None:
    said = HookEvent("skip", 42, "a", "worktrees/x", A, (stage, reason.encode("utf-8", "replace").decode()))
    line = event.format(said)
    assert line.count(b"\n") == 1
    assert event.parse(line[:-1]) == said


@given(st.binary(max_size=60))
def test_bytes_come_through(raw: bytes) -> None:
    text = raw.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    said = HookEvent("skip", 1, "o", "main-worktree", None, ("pre-commit", text))
    assert event.parse(event.format(said)[:-1]) == said


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"1",
        b"2\tpost-commit\t1\to\tmain-worktree\t-",
        b"1\tpost-commit\t1\to\tmain-worktree",
        b"1\tpost-commit\t1\to\tmain-worktree\t-\textra",
        b"1\tpost-commit\tx\to\tmain-worktree\t-",
        b"1\tpost-commit\t1\tz\tmain-worktree\t-",
        b"1\tno-such-hook\t1\to\tmain-worktree\t-",
        b"1\tpost-commit\t1\to\tmain-worktree\tnothex",
        b"1\tpost-commit\t1\to\tmain-worktree\tabcd",
        b"1\tpost-commit\t1.\to\tmain-worktree\t-",
        b"1\tpost-commit\t1.2.3\to\tmain-worktree\t-",
        b"1\tpost-commit\t1.2\to\tmain-worktree\t-\tff",
        b"1\tpost-merge\t1.2\to\tmain-worktree\t-\t0\tff\tff",
        b"\xff\xfe",
    ],
)
def test_what_is_no_line(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        event.parse(line)


@pytest.mark.parametrize(
    ("text", "oid"), [("-", None), ("", None), (ZERO, None), ("0" * 64, None), (A, A), ("c" * 64, "c" * 64)]
)
def test_ids(text: str, oid: str | None) -> None:
    assert event.oid(text) == oid


def test_push_lines() -> None:
    told = event.push_lines(
        f"refs/heads/a {A} refs/heads/b {ZERO}\n(delete) {ZERO} refs/heads/c {B}\nHEAD^{{/fix it}} {A} x {B}\n"
    )
    assert told == (
        PushLine("refs/heads/a", A, "refs/heads/b", None),
        PushLine(None, None, "refs/heads/c", B),
        PushLine("HEAD^{/fix it}", A, "x", B),
    )
    assert event.push_lines("") == ()


def test_rewrite_pairs() -> None:
    assert event.rewrite_pairs(f"{A} {B}\n{B} {A} extra words\n") == ((A, B), (B, A))


@pytest.mark.parametrize(
    ("hook", "fields"),
    [
        ("pre-push", ("origin", "url", "three words only")),
        ("pre-push", ("origin", "url", "a b c d\n")),
        ("post-rewrite", ("amend", "one two\n")),
        ("post-rewrite", ("amend", f"{A}\n")),
        ("post-rewrite", ("amend", f"{A} {ZERO}\n")),
        ("gate", ("not json",)),
        ("gate", ("null",)),
        ("gate", ("[1]",)),
        ("gate", ("{}",)),
        ("gate", ('{"stage": 1}',)),
    ],
)
def test_payloads_that_are_not_of_their_form(hook: str, fields: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        event.check(HookEvent(hook, 1, "a", "main-worktree", None, fields))


@pytest.mark.parametrize(
    ("hook", "fields"),
    [
        ("post-commit", ()),
        ("post-merge", ("0",)),
        ("pre-push", ("o", "u", "")),
        ("post-rewrite", ("amend", f"{A} {B}\n")),
    ],
)
def test_payloads_of_their_form(hook: str, fields: tuple[str, ...]) -> None:
    event.check(HookEvent(hook, 1, "a", "main-worktree", A, fields))


@pytest.mark.parametrize(
    ("line", "process", "doing"),
    [
        (b"1\tpost-commit\t12\to\tmain-worktree\t-", event.Process(12, None), None),
        (b"1\tpost-commit\t12.345\to\tmain-worktree\t-\tpick", event.Process(12, 345), "pick"),
        (b"1\tpost-merge\t12.345\to\tmain-worktree\t-\t0", event.Process(12, 345), None),
        (b"1\tpost-merge\t12\to\tmain-worktree\t-\t0\tmerge", event.Process(12, None), "merge"),
        (b"1\tskip\t12.1\to\tmain-worktree\t-\tpre-commit\t", event.Process(12, 1), None),
    ],
)
def test_lines_of_this_stub_and_of_older_ones(line: bytes, process: event.Process, doing: str | None) -> None:
    said = event.parse(line)
    assert (said.process, said.doing) == (process, doing)
    assert event.format(said) == line + b"\n"
