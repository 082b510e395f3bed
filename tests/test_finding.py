"""How much of a long history that is lost the search for it keeps in memory, and where else it keeps it."""

from __future__ import annotations

import os
import sqlite3
import tracemalloc
from contextlib import closing
from typing import Any

import pytest
from conftest import Repo
from recording import Recording

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.errors import JournalError
from mgit_hooks.finding import Finder
from mgit_hooks.git.backend import MissingObject
from mgit_hooks.journal import database
from mgit_hooks.journal.commitset import CommitSet
from mgit_hooks.journal.findings import Hole
from mgit_hooks.record import Commit, Oid

MANY = 200_000


@pytest.fixture
def work(repo: Repo) -> Recording:
    work = Recording(repo)
    work.commit("one")
    work.drain()
    return work


def oid(number: int) -> Oid:
    return Oid(f"{number:040x}")


def index_rows(work: Recording, first: int, rows: list[tuple[Any, ...]]) -> None:
    with database.open_index(work.location.mgit_dir, work.location.journal_dir):
        pass
    with closing(sqlite3.connect(os.path.join(work.location.mgit_dir, "index.sqlite"))) as index:
        index.executemany(
            "INSERT INTO record (seq, hash) VALUES (?,?)", [(first + at, *row) for at, row in enumerate(rows)]
        )
        index.commit()


def test_of_lost_commits_no_list_is_in_memory(work: Recording) -> None:
    """As strings in a list, and as the keys of a dictionary, they took 27 MB, and a moment 41."""
    index_rows(work, 1001, [(bytes.fromhex(oid(number)),) for number in range(MANY)])
    finder = Finder(work.location, [Hole(1001, 1000 + MANY, "", "")], ())
    assert list(finder.rebuilt([], lambda _: True)) == []  # loads what it needs
    tracemalloc.start()
    try:
        with database.lost_commits(work.location.mgit_dir, [(1001, 1000 + MANY)]) as lost:
            assert lost is not None
            asked = 0

            def knows(_: Oid) -> bool:
                nonlocal asked
                asked += 1
                return True

            assert list(finder.rebuilt(lost, knows)) == []
        assert asked == MANY
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_a_set_of_commits_is_in_the_order_of_their_coming_each_once() -> None:
    with CommitSet() as found:
        found.update(bytes.fromhex(oid(number)) for number in (7, 3, 7, 5))
        found.add(oid(3))
        found.add(oid(1))
        assert list(found) == [oid(7), oid(3), oid(5), oid(1)]
        assert [oid(number) in found for number in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("hash", [5, "ab" * 20])
def test_an_index_with_rows_of_another_type_cannot_tell(work: Recording, hash: object) -> None:
    index_rows(work, 1001, [(bytes(20),), (hash,)])
    with database.lost_commits(work.location.mgit_dir, [(1001, 1002)]) as lost:
        assert lost is None


def test_no_room_for_a_set_of_commits_is_said() -> None:
    with CommitSet() as found:
        found._db.execute("PRAGMA max_page_count = 8")
        with pytest.raises(JournalError, match="temporary file: database or disk is full") as raised:
            found.update(bytes.fromhex(oid(number)) for number in range(10_000))
        assert "TMPDIR" in raised.value.remedy


@pytest.fixture
def hidden(work: Recording, monkeypatch: pytest.MonkeyPatch) -> list[Oid]:
    """Three commits that only the first one leads to; the second cannot be read as long as nobody asks again."""
    oids: list[Oid] = []
    for message in ("old", "middle", "new"):
        parents = ("-p", oids[0]) if oids else ()
        oids.insert(0, Oid(work.repo.git("commit-tree", *parents, "-m", message, "HEAD^{tree}")))
    work.repo.git("update-ref", "refs/side", oids[0])
    loose = os.path.join(work.path, ".git", "objects", oids[1][:2], oids[1][2:])
    os.rename(loose, f"{loose}.away")
    commit = Finder._commit

    def asked_again(self: Finder, capturer: Capturer, oid: Oid) -> Commit | None:
        if os.path.exists(f"{loose}.away"):
            os.rename(f"{loose}.away", loose)
        return commit(self, capturer, oid)

    monkeypatch.setattr(Finder, "_commit", asked_again)
    return oids


def found_again(work: Recording, oids: list[Oid]) -> list[Oid]:
    finder = Finder(work.location, [Hole(1001, 1003, "", "")], ())
    records = finder.rebuilt(None, lambda oid: oid not in oids)
    return [record.commit.hash for record in records if record.commit is not None]


def test_what_could_not_be_read_and_then_could_leads_on(work: Recording, hidden: list[Oid]) -> None:
    """The first walk ends at it: what lies behind is found by a second."""
    assert found_again(work, hidden) == hidden[::-1]


def test_what_can_be_read_but_not_walked_through_is_an_error(
    work: Recording, hidden: list[Oid], monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Capturer.new_commits

    def never_whole(self: Capturer, *arguments: Any, **options: Any) -> Any:
        found = walk(self, *arguments, **options)
        self.missing = (hidden[1],)
        return found

    monkeypatch.setattr(Capturer, "new_commits", never_whole)
    with pytest.raises(MissingObject, match=hidden[1]):
        found_again(work, hidden)
