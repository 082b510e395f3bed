"""A journal with every kind of record in many small segments, and ways to lose parts of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Repo
from recording import Recording, records

from mgit_hooks import restored
from mgit_hooks.checkpoints import checkpoint
from mgit_hooks.journal import generations, reader, writer
from mgit_hooks.journal.format import BLOCK
from mgit_hooks.journal.segment import Located, segment_names
from mgit_hooks.record import Record

Wound = Callable[[str], None]


def lived_in(repo: Repo, bare: Repo, target: int = 3000) -> Recording:
    """A repository with commits, an amend, a merge, pushes, refusals, skips and more on record, and a generation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", target)
        work = Recording(repo, every=True)
        repo.git("remote", "add", "origin", bare.path)
        work.commit("one")
        work.commit("two")
        work.git("push", "-q", "origin", "main")
        work.git("commit", "-q", "--amend", "-m", "two, better")
        work.git("checkout", "-q", "-b", "side")
        work.commit("aside")
        work.git("checkout", "-q", "main")
        work.git("merge", "-q", "--no-ff", "-m", "joined", "side")
        work.git("tag", "v1")
        work.git("push", "-q", "--force", "origin", "main", "v1")
        work.git("commit", "-q", "--allow-empty", "-m", "skipped", MGIT="0", MGIT_SKIP_REASON="a test")
        work.git("update-ref", "refs/notes/x", "HEAD")
        for name in ("three", "four", "five"):
            work.commit(name)
        work.git("branch", "-D", "-q", "side")
        work.commit("six")
        checkpoint(work.location, generations.folder(work.location.mgit_dir))
        work.check()
    return work


def blocks(journal_dir: str) -> list[Located]:
    return [item for item in reader.frames(journal_dir) if isinstance(item, Located) and item.frame.kind == BLOCK]


def flip(journal_dir: str, block: Located) -> None:
    path = Path(journal_dir, block.segment)
    data = bytearray(path.read_bytes())
    data[block.end - 3] ^= 0x10
    path.write_bytes(data)


def lose_blocks(*numbers: int) -> Wound:
    def wound(journal_dir: str) -> None:
        found = blocks(journal_dir)
        for number in numbers:
            flip(journal_dir, found[number])

    return wound


def lose_segments(*numbers: int) -> Wound:
    def wound(journal_dir: str) -> None:
        names = segment_names(journal_dir)
        for number in numbers:
            os.unlink(os.path.join(journal_dir, names[number]))

    return wound


def lose_all(journal_dir: str) -> None:
    for name in segment_names(journal_dir):
        os.unlink(os.path.join(journal_dir, name))


def cut(journal_dir: str) -> None:
    """The newest segment is cut in the middle, after it was reported."""
    path = Path(journal_dir, segment_names(journal_dir)[-1])
    os.truncate(path, path.stat().st_size // 2)


def everywhere(journal_dir: str) -> None:
    for number, block in enumerate(blocks(journal_dir)):
        if number % 3 == 1:
            flip(journal_dir, block)


def as_it_was(record: Record) -> Record:
    """A restored record as the original must have been; seq and id apart."""
    context = record.recovery[-1].data_context or {}
    return record._replace(
        seq=context["seq"],
        id=context["id"],
        source=context["source"],
        supersedes=context["supersedes"],
        recovery=record.recovery[:-1],
    )


def brought_back(journal_dir: str) -> dict[int, Record]:
    """The restored records, by the number that was lost."""
    found: dict[int, Record] = {}
    for record in records(journal_dir):
        if record.recovery and record.recovery[-1].action_type == restored.ACTION:
            assert record.supersedes is not None
            assert record.supersedes not in found, f"{record.supersedes} was brought back twice"
            found[record.supersedes] = record
    return found
