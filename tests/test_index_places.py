"""The index while segments are rewritten, harmed, mended and taken away under it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journal.making import adopted, append, frames, put, records, segment_bytes
from journal.test_compaction import compact, roll

from mgit_hooks.errors import DamageError
from mgit_hooks.journal import compaction, database, indexing, places, reader, swap, writer
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.format import BLOCK
from mgit_hooks.journal.index import Filter
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.record import Seq


def payloads(first: int, count: int) -> list[bytes]:
    return [
        json.dumps(
            {
                "event": "commit",
                "recorded_at": f"2026-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}+00:00",
                "branch": f"b{number % 3}",
                "commit": {
                    "hash": f"{number:040x}",
                    "author_name": f"Person {number % 5}",
                    "author_email": "p@x",
                    "files": [{"filename": f"d{number % 4}/f{number % 11}", "change_type": "modified"}],
                },
            }
        ).encode()
        for number in range(first, first + count)
    ]


def grow(mgit: str, first: int, count: int, *, each: int = 7, target: int = 3000) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", target)
        for start in range(first, first + count, each):
            append(f"{mgit}/journal", payloads(start, min(each, first + count - start)))


@pytest.fixture
def mgit(tmp_path: Path) -> str:
    made = str(tmp_path / "mgit")
    grow(made, 1, 300)
    assert len(segment_names(f"{made}/journal")) > 5
    return made


def answers(mgit: str) -> tuple[Any, ...]:
    with open_index(mgit, f"{mgit}/journal") as index:
        return (
            index.next_seq(),
            [(each.seq, each.id, each.payload) for each in index.read_many(index.newest())],
            [row.seq for row in index.newest(Filter(author="person 3", paths=[b"d1"]))],
            [[row.seq for row in index.by_prefix(f"{number:040x}")] for number in range(0, 400, 9)],
        )


def truth(mgit: str) -> list[tuple[Any, ...]]:
    return [(each.seq, each.id, each.payload) for each in reversed(records(f"{mgit}/journal"))]


def assert_true(mgit: str) -> None:
    """What the index says is what the journal says, and what an index says that is made anew."""
    told = answers(mgit)
    assert told[1] == truth(mgit)
    kept = Path(mgit, "index.sqlite").read_bytes()
    database.remove(mgit)
    assert answers(mgit) == told
    Path(mgit, "index.sqlite").write_bytes(kept)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first seq of each run of records that an index takes in."""
    seen: list[int] = []
    take = indexing.Taker.take

    def watched(self: indexing.Taker, first_seq: int, payloads: Any) -> None:
        seen.append(first_seq)
        take(self, first_seq, payloads)

    monkeypatch.setattr(indexing.Taker, "take", watched)
    return seen


# Rewritten with the same records


def test_after_a_compaction_only_the_places_are_read_again(mgit: str, taken: list[int]) -> None:
    before = answers(mgit)
    taken.clear()
    assert compact(f"{mgit}/journal").done
    assert answers(mgit) == before
    assert taken == []
    assert_true(mgit)


def test_between_lookup_and_read_a_segment_may_be_swapped(mgit: str) -> None:
    with open_index(mgit, f"{mgit}/journal") as index:
        rows = list(index.newest())
        first = index.by_seq(1)
        compact(f"{mgit}/journal")
        assert [(each.seq, each.id, each.payload) for each in index.read_many(rows)] == truth(mgit)
        assert first is not None
        assert index.read(first).seq == 1
    assert_true(mgit)


def test_a_header_that_claims_too_much_sends_nobody_astray(mgit: str) -> None:
    """No more than the claim is wrong: the block after it is the one that holds the record."""
    first, second = [item for item in frames(f"{mgit}/journal") if item.frame.kind == BLOCK][:2]
    path = Path(mgit, "journal", first.segment)
    data = bytearray(path.read_bytes())
    data[first.offset + 10] = 64  # its number of records
    path.write_bytes(data)
    seq = second.frame.first_seq
    block = places.find(f"{mgit}/journal", int(first.segment[:8]), seq)
    assert block is not None
    assert block.first_seq == seq
    assert places.find(f"{mgit}/journal", int(first.segment[:8]), first.frame.first_seq) is None


def test_a_block_is_found_by_the_headers_alone(mgit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    last = [item for item in frames(f"{mgit}/journal") if item.frame.kind == BLOCK][-1]
    monkeypatch.setattr(places, "scan", None)
    block = places.find(f"{mgit}/journal", int(last.segment[:8]), last.frame.first_seq)
    assert block is not None
    assert block.offset == last.offset


def test_without_a_second_look_a_swapped_segment_would_fail_readers(mgit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: the test above notices it."""
    monkeypatch.setattr(places, "find", lambda *_: None)
    with open_index(mgit, f"{mgit}/journal") as index:
        rows = list(index.newest())
        compact(f"{mgit}/journal")
        with pytest.raises(DamageError):
            list(index.read_many(rows))


@pytest.mark.parametrize("before", [3, 7, 64, 150])
@pytest.mark.parametrize("more", [0, 1, 5, 64, 200])
def test_the_place_where_the_index_ended_may_be_in_another_block_by_now(
    tmp_path: Path, taken: list[int], before: int, more: int
) -> None:
    """Indexed halfway through a segment, which is then sealed and compacted: blocks of 64 straddle that place."""
    mgit = str(tmp_path / "mgit")
    grow(mgit, 1, before, each=3, target=10**9)
    answers(mgit)
    end = before + 1
    grow(mgit, end, more, each=3, target=10**9)
    roll(f"{mgit}/journal")
    taken.clear()
    assert compact(f"{mgit}/journal").done
    assert answers(mgit)[0] == end + more
    assert set(taken) <= set(range(end, end + more)), "only what is new is taken in"
    assert bool(taken) == bool(more)
    assert_true(mgit)
    grow(mgit, end + more, 20)
    assert_true(mgit)


def test_a_segment_that_is_swapped_while_the_index_reads_it_costs_a_second_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mgit = str(tmp_path / "mgit")
    grow(mgit, 1, 100, each=3, target=10**9)
    answers(mgit)
    grow(mgit, 101, 30, each=3, target=10**9)
    roll(f"{mgit}/journal")
    frames_of = reader.frames_of
    done: list[int] = []

    def late(journal_dir: str, name: str, *args: Any) -> Any:
        """Another process swaps the segment after it was looked at, before it is opened."""
        if not done:
            done.append(len(compact(journal_dir).done))
        return frames_of(journal_dir, name, *args)

    monkeypatch.setattr(reader, "frames_of", late)
    answers(mgit)
    assert done == [1]
    assert_true(mgit)


def test_a_segment_that_goes_while_the_index_reads_makes_no_error(mgit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames_of = reader.frames_of
    name = segment_names(f"{mgit}/journal")[2]

    def late(journal_dir: str, *args: Any) -> Any:
        if args[0] == name and os.path.exists(f"{journal_dir}/{name}"):
            os.unlink(f"{journal_dir}/{name}")
        return frames_of(journal_dir, *args)

    monkeypatch.setattr(reader, "frames_of", late)
    assert answers(mgit)[1] == truth(mgit)


# Harmed, mended, another


def test_a_harmed_segment_keeps_its_rows_so_that_readers_are_told_and_repair_knows(mgit: str) -> None:
    journal = f"{mgit}/journal"
    answers(mgit)
    block = [item for item in frames(journal) if item.frame.kind == BLOCK][4]
    data = segment_bytes(journal)[block.segment]
    put(journal, block.segment, data[: block.end - 1] + bytes((data[block.end - 1] ^ 1,)) + data[block.end :])
    lost = range(block.frame.first_seq, block.frame.first_seq + block.frame.records)
    with open_index(mgit, journal) as index:
        damaged: list[DamageError] = []
        read = [each.seq for each in index.read_many(index.newest(), damaged)]
        assert set(range(1, 301)) - set(read) == set(lost)
        assert [(each.segment, each.offset) for each in damaged] == [(block.segment, block.offset)]
    with database.lost_commits(mgit, [(lost[0], lost[-1])]) as commits:
        assert list(commits or ()) == [f"{number:040x}" for number in lost]


def test_a_cut_segment_keeps_its_rows(mgit: str) -> None:
    journal = f"{mgit}/journal"
    answers(mgit)
    name = segment_names(journal)[1]
    put(journal, name, segment_bytes(journal)[name][:-100])
    with open_index(mgit, journal) as index:
        damaged: list[DamageError] = []
        assert len(list(index.read_many(index.newest(), damaged))) == 293
        assert len(damaged) == 1


CHANGES: dict[str, Callable[[str, str, bytes, list[Any]], None]] = {
    "a block taken out, as repair does": lambda journal, name, data, blocks: put(
        journal, name, data[: blocks[1].offset] + data[blocks[1].end :]
    ),
    "a block put in twice": lambda journal, name, data, blocks: put(
        journal, name, data[: blocks[1].end] + data[blocks[1].offset :]
    ),
    "a later block ahead of its place": lambda journal, name, data, blocks: put(
        journal,
        name,
        data[: blocks[1].offset] + data[blocks[2].offset : blocks[2].end] + data[blocks[1].offset :],
    ),
    "the whole segment gone": lambda journal, name, data, blocks: os.unlink(f"{journal}/{name}"),
    "an earlier segment in its place": lambda journal, name, data, blocks: put(
        journal, name, segment_bytes(journal)["00000001.seg"]
    ),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("number", [1, -2])
def test_what_is_no_more_what_it_was_is_noticed(mgit: str, what: str, number: int) -> None:
    journal = f"{mgit}/journal"
    answers(mgit)
    name = segment_names(journal)[number]
    CHANGES[what](
        journal, name, segment_bytes(journal)[name], [i for i in frames(journal, name) if i.frame.kind == BLOCK]
    )
    assert_true(mgit)


def test_a_roll_back_of_the_whole_folder_is_noticed(mgit: str) -> None:
    journal = f"{mgit}/journal"
    old = {name: Path(journal, name).read_bytes() for name in os.listdir(journal)}
    grow(mgit, 301, 100)
    answers(mgit)
    for name in os.listdir(journal):
        os.unlink(f"{journal}/{name}")
    for name, data in old.items():
        Path(journal, name).write_bytes(data)
    assert_true(mgit)


def test_a_fork_of_the_journal_is_noticed_though_all_numbers_and_sizes_are_the_same(mgit: str) -> None:
    journal = f"{mgit}/journal"
    answers(mgit)
    before = segment_bytes(journal)
    for name in os.listdir(journal):
        os.unlink(f"{journal}/{name}")
    grow(mgit, 1, 300)  # the same records, under other salts
    assert {name: len(data) for name, data in segment_bytes(journal).items()}.keys() == before.keys()
    assert_true(mgit)


def test_a_segment_that_comes_back_is_noticed(mgit: str) -> None:
    journal = f"{mgit}/journal"
    name = segment_names(journal)[2]
    data = segment_bytes(journal)[name]
    os.unlink(f"{journal}/{name}")
    assert len(answers(mgit)[1]) < 300
    put(journal, name, data)
    assert_true(mgit)
    assert answers(mgit)[0] == 301


# At once


LOOKING = """
import sys
from mgit_hooks.journal.database import open_index
from mgit_hooks.journal.index import Filter
mgit = sys.argv[1]
for _ in range(25):
    with open_index(mgit, mgit + "/journal") as index:
        read = [each.seq for each in index.read_many(index.newest())]
        assert read == list(range(read[0], 0, -1)), len(read)
        assert len(read) >= 300
        rows = list(index.newest(Filter(author="person 3")))
        assert len(list(index.read_many(rows))) == len(rows) >= 60
print("looked")
"""


def test_lookups_while_another_process_appends_and_compacts(mgit: str) -> None:
    journal = f"{mgit}/journal"
    readers = [
        subprocess.Popen([sys.executable, "-c", LOOKING, mgit], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    compacted, number = 0, 301
    while any(child.poll() is None for child in readers):
        grow(mgit, number, 20)
        number += 20
        for name in compaction.waiting(journal)[:1]:
            with swap.maintenance(journal):
                compacted += len(compaction.compact(journal, [name]).done)
    for child in readers:
        out, error = child.communicate()
        assert (child.returncode, out, error) == (0, b"looked\n", b"")
    assert compacted > 3
    assert_true(mgit)


# Erased


def with_erased(journal: str, seq: int) -> None:
    """Rewrite the segment that holds a record without its payload, as ``erase`` does."""
    from mgit_hooks.journal.blockformat import block_entries, block_frame, frame_cursor
    from mgit_hooks.journal.format import segment_info

    for name in segment_names(journal):
        own = [item.frame for item in frames(journal, name)]
        made = []
        for frame in own:
            if frame.kind == BLOCK and frame.first_seq <= seq < frame.first_seq + frame.records:
                entries = block_entries(frame)
                at = seq - frame.first_seq
                entries[at] = entries[at]._replace(payload=None, salt=None)
                made.append(block_frame(entries, frame.first_seq, frame.previous, frame_cursor(frame), 0))
            else:
                made.append(frame)
        if made != own:
            swap.swap(journal, swap.source(journal, name), made, segment_info(own[0]).journal, lambda _: 0)


def erase_record(seq: int, *, commit: str | None, **also: Any) -> bytes:
    erased = [{"seq": seq, "id": "00" * 32, "commit": commit}]
    detail = {"erased": erased, "by": "Ada", "reason": "a secret", **also}
    return json.dumps({"event": "erase", "recorded_at": "2026-02-03T00:00:00+00:00", "detail": detail}).encode()


SECRET = {
    "event": "commit",
    "recorded_at": "2026-01-01T00:00:00+00:00",
    "branch": "hunter2-branch",
    "commit": {
        "hash": "ab" * 20,
        "author_name": "hunter2-author",
        "author_email": "x@y",
        "files": [{"filename": "hunter2-folder/hunter2-file", "change_type": "added"}],
    },
}


@pytest.mark.parametrize("order", ["indexed before", "declared and not yet gone", "all at once", "made anew"])
def test_an_erased_record_is_known_and_nothing_of_it_is_left(mgit: str, order: str) -> None:
    journal = f"{mgit}/journal"
    append(journal, [json.dumps(SECRET).encode()])
    grow(mgit, 302, 40)
    roll(journal)
    if order == "indexed before":
        answers(mgit)
        assert b"hunter2" in Path(mgit, "index.sqlite").read_bytes()
    append(journal, [erase_record(301, commit="ab" * 20)])
    if order == "declared and not yet gone":
        answers(mgit)
    with_erased(journal, 301)
    if order == "made anew":
        database.remove(mgit)
    with open_index(mgit, journal) as index:
        assert index.knows("ab" * 20)  # type: ignore[arg-type]
        (row,) = index.by_prefix("abab")
        assert (row.seq, row.event) == (301, None)
        assert index.erasure(301) == 342
        assert index.erasure(300) is None
        assert index.read(row).payload is None
        for wanted in (
            Filter(author="hunter2"),
            Filter(branch="hunter2-branch"),
            Filter(paths=[b"hunter2-folder"]),
        ):
            assert list(index.newest(wanted)) == []
        assert len(list(index.newest(Filter(events=("commit",))))) == 340
        assert index.next_seq() == 343
    assert b"hunter2" not in Path(mgit, "index.sqlite").read_bytes()
    with database.lost_commits(mgit, [(301, 301)]) as commits:
        assert list(commits or ()) == ["ab" * 20]
    assert_true(mgit)


def test_without_secure_deletion_the_text_would_stay_in_the_file(mgit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: rows go, and their bytes stay in free pages."""
    connect = database._connect

    def careless(path: str) -> Any:
        connection = connect(path)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(database, "_connect", careless)
    append(f"{mgit}/journal", [json.dumps(SECRET).encode()])
    answers(mgit)
    append(f"{mgit}/journal", [erase_record(301, commit="ab" * 20)])
    answers(mgit)
    assert b"hunter2" in Path(mgit, "index.sqlite").read_bytes()


def test_a_repair_record_declares_an_erasure_too_and_the_first_word_counts(mgit: str) -> None:
    journal = f"{mgit}/journal"
    repair = {"event": "repair", "detail": {"holes": [], "erased": [{"seq": 9}, {"seq": 10}]}}
    append(journal, [erase_record(10, commit=f"{10:040x}"), json.dumps(repair).encode()])
    with_erased(journal, 9)
    with_erased(journal, 10)
    with open_index(mgit, journal) as index:
        assert [index.erasure(seq) for seq in (9, 10)] == [302, 301]
        assert index.knows(f"{10:040x}")  # type: ignore[arg-type]
        assert not index.knows(f"{9:040x}")  # type: ignore[arg-type]  # nothing says which commit that was


def test_a_record_that_stands_in_for_another_repeats_its_movements_and_moves_no_ref(mgit: str) -> None:
    from mgit_hooks.record import Oid, RefMovement

    def moved(old: int, new: int, **also: Any) -> bytes:
        move = {"name": "refs/heads/x", "old_oid": f"{old:040x}", "new_oid": f"{new:040x}", "reason": None}
        value = {"event": "ref-update", "worktree": None, "occurred_at": "2026", "occurred_from": "reflog", **also}
        return json.dumps({**value, "refs": [move]}).encode()

    append(f"{mgit}/journal", [moved(1, 2, occurred_at="2025"), moved(2, 3), moved(1, 2, supersedes=301)])
    with open_index(mgit, f"{mgit}/journal") as index:
        assert index.last_oid("refs/heads/x") == (f"{3:040x}",)
        again = RefMovement("refs/heads/x", Oid(f"{1:040x}"), Oid(f"{2:040x}"), None)
        assert index.has_movement(indexing.movement_key(None, again, "2026"))
        assert index.has_movement(indexing.movement_key(None, again, "2025"))
        assert [row.seq for row in index.newest()][:2] == [303, 302]
        assert index.by_seq(301) == (Seq(301), "ref-update", None)


def test_journal_of_a_copied_repository_goes_on(mgit: str, tmp_path: Path) -> None:
    """Its new segments stand under another id than those that the index knows."""
    import shutil

    answers(mgit)
    copy = str(tmp_path / "copy")
    shutil.copytree(mgit, copy)
    with writer.appender(f"{copy}/journal", adopted) as journal:
        journal.append(payloads(302, 10))
        journal.sync()
    assert answers(copy)[0] == 312
    assert_true(copy)
