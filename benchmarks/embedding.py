"""10,000 changed files embedded under a budget of memory: the largest resident set of a process that holds them all,
above that of one that holds none, and the time against `sha256sum` of the same files.

The files have 0.2 to 60 KB: three of four are text, one is bytes. ``--extra``: with the detectors of the extra
``secrets``, where it is installed.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Mapping

import timing

_MIB = 1024 * 1024
_SCRIPT = """
import os, sys
from mgit_hooks.changesets import detector, embedding, kinds
strategy, budget, folder, extra = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
if extra == "no":
    detector.secret_in = lambda text: None
embedder = embedding.Embedder(strategy, budget)
embedder.embed("warm.txt", lambda: b"0123456789abcdef0 https://x")
names = sorted(os.listdir(folder)) if folder else []
kept = [embedder.embed(name, embedding.file_in(folder, name)) for name in names]
assert len(kept) == len(names) and embedder.stats()["used_bytes"] <= budget
if folder:
    assert embedder.stats()["unreadable"] == 0
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def main() -> None:
    parser = timing.options(__doc__, rounds=5)
    parser.add_argument("--extra", action="store_true", help="ask the extra's detectors too")
    args = parser.parse_args()
    rounds, files = (1, 40) if args.quick else (args.rounds, 10_000)
    extra = "yes" if args.extra else "no"
    with timing.scratch() as folder:
        env = timing.environment(folder)
        made = os.path.join(folder, "files")
        size = _make(made, files)
        print(f"{files} files, {size / _MIB:.1f} MiB")
        variants: dict[str, Callable[[], timing.Cost]] = {"sha256sum": lambda: _hashed(made, env)}
        cases = [(strategy, budget) for budget in (100, 10) for strategy in ("sample", "full")]
        if args.quick:
            cases = cases[:1]
        for strategy, budget in cases:
            for what in ("", made):
                name = f"{strategy}, {budget} MiB, {'all' if what else 'none'}"
                variants[name] = _embedding(strategy, budget, what, extra, env)
        took = timing.interleave(variants, rounds)
    for strategy, budget in cases:
        every, none = (took[f"{strategy}, {budget} MiB, {which}"] for which in ("all", "none"))
        above = [(a.peak - b.peak) / 1024 for a, b in zip(every, none, strict=True)]
        timing.say(f"{strategy}, budget {budget} MiB: memory above none", above, " MiB", reach=f"<= {budget} MiB")
        worked = [a.processor - b.processor for a, b in zip(every, none, strict=True)]
        timing.say(
            f"{strategy}, budget {budget} MiB: processor time a file", [each / files * 1e3 for each in worked], " ms"
        )
        timing.say_ratio(f"{strategy}, budget {budget} MiB: memory / budget", above, [budget] * len(above), "<= 1")
    best, hashed = took["sample, 100 MiB, all"], took["sha256sum"]
    timing.say_ratios("sample, 100 MiB / sha256sum of the same files", best, hashed)


def _make(folder: str, files: int) -> int:
    """Sizes and contents are the same in each run."""
    rng = random.Random(1)
    words = [f"word{number}" for number in range(2000)]
    text = " ".join(rng.choices(words, k=200_000)).replace(" word7", "\nword7").encode()
    noise = rng.randbytes(_MIB)
    os.makedirs(folder)
    total = 0
    for number in range(files):
        size = int(200 * 300 ** rng.random())
        source = noise if number % 4 == 3 else text
        start = rng.randrange(len(source) - size)
        with open(os.path.join(folder, f"f{number}.{'bin' if source is noise else 'txt'}"), "wb") as file:
            file.write(source[start : start + size])
        total += size
    return total


def _embedding(
    strategy: str, budget: int, folder: str, extra: str, env: Mapping[str, str]
) -> Callable[[], timing.Cost]:
    command = (sys.executable, "-I", "-c", _SCRIPT, strategy, str(budget * _MIB), folder, extra)

    def embed() -> timing.Cost:
        """Its peak is VmHWM, not ru_maxrss: that of a child begins with its parent's."""
        said = os.path.join(env["HOME"], "peak")
        cost = timing.run(command, env, output=said)
        with open(said, encoding="ascii") as file:
            return cost._replace(peak=int(file.read()))

    return embed


def _hashed(folder: str, env: Mapping[str, str]) -> timing.Cost:
    return timing.run(("sh", "-c", 'cd "$0" && find . -type f -print0 | xargs -0 sha256sum', folder), env)


if __name__ == "__main__":
    main()
