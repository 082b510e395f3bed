"""The comparison of trees against git's own, over trees of every kind; and how little of them it reads."""

from __future__ import annotations

import random
from hashlib import sha1

import pytest
from conftest import Repo

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.capture.treediff import Irregular, Trees
from mgit_hooks.git.library import EMPTY_TREE, Library
from mgit_hooks.git.twin import Twin
from mgit_hooks.record import Oid

# In git's order they are others than in that of bytes, where some are folders.
NAMES = (b"a", b"a.c", b"a-b", b"a0", b"b", b"A", b"\xff", b"d e", b"x\ny")
BLOB, OTHER = "1" * 40, "2" * 40


def entry(mode: bytes, name: bytes, oid: str) -> bytes:
    return b"%b %b\0%b" % (mode, name, bytes.fromhex(oid))


class Made:
    """Trees by id."""

    def __init__(self) -> None:
        self.raw: dict[Oid, bytes] = {}
        self.read: list[Oid] = []

    def add(self, raw: bytes) -> Oid:
        oid = Oid(sha1(b"tree %d\0%b" % (len(raw), raw), usedforsecurity=False).hexdigest())
        self.raw[oid] = raw
        return oid

    def tree(self, chance: random.Random, depth: int = 0) -> Oid:
        entries = []
        for name in chance.sample(NAMES, chance.randrange(6)):
            kind = chance.random()
            if kind < 0.4 and depth < 3:
                entries.append((name + b"/", entry(b"40000", name, self.tree(chance, depth + 1))))
            else:
                mode = chance.choice((b"100644", b"100644", b"100755", b"120000", b"160000"))
                entries.append((name, entry(mode, name, chance.choice((BLOB, OTHER)))))
        return self.add(b"".join(raw for _, raw in sorted(entries)))

    def __call__(self, oid: Oid) -> bytes:
        self.read.append(oid)
        return self.raw[oid]


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_git(repo: Repo, seed: int) -> None:
    chance = random.Random(seed)
    made = Made()
    roots = [made.tree(chance) for _ in range(60)]
    for raw in made.raw.values():
        repo.run("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)
    library, twin = Library(f"{repo.path}/.git"), Twin(f"{repo.path}/.git")
    told = set()
    for _ in range(300):
        old, new = (chance.choice([None, EMPTY_TREE, *roots]) for _ in range(2))
        found = library.changes(old, new)
        assert found == twin.changes(old, new)
        told.update(change.status for change in found)
    assert told == {"A", "D", "M", "T"}


@pytest.mark.parametrize(
    ("raw", "paths"),
    [
        (entry(b"100664", b"a", BLOB), [b"a"]),
        (entry(b"040000", b"a", EMPTY_TREE), []),
        (entry(b"100644", b"b", BLOB) + entry(b"100644", b"a", BLOB), [b"b", b"a"]),
        (entry(b"40000", b"a", EMPTY_TREE) + entry(b"100644", b"a.c", BLOB), [b"a.c"]),
        (entry(b"100644", b"a", BLOB) + entry(b"40000", b"a", EMPTY_TREE), [b"a"]),
    ],
)
def test_what_git_would_not_write_is_left_to_libgit2(repo: Repo, raw: bytes, paths: list[bytes]) -> None:
    made = Made()
    oid = made.add(raw)
    with pytest.raises(Irregular):
        Trees(made).changes(None, oid)
    repo.run("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw)
    repo.git("write-tree")  # the empty one that some of these name
    assert [change.path for change in Library(f"{repo.path}/.git").changes(None, oid)] == paths


def test_what_is_too_deep_for_pythons_stack_is_left_to_libgit2() -> None:
    made = Made()
    roots = [BLOB, OTHER]
    for depth in range(2000):
        roots = [made.add(entry(b"40000" if depth else b"100644", b"d", oid)) for oid in roots]
    with pytest.raises(Irregular):
        Trees(made).changes(*roots)


def test_only_folders_that_differ_are_read() -> None:
    made = Made()
    gone = Oid("9" * 40)
    inner = [made.add(entry(b"100644", b"f", oid)) for oid in (BLOB, OTHER)]
    middle = [made.add(entry(b"40000", b"in", oid) + entry(b"40000", b"same", gone)) for oid in inner]
    roots = [made.add(entry(b"40000", b"in", oid) + entry(b"40000", b"same", gone)) for oid in middle]
    trees = Trees(made)
    assert trees.changes(*roots) == [Change("M", 0o100644, 0o100644, Oid(BLOB), Oid(OTHER), b"in/in/f")]
    assert made.read == [*roots, *middle, *inner]
    assert len(trees.changes(roots[1], roots[0])) == 1
    assert len(made.read) == 6  # kept


def test_few_trees_are_kept() -> None:
    made = Made()
    trees = Trees(made)
    for number in range(100):
        names = (b"%d-%03d" % (number, each) for each in range(500))
        trees.changes(None, made.add(b"".join(entry(b"100644", name, BLOB) for name in names)))
    assert sum(map(len, trees._kept.values())) <= 4096
    assert list(trees._kept) == made.read[-8:]
