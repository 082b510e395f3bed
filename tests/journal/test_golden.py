"""Journals as earlier versions wrote them are read for ever. These files are never made anew.

``v1-plain``: several segments, all codecs, a masked body, an erased record. ``v1-damaged``: a block lost,
its hole declared, a torn tail. ``v1-adopted``: a copy that goes on under an id of its own. ``v2-plain`` and
``v2-damaged``: the same of a journal whose sealed segments are compacted, with a masked body of zstd.
"""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from second_reader import read as read_again

from journal.making import append, quarantined, records
from mgit_hooks.journal import compaction, reader
from mgit_hooks.journal.format import MASKED, SEGMENT, Cursor, segment_info
from mgit_hooks.journal.segment import Located
from mgit_hooks.journal.verify import verify

GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("v*-*.json"))


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    value = json.loads(request.param.read_text())
    journal = tmp_path / "mgit" / "journal"
    journal.mkdir(parents=True)
    for name, data in value["files"].items():
        (journal / name).write_bytes(b64decode(data))
    return str(journal), value


def expected(value: dict[str, Any]) -> list[tuple[int, str, bytes | None]]:
    return [(seq, id, None if data is None else b64decode(data)) for seq, id, data in value["records"]]


def test_an_old_journal_is_read_as_it_always_was(golden: tuple[str, dict[str, Any]]) -> None:
    journal, value = golden
    assert [(stored.seq, stored.id.hex(), stored.payload) for stored in records(journal)] == expected(value)
    assert read_again(journal) == expected(value)
    assert reader.last_cursor(journal) == Cursor(*value["cursor"])
    found = verify(journal).to_json()
    assert {name: found[name] for name in value["verify"]} == value["verify"]


def test_an_old_journal_can_be_appended_to(golden: tuple[str, dict[str, Any]]) -> None:
    journal, value = golden
    damaged = len(verify(journal).damaged)
    (done,) = append(journal, [b"by this version"])
    # Unpacked here it is a copy: it has adopted itself first.
    assert done.seq == value["verify"]["head"]["seq"] + 2
    assert [(stored.seq, stored.id.hex(), stored.payload) for stored in records(journal)][:-2] == expected(value)
    assert len(verify(journal).damaged) == damaged
    assert bool(quarantined(journal)) is (value["verify"]["torn_tail"] is not None)


def test_an_old_journal_can_be_compacted(golden: tuple[str, dict[str, Any]]) -> None:
    journal, _ = golden
    append(journal, [b"by this version"])
    damaged = {item.segment for item in verify(journal).damaged}
    before = records(journal)
    for _ in range(2):  # the second finds nothing to do
        done = compaction.compact(journal, compaction.waiting(journal))
        assert {error.segment for error in done.refused} <= damaged
        assert records(journal) == before
        assert read_again(journal) == [(stored.seq, stored.id.hex(), stored.payload) for stored in before]
    assert done.done == ()
    assert set(compaction.waiting(journal)) <= damaged


CODECS = {
    "v1-adopted": {0, 1},
    "v1-damaged": {0, 1},
    "v1-plain": {0, 1},
    "v2-damaged": {0, 1, 2},
    "v2-plain": {0, 1, 2},
}


def test_the_golden_journals_hold_what_they_are_there_for(golden: tuple[str, dict[str, Any]]) -> None:
    journal, value = golden
    assert [path.stem for path in GOLDEN] == list(CODECS)
    name = next(path.stem for path in GOLDEN if json.loads(path.read_text()) == value)
    frames = [item.frame for item in reader.frames(journal) if isinstance(item, Located)]
    assert {frame.codec & ~MASKED for frame in frames} == CODECS[name]
    versions = {segment_info(frame).version for frame in frames if frame.kind == SEGMENT}
    assert versions == ({1} if name.startswith("v1") else {1, 2})
    if name.endswith("plain"):
        assert value["verify"]["erased"] == 1
        masked = {frame.codec & ~MASKED for frame in frames if frame.codec & MASKED}
        assert masked == ({2} if name.startswith("v2") else masked)
        assert masked
