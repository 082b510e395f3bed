"""The judgement over a whole journal, and what it counts as mended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from journal.making import append, frames, put, records, segment_bytes, small
from mgit_hooks.journal.findings import Hole, Report
from mgit_hooks.journal.format import BLOCK, FOOTER, GENESIS
from mgit_hooks.journal.segment import Damage
from mgit_hooks.journal.verify import exists, verify


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return small(tmp_path, 30)


def wound(journal: str, number: int) -> tuple[int, int]:
    """Flip a bit in the block of that number; the seqs that it held."""
    block = [item for item in frames(journal) if item.frame.kind == BLOCK][number]
    data = segment_bytes(journal)[block.segment]
    at = block.end - 2
    put(journal, block.segment, data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :])
    return block.frame.first_seq, block.frame.first_seq + block.frame.records - 1


def test_a_sound_journal(journal: str) -> None:
    report = verify(journal)
    value = report.to_json()
    assert report.is_clean
    assert value["records"] == 30
    assert value["segments"] == len(segment_bytes(journal)) == 3
    assert value["head"] == {"seq": 30, "id": records(journal)[-1].id.hex()}
    assert (value["damaged"], value["missing_seq"], value["mended"]) == ([], [], [])
    assert value["chain_intact"] is True
    assert value["torn_tail"] is None
    assert len(bytes.fromhex(value["journal"])) == 16


def test_no_journal_is_clean_and_has_the_first_head(tmp_path: Path) -> None:
    report = verify(str(tmp_path / "none"))
    assert report.is_clean
    assert (report.records, report.head_seq, report.head_id) == (0, 0, GENESIS.hex())
    assert not exists(str(tmp_path / "none"))


def test_damage_is_located_and_its_hole_says_what_adjoins_it(journal: str) -> None:
    true = records(journal)
    first, last = wound(journal, 2)
    report = verify(journal)
    (damage,) = report.damaged
    assert damage.kind == "bad-checksum"
    assert report.holes == (Hole(first, last, true[first - 2].id.hex(), true[last - 1].id.hex()),)
    assert report.to_json()["missing_seq"] == [[first, last]]
    assert report.chain_intact
    assert report.records == 30 - (last - first + 1)


def test_a_hole_that_a_repair_record_declares_is_mended(journal: str) -> None:
    wound(journal, 2)
    holes = [hole.to_json() for hole in verify(journal).holes]
    append(journal, [json.dumps({"event": "repair", "detail": {"holes": holes}}, separators=(",", ":")).encode()])
    report = verify(journal)
    assert report.holes == ()
    assert [hole.to_json() for hole in report.mended] == holes
    assert not report.is_clean  # the damaged bytes are still there


@pytest.mark.parametrize("name", ["first_seq", "last_seq", "before", "after"])
def test_a_hole_that_differs_from_the_declared_one_is_not(journal: str, name: str) -> None:
    wound(journal, 2)
    (hole,) = (hole.to_json() for hole in verify(journal).holes)
    hole[name] = hole[name] + 1 if isinstance(hole[name], int) else GENESIS.hex()
    append(journal, [json.dumps({"event": "repair", "detail": {"holes": [hole]}}, separators=(",", ":")).encode()])
    assert len(verify(journal).holes) == 1
    assert verify(journal).mended == ()


@pytest.mark.parametrize(
    "payload",
    [b'{"event":"repair"', b'{"event":"repair"}', b'{"event":"repair","detail":null}',
     b'{"event":"repair","detail":[]}',
     b'{"event":"repair","detail":{"holes":[{}]}}', b'{"event":"repair","detail":{"holes":[7]}}',
     b'{"event":"repair","detail":{"holes":null}}', b'{"event":"repair","detail":{"holes":[{"first_seq":[]}]}}'],
)  # fmt: skip
def test_a_record_that_only_looks_like_a_repair_declares_nothing(journal: str, payload: bytes) -> None:
    append(journal, [payload])
    assert verify(journal).is_clean


def test_a_segment_without_its_footer_is_found(journal: str) -> None:
    footer = next(item for item in frames(journal) if item.frame.kind == FOOTER)
    data = segment_bytes(journal)[footer.segment]
    put(journal, footer.segment, data[: footer.offset])
    (damage,) = verify(journal).damaged
    assert (damage.segment, damage.offset, damage.length, damage.kind) == (
        footer.segment,
        footer.offset,
        0,
        "no-footer",
    )


def test_a_lost_cursor_at_the_end_is_found(tmp_path: Path) -> None:
    journal = small(tmp_path, 4, group=4)  # a block, then a cursor frame
    item = frames(journal)[-1]
    os.truncate(os.path.join(journal, item.segment), item.offset)
    (damage,) = verify(journal).damaged
    assert (damage.offset, damage.length, damage.kind) == (item.offset, item.frame.length, "cut-short")


def test_verify_changes_nothing(journal: str) -> None:
    wound(journal, 1)
    os.truncate(os.path.join(journal, "00000003.seg"), 130)
    before = {path: path.stat() for path in Path(journal).parent.rglob("*")}
    verify(journal)
    assert {path: path.stat() for path in Path(journal).parent.rglob("*")} == before


# The report


HOLE, OTHER = Hole(3, 3, "aa", "bb"), Hole(5, 9, "cc", "dd")
WOUND = Damage("00000001.seg", 12, 34, "bad-checksum", at_end=True)
REPORT = Report(
    journal="00ff", records=7, segments=2, damaged=(), holes=(), mended=(), chain_intact=True, head_seq=8, head_id="ee",
    torn_tail=None, erased=4, archived=(), unerased=(), undeclared=(), watched={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "clean"),
    [
        ({}, True),
        ({"damaged": (WOUND,)}, False),
        ({"holes": (HOLE,)}, False),
        ({"chain_intact": False}, False),
        ({"unerased": (3,)}, False),
        ({"undeclared": (3,)}, False),
        ({"mended": (HOLE,), "archived": (OTHER,), "torn_tail": WOUND, "watched": {1: "ab"}}, True),
    ],
)
def test_what_counts_as_clean(found: dict[str, Any], clean: bool) -> None:
    assert REPORT._replace(**found).is_clean is clean


def test_the_report_as_json() -> None:
    wound = {"segment": "00000001.seg", "offset": 12, "length": 34, "kind": "bad-checksum"}
    report = REPORT._replace(
        damaged=(WOUND,), holes=(HOLE, OTHER), mended=(OTHER,), torn_tail=WOUND, archived=(HOLE,), unerased=(1, 2),
        undeclared=(6,),
    )  # fmt: skip
    assert report.to_json() == {
        "journal": "00ff",
        "records": 7,
        "segments": 2,
        "damaged": [wound],
        "missing_seq": [[3, 3], [5, 9]],
        "mended": [{"first_seq": 5, "last_seq": 9, "before": "cc", "after": "dd"}],
        "chain_intact": True,
        "head": {"seq": 8, "id": "ee"},
        "torn_tail": wound,
        "erased": 4,
        "archived": [{"first_seq": 3, "last_seq": 3, "before": "aa", "after": "bb"}],
        "unerased": [1, 2],
        "undeclared": [6],
    }
    assert REPORT.to_json()["torn_tail"] is None


def test_holes_in_words() -> None:
    assert (HOLE.words, OTHER.words) == ("record 3", "records 5 to 9")


def test_a_journal_is_a_folder_with_segments(tmp_path: Path, journal: str) -> None:
    assert exists(journal)
    (tmp_path / "empty").mkdir()
    assert not exists(str(tmp_path / "empty"))
    assert not exists(str(tmp_path / "none"))
    (tmp_path / "empty" / "head").touch()
    assert not exists(str(tmp_path / "empty"))
