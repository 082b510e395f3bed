"""Counts without a comparison: those of libgit2's xdiff, or none."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mgit_hooks.capture import onehunk
from mgit_hooks.git.library import line_counts

LINES = st.lists(st.sampled_from(["", "a", "b", "ab", "{", "\r"]), max_size=12)
ENDS = st.sampled_from(["", "\n"])


def text(lines: list[str], end: str) -> bytes:
    return ("\n".join(lines) + end).encode()


@pytest.fixture(params=[1024 * 1024, 3], ids=["one step", "many steps"])
def step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onehunk, "_STEP", request.param)


@pytest.mark.usefixtures("step")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"", b"", (0, 0)),
        (b"", b"a\n", (1, 0)),
        (b"a\nb\n", b"", (0, 2)),
        (b"a\nb\n", b"a\nb\nc", (1, 0)),
        (b"a\nb", b"a\nb\n", (1, 1)),
        (b"a\nb\nc\n", b"a\nx\ny\nc\n", (2, 1)),
        (b"a\na\na\n", b"a\na\n", (0, 1)),
        (b"ab\ncb\n", b"ab\nxb\n", (1, 1)),
        (b"1\nx\n2\n", b"3\nx\n4\n", None),
        (b"1\nx\n2\ny\n", b"3\ny\n4\nx\n", None),
    ],
)
def test_counts(old: bytes, new: bytes, expected: tuple[int, int] | None) -> None:
    assert onehunk.counts(memoryview(old), memoryview(new)) == expected
    assert expected is None or line_counts(old, new) == expected


@given(LINES, ENDS, LINES, ENDS, LINES, LINES)
@example(["a"], "", ["b"], "", [], [])
def test_as_xdiff_counts(
    old: list[str], old_end: str, new: list[str], new_end: str, before: list[str], after: list[str]
) -> None:
    one = text(before + old + after, old_end)
    two = text(before + new + after, new_end)
    found = onehunk.counts(memoryview(one), memoryview(two))
    assert found is None or found == line_counts(one, two)


def test_a_large_middle_is_left_to_xdiff() -> None:
    old = b"".join(b"old %d\n" % number for number in range(600_000))
    assert onehunk.counts(memoryview(old), memoryview(old.replace(b"old", b"new"))) is None
    assert onehunk.counts(memoryview(old), memoryview(old + old)) == (600_000, 0)
