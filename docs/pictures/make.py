"""Draws docs/pictures/session.svg: a terminal session as it really runs, in a repository made for it.

    python docs/pictures/make.py [FILE]

The commands run in a pseudo-terminal, so the colours are those that a person sees. Dates and ids differ from
run to run, as they do in life.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from html import escape
from typing import NamedTuple

COLUMNS = 108
_RULE = """\
[[rules]]
id = "issue-number"
events = ["commit", "amend"]
severity = "error"
strategy = "abort"
message = "Name the issue in the subject, such as (#12)."
schema = { properties = { commit = { properties = { message = { pattern = "^.*#[0-9]+" } } } } }
"""
# Shown and run, each after the drain of the one before has ended: the session is the same every time.
_SESSION = (
    "git commit -q -m 'Fix the parser'",
    "git commit -q -m 'Fix the parser (#12)'",
    "git commit -q --amend --no-verify -m 'Fix it for good (#12)'",
    "git push -q origin main",
    "mgit-hooks log",
    "mgit-hooks verify",
)
# Legible by themselves on this dark ground, whichever ground the page has.
_GROUND, _INK, _PROMPT = "#1d2127", "#d7dde4", "#8b98a5"
_COLORS = {"31": "#ff8f87", "32": "#8fd694", "33": "#f0c674", "34": "#8ab4f8", "36": "#7fd1d8"}
_WIDTH, _HEIGHT, _PAD = 7.83, 18.0, 16.0


class Piece(NamedTuple):
    text: str
    color: str
    bold: bool
    dim: bool


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    target = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "session.svg")
    with tempfile.TemporaryDirectory() as folder:
        lines = list(session(folder))
    with open(target, "w", encoding="utf-8") as file:
        file.write(drawn(lines))


def session(folder: str) -> Iterator[str]:
    """The lines of the terminal, escape sequences and all."""
    env = _environment(folder)
    _run("git init -q --bare -b main ../remote.git && git init -q -b main .", env)
    with open(os.path.join(env["PWD"], ".mgit-hooks.toml"), "w", encoding="utf-8") as file:
        file.write(_RULE)
    _run("echo 'int parse(void);' > parser.c; git add .; git commit -q -m 'Begin the parser (#1)'", env)
    _run("git remote add origin ../remote.git; mgit-hooks init -q > /dev/null", env)
    _run("echo 'int next(void);' >> parser.c; git add parser.c", env)
    for command in _SESSION:
        yield f"\x1b[2m$\x1b[0m \x1b[1m{command}\x1b[0m"
        yield from _shown(command, env)[1].replace("\r", "").splitlines()


def _environment(folder: str) -> dict[str, str]:
    os.mkdir(os.path.join(folder, "parser"))
    programs = os.path.join(folder, "bin")
    os.mkdir(programs)
    program = os.path.join(programs, "mgit-hooks")
    with open(program, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -m mgit_hooks "$@"\n')
    os.chmod(program, 0o700)
    return {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": folder, "PWD": os.path.join(folder, "parser"),
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada Lovelace", "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada Lovelace", "GIT_COMMITTER_EMAIL": "ada@example.org",
        "TZ": "UTC", "LC_ALL": "C.UTF-8",
        "PAGER": "cat", "TERM": "xterm", "COLUMNS": str(COLUMNS),
    }  # fmt: skip


def _run(command: str, env: Mapping[str, str]) -> None:
    """A command that the picture does not show, and that must work."""
    status, shown = _shown(command, env)
    if status:
        raise SystemExit(f"{command}: exit status {status}\n{shown}")


def _shown(command: str, env: Mapping[str, str]) -> tuple[int, str]:
    """The exit status of a command, and what a terminal shows of it."""
    outer, inner = pty.openpty()
    ended, held = os.pipe()
    process = subprocess.Popen(
        ["/bin/sh", "-c", command], cwd=env["PWD"], env=env, stdin=inner, stdout=inner, stderr=inner, pass_fds=(held,)
    )
    os.close(inner)
    os.close(held)
    shown = b""
    while True:
        try:
            piece = os.read(outer, 65536)
        except OSError:  # so a pseudo-terminal says that its other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(outer)
    with open(ended, "rb") as pipe:
        pipe.read()  # ends with the drain that the command has left behind, which holds its other end
    return process.wait(), shown.decode("utf-8", "replace")


def drawn(lines: list[str]) -> str:
    """The lines as an SVG of text, wrapped as a terminal of COLUMNS columns wraps them."""
    rows = [row for line in lines for row in _wrapped(line)]
    width, height = COLUMNS * _WIDTH + 2 * _PAD, len(rows) * _HEIGHT + 2 * _PAD
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="a terminal session with mgit-hooks">',
        f'<rect width="100%" height="100%" rx="8" fill="{_GROUND}"/>',
        "<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" "
        'font-size="13" xml:space="preserve">',
    ]
    for number, row in enumerate(rows):
        y = _PAD + (number + 0.75) * _HEIGHT
        out.append(f'<text x="{_PAD}" y="{y:.1f}" fill="{_INK}">{"".join(map(_span, _placed(row)))}</text>')
    return "\n".join([*out, "</g>", "</svg>", ""])


def _pieces(line: str) -> Iterator[Piece]:
    codes: set[str] = set()
    for text, code in re.findall(r"([^\x1b]*)(?:\x1b\[([\d;]*)m)?", line):
        if text:
            color = next((_COLORS[each] for each in codes if each in _COLORS), _INK)
            yield Piece(text, color, "1" in codes, "2" in codes)
        if code in ("", "0"):
            codes = set() if code == "0" else codes
        else:
            codes |= set(code.split(";"))


def _wrapped(line: str) -> Iterator[list[Piece]]:
    row: list[Piece] = []
    used = 0
    for piece in _pieces(line):
        text = piece.text
        while text:
            fits = text[: COLUMNS - used]
            row.append(piece._replace(text=fits))
            used += len(fits)
            text = text[len(fits) :]
            if used == COLUMNS and text:
                yield row
                row, used = [], 0
    yield row


def _placed(row: list[Piece]) -> Iterator[tuple[float, Piece]]:
    """Each piece at its column: a reader's font may be wider or narrower than the one measured here."""
    column = 0
    for piece in row:
        yield _PAD + column * _WIDTH, piece
        column += len(piece.text)


def _span(placed: tuple[float, Piece]) -> str:
    x, piece = placed
    color = _PROMPT if piece.dim else piece.color
    weight = ' font-weight="bold"' if piece.bold else ""
    length = f' textLength="{len(piece.text) * _WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<tspan x="{x:.1f}" fill="{color}"{weight}{length}>{escape(piece.text)}</tspan>'


if __name__ == "__main__":
    main()
