"""What the index is asked for: each answer is that of a look at every record, at the cost of a look at a few."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal.making import append

from mgit_hooks.journal import contents, indexing, postings
from mgit_hooks.journal.database import open_index, remove
from mgit_hooks.journal.index import Filter, Index
from mgit_hooks.record import COMMIT_EVENTS, EVENTS, Oid, readable

AUTHORS = ("Ada <ada@x>", "Bob <bob@x>", "Ünal_% <u@y>", "ADA <ada@z>")
PATHS = (b"a", b"a/b", b"a/b/c", b"a.c", b"ab/c", b"z/\xff\xfe", b"z/\xff", "z/é".encode(), b"a/\xf0\x9f\x98\x80")
BRANCHES = ("main", "topic/one", "t\\xff")
NOW = 1_700_000_000
# So many records, and not as many steps of SQLite's machine: a pass over them takes several for each.
COUNT = 12_000


Change = tuple[bytes, bytes | None, str]


class Made:
    """A record's payload, and what it is to be found by."""

    def __init__(
        self,
        event: str,
        author: str,
        paths: list[Change],
        branch: str | None,
        times: tuple[int | None, int],
        number: int,
        invalid: bool,
        bypassed: bool,
    ) -> None:
        self.event, self.author, self.branch, self.invalid, self.bypassed = event, author, branch, invalid, bypassed
        self.paths = {name for name, _, _ in paths} | {old for _, old, how in paths if old and how == "renamed"}
        self.moment = times[0] if times[0] is not None else times[1]
        self.hash = f"{number:040x}"
        name, _, email = author.partition(" <")
        self.is_commit = event in COMMIT_EVENTS
        self.payload = json.dumps(
            {
                "event": event,
                "recorded_at": told_time(times[1]),
                "occurred_at": told_time(times[0]),
                "occurred_from": "commit",
                "worktree": None,
                "branch": branch,
                "gate": {"status": "bypassed" if bypassed else "none", "reason": None},
                "validation": {"level": "standard", "is_valid": not invalid, "issues": []},
                "supersedes": None,
                **({"detail": {"refs": {}, "heads": [], "push": None}} if not self.is_commit else {}),
                **({"commit": {"hash": self.hash, "author_name": name, "author_email": email[:-1],
                               "files": [change(*each) for each in paths]}} if self.is_commit else {}),
            }
        ).encode()  # fmt: skip

    def is_wanted(self, wanted: Filter) -> bool:
        return all(
            (
                not wanted.events or self.event in wanted.events,
                wanted.branch is None or self.branch == wanted.branch,
                wanted.author is None or (self.is_commit and folded(wanted.author) in folded(self.author)),
                not wanted.paths or (self.is_commit and any(self.lies_in(path) for path in wanted.paths)),
                wanted.since is None or self.moment >= wanted.since,
                wanted.until is None or self.moment <= wanted.until,
                not wanted.invalid or self.invalid,
                not wanted.bypassed or self.bypassed,
            )
        )

    def lies_in(self, path: bytes) -> bool:
        return any(each == path or each.startswith(path + b"/") for each in self.paths)


def folded(text: str) -> str:
    """As SQLite's LIKE does it: only letters of ASCII are alike in upper and lower case."""
    return "".join(each.lower() if each.isascii() else each for each in text)


def told_time(second: int | None) -> str | None:
    from mgit_hooks import dates

    return None if second is None else dates.from_git(second, (second % 5 - 2) * 90)


def change(path: bytes, old: bytes | None, how: str) -> dict[str, Any]:
    value: dict[str, Any] = {"change_type": how, "old_filename": None}
    for key, raw in (("filename", path), ("old_filename", old)):
        if raw is not None:
            value[key], encoded = readable(raw)
            if encoded is not None:
                value[f"{key}_bytes"] = b64encode(raw).decode()
    return value


seconds = st.integers(NOW, NOW + 40)
records = st.builds(
    Made,
    st.sampled_from(("commit", "commit", "amend", "import", "checkout", "ref-update")),
    st.sampled_from(AUTHORS),
    st.lists(
        st.tuples(
            st.sampled_from(PATHS),
            st.none() | st.sampled_from(PATHS),
            st.sampled_from(("modified", "renamed", "copied")),
        ),
        max_size=3,
    ),
    st.none() | st.sampled_from(BRANCHES),
    st.tuples(st.none() | seconds | st.sampled_from((-5, 2**40)), seconds),
    st.integers(0, 30),
    st.booleans(),
    st.booleans(),
)
filters = st.builds(
    Filter,
    st.lists(st.sampled_from(("commit", "amend", "checkout", "push")), max_size=3),
    st.none() | st.sampled_from((*BRANCHES, "none")),
    st.none() | st.sampled_from(("ada", "ÜNAL", "Ünal", "_%", "@", "b <", "nobody", "\\")),
    st.lists(st.sampled_from((*PATHS, b"z", b"ab", b"none", b"")), max_size=2).map(
        lambda found: [*filter(None, found)]
    ),
    st.none() | seconds,
    st.none() | seconds,
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(
    made=st.lists(st.lists(records, max_size=12), min_size=1, max_size=5),
    wanted=st.lists(filters, min_size=1, max_size=6),
    small=st.booleans(),
)
def test_every_search_finds_what_a_look_at_all_records_finds(
    made: list[list[Made]], wanted: list[Filter], small: bool
) -> None:
    everything = [record for group in made for record in group]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as mgit:
        if small:  # so that lists have several chunks, times several zones, names are forgotten, batches are many
            patch.setattr(postings, "CHUNK", 3)
            patch.setattr(postings, "ZONE", 4)
            patch.setattr(postings, "_WAITING", 5)
            patch.setattr(postings.Between, "_FEW", 2)
            patch.setattr(indexing, "_NAMES", 2)
            patch.setattr(indexing, "_BATCH", 3)
        for group in made:
            append(f"{mgit}/journal", [record.payload for record in group])
            with open_index(mgit, f"{mgit}/journal") as index:  # advanced step by step
                assert index.count() == index.next_seq() - 1
        for again in (False, True):
            if again:
                remove(mgit)
            with open_index(mgit, f"{mgit}/journal") as index:
                for each in wanted:
                    found = [row.seq for row in index.newest(each)]
                    assert found == [
                        seq for seq in range(len(everything), 0, -1) if everything[seq - 1].is_wanted(each)
                    ]
                for number in range(31):
                    assert_found_by_hash(index, everything, f"{number:040x}")


def assert_found_by_hash(index: Index, made: list[Made], hash: str) -> None:
    seqs = [seq for seq, record in enumerate(made, 1) if record.is_commit and record.hash == hash]
    assert index.seq_of(Oid(hash)) == (seqs[-1] if seqs else None)
    assert index.knows(Oid(hash)) is bool(seqs)
    for digits in (4, 39, 40):
        fits = [seq for seq, record in enumerate(made, 1) if record.is_commit and record.hash.startswith(hash[:digits])]
        assert [row.seq for row in index.by_prefix(hash[:digits])] == fits


# The cost


def numbered(count: int, *, rare: int = 7) -> list[bytes]:
    """Commits among which one author, path, branch, event and time is rare and old."""
    made = []
    for number in range(count):
        odd = number == rare
        author = "Rare <r@x>" if odd else f"A{number % 9} <a{number % 9}@x>"
        paths: list[Change] = [(b"old/one" if odd else b"src/%d" % (number % 50), None, "modified")]
        times = (NOW + number * 60, NOW + number * 60)
        event, branch = ("amend", "rare") if odd else ("commit", "main")
        made.append(Made(event, author, paths, branch, times, number, odd, odd).payload)
    return made


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> str:
    mgit = str(tmp_path_factory.mktemp("many") / "mgit")
    append(f"{mgit}/journal", numbered(COUNT))
    with open_index(mgit, f"{mgit}/journal"):
        return mgit


RARE = {
    "author": Filter(author="rare"),
    "path": Filter(paths=[b"old/one"]),
    "folder": Filter(paths=[b"old"]),
    "branch": Filter(branch="rare"),
    "event": Filter(events=("amend",)),
    "time": Filter(until=NOW + 7 * 60, since=NOW + 7 * 60),
    "invalid": Filter(invalid=True),
    "bypassed": Filter(bypassed=True),
    "author and a common path": Filter(author="rare", events=("amend", "commit")),
    "a common event, an old time": Filter(events=("commit", "amend"), until=NOW + 7 * 60),
    "all": Filter(events=("amend",), branch="rare", author="rare", paths=[b"old"], until=NOW + 3600, invalid=True),
}


class Work:
    """The steps of SQLite's machine, by tens, and the statements that it ran."""

    def __init__(self, index: Index) -> None:
        self.steps = 0
        self.statements: list[str] = []
        self.database: sqlite3.Connection = index._db
        self.database.set_progress_handler(self._step, 10)
        self.database.set_trace_callback(self.statements.append)

    def _step(self) -> int:
        self.steps += 10
        return 0

    def plans(self) -> Iterator[str]:
        self.database.set_trace_callback(None)
        for statement in self.statements:
            for row in self.database.execute(f"EXPLAIN QUERY PLAN {statement}"):
                yield row[3]


@pytest.mark.parametrize("what", RARE)
def test_what_is_rare_and_old_is_found_without_a_pass_over_all(many: str, what: str) -> None:
    with open_index(many, f"{many}/journal") as index:
        work = Work(index)
        found = list(index.newest(RARE[what]))
        assert 8 in [row.seq for row in found]
        assert len(found) <= 8
        assert work.steps < COUNT
        assert not [plan for plan in work.plans() if plan.startswith("SCAN ") and "term" not in plan], what


LOOKUPS: dict[str, Any] = {
    "hash": lambda index: index.seq_of(Oid(f"{77:040x}")),
    "known": lambda index: index.knows(Oid(f"{77:040x}")),
    "prefix": lambda index: index.by_prefix(f"{77:040x}"[:39]),
    "number": lambda index: index.by_seq(77),
    "span": lambda index: index.within(70, 77),
    "movement": lambda index: not index.has_movement(bytes(16)),
    "ref": lambda index: index.last_oid("refs/heads/none") is None,
    "newest": lambda index: list(islice(index.newest(), 20)),
    "newest of a path": lambda index: list(islice(index.newest(Filter(paths=[b"src"])), 20)),
    "newest since": lambda index: list(islice(index.newest(Filter(since=NOW)), 20)),
    "read": lambda index: list(index.read_many(islice(index.newest(), 20))),
}


@pytest.mark.parametrize("what", LOOKUPS)
def test_a_lookup_costs_no_pass_over_all(many: str, what: str) -> None:
    with open_index(many, f"{many}/journal") as index:
        work = Work(index)
        assert LOOKUPS[what](index)
        assert work.steps < COUNT
        assert not [plan for plan in work.plans() if plan.startswith("SCAN ")]


def test_the_measure_of_work_notices_a_pass_over_all(many: str) -> None:
    """The planted bug: a search without an index."""
    with open_index(many, f"{many}/journal") as index:
        work = Work(index)
        assert index._rows("event = (SELECT id FROM term WHERE name = 'amend')")
        assert work.steps > COUNT
        assert [plan for plan in work.plans() if plan.startswith("SCAN record")]


def test_a_search_that_waits_keeps_nobody_from_writing(many: str) -> None:
    """As `log` in a pager does: what is open there must not make the next drain wait."""
    with open_index(many, f"{many}/journal") as index:
        for rows in (index.newest(), index.newest(Filter(events=("commit",)))):
            next(rows)
            other = sqlite3.connect(f"{many}/index.sqlite", timeout=0)
            other.executescript("BEGIN EXCLUSIVE; ROLLBACK;")
            other.close()


def test_the_newest_are_read_without_the_rest(many: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mgit_hooks.journal import reader

    opened: list[int] = []
    block_at = reader.block_at

    def counted(journal_dir: str, segment: str, offset: int, journals: Any) -> Any:
        opened.append(offset)
        return block_at(journal_dir, segment, offset, journals)

    with open_index(many, f"{many}/journal") as index:
        monkeypatch.setattr(reader, "block_at", counted)
        assert len([each.record for each in index.read_many(islice(index.newest(), 20))]) == 20
    assert len(opened) <= 2


def test_memory_is_bounded_by_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "_WAITING", 100)
    monkeypatch.setattr(indexing, "_BATCH", 100)
    monkeypatch.setattr(indexing, "_NAMES", 20)
    sizes: list[int] = []
    take = indexing.Taker.take

    def watched(self: indexing.Taker, *args: Any) -> None:
        take(self, *args)
        sizes.append(max(len(self._rows), len(self._terms), len(self._paths), len(self._people), self._postings._count))

    monkeypatch.setattr(indexing.Taker, "take", watched)
    append(f"{tmp_path}/mgit/journal", numbered(2000))
    with open_index(f"{tmp_path}/mgit", f"{tmp_path}/mgit/journal") as index:
        assert index.count() == 2000
    assert len(sizes) > 20
    assert max(sizes) < 400


# What a record is found by


def test_every_event_there_is_has_a_place(tmp_path: Path) -> None:
    events = sorted(EVENTS)
    made = [Made(each, AUTHORS[0], [], None, (None, NOW), 1, False, False).payload for each in events]
    append(f"{tmp_path}/mgit/journal", made)
    with open_index(f"{tmp_path}/mgit", f"{tmp_path}/mgit/journal") as index:
        for seq, event in enumerate(events, 1):
            assert [row.seq for row in index.newest(Filter(events=(event,)))] == [seq]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T00:00:00+00:00", 1772323200),
        ("2026-03-01T01:30:00+01:30", 1772323200),
        ("2026-03-01T00:00:00.999999+00:00", 1772323200),
        ("1969-12-31T23:59:59.5+00:00", -1),
        ("2026-03-01T00:00:00", 1772323200),
        ("@99999999999999 +0000", 99999999999999),
        ("@-7 -0100", -7),
        ("@ +0000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_moment_of_a_time(text: str, moment: int | None) -> None:
    assert contents.moment_of(text) == moment


ODD = [
    {"event": 7},
    {"event": "commit", "commit": "text"},
    {"event": "commit", "commit": {"hash": "no hexadecimal", "author_name": "x", "author_email": "y"}},
    {"event": "commit", "commit": {"hash": 5}},
    {"event": "commit", "commit": {"hash": "aa", "author_name": ["list"], "author_email": "y"}},
    {"event": "commit", "commit": {"hash": "aa", "author_name": "x", "author_email": "y", "files": [7, {}]}},
    {"event": "commit", "branch": ["list"]},
    {"event": "commit", "refs": [7]},
    {"event": "commit", "occurred_at": 9, "supersedes": "x"},
    {"event": "snapshot", "detail": 7},
    {"event": "push-outcome", "detail": {}},
    {"event": "erase", "detail": {"erased": 7}},
    {"event": "erase", "detail": {"erased": [{"seq": "x"}, {"seq": 10**30}, 7]}},
    {"event": "erase", "detail": None},
    {"event": "commit", "original": {"event": {}}},
]


@pytest.mark.parametrize("value", ODD)
def test_a_record_of_no_known_form_is_there_and_stops_no_other(tmp_path: Path, value: dict[str, Any]) -> None:
    sound = Made("commit", AUTHORS[0], [(b"a", None, "added")], None, (None, NOW), 9, False, False)
    surrogate = b'{"event":"commit","branch":"\\ud800"}'
    append(f"{tmp_path}/mgit/journal", [json.dumps(value).encode(), sound.payload, surrogate])
    with open_index(f"{tmp_path}/mgit", f"{tmp_path}/mgit/journal") as index:
        assert index.count() == 3
        assert [row.seq for row in index.newest(Filter(author="ada", paths=[b"a"]))] == [2]
        assert index.seq_of(Oid(sound.hash)) == 2


def test_a_fallback_record_is_found_by_what_it_stands_for(tmp_path: Path) -> None:
    sound = Made("commit", AUTHORS[0], [(b"a/b", None, "added")], "main", (None, NOW), 9, False, False)
    minimal = {"event": "snapshot", "original": json.loads(sound.payload), "recorded_at": told_time(NOW)}
    append(f"{tmp_path}/mgit/journal", [json.dumps(minimal).encode()])
    with open_index(f"{tmp_path}/mgit", f"{tmp_path}/mgit/journal") as index:
        assert [row.hash for row in index.newest(Filter(paths=[b"a"], branch="main"))] == [sound.hash]
        assert index.began() is None


def test_advancing_asks_for_no_lock_where_nothing_is_new(many: str) -> None:
    other = sqlite3.connect(f"{many}/index.sqlite", timeout=0)
    other.execute("BEGIN IMMEDIATE")
    try:
        with open_index(many, f"{many}/journal") as index:
            index.advance()
            assert index.count() == COUNT
    finally:
        other.close()
