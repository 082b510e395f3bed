"""Anchors against the owner of a journal, who puts it back to any generation or writes it anew from any record."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from reliability import Tally

from mgit_hooks.journal import anchors, identity, repair, writer
from mgit_hooks.journal.anchors import Anchor, Given, Place
from mgit_hooks.journal.findings import Hole
from mgit_hooks.journal.format import Cursor
from mgit_hooks.journal.verify import verify

from . import forging, making

NOW = "2026-11-21T20:00:00+00:00"


def statuses(journal_dir: str, *given: Anchor) -> list[str]:
    place = Place("here", tuple(Given(anchor.text, anchor) for anchor in given))
    report = verify(journal_dir, anchors.watched([place]))
    return [each.status for each in anchors.check(journal_dir, report, [place])]


def generations(path: Path, count: int) -> tuple[str, list[forging.Files], list[Anchor]]:
    """A journal that was appended to ``count`` times: the whole folder after each, and the anchor made then."""
    journal_dir = str(path / "mgit" / "journal")
    folders, made = [], []
    data = making.payloads(2 * count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_TARGET", 300)
        for number in range(count):
            part = data[2 * number : 2 * number + 1 + number % 2]
            making.append(journal_dir, part, Cursor(1, number) if number % 3 else None)
            folders.append(forging.kept(str(path / "mgit")))
            made.append(anchors.of_head(journal_dir, NOW))
    return journal_dir, folders, made


def roll_backs(path: Path, count: int, tally: Tally) -> None:
    """Each generation put back, against every anchor that was made later, and those made by then."""
    journal_dir, folders, made = generations(path, count)
    assert len([name for name in folders[-1] if name.endswith(".seg")]) >= 3
    for number, files in enumerate(folders):
        forging.put_back(str(path / "mgit"), files)
        assert verify(journal_dir).is_clean, "docs/limits.md: without an anchor a roll-back is not found"
        told = statuses(journal_dir, *made)
        tally.lost += [f"put back to {number}: anchor {at} no more" for at in range(number + 1) if told[at] != "holds"]
        tally.silent += [
            f"put back to {number}, anchored at {at}: {told[at]}"
            for at in range(number + 1, count)
            if told[at] != "rolled-back"
        ]
        # The journal that goes on after it has other records under the numbers that were anchored.
        making.append(journal_dir, [b"another %d" % each for each in range(2 * count)])
        told = statuses(journal_dir, *made)
        tally.silent += [
            f"put back to {number} and gone on, anchored at {at}: {told[at]}"
            for at in range(number + 1, count)
            if told[at] != "rewritten"
        ]
        tally.cases += 2 * (count - number - 1)


def rewritings(path: Path, count: int, tally: Tally) -> None:
    """Everything from record k on written anew, for each k, against an anchor at every record."""
    journal_dir, folders, made = generations(path, count)
    last = made[-1].seq
    for first in range(1, last + 1):
        forging.put_back(str(path / "mgit"), folders[-1])
        forging.forge(journal_dir, first, lambda seq, payload: payload)
        report = verify(journal_dir)
        assert (report.is_clean, report.head_seq) == (True, last), "it is written anew without a trace"
        for anchor, status in zip(made, statuses(journal_dir, *made), strict=True):
            tally.cases += 1
            if status != ("rewritten" if first <= anchor.seq else "holds"):
                tally.silent.append(f"written anew from {first}, anchored at {anchor.seq}: {status}")


@pytest.mark.parametrize("family", [roll_backs, rewritings])
def test_what_plain_verify_does_not_find_an_anchor_does(tmp_path: Path, tally: Tally, family) -> None:  # type: ignore[no-untyped-def]
    family(tmp_path, 16, tally)
    tally.check()
    assert tally.cases > 200


@pytest.mark.full
@pytest.mark.parametrize("family", [roll_backs, rewritings])
def test_every_generation_of_a_longer_journal(tmp_path: Path, tally: Tally, family) -> None:  # type: ignore[no-untyped-def]
    family(tmp_path, 140, tally)
    tally.check()


@pytest.mark.parametrize("family", [roll_backs, rewritings])
def test_a_check_of_the_numbers_alone_would_be_caught(
    tmp_path: Path,
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
    family,  # type: ignore[no-untyped-def]
) -> None:
    def of_numbers(anchor: Anchor, report, *_: object) -> str:  # type: ignore[no-untyped-def]
        return "holds" if anchor.seq <= report.head_seq else "rolled-back"

    monkeypatch.setattr(anchors, "_status", of_numbers)
    family(tmp_path, 8, tally)
    assert tally.silent


def test_a_copy_holds_what_was_anchored_before_it_went_on(tmp_path: Path) -> None:
    journal_dir, _, made = generations(tmp_path / "original", 6)
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    copy = str(tmp_path / "copy" / "mgit" / "journal")
    making.append(copy, [b"of the copy"] * 9)
    making.append(journal_dir, [b"of the original"] * 3)
    later, of_copy = anchors.of_head(journal_dir, NOW), anchors.of_head(copy, NOW)
    assert statuses(copy, *made, of_copy) == ["holds"] * 7
    assert statuses(journal_dir, *made, later) == ["holds"] * 7
    assert statuses(copy, later) == ["branched"]
    assert statuses(journal_dir, of_copy) == ["foreign"]


def test_a_moved_journal_is_the_same_and_a_new_one_another(tmp_path: Path) -> None:
    journal_dir, _, made = generations(tmp_path / "first", 4)
    os.rename(tmp_path / "first", tmp_path / "moved")
    moved = str(tmp_path / "moved" / "mgit" / "journal")
    assert statuses(moved, *made) == ["holds"] * 4
    making.append(journal_dir, [b"anew"] * 9)
    assert statuses(journal_dir, *made) == ["foreign"] * 4


def test_what_is_anchored_in_a_mended_hole_cannot_be_told(tmp_path: Path) -> None:
    """But for its last record, whose id stands in what follows; the hole's end is as good an anchor as any."""
    journal_dir = making.small(tmp_path, 20, target=10**6)
    ids = {stored.seq: stored.id.hex() for stored in making.records(journal_dir)}
    journal = identity.read(journal_dir)
    assert journal is not None
    held = [Anchor(journal.journal.hex(), seq, ids[seq]) for seq in (8, 9, 11, 12, 13)]
    block = next(item for item in making.frames(journal_dir) if item.frame.first_seq == 9 and item.frame.records)
    raw = bytearray(Path(journal_dir, block.segment).read_bytes())
    raw[block.end - 1] ^= 1
    making.put(journal_dir, block.segment, bytes(raw))
    repair.mend(journal_dir, dry_run=False)
    holes = [hole.to_json() for hole in verify(journal_dir).holes]
    assert [(hole["first_seq"], hole["last_seq"]) for hole in holes] == [(9, 12)]
    assert statuses(journal_dir, *held) == ["holds", "unknown", "unknown", "holds", "holds"]
    wrong = held[3]._replace(id=held[0].id)
    assert statuses(journal_dir, wrong) == ["rewritten"]
    assert Hole.from_json(holes[0]).words == "records 9 to 12"


def test_the_head_is_anchored_though_its_hint_is_gone(tmp_path: Path) -> None:
    journal_dir, _, made = generations(tmp_path, 5)
    os.unlink(Path(journal_dir, "head"))
    assert anchors.of_head(journal_dir, NOW) == made[-1]
    os.unlink(Path(journal_dir, "identity"))
    assert anchors.of_head(journal_dir, NOW) == made[-1]
    assert statuses(journal_dir, *made) == ["holds"] * 5


TEXT = f"{'ab' * 16}:12:{'cd' * 32}"


@pytest.mark.parametrize(
    ("line", "seq", "made_at"),
    [
        (TEXT, 12, None),
        (f"{TEXT} {NOW}", 12, NOW),
        (f"Mgit-Anchor: {TEXT}", 12, None),
        (f"  {TEXT}\r", 12, None),
        (TEXT.upper(), None, None),
        (TEXT[:-1], None, None),
        (TEXT.replace(":12:", ":0:"), None, None),
        (TEXT.replace(":12:", f":{'9' * 20}:"), None, None),
        (TEXT.replace(":12:", ":١٢:"), None, None),
        ("Mgit-Anchor:", None, None),
    ],
)
def test_a_line_is_an_anchor_or_is_said_to_be_none(line: str, seq: int | None, made_at: str | None) -> None:
    (found,) = anchors.of_lines(["", "# a remark", line])
    assert (found.anchor and found.anchor.seq, found.anchor and found.anchor.made_at) == (seq, made_at)
