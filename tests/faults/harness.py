"""A process, a tracer on it, and a fault at one of its system calls.

``strace -p … -P PATH … -e inject=…`` on a child that waits (children.py): only calls on the files named count, by
path or by descriptor. A fault that strace does not report as injected did not happen, and its case is not counted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

TESTS: Final = Path(__file__).resolve().parents[1]
HUNG: Final = 1000

_CALLS: Final = (
    "openat open read pread64 write pwrite64 writev fsync fdatasync ftruncate truncate rename renameat renameat2",
    "unlink unlinkat rmdir mkdir mkdirat chmod fchmod fchmodat flock fcntl close stat lstat newfstatat fstat statx",
    "getdents64 lseek mmap link linkat access faccessat faccessat2 utimensat readlink",
)
_TRACED: Final = ",".join(f"?{name}" for line in _CALLS for name in line.split())
_LINE: Final = re.compile(r"(\w+)\(")


def spread(found: list[Any], count: int) -> list[Any]:
    """About ``count`` of what was found, of each kind of call (or first field) some, always the same ones."""
    by_kind = sorted(found, key=lambda each: str(each[0]))
    return by_kind[:: max(len(by_kind) // count, 1)]


class Call(NamedTuple):
    """The ``nth`` call of this name, on ``path``; ``before`` are the calls of each name that come before it."""

    name: str
    nth: int
    path: str
    before: dict[str, int]


class Ended(NamedTuple):
    """``status``: the exit code, less the signal that ended it, or HUNG. ``hits``: how many faults struck."""

    status: int
    out: str
    err: str
    hits: int
    log: str


class Bench:
    """One folder in which a scene is set up anew for each case, and the server that forks what runs in it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "case"
        self._template = base / "template"
        self._paths: list[str] = []
        self.more: dict[str, object] = {}  # what else befalls each child that is struck
        self.settle: Callable[[Path], None] = lambda root: None
        environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "faults.children"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment,
        )

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(30)

    def keep(self) -> None:
        """What stands in ``root`` now is what each case begins with."""
        self.root.rename(self._template)

    def restore(self, *, kept: bool = False) -> None:
        """The scene anew. ``kept``: into the empty folder that is there already."""
        if self.root.exists() and not kept:
            shutil.rmtree(self.root)
        shutil.copytree(self._template, self.root, symlinks=True, dirs_exist_ok=kept)
        self.settle(self.root)

    # Running

    def run(self, *operation: str, tracer: Sequence[str] | None = None, **more: object) -> Ended:
        """Run the operation in ``root`` as it is; with ``tracer``, under strace with these options."""
        child = json.loads(self._ask(json.dumps({"operation": operation, "root": str(self.root), **more})))
        log = self.base / "strace"
        strace = None if tracer is None else _attach(child, ["-o", str(log), *tracer])
        try:
            status, out, err = json.loads(self._ask(""))
        finally:
            if strace is not None:
                strace.communicate(timeout=30)
        text = "" if tracer is None else log.read_text(errors="replace")
        hits = text.count("(INJECTED)") + text.count("+++ killed by SIGKILL")
        return Ended(status, out, err, hits, text)

    def _ask(self, line: str) -> str:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(line + "\n")
        return self._server.stdout.readline()

    # Faults

    def calls(self, *operation: str) -> list[Call]:
        """Every call that the operation makes on files of the scene, in order: what faults can strike."""
        self.restore()
        self._paths = []
        done = self.run(*operation, tracer=["-y", "-s", "4096", "-e", "trace=%file,%desc"], **self.more)
        assert done.status == 0, done
        self._paths = sorted(_names(done.log, str(self.root)))
        self.restore()
        done = self.run(*operation, tracer=["-y", "-s", "4096", *self._on_our_files()], **self.more)
        found, seen = [], Counter[str]()
        for line in done.log.splitlines():
            match = _LINE.match(line)
            if match is not None:
                before = dict(seen)
                seen[match[1]] += 1
                named = sorted(_names(line, str(self.root)))
                found.append(Call(match[1], seen[match[1]], named[0] if named else "", before))
        return found

    def kill(self, call: Call, *operation: str) -> Ended:
        """SIGKILL as the process enters the call."""
        self.restore()
        options = _inject(call.name, "signal=KILL", f"{call.nth}")
        return self.run(*operation, tracer=[*self._on_our_files(), *options], **self.more)

    def fail(self, call: Call, error: str, names: Sequence[str], when: str, *operation: str) -> Ended:
        """``error`` at the call. ``when``: ``once``, ``often`` (ten times running), or ``for good``: from then on at
        this call and all of ``names``."""
        self.restore()
        options = []
        if when == "once":
            options += _inject(call.name, f"error={error}", f"{call.nth}")
        elif when == "often":
            options += _inject(call.name, f"error={error}", f"{call.nth}..{call.nth + 9}")
        else:
            for name in dict.fromkeys((call.name, *names)):
                start = call.nth if name == call.name else call.before.get(name, 0) + 1
                options += _inject(name, f"error={error}", f"{start}+")
        return self.run(*operation, tracer=[*self._on_our_files(), *options], **self.more)

    def _on_our_files(self) -> list[str]:
        return ["-e", f"trace={_TRACED}", *(word for path in self._paths for word in ("-P", path))]


def _inject(name: str, what: str, when: str) -> list[str]:
    return ["-e", f"inject={name}:{what}:when={when}"]


def _names(text: str, root: str) -> set[str]:
    """The files under ``root`` that a log of strace names, as arguments or behind descriptors."""
    found = re.findall(rf'["<]({re.escape(root)}(?:/[^"<>\\]*)?)(?: ?\(deleted\))?[">]', text)
    return {name for name in found if not name.endswith("/")}


def _attach(child: int, options: Sequence[str]) -> subprocess.Popen[str]:
    strace = subprocess.Popen(["strace", "-p", str(child), *options], stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    said = ""
    for line in strace.stderr:
        said += line
        if line.endswith(" attached\n"):
            return strace
    raise AssertionError(f"strace: {said}")


@contextmanager
def bench(base: Path) -> Iterator[Bench]:
    made = Bench(base)
    try:
        yield made
    finally:
        made.close()
