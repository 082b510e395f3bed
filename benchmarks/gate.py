"""The gate as a whole process, where a rule arms it, against the bare start of its interpreter.

What git waits for is the hook: the sh stub and the Python that it becomes. Both are timed, as git would have them run:
with the author in the environment, and a git for a parent. A policy that has not changed since the gate last let
something through is not read again; with the gate flag unknown it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import chdir

import commit
import timing

import mgit_hooks.boot

_RULE = """\
[[rules]]
id = "subject-length"
events = ["commit", "amend"]
severity = "error"
strategy = "abort"
message = "Keep the subject within 72 characters."
schema = { properties = { commit = { properties = { message = { pattern = "^.{1,72}(\\\\n|$)" } } } } }
"""
_BARE = (sys.executable, "-I", "-c", "pass")


def main() -> None:
    args = timing.options(__doc__, rounds=40).parse_args()
    rounds, sizes = (1, (1,)) if args.quick else (args.rounds, (5, 500))
    if any(name.startswith("__editable__") for name in sys.modules):
        print("note: an editable install is on its way into every start of Python, the bare one too: install plainly")
    timing.adopt_orphans()
    with timing.scratch() as folder:
        env = timing.environment(folder)
        for size in sizes:
            path = _armed(os.path.join(folder, str(size)), env, size)
            time.sleep(0 if args.quick else 3)  # what has just been written is not remembered
            # Its command line is a git's, and it waits.
            with chdir(path), subprocess.Popen(("git", "cat-file", "--batch"), stdin=subprocess.PIPE, env=env) as git:
                _measure(path, env, size, rounds, str(git.pid))
                git.communicate()


def _armed(path: str, env: Mapping[str, str], size: int) -> str:
    """A repository whose policy may refuse, with ``size`` changed files staged."""
    commit.new_repository(path, env, lambda path, env: commit.write(path, ".mgit-hooks.toml", _RULE))
    for number in range(size):
        commit.write(path, f"staged{number}", f"{number}\n" * 30)
    timing.git(path, env, "add", "-A")
    timing.git(path, env, "commit", "-q", "-m", "Files")
    commit.installed(path, env)
    for number in range(size):
        commit.write(path, f"staged{number}", f"{number}\n" * 20 + "changed\n")
    timing.git(path, env, "add", "-A")
    commit.write(path, ".git/COMMIT_EDITMSG", "A subject of fair length\n")
    timing.wait_for_orphans()
    return path


def _measure(path: str, env: Mapping[str, str], size: int, rounds: int, git: str) -> None:
    own = subprocess.run(("git", "--exec-path"), env=env, capture_output=True, text=True, check=True).stdout.strip()
    inside = {
        **env,
        "GIT_INDEX_FILE": os.path.join(path, ".git", "index"),
        "GIT_AUTHOR_DATE": "@1700000000 +0000",
        "PATH": f"{own}{os.pathsep}{env['PATH']}",  # as git begins it for its hooks
    }
    boot = os.path.abspath(mgit_hooks.boot.__file__)
    message = ".git/COMMIT_EDITMSG"

    def gate(stage: str, *given: str, was: str = "a") -> Callable[[], timing.Cost]:
        command = (sys.executable, "-I", boot, "gate", stage, git, "--", *given)
        return lambda: timing.run(command, {**inside, "MGIT_GATE_WAS": was})

    took = timing.interleave(
        {
            "bare": lambda: timing.run(_BARE, inside),
            "pre-commit": gate("pre-commit"),
            "commit-msg": gate("commit-msg", message),
            "anew": gate("commit-msg", message, was="u"),
            "hook": lambda: timing.run(("git", "hook", "run", "commit-msg", "--", message), inside),
        },
        rounds,
    )
    timing.say("python -I -c pass", timing.milliseconds(timing.walls(took["bare"])), " ms")
    for stage in ("pre-commit", "commit-msg"):
        timing.say(f"gate {stage}, {size} staged files", timing.milliseconds(timing.walls(took[stage])), " ms")
        timing.say_ratios(
            f"gate {stage}, {size} staged / a bare start", took[stage], took["bare"], "<= 2.5" if size < 10 else "<= 5"
        )
    timing.say_ratios(
        f"gate commit-msg, its policy read anew, {size} staged / a bare start", took["anew"], took["bare"]
    )
    timing.say_ratios(f"git hook run commit-msg, {size} staged / a bare start", took["hook"], took["bare"])


if __name__ == "__main__":
    main()
