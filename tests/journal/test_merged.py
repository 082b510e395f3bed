"""Copies that went on by themselves, the files of one laid over the other: nothing false, silent or gone."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from reliability import Tally

from journal.making import append, payloads, records, small
from journal.mending import in_quarantine, mended
from mgit_hooks.journal import identity, writer
from mgit_hooks.journal.format import BLOCK
from mgit_hooks.journal.reader import Stored, journal_ids, open_block
from mgit_hooks.journal.segment import Located, scan, segment_names
from mgit_hooks.journal.verify import verify

FILES = ("identity", "head")


class Lineages(NamedTuple):
    """A journal and a copy of it, each gone on with."""

    first: Path
    second: Path
    wrote: frozenset[Stored]  # what either wrote
    blocks: dict[bytes, frozenset[Stored]]  # by the bytes of their frames


def diverged(place: Path, *, first: int = 30, second: int = 25) -> Lineages:
    small(place / "base", 12)
    one, two = place / "one", place / "two"
    os.rename(place / "base", one)
    subprocess.run(["cp", "-a", one, two], check=True)
    folders = (one / "mgit" / "journal", two / "mgit" / "journal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", 1000)
        for folder, count in zip(folders, (first, second), strict=True):
            data = payloads(count, seed=count)
            for at in range(0, count, 5):
                append(str(folder), data[at : at + 5])
    ids = [own.journal for folder in folders if (own := identity.read(str(folder))) is not None]
    assert ids[0] != ids[1], "the copy goes on as the journal that it was copied from"
    blocks = {}
    for folder in folders:
        for name in segment_names(str(folder)):
            data = (folder / name).read_bytes()
            for item in scan(str(folder), name, journal_ids(str(folder))):
                assert isinstance(item, Located)
                if item.frame.kind == BLOCK:
                    blocks[data[item.offset : item.end]] = frozenset(open_block(item).stored())
    wrote = frozenset(records(str(folders[0]))) | frozenset(records(str(folders[1])))
    return Lineages(*folders, wrote, blocks)


def merges(made: Lineages, step: int) -> list[dict[str, Path]]:
    """Which file comes from which: of each name that both have either, of others theirs or none."""
    names = sorted({*os.listdir(made.first), *os.listdir(made.second)} - {"lock"})
    choices = []
    for name in names:
        there = [folder / name for folder in (made.first, made.second) if (folder / name).exists()]
        same = len(there) == 2 and there[0].read_bytes() == there[1].read_bytes()
        choices.append(there[:1] if same else there if len(there) == 2 else [*there, None])
    found = [
        {name: path for name, path in zip(names, chosen, strict=True) if path is not None}
        for chosen in itertools.product(*choices)
    ]
    return found[::step]


def every_merge(place: Path, made: Lineages, tally: Tally, *, step: int = 1) -> None:
    for number, files in enumerate(merges(made, step)):
        folder = place / f"merge{number}" / "mgit" / "journal"
        folder.mkdir(parents=True)
        for name, source in files.items():
            shutil.copy(source, folder / name)
        judge(str(folder), made, tally, f"merge {number}: {sorted(map(str, files.values()))}")
        shutil.rmtree(place / f"merge{number}")


def judge(journal: str, made: Lineages, tally: Tally, what: str) -> None:
    tally.cases += 1
    data = {name: Path(journal, name).read_bytes() for name in segment_names(journal)}
    there = {block for block in made.blocks if any(block in each for each in data.values())}
    read = records(journal)
    tally.false += [f"{what}: {stored}" for stored in set(read) - made.wrote]
    unread = [block for block in there if not made.blocks[block] <= set(read)]
    report = verify(journal)
    if unread and report.is_clean:
        tally.silent.append(what)
    mended(journal)
    left = records(journal)
    if not verify(journal).is_clean or mended(journal):
        tally.silent.append(f"{what}: not clean after repair")
    # What the chain cannot join is in quarantine, and all else is there.
    kept, told = in_quarantine(journal), set(left)
    tally.lost += [
        what for block in there if not made.blocks[block] <= told and not any(block in each for each in kept)
    ]
    (done,) = append(journal, [b"goes on"])
    assert done.seq > max((stored.seq for stored in left), default=0)
    assert records(journal)[-1] == Stored(done.seq, done.id, b"goes on")
    assert verify(journal).is_clean, what


def test_merged_copies(fast: Path, tally: Tally) -> None:
    made = diverged(fast / "few", first=10, second=15)
    every_merge(fast / "few", made, tally, step=3)
    tally.check()
    assert tally.cases > 5


@pytest.mark.full
@pytest.mark.parametrize("seed", range(12))
def test_many_merges_of_two_copies(fast: Path, seed: int, tally: Tally) -> None:
    dice = random.Random(seed)
    made = diverged(fast / f"seed{seed}", first=dice.randrange(1, 45), second=dice.randrange(1, 45))
    every_merge(fast / f"seed{seed}", made, tally, step=1 + len(merges(made, 1)) // 150)
    tally.check()


def test_a_copy_that_does_not_adopt_itself_is_missed(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two journals that go on under one id: a frame of either passes for one of the other."""
    monkeypatch.setattr(writer.Appender, "_adopt", lambda *_: None)
    with pytest.raises(AssertionError, match="copied from"):
        diverged(fast / "same")
