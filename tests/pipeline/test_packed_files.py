"""Files compressed and brought back: whole or not at all, never over another, never outside of the folder."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import snappy
from conftest import Repo
from kills import killed_at

from mgit_hooks import codecs, containers
from mgit_hooks.errors import CompressionError, UsageError
from mgit_hooks.pipeline import (
    CompressionMethod,
    CompressionResult,
    DataCompressor,
    FileCompressor,
    packedfiles,
    placing,
)

from .typical import changesets

RAW = changesets(20_000)
EXTENSIONS = {"gzip": ".gz", "zlib": ".zlib", "lzma": ".xz", "snappy": ".sz", "zstd": ".zst", "none": ".compressed"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "changes.jsonl"
    made.write_bytes(RAW)
    return made


def compress(source: Path, output: Path | None = None, method: str = "gzip", **given: Any) -> CompressionResult:
    return FileCompressor().compress_file(source, output, method, **given)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


# What is where


@pytest.mark.parametrize("quality", codecs.QUALITIES)
@pytest.mark.parametrize("method", containers.METHODS)
def test_a_file_comes_back_from_its_own_name(source: Path, tmp_path: Path, method: str, quality: str) -> None:
    compressor = FileCompressor(DataCompressor(method, quality))
    found = compressor.compress_file(str(source))
    packed = f"{source}{EXTENSIONS[method]}"
    assert names(tmp_path) == {"changes.jsonl", os.path.basename(packed), os.path.basename(packed) + ".meta"}
    assert found.method is CompressionMethod(method)
    assert found.compressed_data is None
    assert (found.original_size, found.compressed_size) == (len(RAW), os.path.getsize(packed))
    assert found.metadata == {
        "quality": quality, "original_type": "bytes", "output_file": packed, "meta_file": f"{packed}.meta",
        "sha256": sha256(RAW).hexdigest(),
    }  # fmt: skip
    source.unlink()
    back = compressor.decompress_file(packed)
    assert source.read_bytes() == RAW
    assert back == (str(source), method, len(RAW), found.compressed_size, sha256(RAW).hexdigest(), True)
    assert Path(packed).exists()


def test_the_meta_file(source: Path) -> None:
    compress(source, method="lzma")
    told = json.loads(Path(f"{source}.xz.meta").read_bytes())
    assert told == {
        "original_file": "changes.jsonl",
        "compression_method": "lzma",
        "original_size": len(RAW),
        "compressed_size": os.path.getsize(f"{source}.xz"),
        "compression_ratio": os.path.getsize(f"{source}.xz") / len(RAW),
        "metadata": {"quality": "balanced", "original_type": "bytes"},
        "sha256": sha256(RAW).hexdigest(),
    }


@pytest.mark.parametrize(
    ("method", "command"), [("gzip", "gunzip -k"), ("lzma", "xz -dk"), ("zstd", "zstd -dq")], ids=lambda each: each
)
def test_standard_tools_open_our_files_and_we_theirs(source: Path, method: str, command: str) -> None:
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command} is not installed")
    packed = Path(f"{source}{EXTENSIONS[method]}")
    compress(source, method=method)
    source.unlink()
    subprocess.run([*command.split(), packed], check=True)
    assert source.read_bytes() == RAW
    packed.unlink()
    Path(f"{packed}.meta").unlink()
    packer = {"gzip": "gzip -k", "lzma": "xz -k", "zstd": "zstd -q"}[method]
    subprocess.run([*packer.split(), source], check=True)
    source.unlink()
    assert FileCompressor().decompress_file(packed).checked is False
    assert source.read_bytes() == RAW


def test_a_snappy_framing_reader_opens_our_files(source: Path, tmp_path: Path) -> None:
    compress(source, method="snappy")
    with open(f"{source}.sz", "rb") as packed, open(tmp_path / "out", "wb") as out:
        snappy.stream_decompress(packed, out)
    assert (tmp_path / "out").read_bytes() == RAW


@pytest.mark.parametrize(
    ("raw", "reason"), [(b"", "data_too_small"), (b"x" * 99, "data_too_small"), (os.urandom(5000), "no_gain")]
)
def test_what_is_small_or_does_not_shrink_is_stored_under_a_name_that_says_so(
    source: Path, raw: bytes, reason: str
) -> None:
    source.write_bytes(raw)
    found = compress(source)
    assert (found.method, found.metadata["reason"]) == (CompressionMethod.NONE, reason)
    assert found.compression_ratio == 1.0
    assert Path(f"{source}.compressed").read_bytes() == raw
    source.unlink()
    FileCompressor().decompress_file(f"{source}.compressed")
    assert source.read_bytes() == raw


@pytest.mark.parametrize("raw", [b"", b"x", os.urandom(5000)])
def test_an_output_that_is_named_is_the_container_that_was_asked_for(source: Path, tmp_path: Path, raw: bytes) -> None:
    source.write_bytes(raw)
    found = compress(source, tmp_path / "out.gz")
    assert (found.method, found.compressed_size > len(raw)) == (CompressionMethod.GZIP, True)
    assert codecs.unpack((tmp_path / "out.gz").read_bytes(), "gzip") == raw


def test_the_automatic_choice_is_made_of_a_sample(tmp_path: Path) -> None:
    source = tmp_path / "large"
    for size, method in ((2000, "gzip"), (20_000, "lzma"), (200_000, "zstd")):
        source.write_bytes(changesets(size))
        assert compress(source, method="auto").method == method


def test_permissions_are_the_inputs(source: Path) -> None:
    source.chmod(0o640)
    compress(source)
    modes = {stat.S_IMODE(os.stat(f"{source}.gz{end}").st_mode) for end in ("", ".meta")}
    assert modes == {0o640}
    source.unlink()
    FileCompressor().decompress_file(f"{source}.gz")
    assert stat.S_IMODE(source.stat().st_mode) == 0o640


def test_progress_goes_up_to_the_whole_input(source: Path) -> None:
    source.write_bytes(changesets(600_000))
    seen: list[tuple[int, int]] = []
    found = compress(source, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(262_144, 600_000), (524_288, 600_000), (600_000, 600_000)]
    seen.clear()
    FileCompressor().check_file(f"{source}.gz", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (found.compressed_size, found.compressed_size)


def test_what_is_appended_meanwhile_is_not_of_the_file(source: Path) -> None:
    """A log is compressed while somebody writes to it: what it was when it was opened."""

    def grow(done: int, total: int) -> None:
        with source.open("ab") as file:
            file.write(b"more")

    found = compress(source, progress=grow)
    assert found.original_size == len(RAW)
    assert codecs.unpack(Path(f"{source}.gz").read_bytes(), "gzip") == RAW


def test_a_file_that_gets_shorter_meanwhile_is_refused(source: Path, tmp_path: Path) -> None:
    source.write_bytes(changesets(600_000))
    with pytest.raises(CompressionError, match="changed while"):
        compress(source, progress=lambda done, total: os.truncate(source, 300_000))
    assert names(tmp_path) == {"changes.jsonl"}


# Never over another file


@pytest.mark.parametrize("taken", ["changes.jsonl.gz", "changes.jsonl.gz.meta"])
@pytest.mark.parametrize("how", ["file", "folder", "dangling link"])
def test_what_is_there_is_not_replaced_unasked(source: Path, tmp_path: Path, taken: str, how: str) -> None:
    place = tmp_path / taken
    if how == "file":
        place.write_bytes(b"mine")
    elif how == "folder":
        place.mkdir()
    else:
        place.symlink_to("nowhere")
    before = names(tmp_path)
    with pytest.raises(UsageError, match="is there already") as told:
        compress(source)
    assert "--force" in told.value.remedy
    assert names(tmp_path) == before
    if how == "file":
        assert place.read_bytes() == b"mine"


def test_with_force_both_are_replaced_and_a_link_is_not_followed(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    Path(f"{source}.gz").symlink_to(other)
    Path(f"{source}.gz.meta").write_bytes(b"old")
    compress(source, force=True)
    assert other.read_bytes() == b"mine"
    assert FileCompressor().check_file(f"{source}.gz").checked
    source.unlink()
    source.symlink_to(other)
    FileCompressor().decompress_file(f"{source}.gz", force=True)
    assert (other.read_bytes(), source.read_bytes(), source.is_symlink()) == (b"mine", RAW, False)


def test_force_without_a_meta_leaves_none_of_another_file(source: Path) -> None:
    compress(source)
    compress(source, force=True, write_meta=False)
    assert not Path(f"{source}.gz.meta").exists()


def test_who_takes_the_name_meanwhile_keeps_it(source: Path, tmp_path: Path) -> None:
    def race(done: int, total: int) -> None:
        Path(f"{source}.gz").write_bytes(b"theirs")

    with pytest.raises(UsageError, match="is there already"):
        compress(source, progress=race)
    assert Path(f"{source}.gz").read_bytes() == b"theirs"
    assert names(tmp_path) == {"changes.jsonl", "changes.jsonl.gz"}


def test_a_file_system_without_links_serves_as_well(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    compress(source)
    assert FileCompressor().check_file(f"{source}.gz").checked
    with pytest.raises(UsageError, match="is there already"):
        compress(source)


def test_the_output_is_never_what_is_unpacked(source: Path) -> None:
    compress(source)
    with pytest.raises(UsageError, match="is what is to be unpacked"):
        FileCompressor().decompress_file(f"{source}.gz", f"{source.parent}/./{source.name}.gz", force=True)
    assert FileCompressor().check_file(f"{source}.gz").checked


def test_the_output_is_never_what_is_packed(source: Path) -> None:
    linked = source.with_name("link")
    linked.symlink_to(source)
    for name in (source, source.parent / "." / source.name, linked):
        with pytest.raises(UsageError, match="is what is to be packed"):
            compress(source, name, force=True)
    assert source.read_bytes() == RAW


@pytest.mark.parametrize("write_meta", [True, False])
def test_the_outputs_meta_is_never_what_is_packed(tmp_path: Path, write_meta: bool) -> None:
    """With force it is removed, or replaced by our own."""
    source = tmp_path / "x.meta"
    source.write_bytes(RAW)
    with pytest.raises(UsageError, match="is what is to be packed"):
        compress(source, tmp_path / "x", force=True, write_meta=write_meta)
    assert (names(tmp_path), source.read_bytes()) == ({"x.meta"}, RAW)


def test_the_output_is_never_the_meta_of_what_is_unpacked(source: Path) -> None:
    compress(source)
    with pytest.raises(UsageError, match=r"or its \.meta"):
        FileCompressor().decompress_file(f"{source}.gz", f"{source}.gz.meta", force=True)
    assert FileCompressor().check_file(f"{source}.gz").checked


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to a pipe"])
@pytest.mark.parametrize("which", ["out", "out.meta"])
def test_force_replaces_files_alone(source: Path, tmp_path: Path, kind: str, which: str) -> None:
    """As root even /dev/null would be a file from then on."""
    place = tmp_path / which
    if kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(tmp_path / "pipe" if kind.startswith("link") else place)
        if kind.startswith("link"):
            place.symlink_to("pipe")
    before = names(tmp_path)
    with pytest.raises(UsageError, match=r"out(\.meta)?' is (a folder|no regular file)"):
        compress(source, tmp_path / "out", force=True)
    assert names(tmp_path) == before
    if which == "out":
        compress(source)
        with pytest.raises(UsageError, match=r"is (a folder|no regular file)"):
            FileCompressor().decompress_file(f"{source}.gz", place, force=True)


# Where it goes


def hostile(source: Path, original_file: str, name: str = "packed") -> Path:
    """A packed file whose own name tells nothing, and whose .meta says where it is to go."""
    packed = source.with_name(name)
    compress(source, packed)
    meta = packed.with_name(f"{name}.meta")
    meta.write_text(json.dumps({**json.loads(meta.read_bytes()), "original_file": original_file}))
    return packed


@pytest.mark.parametrize(
    "name",
    [
        "../out", "/tmp/out", "a/../../out", "..", ".", "", ".profile", ".git", "..\\out", "C:out", "a\0b", "x" * 256,
        "packed", "\ud800x",
    ],
)  # fmt: skip
def test_a_hostile_name_in_the_meta_leads_nowhere(source: Path, tmp_path: Path, name: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    packed = hostile(source, name)
    before = names(tmp_path)
    with pytest.raises(UsageError, match="does not end in") as told:
        FileCompressor().decompress_file(packed, folder=inner)
    assert "--output-file" in told.value.remedy
    assert (names(inner), names(tmp_path)) == (set(), before)


def test_a_plain_name_in_the_meta_counts_where_the_packed_files_own_tells_nothing(source: Path) -> None:
    packed = hostile(source, "elsewhere.txt")
    assert FileCompressor().decompress_file(packed).output_file == str(source.with_name("elsewhere.txt"))
    own = hostile(source, "elsewhere.txt", "mine.gz")
    assert FileCompressor().decompress_file(own).output_file == str(source.with_name("mine"))


def test_the_folder_and_the_name_that_are_chosen(source: Path, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    compress(source)
    into = FileCompressor().decompress_file(f"{source}.gz", folder=tmp_path / "inner")
    assert into.output_file == str(tmp_path / "inner" / "changes.jsonl")
    named = FileCompressor().decompress_file(f"{source}.gz", tmp_path / "named")
    assert (tmp_path / "named").read_bytes() == Path(into.output_file).read_bytes() == RAW
    assert named.output_file == str(tmp_path / "named")


def test_a_folder_that_is_not_there_is_told(source: Path, tmp_path: Path) -> None:
    for output in (tmp_path / "no" / "x.gz", source / "x.gz"):
        with pytest.raises(UsageError, match="there is no folder"):
            compress(source, output)
    compress(source)
    with pytest.raises(UsageError, match="there is no folder"):
        FileCompressor().decompress_file(f"{source}.gz", folder=tmp_path / "no")


# What does not fit


def changed(source: Path, **fields: Any) -> None:
    meta = Path(f"{source}.gz.meta")
    value = {**json.loads(meta.read_bytes()), **fields}
    meta.write_text(json.dumps({name: each for name, each in value.items() if each != "gone"}))


META = {
    "another digest": ({"sha256": "0" * 64}, "not the one"),
    "a larger size": ({"original_size": len(RAW) + 1}, "not the one"),
    "another packed size": ({"compressed_size": 1}, "are said"),
    "no digest": ({"sha256": "gone"}, "sha256 is missing"),
    "a size that is none": ({"original_size": -1}, "original_size"),
    "a size that is no number": ({"original_size": True}, "original_size"),
    "an unknown method": ({"compression_method": "brotli"}, "compression_method"),
    "a name that is none": ({"original_file": 7}, "original_file"),
    "metadata that is none": ({"metadata": None}, "metadata"),
    "a ratio that is none": ({"compression_ratio": "half"}, "compression_ratio"),
}


@pytest.mark.parametrize("case", META)
def test_a_meta_that_does_not_fit_is_refused_and_can_be_left_out(source: Path, tmp_path: Path, case: str) -> None:
    fields, why = META[case]
    compress(source)
    changed(source, **fields)
    source.unlink()
    before = names(tmp_path)
    with pytest.raises(CompressionError, match=why) as told:
        FileCompressor().decompress_file(f"{source}.gz")
    assert told.value.kind == "mislabelled"
    assert "--no-meta" in told.value.remedy
    assert names(tmp_path) == before
    assert FileCompressor().decompress_file(f"{source}.gz", use_meta=False).checked is False
    assert source.read_bytes() == RAW


@pytest.mark.parametrize("meta", [b"", b"{", b"[]", b"\xff", b"[" * 50_000, b" " * (1 << 17)])
def test_a_meta_that_is_none_is_refused(source: Path, meta: bytes) -> None:
    compress(source)
    Path(f"{source}.gz.meta").write_bytes(meta)
    with pytest.raises(CompressionError, match="does not fit") as told:
        FileCompressor().check_file(f"{source}.gz")
    assert told.value.kind == "mislabelled"


def test_what_the_meta_says_bounds_a_bomb(source: Path) -> None:
    source.write_bytes(bytes(5 << 20))
    compress(source)
    changed(source, original_size=1000)
    with pytest.raises(CompressionError, match="more than the 1,000 bytes that are said") as told:
        FileCompressor().check_file(f"{source}.gz")
    assert told.value.kind == "mislabelled"  # --max-size would be no way out


@pytest.mark.parametrize("use_meta", [True, False])
def test_more_than_the_limit_is_refused_and_leaves_nothing(source: Path, tmp_path: Path, use_meta: bool) -> None:
    source.write_bytes(bytes(5 << 20))
    compress(source)
    source.unlink()
    before = names(tmp_path)
    with pytest.raises(CompressionError, match="1,000,000") as told:
        FileCompressor().decompress_file(f"{source}.gz", limit=1_000_000, use_meta=use_meta)
    assert (told.value.kind, names(tmp_path)) == ("oversized", before)
    for enough in (5 << 20, None):
        assert FileCompressor().check_file(f"{source}.gz", limit=enough, use_meta=use_meta).original_size == 5 << 20


@pytest.mark.parametrize("method", containers.METHODS[1:])
def test_a_cut_or_damaged_file_leaves_nothing(source: Path, tmp_path: Path, method: str) -> None:
    compress(source, method=method)
    packed = Path(f"{source}{EXTENSIONS[method]}")
    whole = packed.read_bytes()
    source.unlink()
    before = names(tmp_path)
    middle = len(whole) // 2
    for use_meta in (True, False):
        for broken in (whole[:-1], whole[:middle], whole[:middle] + b"\0\1" + whole[middle + 2 :], b"", whole + b"x"):
            packed.write_bytes(broken)
            with pytest.raises(CompressionError):
                FileCompressor().decompress_file(packed, use_meta=use_meta)
            assert names(tmp_path) == before


def test_a_mislabelled_file_is_told_by_its_bytes(source: Path, tmp_path: Path) -> None:
    zstd = tmp_path / "changes.gz"
    zstd.write_bytes(codecs.pack(RAW, "zstd"))
    with pytest.raises(CompressionError, match="is zstd data, and its name says gzip") as told:
        FileCompressor().check_file(zstd)
    assert (told.value.kind, "--method zstd" in told.value.remedy) == ("mislabelled", True)
    assert FileCompressor().check_file(zstd, method="zstd").original_size == len(RAW)
    with pytest.raises(CompressionError, match="it is zstd data, not lzma"):
        FileCompressor().check_file(zstd, method="lzma")
    nameless = tmp_path / "changes.bin"
    nameless.write_bytes(zstd.read_bytes())
    assert FileCompressor().check_file(nameless).method == "zstd"
    nameless.write_bytes(RAW)
    with pytest.raises(CompressionError, match="is none of gzip, zlib"):
        FileCompressor().check_file(nameless)
    with pytest.raises(ValueError, match="none, gzip"):
        FileCompressor().check_file(zstd, method="brotli")


def test_a_packed_file_stored_as_it_is_stays_packed(source: Path) -> None:
    """Its bytes look like gzip's, and are what somebody wanted back."""
    packed = codecs.pack(os.urandom(3000), "gzip")
    source.write_bytes(packed)
    assert compress(source, method="zstd").method == CompressionMethod.NONE
    for use_meta in (True, False):
        source.unlink()
        FileCompressor().decompress_file(f"{source}.compressed", use_meta=use_meta)
        assert source.read_bytes() == packed


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc")
def test_a_file_that_does_not_tell_its_size_is_not_packed_as_empty(tmp_path: Path) -> None:
    with pytest.raises(CompressionError, match="says that it is empty, and is not"):
        compress(Path("/proc/self/status"), tmp_path / "out")
    assert names(tmp_path) == set()


def test_a_file_that_is_written_over_meanwhile_is_refused(source: Path, tmp_path: Path) -> None:
    """Half of it would be the old one's, half the new one's."""

    def written_over(done: int, total: int) -> None:
        with open(source, "r+b") as file:
            file.write(b"other")
        os.utime(source, ns=(1, 1))

    with pytest.raises(CompressionError, match="changed while it was read"):
        compress(source, progress=written_over)
    assert names(tmp_path) == {"changes.jsonl"}


def test_a_full_disk_is_said_of_the_folder(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(placing.files, "write_all", full)
    with pytest.raises(OSError, match="No space") as told:
        compress(source)
    assert (told.value.filename, names(tmp_path)) == (str(tmp_path), {"changes.jsonl"})


def test_a_disk_that_is_full_for_the_meta_leaves_neither(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = placing.Staged.write

    def write(self: placing.Staged, data: bytes) -> None:
        if data.startswith(b"{\n"):
            raise OSError(28, os.strerror(28))
        real(self, data)

    monkeypatch.setattr(placing.Staged, "write", write)
    with pytest.raises(OSError, match="No space"):
        compress(source)
    assert names(tmp_path) == {"changes.jsonl"}


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_told_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.gz"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    for call in (FileCompressor().compress_file, FileCompressor().decompress_file):
        with pytest.raises(FileNotFoundError):
            call(path)


# Failures


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = codecs.packed

    def short(pieces: Any, method: str, quality: str, size: int) -> Any:
        yield from [b"".join(real(pieces, method, quality, size))[: -1 if method != "none" else None]]

    monkeypatch.setattr(codecs, "packed", short)


def test_a_codec_that_drops_the_last_byte_is_caught(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug of this family: by --verify before the file has its name, and by whoever unpacks it."""
    broken(monkeypatch)
    with pytest.raises(CompressionError, match="too early"):
        FileCompressor(DataCompressor(verify=True)).compress_file(source)
    assert names(tmp_path) == {"changes.jsonl"}
    compress(source)
    for use_meta in (True, False):
        with pytest.raises(CompressionError, match="too early"):
            FileCompressor().check_file(f"{source}.gz", use_meta=use_meta)


def test_a_codec_that_drops_the_last_byte_of_the_content_is_caught(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its container is whole: what comes back is compared, by --verify, and by the .meta."""
    real = codecs.packed

    def short(pieces: Any, method: str, quality: str, size: int) -> Any:
        raw = b"".join(pieces)
        return real([raw[:-1]], method, quality, size - 1)

    monkeypatch.setattr(codecs, "packed", short)
    with pytest.raises(CompressionError, match="does not give back"):
        FileCompressor(DataCompressor(verify=True)).compress_file(source)
    assert names(tmp_path) == {"changes.jsonl"}
    compress(source)
    with pytest.raises(CompressionError, match="not the one that it is for"):
        FileCompressor().check_file(f"{source}.gz")


def test_a_link_that_fails_for_another_reason_is_an_error(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(OSError, match="Input/output"):
        compress(source)
    assert names(tmp_path) == {"changes.jsonl"}


def test_a_failure_stores_the_file_raw_where_the_caller_chose_so(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    found = FileCompressor(DataCompressor(verify=True, on_failure="store")).compress_file(source)
    assert (found.method, "too early" in found.metadata["error"]) == (CompressionMethod.NONE, True)
    assert Path(f"{source}.compressed").read_bytes() == RAW


def test_a_full_disk_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, data: bytes) -> None:
        raise OSError(28, "No space left on device", self.path)

    monkeypatch.setattr(placing.Staged, "write", full)
    for on_failure in ("raise", "store"):
        with pytest.raises(OSError, match="No space left"):
            FileCompressor(DataCompressor(on_failure=on_failure)).compress_file(source)  # type: ignore[arg-type]
    assert names(tmp_path) == {"changes.jsonl"}


def visible(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if not entry.name.startswith(".")}


@pytest.mark.parametrize("force", [False, True])
def test_killed_anywhere_there_is_no_half_file(tmp_path: Path, force: bool) -> None:
    """At each change to the disk: the packed file is whole or not there, its .meta is its own or not there."""
    steps = 0
    while True:
        steps += 1
        folder = tmp_path / str(steps)
        folder.mkdir()
        source = folder / "changes.jsonl"
        source.write_bytes(RAW)
        if force:
            old = folder / "old"
            old.write_bytes(b"old" * 100)
            compress(old, folder / "changes.jsonl.gz")
            before = (folder / "changes.jsonl.gz").read_bytes()
        killed = killed_at(steps, compress, source, force=force)
        found = visible(folder)
        assert found["changes.jsonl"] == RAW
        packed = found.get("changes.jsonl.gz")
        assert packed is not None or (killed and not force)
        if packed is not None and not (force and packed == before):
            assert codecs.unpack(packed, "gzip") == RAW
        if "changes.jsonl.gz.meta" in found:
            assert FileCompressor().check_file(folder / "changes.jsonl.gz").checked
        if not killed:
            break
    assert steps > 8


@pytest.mark.parametrize("force", [False, True])
def test_killed_anywhere_nothing_half_comes_back(tmp_path: Path, force: bool) -> None:
    steps = 0
    while True:
        steps += 1
        folder = tmp_path / str(steps)
        folder.mkdir()
        source = folder / "changes.jsonl"
        source.write_bytes(RAW)
        compress(source)
        source.write_bytes(b"old") if force else source.unlink()
        killed = killed_at(steps, FileCompressor().decompress_file, f"{source}.gz", force=force)
        content = visible(folder).get("changes.jsonl")
        assert content in ((RAW, b"old" if force else None) if killed else (RAW,))
        if not killed:
            break
    assert steps > 4


def test_a_half_file_under_the_final_name_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: written under the final name from the beginning."""
    init, publish = placing.Staged.__init__, placing.Staged.publish

    def in_place(self: placing.Staged, folder: str) -> None:
        init(self, folder)
        final = os.path.join(folder, "changes.jsonl.gz")
        if not os.path.lexists(final):
            os.rename(self.path, final)

    def published(self: placing.Staged, path: str, mode: int, *, force: bool) -> None:
        if path.endswith(".meta"):
            publish(self, path, mode, force=force)

    monkeypatch.setattr(placing.Staged, "__init__", in_place)
    monkeypatch.setattr(placing.Staged, "publish", published)
    monkeypatch.setattr(packedfiles, "require_free", lambda _: None)
    with pytest.raises(CompressionError, match="too early"):
        test_killed_anywhere_there_is_no_half_file(tmp_path, False)


def test_names_of_any_bytes(repo: Repo) -> None:
    for name in ("a b", "a\nb", os.fsdecode(b"\xff\xfe"), "-o", "ü"):
        source = Path(repo.path, name)
        source.write_bytes(RAW)
        compress(source)
        source.unlink()
        FileCompressor().decompress_file(f"{source}.gz")
        assert source.read_bytes() == RAW


# On the command line


def test_a_path_is_the_one_that_the_system_reads(source: Path, tmp_path: Path, mgit: Any) -> None:
    """Behind a link ``..`` is the folder that it leads into; an empty path is no wish for the default."""
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/sub")
    shutil.copy(source, tmp_path / "real" / "there")
    words: tuple[str, ...] = ("pipeline", "compress", "--input-file", "link/../there", "--method", "gzip")
    assert mgit("-C", str(tmp_path), *words).code == 0
    assert (tmp_path / "real" / "there.gz").exists()
    before = names(tmp_path)
    for words in (("--input-file", ""), ("--input-file", str(source), "-o", "")):
        told = mgit("pipeline", "compress", *words)
        assert (told.code, told.err.splitlines()[0]) == (2, "mgit-hooks: a path is empty")
    packed = str(tmp_path / "real" / "there.gz")
    for words in (("--input-file", packed, "-o", ""), ("--input-file", packed, "--output-dir", "")):
        assert mgit("pipeline", "decompress", *words).code == 2
    assert names(tmp_path) == before
