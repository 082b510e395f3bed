"""A commit of 5 files in a repository with 1,000,000: what the drain does more than for the same in a tiny one.

Timed in process, with all modules loaded: a drain that records one commit, from its lock to its end. The index holds
all files, the worktree only what the drain may look at there: an attributes file.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping

import timing

from mgit_hooks.layout import locate
from mgit_hooks.recorder.drain import drain

_REACH = 0.05  # seconds
_FOLDER = 100  # entries


def main() -> None:
    parser = timing.options(__doc__, rounds=20)
    parser.add_argument("--files", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    args = parser.parse_args()
    files, rounds = (20_000, 1) if args.quick else (args.files, args.rounds)
    with timing.scratch() as folder:
        env = timing.environment(folder)
        os.environ.update(env)
        took = timing.interleave(
            {
                name: _committing(_repository(os.path.join(folder, name), env, count), env, count)
                for name, count in (("large", files), ("tiny", 100))
            },
            rounds,
        )
    for name, costs in took.items():
        timing.say(f"drain of a commit of 5 files, {name} tree", timing.milliseconds(timing.walls(costs)), " ms")
    more = [
        timing.Cost(one.seconds - other.seconds, one.processor - other.processor, 0)
        for one, other in zip(took["large"], took["tiny"], strict=True)
    ]
    timing.say(f"more with {files:,} files", timing.milliseconds([each.seconds for each in more]), " ms")
    timing.say_ratios("more for the large tree / 50 ms", more, [timing.Cost(_REACH, _REACH, 0)] * rounds, "<= 1.0")


def _repository(path: str, env: Mapping[str, str], files: int) -> str:
    timing.run(("git", "init", "-q", path), env)
    _import(path, env, "base", itertools.chain((".gitattributes",), map(_name, range(files))), "* text=auto\n")
    timing.git(path, env, "read-tree", "HEAD")
    timing.git(path, env, "checkout-index", "-f", ".gitattributes")
    drain(locate(path), wait=60.0)
    return path


def _name(number: int) -> str:
    return f"d{number // _FOLDER**2}/d{number // _FOLDER % _FOLDER}/file{number}"


def _import(path: str, env: Mapping[str, str], message: str, names: Iterator[str], content: str) -> None:
    """A commit in which these files have this content, on top of main."""
    process = subprocess.Popen(
        ["git", "-C", path, "fast-import", "--quiet"], env=dict(env), stdin=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    with process.stdin as to:
        to.write(f"blob\nmark :1\ndata {len(content)}\n{content}\n")
        to.write(f"commit refs/heads/main\ncommitter Ada <ada@example.org> {int(time.time())} +0000\n")
        to.write(f"data {len(message)}\n{message}\n")
        if os.path.exists(os.path.join(path, ".git", "index")):
            to.write("from refs/heads/main^0\n")
        to.writelines(f"M 100644 :1 {name}\n" for name in names)
    if process.wait():
        raise timing.Failed(f"git fast-import: exit status {process.returncode}")


def _committing(path: str, env: Mapping[str, str], files: int) -> Callable[[], timing.Cost]:
    location = locate(path)
    numbers = itertools.count()

    def commit() -> timing.Cost:
        number = next(numbers)
        changed = (_name((number * 5 + each) * 7919 % files) for each in range(5))
        _import(path, env, f"Change {number}", changed, f"line {number}\n" * 40)
        time.sleep(0.1)  # as long as Python takes to start, after a hook
        began, worked = time.perf_counter(), time.process_time()
        done = drain(location, wait=60.0)
        took = timing.Cost(time.perf_counter() - began, time.process_time() - worked, 0)
        if done.records < 1:
            raise timing.Failed("the commit was not recorded")
        return took

    return commit


if __name__ == "__main__":
    main()
