"""A rebase of 200 commits with recording on, against the same rebase with an empty post-commit hook.

git runs post-commit once a commit: what the hook costs, a rebase pays 200 times.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import commit
import timing

from mgit_hooks.installer.stubs import ASKED_FOR


def main() -> None:
    parser = timing.options(__doc__, rounds=7)
    parser.add_argument("--with", dest="asked_for", choices=ASKED_FOR, help="also with this hook: install --with")
    args = parser.parse_args()
    rounds, picks = (1, 3) if args.quick else (args.rounds, 200)
    variants: dict[str, commit.Prepare] = {
        "no hooks": lambda path, env: None,
        "empty post-commit": lambda path, env: commit.empty_hook(path, "post-commit"),
        "mgit-hooks": commit.installed,
    }
    hook = args.asked_for
    if hook is not None:
        variants[f"empty post-commit and {hook}"] = lambda path, env: _empty(path, "post-commit", hook)
        variants[f"mgit-hooks with {hook}"] = lambda path, env: _installed_with(path, env, hook)
    timing.adopt_orphans()
    with timing.scratch() as folder:
        env = timing.environment(folder)
        measured = {
            name: _rebasing(_repository(os.path.join(folder, name), env, picks, prepare), env)
            for name, prepare in variants.items()
        }
        took = timing.interleave(measured, rounds)
    for name, costs in took.items():
        timing.say(f"rebase of {picks} commits, {name}", timing.walls(costs), " s")
    timing.say_ratios("mgit-hooks / an empty post-commit hook", took["mgit-hooks"], took["empty post-commit"], "<= 1.1")
    timing.say_ratios("mgit-hooks / no hooks", took["mgit-hooks"], took["no hooks"])
    if hook is not None:
        ours = took[f"mgit-hooks with {hook}"]
        empty = took[f"empty post-commit and {hook}"]
        timing.say_ratios(f"mgit-hooks with {hook} / empty hooks in both stages", ours, empty)
        timing.say_ratios(f"mgit-hooks with {hook} / mgit-hooks without", ours, took["mgit-hooks"])
        timing.say_ratios(f"mgit-hooks with {hook} / no hooks", ours, took["no hooks"])


def _empty(path: str, *hooks: str) -> None:
    for hook in hooks:
        commit.empty_hook(path, hook)


def _installed_with(path: str, env: Mapping[str, str], hook: str) -> None:
    commit.installed(path, env)
    timing.run((*timing.MGIT, "install", "-q", "--with", hook, "-C", path), env)


def _repository(path: str, env: Mapping[str, str], picks: int, prepare: commit.Prepare) -> str:
    def topic(path: str, env: Mapping[str, str]) -> None:
        timing.git(path, env, "branch", "upstream")
        for number in range(picks):
            commit.write(path, f"topic{number % 20}", f"line {number}\n" * 20)
            timing.git(path, env, "add", "-A")
            timing.git(path, env, "commit", "-q", "-m", f"Topic {number}")
        timing.git(path, env, "branch", "topic")
        timing.git(path, env, "checkout", "-q", "upstream")
        commit.write(path, "upstream", "moved on\n")
        timing.git(path, env, "add", "-A")
        timing.git(path, env, "commit", "-q", "-m", "Upstream")
        prepare(path, env)

    return commit.new_repository(path, env, topic)


def _rebasing(path: str, env: Mapping[str, str]) -> Callable[[], timing.Cost]:
    def rebase() -> timing.Cost:
        timing.git(path, env, "checkout", "-q", "-B", "work", "topic")
        timing.wait_for_orphans()
        time.sleep(1.1)  # or git takes each file for perhaps changed, being as new as its index
        took = timing.git(path, env, "rebase", "-q", "upstream")
        timing.wait_for_orphans()
        return took

    return rebase


if __name__ == "__main__":
    main()
