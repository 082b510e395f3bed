"""What a damaged collection still gives: each changeset that is whole, to the field; never one that nobody saved."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reliability import Tally
from samples import changeset

from mgit_hooks.changesets import ChangesetCollection, ChangesetStorage, RepositoryChangeset, container, frames
from mgit_hooks.containers import METHODS
from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import ChangesetBusyError
from mgit_hooks.record import Json

NOW = "2024-01-02T03:04:05+00:00"


def collection(count: int = 4, **fields: Any) -> ChangesetCollection:
    """Changesets that differ, with hashes that no codec makes smaller."""
    rng = random.Random(1)
    made = ChangesetCollection("work", NOW, NOW, {}, {"note": '"repositories":{"0123456789abcdef":{}}'}, **fields)
    for number in range(count):
        value = {**changeset(), "repository_path": f"/src/{number}", "salt": rng.randbytes(200).hex()}
        made = made.with_repository(RepositoryChangeset.from_json(value))
    return made


def packed(value: Json, method: str) -> bytes:
    return container.pack("work", frames.pieces(value), method, "balanced", frames.paths(value))


def differs(found: container.Salvaged, value: Json) -> str | None:
    """What was given that is not what was saved."""
    for key, each in found.repositories.items():
        if value["repositories"].get(key) != each:
            return f"changeset {key}"
    for name, field in found.fields.items():
        if name not in value or value[name] != field:
            return f"field {name}"
    if found.paths is not None and list(found.paths) != frames.paths(value):
        return "the paths"
    return None


@pytest.mark.parametrize("method", METHODS)
def test_what_is_whole_gives_all(method: str) -> None:
    value = collection(others={"of a newer version": [1]}).to_json()
    found = container.salvage(packed(value, method))
    assert {**found.fields, "repositories": found.repositories} == value
    assert found.paths == ("/src/0", "/src/1", "/src/2", "/src/3")
    assert list(found.repositories) == list(value["repositories"])


def test_the_pieces_are_the_json_and_come_back_as_it(tmp_path: Path) -> None:
    for value in (collection(), collection(0), collection(1), collection(others={"x": {"y": [{}]}})):
        plain = value.to_json()
        assert json.loads(b"".join(frames.pieces(plain))) == plain
        assert len(b"".join(frames.pieces(plain))) == len(encode_json(plain))
        storage = ChangesetStorage(tmp_path)
        storage.save_changeset_collection(value)
        assert storage.load_changeset_collection("work") == value
    for other in ({}, {"repositories": None}, {"repositories": [1]}, {"a": 1}, {"repositories": {"k": 5, "l": {}}}):
        assert json.loads(b"".join(frames.pieces(other))) == other
        storage.save_json_checkpoint("work", other)
        assert storage.load_json("work", "checkpoint") == other


def test_several_frames_lose_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands behind the damage is read as well, where it is in a frame of its own."""
    monkeypatch.setattr(frames, "FRAME", 1500)
    value = collection(8).to_json()
    for method in ("gzip", "lzma", "zstd", "snappy"):
        data = bytearray(packed(value, method))
        start = data.index(b"\n", data.index(b"\n") + 1) + 1
        data[start + 120] ^= 4
        found = container.salvage(bytes(data))
        assert differs(found, value) is None
        assert 4 <= len(found.repositories) < 8
        assert list(value["repositories"])[-1] in found.repositories


def test_what_stands_before_the_damage_is_kept_under_every_codec_that_can(tmp_path: Path) -> None:
    value = collection(12).to_json()
    for method, least in (("none", 11), ("zstd", 7), ("gzip", 7), ("zlib", 7), ("lzma", 7), ("snappy", 0)):
        data = bytearray(packed(value, method))
        start = data.index(b"\n", data.index(b"\n") + 1) + 1
        data[start + (len(data) - start) * 3 // 4] ^= 4
        found = container.salvage(bytes(data))
        assert differs(found, value) is None
        assert len(found.repositories) >= least, method
        assert found.paths is not None
        assert len(found.paths) == 12


def damaged(data: bytes, step: int, bits: tuple[int, ...]) -> Iterator[tuple[str, bytes]]:
    for at in range(0, len(data), step):
        for bit in bits:
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            yield f"bit {bit} of byte {at}", bytes(changed)
        yield f"cut at {at}", data[:at]
        yield f"zeros from {at}", data[:at] + bytes(len(data) - at)


def judge(method: str, step: int, bits: tuple[int, ...], tally: Tally) -> None:
    value = collection().to_json()
    data = packed(value, method)
    for what, changed in damaged(data, step, bits):
        tally.cases += 1
        found = differs(container.salvage(changed), value)
        if found is not None:
            tally.false.append(f"{method}: {what}: {found}")


@pytest.mark.parametrize("method", METHODS)
def test_no_damage_gives_what_nobody_saved(method: str, tally: Tally) -> None:
    judge(method, 37, (4,), tally)
    tally.check()
    assert tally.cases > 100


@pytest.mark.full
@pytest.mark.parametrize("method", METHODS)
def test_no_damage_at_any_byte_gives_what_nobody_saved(method: str, tally: Tally) -> None:
    judge(method, 1, (1, 4), tally)
    tally.check()


def test_believing_what_has_no_mark_is_caught(monkeypatch: pytest.MonkeyPatch, tally: Tally) -> None:
    """The planted bug: a changeset whose mark does not fit is taken for true."""
    real = frames._pieces_in
    monkeypatch.setattr(frames, "_pieces_in", lambda text, known, believed: real(text, known, believed=True))
    judge("none", 37, (0, 4), tally)
    assert tally.false


def test_hostile_bytes_are_no_collection() -> None:
    value = collection().to_json()
    whole = packed(value, "none")
    head, line, rest = whole.split(b"\n", 2)
    header = json.loads(line)
    for changes in (
        {"frames": [-5, 10**12]},
        {"frames": "x", "marks": 5, "paths": 7},
        {"frames": [True], "marks": "zz", "paths": "!"},
        {"codec": ["none"]},
        {"codec": "gzip"},
        {"marks": ""},
    ):
        changed = head + b"\n" + encode_json({**header, **changes}) + b"\n" + rest
        assert differs(container.salvage(changed), value) is None
    for data in (b"", b"\n", b"{", b"mgitc sha256:", b"{}\n", b"\n\n\n", b"{" * 5000, head + b"\n" + b"[" * 100_000):
        assert container.salvage(data) == container.Salvaged(None, {}, {})


# Putting a recovered collection in its place


def test_a_replaced_file_is_beside_it_and_the_backup_stays(tmp_path: Path) -> None:
    storage = ChangesetStorage(tmp_path)
    for number in range(2):
        storage.save_changeset_collection(collection(1 + number))
    path = Path(storage.path("work"))
    path.write_bytes(b"damaged")
    before = storage.content("work", "backup")
    stored, aside = storage.replace_json("work", collection(3).to_json(), b"damaged")
    assert (stored.path, storage.load_changeset_collection("work")) == (str(path), collection(3))
    assert aside is not None
    assert Path(aside).read_bytes() == b"damaged"
    assert storage.content("work", "backup") == before


def test_what_others_have_saved_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    storage = ChangesetStorage(tmp_path)
    storage.save_changeset_collection(collection(1))
    seen = storage.content("work")
    storage.save_changeset_collection(collection(2))
    for given in (seen, None):
        with pytest.raises(ChangesetBusyError, match="changed meanwhile"):
            storage.replace_json("work", collection(3).to_json(), given)
    assert storage.load_changeset_collection("work") == collection(2)
    assert sorted(os.listdir(tmp_path)) == ["work.backup", "work.lock", "work.mgitc"]


def test_without_links_a_replaced_file_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    test_a_replaced_file_is_beside_it_and_the_backup_stays(tmp_path)
