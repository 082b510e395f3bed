"""The index: whatever happens to it, the answers are those that the journal gives."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from journal.making import append, frames, put, segment_bytes

from mgit_hooks.errors import DamageError, JournalError
from mgit_hooks.journal import contents, database, index, writer
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.format import BLOCK
from mgit_hooks.journal.index import Filter
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.record import Oid, RefMovement, Seq


def oid(number: int) -> Oid:
    return Oid(f"{number:040x}")


def payload(event: str, **fields: Any) -> bytes:
    base = {"event": event, "worktree": "main-worktree", "branch": "main", "occurred_at": None, "occurred_from": None}
    return json.dumps({**base, **fields}).encode()


def commit(number: int, **fields: Any) -> bytes:
    files: list[Any] = []
    person = {"files": files, "author_name": f"Person {number % 3}", "author_email": f"p{number % 3}@example.org"}
    move = {"name": f"refs/heads/b{number % 4}", "old_oid": oid(number - 1), "new_oid": oid(number), "reason": "commit"}
    when = {"occurred_at": f"2026-01-01T00:00:{number % 60:02d}+00:00", "occurred_from": "reflog"}
    replaces = {"replaces": [oid(number - 7), oid(number - 8)] if number % 5 == 0 else None}
    return payload("commit", commit={"hash": oid(number), **person}, refs=[move], **{**when, **replaces, **fields})


@pytest.fixture
def mgit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A journal of 203 records in several segments."""
    monkeypatch.setattr(writer, "SEGMENT_TARGET", 2000)
    made = str(tmp_path / "mgit")
    detail = {"refs": {"refs/heads/main": oid(900)}, "heads": [oid(901)]}
    append(f"{made}/journal", [payload("snapshot", detail=detail, occurred_at="2026-01-01T00:00:00+00:00")])
    for start in range(1, 201, 20):
        append(f"{made}/journal", [commit(number) for number in range(start, start + 20)])
    outcome = payload("push-outcome", detail={"push": 7}, push={"confirmed": True})
    append(f"{made}/journal", [outcome, payload("amend", commit={"hash": oid(5), **AUTHOR}, supersedes=6)])
    assert len(segment_names(f"{made}/journal")) > 3
    return made


AUTHOR = {"author_name": "100% A_B\\", "author_email": "x"}


def answers(mgit: str) -> tuple[Any, ...]:
    """All that the index can be asked."""
    with open_index(mgit, f"{mgit}/journal") as rows:
        moved = RefMovement("refs/heads/b2", oid(41), oid(42), "commit")
        return (
            rows.count(),
            rows.next_seq(),
            [rows.seq_of(oid(number)) for number in range(210)],
            [rows.knows(oid(number)) for number in range(210)],
            rows.commits(),
            rows.has_movement(index.movement_key("main-worktree", moved, "2026-01-01T00:00:42+00:00")),
            rows.has_movement(index.movement_key("main-worktree", moved, None)),
            [rows.last_oid(f"refs/heads/b{number}") for number in range(5)],
            sorted(name for name, oid in rows.refs().items() if oid is not None),
            rows.baseline(),
            rows.began(),
            [rows.outcomes(Seq(number)) for number in (7, 8)],
            rows.by_prefix(oid(17)[:39]),
            [rows.by_seq(number) for number in (1, 100, 203, 204)],
            rows.within(50, 60),
            list(rows.newest()),
            [(rows.replaced_by(oid(number)), rows.replaces(oid(number))) for number in range(210)],
            [row.seq for row in rows.newest(Filter(events=("push-outcome", "snapshot")))],
            [row.seq for row in rows.newest(Filter(author="person 1", branch="main"))],
            [(stored.seq, stored.id, stored.payload) for stored in rows.read_many(rows.newest(superseded=True))],
        )


@pytest.fixture
def expected(mgit: str) -> tuple[Any, ...]:
    return answers(mgit)


def test_what_it_says(mgit: str, expected: tuple[Any, ...]) -> None:
    with open_index(mgit, f"{mgit}/journal") as rows:
        assert rows.count() == 203
        assert rows.seq_of(oid(100)) == 101
        assert rows.seq_of(oid(5)) == 203  # the record that stands in for record 6
        assert rows.seq_of(oid(4000)) is None
        assert rows.knows(oid(1))
        assert rows.last_oid("refs/heads/b2") == (oid(198),)
        assert rows.last_oid("refs/heads/none") is None
        assert rows.baseline() == [oid(900), oid(901)]
        assert [[row.event for row in rows.outcomes(Seq(seq))] for seq in (7, 8)] == [["push-outcome"], []]
        assert [row.hash for row in rows.by_prefix("0" * 38 + "1")] == [oid(number) for number in range(16, 32)]
        assert [row.seq for row in rows.newest()][:3] == [203, 202, 201]
        assert 6 not in [row.seq for row in rows.newest()]
        assert 6 in [row.seq for row in rows.newest(superseded=True)]
        assert [row.seq for row in rows.newest(Filter(author="100% a_b\\"))] == [203]
        assert list(rows.newest(Filter(author="100_"))) == []
        row = rows.by_seq(77)
        assert row is not None
        assert json.loads(rows.read(row).payload or b"")["commit"]["hash"] == oid(76)
    assert expected[5:7] == (True, False)


def test_what_replaced_what_is_found_from_both_sides(mgit: str, expected: tuple[Any, ...]) -> None:
    with open_index(mgit, f"{mgit}/journal") as rows:
        assert rows.replaces(oid(20)) == [oid(12), oid(13)]
        assert (rows.replaced_by(oid(13)), rows.replaced_by(oid(14)), rows.replaces(oid(21))) == ([oid(20)], [], [])
        assert rows.replaced_by(oid(4000)) == []
    # A record that stands in for another has the last word; what is no hash costs the record nothing else.
    better = commit(20, supersedes=21)
    odd = commit(600, replaces=["no hash", 7, None])
    append(f"{mgit}/journal", [json.dumps({**json.loads(better), "replaces": [oid(12), oid(500)]}).encode(), odd])
    with open_index(mgit, f"{mgit}/journal") as rows:
        assert rows.replaces(oid(20)) == [oid(12), oid(500)]
        assert (rows.replaced_by(oid(13)), rows.replaced_by(oid(500))) == ([], [oid(20)])
        assert rows.seq_of(oid(600)) == 205
        assert rows.replaces(oid(600)) == []


def test_deleted_it_comes_back(mgit: str, expected: tuple[Any, ...]) -> None:
    database.remove(mgit)
    assert not os.path.exists(f"{mgit}/index.sqlite")
    assert answers(mgit) == expected


def test_it_advances_by_what_was_appended(mgit: str, expected: tuple[Any, ...]) -> None:
    before = os.stat(f"{mgit}/index.sqlite").st_ino
    append(f"{mgit}/journal", [commit(number) for number in range(300, 500)])
    grown = answers(mgit)
    assert os.stat(f"{mgit}/index.sqlite").st_ino == before
    assert grown[0] == 403
    database.remove(mgit)
    assert answers(mgit) == grown


@pytest.mark.parametrize("how", ["empty", "noise", "text", "half", "header", "old version", "no tables"])
def test_an_index_that_cannot_be_read_is_made_anew(mgit: str, expected: tuple[Any, ...], how: str) -> None:
    path = Path(mgit, "index.sqlite")
    data = path.read_bytes()
    if how == "old version":
        with sqlite3.connect(path) as database:
            database.execute("UPDATE meta SET version = 0")
        database.close()
    elif how == "no tables":
        path.unlink()
        sqlite3.connect(path).close()
    else:
        path.write_bytes(
            {
                "empty": b"",
                "noise": os.urandom(50_000),
                "text": b"not a database\n" * 100,
                "half": data[: len(data) // 2],
                "header": os.urandom(100) + data[100:],
            }[how]
        )
    with suppress(JournalError):  # damage that only a query meets: the index is gone, and the next one is sound
        assert answers(mgit) == expected
    assert answers(mgit) == expected


def test_noise_in_any_page_is_told_or_harmless(mgit: str, expected: tuple[Any, ...]) -> None:
    path = Path(mgit, "index.sqlite")
    data = path.read_bytes()
    dice = random.Random(5)
    for at in range(0, len(data), 4096):
        path.write_bytes(data[:at] + dice.randbytes(4096) + data[at + 4096 :])
        with suppress(JournalError):
            assert answers(mgit) == expected, at
        assert answers(mgit) == expected, at


def test_another_journal_in_the_place_of_the_old_one_is_noticed(mgit: str, expected: tuple[Any, ...]) -> None:
    shutil.rmtree(f"{mgit}/journal")
    append(f"{mgit}/journal", [commit(number) for number in range(1, 300)])
    now = answers(mgit)
    assert now[0] == 299
    database.remove(mgit)
    assert answers(mgit) == now


def test_a_shorter_journal_is_noticed(mgit: str, expected: tuple[Any, ...]) -> None:
    os.unlink(os.path.join(mgit, "journal", segment_names(f"{mgit}/journal")[-1]))
    now = answers(mgit)
    assert now[0] < 203
    database.remove(mgit)
    assert answers(mgit) == now


def test_an_emptied_journal_is_noticed(mgit: str, expected: tuple[Any, ...]) -> None:
    shutil.rmtree(f"{mgit}/journal")
    with open_index(mgit, f"{mgit}/journal") as rows:
        assert (rows.count(), rows.next_seq(), rows.baseline()) == (0, 1, [])


def test_a_mended_segment_is_noticed_though_the_newest_is_as_it_was(mgit: str, expected: tuple[Any, ...]) -> None:
    journal = f"{mgit}/journal"
    block = [item for item in frames(journal) if item.frame.kind == BLOCK][1]
    data = segment_bytes(journal)[block.segment]
    put(journal, block.segment, data[: block.offset] + data[block.end :])
    now = answers(mgit)
    assert now[0] == 183
    database.remove(mgit)
    assert answers(mgit) == now


def test_a_record_whose_block_was_damaged_since_is_told(mgit: str, expected: tuple[Any, ...]) -> None:
    journal = f"{mgit}/journal"
    block = [item for item in frames(journal) if item.frame.kind == BLOCK][1]
    data = segment_bytes(journal)[block.segment]
    put(journal, block.segment, data[: block.end - 1] + b"\0" + data[block.end :])
    with open_index(mgit, journal) as rows:
        row = rows.by_seq(2)
        assert row is not None
        with pytest.raises(DamageError) as raised:
            rows.read(row)
        assert (raised.value.segment, raised.value.offset) == (block.segment, block.offset)
        damaged: list[DamageError] = []
        assert len(list(rows.read_many(rows.newest(superseded=True), damaged))) == 183
        assert {error.offset for error in damaged} == {block.offset}


def test_four_processes_at_once_give_the_same_answers(mgit: str, expected: tuple[Any, ...]) -> None:
    code = (
        "import sys; from mgit_hooks.journal.database import open_index\n"
        "for _ in range(10):\n"
        "    with open_index(sys.argv[1], sys.argv[1] + '/journal') as rows:\n"
        "        print(rows.count(), rows.commits())"
    )
    for missing in (True, False):
        if missing:
            database.remove(mgit)
        else:
            Path(mgit, "index.sqlite").write_bytes(b"damaged")
        children = [
            subprocess.Popen([sys.executable, "-c", code, mgit], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(4)
        ]
        for child in children:
            out, error = child.communicate(timeout=60)
            assert (child.returncode, error) == (0, b"")
            assert set(out.splitlines()) == {b"203 200"}
    assert answers(mgit) == expected


@pytest.fixture
def foreign(mgit: str) -> Iterator[str]:
    """The journal in a folder that a user without rights can read and not write."""
    place = tempfile.mkdtemp()
    shutil.copytree(mgit, f"{place}/mgit")
    for folder, _, files in os.walk(place):
        os.chmod(folder, 0o555)  # noqa: S103
        for name in files:
            os.chmod(os.path.join(folder, name), 0o444)
    yield f"{place}/mgit"
    for folder, _, _ in os.walk(place):
        os.chmod(folder, 0o700)
    shutil.rmtree(place)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_may_only_be_read_is_read(foreign: str, expected: tuple[Any, ...], there: bool) -> None:
    if not there:
        database.remove(foreign)
    code = (
        "import os, sys, orjson, snappy\n"  # before the rights to read the package itself may be gone
        "from mgit_hooks.journal.database import open_index\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "with open_index(sys.argv[1], sys.argv[1] + '/journal') as rows: print(rows.count())"
    )
    before = sorted(os.listdir(foreign))
    done = subprocess.run([sys.executable, "-c", code, foreign], capture_output=True)
    assert (done.stdout, done.stderr) == (b"203\n", b"")
    assert sorted(os.listdir(foreign)) == before


def test_the_index_is_for_the_owner_alone(mgit: str) -> None:
    before = os.umask(0)
    try:
        answers(mgit)
    finally:
        os.umask(before)
    assert os.stat(f"{mgit}/index.sqlite").st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"reason": "another reason"}, True),
        ({"name": "refs/heads/other"}, False),
        ({"old_oid": oid(3)}, False),
        ({"old_oid": None}, False),
        ({"new_oid": oid(3)}, False),
        ({"ordinal": 2}, False),
    ],
)
def test_what_makes_a_movement_itself(change: dict[str, Any], same: bool) -> None:
    movement = RefMovement("refs/heads/main", oid(1), oid(2), "commit: x")
    key = index.movement_key("main-worktree", movement, "2026")
    assert (index.movement_key("main-worktree", movement._replace(**change), "2026") == key) is same
    assert index.movement_key("main-worktree", movement, "2027") != key
    # A branch is the repository's, HEAD is the worktree's own.
    assert index.movement_key("worktrees/other", movement, "2026") == key
    head = movement._replace(name="HEAD")
    assert index.movement_key("worktrees/other", head, "2026") != index.movement_key("main-worktree", head, "2026")


@pytest.mark.parametrize("odd", [b"", b"not JSON", b"\xff", b"[]", b"7", b"{}", b'{"event":"commit"'])
def test_a_payload_that_is_no_record_does_not_stop_the_others(mgit: str, odd: bytes) -> None:
    append(f"{mgit}/journal", [odd, commit(950)])
    with open_index(mgit, f"{mgit}/journal") as rows:
        assert rows.count() == 205
        assert rows.seq_of(oid(950)) == 205


# One record's lookup, an index whose bytes are not what was written: never a wrong record


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_gives_no_record_that_was_not_asked_for(mgit: str, seed: int) -> None:
    """The index may then miss a record, or say that it is damaged; it gives none that is false, and heals."""
    dice = random.Random(seed)
    path = Path(mgit, "index.sqlite")
    truth = answers(mgit)
    everything = {stored[0]: stored for stored in truth[-1]}
    sound = path.read_bytes()
    told = 0
    for _ in range(60):
        data = bytearray(sound)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            with open_index(mgit, f"{mgit}/journal") as rows:
                for stored in rows.read_many(rows.newest(superseded=True)):
                    assert everything[stored.seq] == (stored.seq, stored.id, stored.payload)
                for number in range(1, 200, 23):
                    for stored in rows.read_many(rows.by_prefix(oid(number))):
                        assert index.commit_of(stored.payload) == oid(number)
        except JournalError:
            told += 1
        database.remove(mgit)
    assert answers(mgit) == truth
    assert told


def test_a_chunk_of_numbers_that_was_changed_is_told(mgit: str, expected: tuple[Any, ...]) -> None:
    with open_index(mgit, f"{mgit}/journal") as rows:
        (key, first, blob) = rows._db.execute("SELECT * FROM posting ORDER BY length(seqs) DESC LIMIT 1").fetchone()
        changed = blob[:-1] + bytes((blob[-1] ^ 1,))
        rows._db.execute("UPDATE posting SET seqs = ? WHERE key = ? AND first = ?", (changed, key, first))
        (kind, name) = rows._db.execute("SELECT kind, name FROM term WHERE id = ?", (key,)).fetchone()
    assert kind == contents.BRANCH
    with pytest.raises(JournalError, match="damaged"), open_index(mgit, f"{mgit}/journal") as rows:
        list(rows.newest(Filter(branch=name)))
    assert answers(mgit) == expected


KILLED = """
import os, sys
from mgit_hooks.journal import indexing
from mgit_hooks.journal.database import open_index
left = int(sys.argv[2])
def counted(method):
    def run(*args):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return method(*args)
    return run
for name in ("take", "_write", "flush"):
    setattr(indexing.Taker, name, counted(getattr(indexing.Taker, name)))
indexing._BATCH = 10
with open_index(sys.argv[1], sys.argv[1] + "/journal") as rows:
    rows.count()
"""


@pytest.mark.parametrize("anew", [True, False])
@pytest.mark.parametrize("steps", [0, 1, 7, 20])
def test_killed_while_it_advances_it_is_as_it_was(mgit: str, expected: tuple[Any, ...], anew: bool, steps: int) -> None:
    if anew:
        database.remove(mgit)
    append(f"{mgit}/journal", [commit(number) for number in range(300, 900)])
    done = subprocess.run([sys.executable, "-c", KILLED, mgit, str(steps)], capture_output=True)
    assert (done.returncode, done.stderr) == (-9, b"")
    with closing(sqlite3.connect(Path(mgit, "index.sqlite"))) as left:
        tables = left.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        assert (tables == 0) is anew
        assert anew or left.execute("SELECT count(*) FROM record").fetchone()[0] == 203
    grown = answers(mgit)
    assert grown[0] == 803
    database.remove(mgit)
    assert answers(mgit) == grown


def test_an_index_that_was_removed_and_made_anew_is_not_written_by_who_has_the_old_one(
    mgit: str, expected: tuple[Any, ...]
) -> None:
    """Its journal of undone pages would have the name of the new one's."""
    with suppress(JournalError), open_index(mgit, f"{mgit}/journal") as rows:
        database.remove(mgit)
        append(f"{mgit}/journal", [commit(950)])
        now = answers(mgit)
        rows.advance()
        pytest.fail("it advanced a file that is gone")
    assert answers(mgit) == now
