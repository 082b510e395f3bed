"""What it costs to count: to reach 0.2 ms of a hook's foreground, and 2 % of bulk work.

Loading and counting are timed in a fresh process each time, as a gate does them; bulk work is the compression of many
changesets of 8 KB, each told to the monitor, with and without.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from statistics import median

import timing

_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FRESH = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import mgit_hooks, mgit_hooks.recorder.line  # what a gate has loaded by then: the package, and a module in it
began = time.perf_counter()
from mgit_hooks import operation
loaded = time.perf_counter()
with operation.Operation("hook", "gate.commit-msg", sys.argv[2]):
    first = time.perf_counter()
ended = time.perf_counter()
assert os.stat(sys.argv[2] + "/metrics/now").st_size
print(loaded - began, first - loaded + ended - first)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    args = parser.parse_args()
    with timing.scratch() as folder:
        _foreground(folder, 5 if args.quick else 60)
        _bulk(folder, 50 if args.quick else 1000, 2 if args.quick else 9)


def _foreground(folder: str, rounds: int) -> None:
    place = os.path.join(folder, "mgit")
    os.mkdir(place)
    loading, counting, bare = [], [], []
    for number in range(rounds + 1):
        out = os.path.join(folder, "told")
        command = (sys.executable, "-I", "-S", "-c", _FRESH, _TOP, place)
        timing.run(command, timing.environment(folder), output=out)
        with open(out, encoding="utf-8") as file:
            loaded, counted = map(float, file.read().split())
        start = timing.run((sys.executable, "-I", "-S", "-c", "pass"), timing.environment(folder))
        if number:
            bare.append(start.seconds)
            loading.append(loaded)
            counting.append(counted)
    timing.say("a hook: loading what counts", timing.milliseconds(loading), " ms", digits=3)
    timing.say("a hook: counting, with the line appended", timing.milliseconds(counting), " ms", digits=3)
    both = [a + b for a, b in zip(loading, counting, strict=True)]
    timing.say("a hook: both", timing.milliseconds(both), " ms", digits=3, reach="0.2 ms")
    # 0.2 ms where a bare start takes 11 ms: on a machine that others use both take longer.
    timing.say("a bare start", timing.milliseconds(bare), " ms")
    timing.say_ratio("a hook's counting to a bare start", both, bare, reach="0.018")
    timing.say_ratio("a hook's counting to 0.2 ms", [median(both)], [0.0002], reach="1")


def _bulk(folder: str, files: int, rounds: int) -> None:
    from mgit_hooks.pipeline import DataCompressor, PipelineMonitor

    texts = [_changeset(number) for number in range(files)]
    compressor = DataCompressor("gzip")
    monitor = PipelineMonitor(os.path.join(folder, "figures"))

    def plain() -> None:
        for text in texts:
            compressor.compress_data(text)

    def counted() -> None:
        one = monitor.start_operation("compress", total=files)
        size = 0
        for number, text in enumerate(texts, 1):
            compressor.compress_data(text)
            size += len(text)
            monitor.update_operation_progress(one, number, size)
        monitor.end_operation(one)

    took = timing.interleave({"plain": lambda: _timed(plain), "counted": lambda: _timed(counted)}, rounds)
    per = [a * 1e6 / files for a in timing.less(took["counted"], took["plain"])]
    timing.say(f"bulk: counting each of {files} files", per, " us")
    timing.say_ratio("bulk work counted to not counted", took["counted"], took["plain"], reach="1.02")


def _changeset(number: int) -> bytes:
    """Forty commits as JSON: names that come again, and hashes that do not."""
    commit = {"author_name": "Ada Lovelace", "author_email": "ada@example.org", "message": f"Change {number}\n"}
    commits = [{**commit, "hash": os.urandom(20).hex(), "files": [f"src/module_{at}.py"]} for at in range(40)]
    return json.dumps({"repository_name": "work", "recent_commits": commits}).encode()


def _timed(function: Callable[[], None]) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


if __name__ == "__main__":
    timing.adopt_orphans()
    main()
