"""The documentation says what is true: its commands run, and print what it says they print.

In a ``console`` block a line that begins with ``$ `` is a command, lines that begin with ``> `` go on with it,
and what follows is its output. ``...`` stands for any text in a line, and alone on a line for any lines; a
command without any output shown may print what it likes. Object ids and times may differ. A command that ends
with ``# exit N`` has that exit status, any other 0. ``<!-- run: COMMAND -->`` is run where it stands, unseen.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

_TOP = Path(__file__).parent.parent
_PAGES = [_TOP / "README.md", *sorted((_TOP / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```console\n(.*?)^```$|^<!-- run: (.*?) -->$", re.MULTILINE | re.DOTALL)
_MAIN = re.compile(r"^<!-- command: main -->\n+```sh\n(.+)\n```$", re.MULTILINE)
_TEST = re.compile(r"^<!-- command: test -->\n+```sh\n(.+)\n```$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)|<img [^>]*src=\"([^\"]+)\"")


class Step(NamedTuple):
    command: str
    status: int
    output: list[str] | None  # None: whatever it prints


def steps(text: str) -> Iterator[Step]:
    for block, unseen in _BLOCK.findall(text):
        if unseen:
            yield Step(unseen, 0, None)
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *rest = part.rstrip("\n").split("\n")
            while rest and (rest[0].startswith("> ") or rest[0] == ">"):
                first += "\n" + rest.pop(0)[2:]
            status = re.search(r" # exit (\d+)$", first)
            yield Step(first, int(status[1]) if status else 0, rest or None)


def masked(line: str) -> str:
    """``line`` with what differs from run to run blotted out."""
    line = re.sub(r"\b[0-9a-f]{7,64}\b", "ID", line)
    line = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+\d\d:\d\d|Z)?", "TIME", line)
    return line.rstrip()


def matches(shown: list[str], printed: list[str]) -> bool:
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(masked(line)).replace(r"\.\.\.", ".*") + r"\n" for line in shown
    )
    return re.fullmatch(pattern, "".join(masked(line) + "\n" for line in printed)) is not None


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a fresh repository in it, and the programs of this environment on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "mgit-hooks"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -m mgit_hooks "$@"\n')
    program.chmod(0o700)
    (programs / "git").symlink_to(shutil.which("git") or "")  # this environment may have another one
    monkeypatch.setenv("PATH", f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    work = tmp_path / "work"
    subprocess.run(["git", "init", "-q", "-b", "main", work], check=True)
    subprocess.run(["git", "-C", work, "commit", "-q", "--allow-empty", "-m", "Begin"], check=True)
    return work


def run(command: str, directory: Path, after: Path) -> tuple[int, list[str], Path]:
    """One command as a person types it: its exit status, what it prints, and the folder it leaves them in.

    ``after`` is the file through which that folder is told.
    """
    script = f"trap 'pwd > \"{after}\"' EXIT\n{command}\n"
    # A person is slower than the drain that a command leaves behind. It holds this pipe open while it runs.
    ended, held = os.pipe()
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, pass_fds=(held,),
    )  # fmt: skip
    os.close(held)
    with open(ended, "rb") as pipe:
        pipe.read()
    return done.returncode, done.stdout.splitlines(), Path(after.read_text().rstrip("\n"))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_TOP)))
def test_the_commands_of_a_page(page: Path, shell: Path, tmp_path: Path) -> None:
    directory = shell
    for step in steps(page.read_text()):
        status, printed, directory = run(step.command, directory, tmp_path / "after")
        told = "\n".join(printed)
        assert status == step.status, f"$ {step.command}\nexit status {status}, the page says {step.status}\n{told}"
        if step.output is not None:
            expected = "\n".join(step.output)
            assert matches(step.output, printed), f"$ {step.command}\nprints\n{told}\nand the page says\n{expected}"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["clean"], ["clean"], True),
        (["clean"], ["clean", "more"], False),
        (["clean", "..."], ["clean", "more", "and more"], True),
        (["...", "clean"], ["clean"], True),
        (["a ... c"], ["a b c"], True),
        (["a ... c"], ["a b d"], False),
        (["record 1a2b3c4d5e at 2026-01-02 03:04"], ["record ffffffffff at 2027-12-31 00:00"], True),
        (["record 1a2b3c4d5e of 3"], ["record ffffffffff of 4"], False),
    ],
)
def test_output_is_compared_but_for_ids_and_times(shown: list[str], printed: list[str], same: bool) -> None:
    assert matches(shown, printed) is same


def test_a_block_is_read_as_a_person_reads_it() -> None:
    commands = "$ cat > x <<'EOF'\n> one\n> two\n> EOF\n$ false # exit 1\n$ cat x\none\ntwo\n"
    text = f"```console\n{commands}```\n<!-- run: true -->\n"
    assert list(steps(text)) == [
        Step("cat > x <<'EOF'\none\ntwo\nEOF", 0, None),
        Step("false # exit 1", 1, None),
        Step("cat x", 0, ["one", "two"]),
        Step("true", 0, None),
    ]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [path or image for path, image in _LINK.findall(page.read_text())]
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_page_is_in_the_index() -> None:
    docs = _TOP / "docs"
    index = (docs / "README.md").read_text()
    pages = [page.name for page in docs.glob("*.md") if page.name != "README.md"]
    assert [page for page in pages if f"({page})" not in index] == []


def command(pattern: re.Pattern[str]) -> str:
    found = pattern.findall((_TOP / "README.md").read_text())
    assert len(found) == 1
    return str(found[0])


def test_ci_runs_the_command_that_the_readme_gives() -> None:
    ci = _TOP / ".ci" / "run"
    if not ci.exists():
        pytest.skip("this copy of the project has no .ci/run")
    assert command(_TEST) in ci.read_text()


@pytest.mark.parametrize("pattern", [_MAIN, _TEST], ids=["main", "test"])
@pytest.mark.managers
def test_the_two_commands_work_in_a_fresh_clone(
    pattern: re.Pattern[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", _TOP, clone], check=True)
    # The whole command, but of the tests only enough to see that they run: these ones would run themselves.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-n0 -k a_block_is_read_as_a_person_reads_it")
    done = subprocess.run(["/bin/sh", "-c", command(pattern)], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("verified" if pattern is _MAIN else "1 passed") in done.stdout


def test_the_picture_shows_what_the_program_prints(tmp_path: Path) -> None:
    drawn = tmp_path / "session.svg"
    subprocess.run([sys.executable, _TOP / "docs" / "pictures" / "make.py", drawn], check=True)
    kept = _TOP / "docs" / "pictures" / "session.svg"
    assert _texts(drawn) == _texts(kept)


def _texts(picture: Path) -> list[str]:
    rows = re.findall(r"<text .*?</text>", picture.read_text())
    return [masked(re.sub(r"<[^>]*>", "", row)) for row in rows]
