"""``head`` and ``identity``: what is not of their form is not there, whatever its checksum says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from mgit_hooks.journal import identity
from mgit_hooks.journal.format import JournalId

GOOD = {
    "seq": 3,
    "id": "ab" * 32,
    "segment": "00000001.seg",
    "offset": 94,
    "end": 300,
    "first_seq": 1,
    "cursor": [1, 20],
}


def put(path: Path, value: Any) -> None:
    if isinstance(value, dict):
        check = google_crc32c.value(json.dumps(value, sort_keys=True).encode())
        value = {**value, "check": check}
    path.write_text(json.dumps(value))


def test_a_head_as_it_is_written(tmp_path: Path) -> None:
    put(tmp_path / "head", GOOD)
    head = identity.read_head(str(tmp_path))
    assert head is not None
    assert head._asdict() == {**GOOD, "id": b"\xab" * 32, "cursor": (1, 20)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": "3"},
        {"seq": -1},
        {"seq": True},
        {"seq": 1 << 64},
        {"offset": None},
        {"end": 1.5},
        {"first_seq": []},
        {"id": "ab"},
        {"segment": "../../../etc/passwd"},
        {"segment": 7},
        {"segment": "1.seg"},
        {"cursor": [1]},
        {"cursor": [1, "x"]},
        {"cursor": 5},
        {"more": 1},
    ],
)
def test_a_head_with_values_that_no_writer_gives(tmp_path: Path, wrong: dict[str, Any]) -> None:
    put(tmp_path / "head", {**GOOD, **wrong})
    assert identity.read_head(str(tmp_path)) is None


@pytest.mark.parametrize("value", [2, None, "text", [], [1, 2], True])
@pytest.mark.parametrize("name", ["head", "identity"])
def test_a_file_of_ours_that_holds_other_json(tmp_path: Path, name: str, value: Any) -> None:
    put(tmp_path / name, value)
    assert identity.read_head(str(tmp_path)) is None
    assert identity.read(str(tmp_path)) is None


def test_json_nested_too_deep(tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("[" * 60_000)
    assert identity.read(str(tmp_path)) is None


def test_an_identity_as_it_is_written(tmp_path: Path) -> None:
    identity.write(str(tmp_path), JournalId(bytes(16)))
    own = identity.read(str(tmp_path))
    assert own is not None
    assert (own.journal, own.at_home, own.lineage) == (bytes(16), True, (bytes(16),))
