"""Where objects lie in packs: as git itself says, and nothing is lost where an index says nonsense."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Repo

from mgit_hooks.git.packorder import PackOrder
from mgit_hooks.record import Oid


def packed(repo: Repo, *names: str) -> None:
    for name in names:
        repo.commit(name, {f"{name}-{number}": f"{name} {number}\n" * 50 for number in range(40)})
    repo.git("repack", "-q", "-d")


def objects_of(repo: Repo) -> str:
    return str(Path(repo.path, ".git", "objects"))


def index_files(repo: Repo) -> list[Path]:
    return sorted(Path(objects_of(repo), "pack").glob("*.idx"))


def by_git(repo: Repo, index: Path) -> list[Oid]:
    """All that is in a pack, from its end, by git verify-pack."""
    lines = [line.split() for line in repo.git("verify-pack", "-v", str(index)).splitlines()]
    entries = [line for line in lines if len(line) in (5, 7) and len(line[0]) == 40]
    return [Oid(line[0]) for line in sorted(entries, key=lambda line: int(line[4]), reverse=True)]


def test_from_the_end_of_the_pack(repo: Repo) -> None:
    packed(repo, "one")
    expected = by_git(repo, index_files(repo)[0])
    assert len(expected) == 42
    assert PackOrder(objects_of(repo)).sorted(sorted(expected)) == expected


def test_several_packs_and_what_is_in_none(repo: Repo) -> None:
    packed(repo, "one")
    packed(repo, "two", "three")
    larger, smaller = sorted(index_files(repo), key=lambda path: path.stat().st_size, reverse=True)
    unknown = [Oid("ff" * 20), Oid("00" * 20)]
    mixed = sorted([*by_git(repo, larger), *by_git(repo, smaller)])
    assert PackOrder(objects_of(repo)).sorted([*unknown, *mixed]) == [
        *unknown,
        *by_git(repo, smaller),
        *by_git(repo, larger),
    ]


def test_offsets_of_more_than_31_bits(repo: Repo) -> None:
    packed(repo, "one")
    expected = by_git(repo, index_files(repo)[0])
    repo.git("index-pack", "--index-version=2,0x100", *map(str, packs(repo)))
    assert PackOrder(objects_of(repo)).sorted(sorted(expected)) == expected


def packs(repo: Repo) -> list[Path]:
    for index in index_files(repo):
        index.chmod(0o644)
        index.unlink()
    return sorted(Path(objects_of(repo), "pack").glob("*.pack"))


@pytest.mark.parametrize("size", [0, 7, 8, 100, 1031, 1032, 1100, 1500])
def test_an_index_cut_short_is_no_order(repo: Repo, size: int) -> None:
    packed(repo, "one")
    index = index_files(repo)[0]
    oids = sorted(by_git(repo, index))
    index.chmod(0o644)
    index.write_bytes(index.read_bytes()[:size])
    assert sorted(PackOrder(objects_of(repo)).sorted(oids)) == oids


def test_no_packs_at_all(tmp_path: Path) -> None:
    oids = [Oid("11" * 20), Oid("22" * 20)]
    assert PackOrder(str(tmp_path)).sorted(oids) == oids
