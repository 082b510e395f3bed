"""The journal as one file: what is written comes back byte for byte, and nothing else is ever taken for it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from reliability import Tally

from journal.making import append, payloads, put, records, segment_bytes, small
from mgit_hooks.errors import LaterFormatError, MgitError
from mgit_hooks.journal import bundle, bundling, identity, manifest
from mgit_hooks.journal.bundle import BundleError
from mgit_hooks.journal.verify import verify
from mgit_hooks.lock import exclusive


@pytest.fixture
def journal(tmp_path: Path) -> str:
    return small(tmp_path, 30)


def written(journal: str, name: str = "b.mgit") -> Path:
    path = Path(journal).parents[1] / name
    bundling.write(journal, str(path))
    return path


def check(path: Path) -> bundle.Checked:
    return bundle.check(str(path), str(path.parent / "scratch"))


def rebuilt(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A bundle with a manifest of somebody's own making, its checksum right."""
    form, line, rest = data.split(b"\n", 2)
    value = json.loads(line)
    del value["check"]
    changed = change(value)
    value = value if changed is None else changed
    told = {**value, "check": google_crc32c.value(json.dumps(value, sort_keys=True).encode())}
    return form + b"\n" + json.dumps(told).encode() + b"\n" + rest


def test_what_is_written_is_what_is_unpacked(journal: str, tmp_path: Path) -> None:
    path = written(journal)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    value = bundle.unpack(str(path), str(tmp_path / "out"))
    assert segment_bytes(str(tmp_path / "out")) == segment_bytes(journal)
    assert records(str(tmp_path / "out")) == records(journal)
    own = identity.read(journal)
    copied = identity.read(str(tmp_path / "out"))
    assert own is not None
    assert copied is not None
    assert (copied.journal, copied.lineage, copied.at_home) == (own.journal, own.lineage, False)
    report = verify(journal)
    assert (value.first_seq, value.last_seq, value.head.hex()) == (1, report.head_seq, report.head_id)
    assert bundle.read_manifest(str(path)) == value
    assert sorted(os.listdir(tmp_path)) == ["b.mgit", "mgit", "out"]


def test_a_copy_goes_on_as_a_journal_of_its_own(journal: str, tmp_path: Path) -> None:
    bundle.unpack(str(written(journal)), str(tmp_path / "out"))
    before = records(journal)
    append(str(tmp_path / "out"), [b'{"event":"new"}'])
    after = records(str(tmp_path / "out"))
    assert after[:30] == before
    assert [json.loads(each.payload or b"")["event"] for each in after[30:]] == ["adopted", "new"]
    assert verify(str(tmp_path / "out")).is_clean


def test_the_torn_tail_is_left_out(journal: str) -> None:
    whole = segment_bytes(journal)
    newest = max(whole)
    put(journal, newest, whole[newest] + whole[newest][:40])
    assert verify(journal).torn_tail is not None
    assert check(written(journal)).report.records == 30
    put(journal, newest, whole[newest])
    assert written(journal, "c.mgit").read_bytes().split(b"\n", 2)[2] == b"".join(whole.values())


def test_a_writer_at_work_is_not_waited_for(journal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has not reported yet is not in the copy: it may take it back."""
    monkeypatch.setattr(bundling, "_PATIENCE", 0.01)
    head = identity.read_head(journal)
    append(journal, payloads(3))
    assert head is not None
    identity.write_head(journal, head)  # as before those three were reported
    with exclusive(os.path.join(journal, "lock")):
        assert check(written(journal)).manifest.last_seq == 30
    assert check(written(journal, "c.mgit")).manifest.last_seq == 33


def test_who_rewrites_segments_is_waited_for(journal: str) -> None:
    mgit_dir = os.path.dirname(journal)
    with bundling.still(mgit_dir), exclusive(os.path.join(mgit_dir, "maintenance.lock"), wait=0.0) as got:
        assert not got


def damage(journal: str) -> None:
    name, data = next(iter(segment_bytes(journal).items()))
    put(journal, name, data[:300] + bytes((data[300] ^ 1,)) + data[301:])


def lose_the_first(journal: str) -> None:
    os.unlink(os.path.join(journal, min(segment_bytes(journal))))


def lose_the_last(journal: str) -> None:
    os.unlink(os.path.join(journal, max(segment_bytes(journal))))


def lose_all(journal: str) -> None:
    for name in segment_bytes(journal):
        os.unlink(os.path.join(journal, name))


@pytest.mark.parametrize("wound", [damage, lose_the_first, lose_the_last, lose_all])
def test_no_copy_is_made_of_a_journal_that_is_not_whole(journal: str, wound: Callable[[str], None]) -> None:
    wound(journal)
    with pytest.raises(BundleError):
        written(journal)
    assert sorted(os.listdir(Path(journal).parents[1])) == ["mgit"]


def test_what_is_there_is_not_written_over(journal: str, tmp_path: Path) -> None:
    (tmp_path / "b.mgit").write_text("mine")
    with pytest.raises(BundleError, match="is there already"):
        written(journal)
    assert (tmp_path / "b.mgit").read_text() == "mine"


# Hostile files


def part(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(value: dict[str, Any]) -> None:
        value["segments"][0].update(changes)

    return change


def with_segments(change: Callable[[list[Any]], Any]) -> Callable[[dict[str, Any]], None]:
    def changed(value: dict[str, Any]) -> None:
        change(value["segments"])

    return changed


def with_key(name: str, given: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda value: {**value, name: given}


NAMES = [
    "../00000001.seg", "/tmp/00000001.seg", "00000001.seg/..", "1.seg", "identity", "head", "lock", "",
    "٠٠٠٠٠٠٠١.seg", "00000001.seg\n", "00000001.seg\0", "00000001.SEG", "000000001.seg",
]  # fmt: skip
MANIFESTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    **{f"name {name!r}": part(name=name) for name in NAMES},
    **{
        f"length {length!r}": part(length=length)
        for length in (-1, 0, 1.5, "1", None, True, [], 1 << 62, 1 << 63, 10**30)
    },
    **{f"digest {digest!r}": part(sha256=digest) for digest in ("", "00", "0" * 64, "0" * 63 + "G", 5, None)},
    "a segment twice": with_segments(lambda parts: parts.append(parts[0])),
    "two segments of one name": with_segments(lambda parts: parts[1].update(name=parts[0]["name"])),
    "segments in another order": with_segments(lambda parts: parts.reverse()),
    "a segment less": with_segments(lambda parts: parts.pop()),
    "no segment": with_segments(lambda parts: parts.clear()),
    "more segments than there may be": with_segments(lambda parts: parts.extend(parts * 70_000)),
    "a segment that is none": with_segments(lambda parts: parts.append(7)),
    "segments that are none": with_key("segments", {"name": "00000001.seg"}),
    "another journal": with_key("journal", "00" * 16),
    "a lineage of others": with_key("lineage", ["00" * 16]),
    "no lineage": with_key("lineage", []),
    "a key more": with_key("more", 1),
    "a last seq of another": with_key("last_seq", 29),
    "a last seq before the first": with_key("last_seq", -5),
    "a first seq of another": with_key("first_seq", 10**30),
    "a head of another": with_key("head", "00" * 32),
    "a sidecar of another name": with_key("beginning", {"name": "x", "length": 1, "sha256": "0" * 64}),
}  # fmt: skip


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_lies_is_refused(journal: str, tmp_path: Path, name: str) -> None:
    path = written(journal)
    change = MANIFESTS[name]
    data = path.read_bytes()
    made = rebuilt(data, change)
    assert made != data
    path.write_bytes(made)
    for work in (check, lambda path: bundle.read_manifest(str(path)) and check(path)):
        with pytest.raises(BundleError) as told:
            work(path)
        assert "\n" not in told.value.message
    assert sorted(os.listdir(tmp_path)) == ["b.mgit", "mgit"]


FILES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "another file": lambda data: b"#!/bin/sh\n" + data,
    "no manifest": lambda data: data[: data.index(b"\n") + 1],
    "a manifest without end": lambda data: data[:21] + b"\n" + b" " * 17_000_000,
    "deep nesting": lambda data: data[: data.index(b"\n") + 1] + b"[" * 1_000_000 + b"\n",
    "a huge number": lambda data: data[: data.index(b"\n") + 1] + b'{"check": ' + b"9" * 100_000 + b"}\n",
    "a list": lambda data: data[: data.index(b"\n") + 1] + b"[]\n",
    "not UTF-8": lambda data: data[: data.index(b"\n") + 1] + b"\xff\xfe\n",
    "cut by one byte": lambda data: data[:-1],
    "a byte more": lambda data: data + b"\0",
    "a bundle after it": lambda data: data + data,
    "spaces in the manifest": lambda data: data.replace(b'"journal": ', b'"journal":  ', 1),
    "CR LF": lambda data: data.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_bundle_is_refused(journal: str, tmp_path: Path, name: str) -> None:
    path = written(journal)
    path.write_bytes(FILES[name](path.read_bytes()))
    with pytest.raises(BundleError) as told:
        check(path)
    assert "\n" not in told.value.message
    assert told.value.exit_code == 1
    assert sorted(os.listdir(tmp_path)) == ["b.mgit", "mgit"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("nothing", "pipe", "."):
        with pytest.raises(BundleError):
            check(tmp_path / name)


HUGE = 1 << 38


def one_segment(value: dict[str, Any]) -> None:
    value["segments"][0]["length"] = HUGE


def many_segments(value: dict[str, Any]) -> None:
    value["segments"] = [
        {"name": f"{number:08d}.seg", "length": HUGE // 1024, "sha256": "0" * 64} for number in range(1, 1025)
    ]


def many_after_a_true_one(value: dict[str, Any]) -> None:
    true = value["segments"][:1]
    many_segments(value)
    value["segments"] = [*true, *value["segments"][1:]]


def sidecar(value: dict[str, Any]) -> None:
    value["beginning"] = {"name": "beginning", "length": HUGE, "sha256": "0" * 64}


@pytest.mark.parametrize("lie", [one_segment, many_segments, many_after_a_true_one, sidecar, None])
@pytest.mark.parametrize("whole", [True, False])
def test_of_a_file_that_only_says_it_is_huge_little_is_read(
    journal: str, monkeypatch: pytest.MonkeyPatch, lie: Callable[[dict[str, Any]], None] | None, whole: bool
) -> None:
    """A sparse one, or one that was cut: to hash 256 GiB of zeros takes minutes."""
    path = written(journal)
    data = path.read_bytes()
    if lie is not None:
        data = rebuilt(data, lie)
        form, line, _ = data.split(b"\n", 2)
        told = json.loads(line)
        parts = [*told["segments"], *([told["beginning"]] if told["beginning"] else [])]
        length = len(form) + len(line) + 2 + sum(part["length"] for part in parts)
        if not whole or lie is many_segments or lie is sidecar:
            data = data[: len(form) + len(line) + 2]
    else:
        length = HUGE
    path.write_bytes(data)
    if whole or lie is None:
        os.truncate(path, length)

    def read(*_: object) -> Any:
        raise AssertionError("it is hashed")

    monkeypatch.setattr(bundle, "pieces", read)
    with pytest.raises(BundleError):
        check(path)


def test_no_bundle_is_written_that_would_not_be_read(journal: str) -> None:
    value = bundle.read_manifest(str(written(journal)))
    larger = (value.segments[0]._replace(length=manifest.MAX_SEGMENT), *value.segments[1:])
    assert manifest.decode(manifest.encode(value._replace(segments=larger)).split(b"\n", 1)[1]).segments == larger
    larger = (value.segments[0]._replace(length=manifest.MAX_SEGMENT + 1), *value.segments[1:])
    with pytest.raises(ValueError, match="larger than one can become"):
        manifest.encode(value._replace(segments=larger))


@pytest.mark.parametrize("version", [b"2", b"10", b"999999999"])
def test_a_later_version_is_refused_as_such(journal: str, version: bytes) -> None:
    path = written(journal)
    path.write_bytes(path.read_bytes().replace(b"bundle 1\n", b"bundle " + version + b"\nanything", 1))
    with pytest.raises(LaterFormatError, match="knows versions up to 1"):
        check(path)


def test_a_bundle_of_a_damaged_journal_is_refused_whoever_made_it(journal: str, monkeypatch: Any) -> None:
    """Planted: a writer that looks at nothing. Who reads the file finds it out."""
    damage(journal)
    with monkeypatch.context() as patch:
        patch.setattr(bundle, "_fault", lambda *_: None)
        path = written(journal)
    with pytest.raises(BundleError, match="the journal in it is damaged"):
        check(path)


def flips(path: Path, scratch: Path, tally: Tally) -> None:
    data = path.read_bytes()
    true = bundle.read_manifest(str(path))
    for at in range(len(data)):
        for bit in range(8):
            tally.cases += 1
            path.write_bytes(data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :])
            try:
                if bundle.check(str(path), str(scratch)).manifest == true:
                    tally.silent.append(f"byte {at} bit {bit}")
                else:
                    tally.silent.append(f"byte {at} bit {bit}: another manifest")
            except MgitError:
                continue
    path.write_bytes(data)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return written(small(tmp_path, 6, target=400))


def test_every_bit_of_a_small_bundle(tiny: Path, tmp_path: Path, tally: Tally) -> None:
    flips(tiny, tmp_path / "scratch", tally)
    assert tally.cases == 8 * tiny.stat().st_size
    tally.check()


def test_the_flips_find_a_reader_that_holds_no_digest(tiny: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Planted: the SHA-256 of a segment is whatever its bytes give, and nobody verifies."""
    monkeypatch.setattr(bundle, "_hold", lambda path: (bundle.read_manifest(path), ""))
    monkeypatch.setattr(bundle, "extract", lambda *_: None)
    monkeypatch.setattr(bundle, "_fault", lambda *_: None)
    found = Tally()
    flips(tiny, tmp_path / "scratch", found)
    assert found.silent


def test_every_truncation_of_a_small_bundle(tiny: Path, tmp_path: Path, tally: Tally) -> None:
    data = tiny.read_bytes()
    for length in range(len(data)):
        tally.cases += 1
        tiny.write_bytes(data[:length])
        try:
            bundle.check(str(tiny), str(tmp_path / "scratch"))
        except BundleError:
            continue
        tally.silent.append(str(length))
    tally.check()
