"""`mgit-hooks check` of a whole history, against `mgit-hooks backfill` of the same one, which also writes a journal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

import replays
import timing

# A pattern over each message and a bound on each file: what a policy has at least.
_RULES = """
[[rules]]
id = "subject"
severity = "warning"
schema.properties.commit.properties.message.pattern = "^.{1,72}(\\\\n|$)"

[[rules]]
id = "size"
severity = "warning"
schema.properties.commit.properties.files.items.properties.size_bytes.maximum = 100000
"""


def main() -> None:
    args = timing.options(__doc__, rounds=3).parse_args()
    with timing.scratch() as folder:
        env = timing.environment(folder)
        for name, path in replays.histories(folder, env, quick=args.quick):
            _measure(name, path, env, 1 if args.quick else args.rounds)


def _measure(name: str, path: str, env: Mapping[str, str], rounds: int) -> None:
    rules = os.path.join(path, ".git", "rules.toml")
    with open(rules, "w", encoding="utf-8") as file:
        file.write(_RULES)
    timing.git(path, env, "config", "mgit.rules", rules)

    def backfill() -> timing.Cost:
        shutil.rmtree(os.path.join(path, ".git", "mgit"), ignore_errors=True)
        return timing.run((*timing.MGIT, "backfill", "-q", "-C", path), env)

    def check() -> timing.Cost:
        return timing.run((*timing.MGIT, "check", "-q", "--fail-on", "never", "-C", path, "HEAD"), env)

    took = timing.interleave({"backfill": backfill, "check": check}, rounds)
    for what, costs in took.items():
        timing.say(f"{name}: {what}", timing.walls(costs), " s")
    timing.say_ratios(f"{name}: check / backfill", took["check"], took["backfill"], "<= 2.0")
    timing.say(
        f"{name}: check, peak memory of its largest process",
        [cost.peak / 1024 for cost in took["check"]],
        " MiB",
        digits=0,
    )


if __name__ == "__main__":
    main()
