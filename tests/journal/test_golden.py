"""Journals as earlier versions wrote them are read for ever. These files are never made anew.

``v1-plain``: several segments, all codecs, a masked body, an erased record. ``v1-damaged``: a block lost,
its hole declared, a torn tail. ``v1-adopted``: a copy that goes on under an id of its own.
"""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from second_reader import read as read_again

from journal.making import append, quarantined, records
from mgit_hooks.journal import reader
from mgit_hooks.journal.format import MASKED, Cursor
from mgit_hooks.journal.segment import Located
from mgit_hooks.journal.verify import verify

GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("v1-*.json"))


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


def test_the_golden_journals_hold_what_they_are_there_for(tmp_path: Path) -> None:
    assert [path.stem for path in GOLDEN] == ["v1-adopted", "v1-damaged", "v1-plain"]
    plain = json.loads(GOLDEN[2].read_text())
    for name, data in plain["files"].items():
        (tmp_path / name).write_bytes(b64decode(data))
    codecs = {item.frame.codec for item in reader.frames(str(tmp_path)) if isinstance(item, Located)}
    assert {0, 1} < codecs
    assert any(codec & MASKED for codec in codecs)
    assert plain["verify"]["erased"] == 1
