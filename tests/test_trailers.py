"""Trailers, held equal to git's own reading of the same messages."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence

import pytest
from conftest import Repo
from reliability import Tally

from mgit_hooks.judging import trailers as read
from mgit_hooks.judging.trailers import Trailer, cut_line, trailers

LINES = (
    "Signed-off-by: Ada <ada@example.org>\n", "Fixes: x\n", "  cont\n", "\tcont2 \n", "plain\n", "\n", "  \n",
    "# comment\n", "(cherry picked from commit abc)\n", "Bug #43\n", "key : v\n", "a-b:\n", ": x\n", "Conflicts:\n",
    "\tfile\n", "http://x: y\n", "key\t: v\r\n", "# ------------------------ >8 ------------------------\n",
    "x y: z\n", "é: b\n", "Acked-by:no space\n", "---\n", "Signed-off-by:\n", "Conflicts: none\n", "\x0bv: t\n",
)  # fmt: skip


def messages(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    made = ("".join(rng.choices(LINES, k=rng.randint(1, 12))) for _ in range(count))
    return [each if rng.random() < 0.8 else each.rstrip("\n") for each in made]


def as_git_reads_them(repo: Repo, given: Sequence[str]) -> list[str]:
    stream = b"".join(
        b"commit refs/heads/x\ncommitter A <a@b> 1 +0000\ndata %d\n%s\n" % (len(raw), raw)
        for raw in (each.encode() for each in given)
    )
    repo.run("fast-import", "--quiet", stdin=stream)
    told = repo.run("log", "--reverse", "-z", "--format=%(trailers:only,unfold)", "x").stdout.decode()
    return told.split("\0")[:-1]


def differences(repo: Repo, given: Sequence[str]) -> list[str]:
    by_git = as_git_reads_them(repo, given)
    assert len(by_git) == len(given)
    ours = ("".join(f"{each.key}: {each.value}\n" for each in trailers(message)) for message in given)
    return [message for message, one, other in zip(given, ours, by_git, strict=True) if one != other]


def test_trailers_are_those_that_git_log_shows(repo: Repo) -> None:
    given = messages(1, 2000)
    assert differences(repo, given) == []
    assert sum(bool(trailers(each)) for each in given) > 150


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 12))
def test_trailers_are_those_that_git_log_shows_in_full(repo: Repo, seed: int, tally: Tally) -> None:
    given = messages(seed, 10_000)
    tally.cases += len(given)
    assert differences(repo, given) == []


def test_a_separator_that_git_does_not_know_would_be_caught(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_SEPARATOR", "#")
    assert differences(repo, messages(1, 200))


def test_interpret_trailers_says_the_same(repo: Repo) -> None:
    message = "Subject\n\nBody\n\nFixes: x\n  more of it\nSigned-off-by: Ada <ada@example.org>\n"
    told = subprocess.run(
        ["git", "interpret-trailers", "--parse", "--no-divider"],
        input=message.encode(),
        capture_output=True,
        check=True,
    )
    assert told.stdout == b"Fixes: x more of it\nSigned-off-by: Ada <ada@example.org>\n"
    assert trailers(message) == (Trailer("Fixes", "x more of it"), Trailer("Signed-off-by", "Ada <ada@example.org>"))


def test_the_scissors_line_is_gits_own() -> None:
    assert cut_line("Subject\n\n# ------------------------ >8 ------------------------\ndiff") == 3
    assert cut_line("# ------------------------ >8 ------------------------") == 1
    assert cut_line("Subject\n\n-- >8 --\n") is None
