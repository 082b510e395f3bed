"""The text of a configuration file, read as git reads it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgit_hooks.git import configtext

PIECES = (
    "[remote", "[a.b]", ' "x"]', ' "a\\"b\\\\c"]', "[core]", "url", "key", " = ", "=", " ", "\t",
    '"', "\\", "\\n", "\\t", "\\\n", "#", ";", "\n", "a", "é", "https://u:p@h/x.git", "[", "]", "-", "1", "\r\n",
)  # fmt: skip
WHOLE = """\
; what git takes
[remote "origin"] url = https://example.org/a.git # tail
\turl = "two  words "  \n  pushurl = a\\
b;c
[remote "with ] and \\" and \\\\"]
url=x\\ty "q # no comment"\t
flag
[core]
	bare = false
[Remote.Old]
URL = y
"""


def gits(path: Path) -> list[tuple[str, str | None]] | None:
    done = subprocess.run(["git", "config", "--file", path, "-z", "--list", "--no-includes"], capture_output=True)
    if done.returncode:
        return None
    items = (item.partition("\n") for item in done.stdout.decode().split("\0")[:-1])
    return [(key, value if mark else None) for key, mark, value in items]


def ours(text: str) -> list[tuple[str, str | None]]:
    return [
        (".".join(filter(None, (section, name, key))), value) for section, name, key, value in configtext.settings(text)
    ]


def test_it_reads_what_git_reads(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(WHOLE)
    assert ours(WHOLE) == gits(tmp_path / "config")
    assert ("remote.origin.url", "two  words ") in ours(WHOLE)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_whatever_git_reads_is_read_the_same(tmp_path: Path, text: str) -> None:
    """After lines that are sound, so that something is there to be read; what git refuses may be anything."""
    text = f'[remote "o"]\nurl = one\n{text}\n[z]\nlast = 1\n'
    (tmp_path / "config").write_text(text, newline="")
    expected = gits(tmp_path / "config")
    assert ours(text)[:1] == [("remote.o.url", "one")]
    if expected is not None:
        assert ours(text) == expected


@pytest.mark.parametrize("piece", ["[a]", '[a "b"]', "\\\n", "a = \\\n", '"', "[a", "a=", "\\", " ", "x"])
def test_no_text_takes_long(piece: str) -> None:
    text = "[s]\nk = " + piece * (200_000 // len(piece))
    began = time.process_time()
    list(configtext.settings(text))
    assert time.process_time() - began < 1
