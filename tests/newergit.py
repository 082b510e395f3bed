"""A git with config-based hooks (2.54 and newer), for the tests: a real one, or a stand-in for its dispatcher.

No package registry that the tests use has such a git. MGIT_NEWER_GIT may name one, and the tests run with both. The
stand-in is the git on PATH with two things put in front, written from git's own description
(Documentation/git-hook.adoc, hook.c; docs/decisions/0011-config-hooks.md): `git hook list`, and for the commands that
run hooks a hooks folder whose hooks run what is configured, one after another, and then the repository's own hook.
It is not git: a hook's parent is the dispatcher, below git itself, and one git process is to run each hook once.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

REAL = os.environ.get("MGIT_NEWER_GIT")
EVENTS = (
    "pre-commit", "pre-merge-commit", "commit-msg", "post-commit", "post-merge", "post-rewrite", "post-applypatch",
    "post-checkout", "pre-push",
)  # fmt: skip
_COMMON = """#!{python} -IS
import os, subprocess, sys
REAL, DISPATCH, EVENTS = {real!r}, {dispatch!r}, {events!r}


def configured(event, before=()):
    arguments = [REAL, *before, "config", "--includes", "-z", "--get-regexp", "^hook[.]"]
    told = os.fsdecode(subprocess.run(arguments, stdout=subprocess.PIPE).stdout)
    names, commands, off = [], {{}}, set()
    for line in told.split("\\0")[:-1]:
        key, _, value = line.partition("\\n")
        name, _, last = key[len("hook."):].rpartition(".")
        if last == "event" and value == event:
            names = [each for each in names if each != name] + [name]
        elif last == "command":
            commands[name] = value
        elif last == "enabled":
            (off.discard if value == "true" else off.add)(name)
    return [(name, commands.get(name), name in off) for name in names]
"""
_DISPATCHER = """
event, given = os.path.basename(sys.argv[0]), b""
if event in ("pre-push", "post-rewrite"):
    given = sys.stdin.buffer.read()
os.environ.pop("GIT_CONFIG_PARAMETERS", None)
status = 0
for name, command, off in configured(event):
    if off:
        continue
    if command is None:
        sys.exit(f"fatal: 'hook.{name}.command' must be configured or 'hook.{name}.event' must be removed; aborting.")
    line = command + ' "$@"' if sys.argv[1:] else command
    status |= subprocess.run(["/bin/sh", "-c", line, command, *sys.argv[1:]], input=given).returncode
folder = subprocess.run([REAL, "rev-parse", "--git-path", "hooks"], stdout=subprocess.PIPE).stdout[:-1]
own = os.path.join(os.fsdecode(folder), event)
if os.access(own, os.X_OK):
    status |= subprocess.run([own, *sys.argv[1:]], input=given).returncode
sys.exit(1 if status else 0)
"""
_FRONT = """
words, before = sys.argv[1:], []
while words and words[0] in ("-C", "-c"):
    before += words[:2]
    words = words[2:]
if words[:2] == ["hook", "list"]:
    event = words[-1]
    end = "\\0" if "-z" in words else "\\n"
    names = [("disabled\\t" if off else "") + name for name, _, off in configured(event, before)]
    sys.stdout.write("".join(name + end for name in names))
    sys.exit(0 if names else 1)
if words and words[0] in ("commit", "merge", "rebase", "am", "checkout", "push"):
    before += ["-c", "core.hooksPath=" + DISPATCH]
os.execv(REAL, [REAL, *before, *words])
"""


def stand_in(folder: Path) -> Path:
    """A folder to put first on PATH: its git stands in for one with config-based hooks."""
    programs, dispatch = folder / "bin", folder / "dispatch"
    programs.mkdir(parents=True)
    dispatch.mkdir()
    real = os.path.realpath(shutil.which("git") or "")
    common = _COMMON.format(python=sys.executable, real=real, dispatch=str(dispatch), events=EVENTS)
    _write(programs / "git", common + _FRONT)
    for event in EVENTS:
        _write(dispatch / event, common + _DISPATCHER)
    return programs


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
