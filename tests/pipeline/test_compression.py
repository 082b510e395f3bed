"""Data in memory, compressed and brought back: the very same, or an error."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mgit_hooks.pipeline
from mgit_hooks import codecs, containers
from mgit_hooks.errors import CompressionError
from mgit_hooks.pipeline import CompressionMethod, CompressionResult, DataCompressor, FileCompressor, compression

from .typical import changesets

TEXT = "a line that comes again and again\n" * 100
METHODS = [*CompressionMethod, "auto"]


# The names


def test_the_public_names() -> None:
    for name in ("CompressionMethod", "CompressionResult", "DataCompressor", "FileCompressor"):
        assert getattr(mgit_hooks.pipeline, name) is getattr(compression, name)
        assert name in mgit_hooks.pipeline.__all__
        assert name in dir(mgit_hooks.pipeline)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mgit_hooks.pipeline.nothing


def test_compression_method() -> None:
    assert [method.value for method in CompressionMethod] == ["none", "gzip", "zlib", "lzma", "snappy", "zstd"]
    assert CompressionMethod("lzma") is CompressionMethod.LZMA


def test_compression_result() -> None:
    made = CompressionResult(200, 50, 0.25, CompressionMethod.GZIP, b"x" * 50, {"quality": "fast"})
    assert made.space_saved_percent == 75.0
    assert made.to_json() == {
        "original_size": 200, "compressed_size": 50, "compression_ratio": 0.25, "space_saved_percent": 75.0,
        "method": "gzip", "metadata": {"quality": "fast"},
    }  # fmt: skip


def test_data_compressor_defaults() -> None:
    made = DataCompressor()
    assert (made.default_method, made.quality) == ("gzip", "balanced")
    found = made.compress_data(TEXT)
    assert found.method is CompressionMethod.GZIP
    assert found.metadata == {"quality": "balanced", "original_type": "string"}
    assert (found.original_size, found.compressed_size) == (len(TEXT), len(found.compressed_data or b""))
    assert found.compression_ratio == found.compressed_size / found.original_size


@pytest.mark.parametrize(
    ("make", "known"),
    [
        (lambda: DataCompressor(quality="good"), "fast, balanced, best"),
        (lambda: DataCompressor("brotli"), "none, gzip, zlib, lzma, snappy, zstd, auto"),
        (lambda: DataCompressor().compress_data(TEXT, "brotli"), "none, gzip, zlib, lzma, snappy, zstd, auto"),
        (lambda: DataCompressor(on_failure="ignore"), "raise, store"),  # type: ignore[arg-type]
    ],
)
def test_an_unknown_word_is_a_value_error_with_the_known_ones(make: Any, known: str) -> None:
    with pytest.raises(ValueError, match=known):
        make()


# Exact

# Surrogates too, alone and as halves beside each other, which are not the one character that they would make.
LETTERS = st.characters(exclude_categories=()) | st.sampled_from("\ud83d\ude00")
REPEATED = st.binary(max_size=30).map(lambda part: part * 300)
DATA = st.one_of(st.binary(max_size=2000), st.text(LETTERS, max_size=700), REPEATED)


@pytest.mark.parametrize("quality", codecs.QUALITIES)
@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=2000), st.text(LETTERS, max_size=700), st.binary(max_size=30).map(lambda p: p * 300)
    )
)
def test_texts_and_bytes_come_back_as_what_they_were(method: str, quality: str, data: str | bytes) -> None:
    compressor = DataCompressor(method, quality)
    found = compressor.compress_data(data)
    back = compressor.decompress_data(found)
    assert (type(back), back) == (type(data), data)
    assert found.compressed_size <= found.original_size


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(LETTERS),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(LETTERS, max_size=8), inner, max_size=6),
    max_leaves=30,
)  # fmt: skip


def types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: types(inner) for key, inner in value.items()}
    return [types(inner) for inner in value] if isinstance(value, list) else (type(value), repr(value))


@pytest.mark.parametrize("method", ["gzip", "auto"])
@settings(deadline=None)
@given(value=JSON)
def test_json_comes_back_as_the_same_value(method: str, value: Any) -> None:
    compressor = DataCompressor(method)
    found = compressor.compress_json_data(value)
    assert found.metadata["data_type"] == "json"
    back = compressor.decompress_json_data(found)
    assert back == value
    assert types(back) == types(value)  # 1 is no 1.0 and no True, 0.0 is no -0.0


@pytest.mark.parametrize(
    "value",
    [
        2**64, -(10**4000), 1.7976931348623157e308, 5e-324, -0.0, 0.1, "\ud83d\ude00", ["\udcff" * 60], "\0\u2028",
        {"": {"": []}}, [[]] * 50, None, True, "\ufeff",
    ],
)  # fmt: skip
def test_json_that_is_at_the_edge(value: Any) -> None:
    compressor = DataCompressor()
    back = compressor.decompress_json_data(compressor.compress_json_data(value))
    assert (back, repr(back)) == (value, repr(value))


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def test_json_that_is_nested_as_deeply_as_the_interpreter_reads() -> None:
    compressor = DataCompressor()
    assert compressor.decompress_json_data(compressor.compress_json_data(nested(500))) == nested(500)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "NaN|nan|Out of range"),
        ([float("inf")], "inf|Out of range"),
        ({"a": (1, 2)}, "another value"),
        ({1: "a"}, "another value"),
        ({None: "a"}, "another value"),
        ({"a": b"bytes"}, "bytes"),
        ({"a": {1}}, "set"),
        (nested(200_000), "deeply"),
        (10**5000, "digits"),
    ],
    ids=["nan", "infinity", "tuple", "number as key", "null as key", "bytes", "set", "deep", "digits"],
)
@pytest.mark.parametrize("on_failure", ["raise", "store"])
def test_what_is_no_json_is_refused_with_the_reason(value: Any, why: str, on_failure: Any) -> None:
    with pytest.raises(CompressionError, match=why) as told:
        DataCompressor(on_failure=on_failure).compress_json_data(value)
    assert (told.value.kind, "\n" in told.value.message) == ("refused", False)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(CompressionError, match="Circular"):
        DataCompressor().compress_json_data(value)


@pytest.mark.parametrize("data", [bytearray(b"x" * 200), memoryview(b"x" * 200)])
def test_what_is_like_bytes_comes_back_as_bytes(data: Any) -> None:
    compressor = DataCompressor()
    assert compressor.decompress_data(compressor.compress_data(data)) == b"x" * 200


@pytest.mark.parametrize("data", [None, 7, [1], {"a": 1}])
def test_other_values_are_a_type_error_that_names_the_other_call(data: Any) -> None:
    with pytest.raises(TypeError, match="compress_json_data"):
        DataCompressor().compress_data(data)


# Stored as it is


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("size", "too_small"), [(1, True), (99, True), (100, False)])
def test_under_100_bytes_nothing_is_packed(method: str, size: int, too_small: bool) -> None:
    found = DataCompressor(method).compress_data(b"x" * size)
    assert (found.metadata.get("reason") == "data_too_small") == too_small
    if too_small:
        assert (found.method, found.compressed_data) == (CompressionMethod.NONE, b"x" * size)
        assert (found.compression_ratio, found.space_saved_percent) == (1.0, 0.0)


@pytest.mark.parametrize("empty", ["", b""])
def test_an_empty_input_has_the_ratio_1(empty: str | bytes) -> None:
    compressor = DataCompressor()
    found = compressor.compress_data(empty)
    assert found[:4] == (0, 0, 1.0, CompressionMethod.NONE)
    assert (found.metadata["reason"], found.space_saved_percent) == ("data_too_small", 0.0)
    assert compressor.decompress_data(found) == empty


@pytest.mark.parametrize("method", METHODS[1:])
def test_what_does_not_shrink_is_stored_raw(method: str) -> None:
    noise = random.Random(3).randbytes(5000)
    found = DataCompressor(method).compress_data(noise)
    assert (found.method, found.compressed_data) == (CompressionMethod.NONE, noise)
    assert found.metadata["reason"] == "no_gain"


# Failures


class Broken:
    """A codec that fails, or gives back something else, in one of several ways."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.real = codecs.pack

    def __call__(self, raw: bytes, method: str, quality: str = "balanced") -> bytes:
        if self.how == "short":
            return self.real(raw[:-1], method, quality)
        if self.how == "cut":
            return self.real(raw, method, quality)[:-1]
        raise {"memory": MemoryError(), "library": ImportError("no snappy"), "any": RuntimeError("")}[self.how]


@pytest.mark.parametrize("how", ["memory", "library", "any", "short", "cut"])
def test_a_codec_that_fails_raises_or_stores_raw_as_the_caller_chose(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``short`` drops the last byte of the data, ``cut`` that of the container: seen by reading back what was made."""
    monkeypatch.setattr(codecs, "pack", Broken(how))
    with pytest.raises(CompressionError) as told:
        DataCompressor(verify=True).compress_data(TEXT)
    assert told.value.message
    storing = DataCompressor(on_failure="store", verify=True)
    found = storing.compress_data(TEXT)
    assert (found.method, found.compressed_data) == (CompressionMethod.NONE, TEXT.encode())
    assert found.metadata["error"] == told.value.message
    assert storing.decompress_data(found) == TEXT


def test_a_codec_that_drops_the_last_byte_is_never_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where nothing was verified: the size tells."""
    monkeypatch.setattr(codecs, "pack", Broken("short"))
    for data in (TEXT, changesets(1000)):
        found = DataCompressor().compress_data(data)
        with pytest.raises(CompressionError, match="is said to hold"):
            DataCompressor().decompress_data(found)


def whole(method: str = "gzip", data: str | bytes = TEXT) -> CompressionResult:
    return DataCompressor(method).compress_data(data)


def described() -> Iterator[tuple[str, CompressionResult, str]]:
    good = whole()
    stored = good.compressed_data or b""
    yield "no data", good._replace(compressed_data=None), "mislabelled"
    yield "another compressed size", good._replace(compressed_size=good.compressed_size + 1), "mislabelled"
    yield "a larger original size", good._replace(original_size=good.original_size + 1), "mislabelled"
    yield "a smaller original size", good._replace(original_size=good.original_size - 1), "oversized"
    yield "another method", good._replace(method=CompressionMethod.ZSTD), "foreign"
    yield "no method", good._replace(method="brotli"), "mislabelled"  # type: ignore[arg-type]
    yield "none as method", good._replace(method=CompressionMethod.NONE), "mislabelled"
    yield "cut", good._replace(compressed_data=stored[:-1], compressed_size=len(stored) - 1), "truncated"
    yield "longer", good._replace(compressed_data=stored + b"x", compressed_size=len(stored) + 1), "trailing"
    flipped = stored[:-6] + bytes((stored[-6] ^ 1,)) + stored[-5:]
    yield "a flipped bit", good._replace(compressed_data=flipped), "damaged"
    yield "another type", good._replace(metadata={"original_type": "number"}), "mislabelled"
    yield "bytes as text", whole(data=b"\xff" * 200)._replace(metadata={"original_type": "string"}), "mislabelled"
    yield "a snappy stream cut between chunks", _cut_snappy(), "mislabelled"


def _cut_snappy() -> CompressionResult:
    good = whole("snappy", changesets(200_000))
    stored = good.compressed_data or b""
    end = 10 + 4 + int.from_bytes(stored[11:14], "little")
    return good._replace(compressed_data=stored[:end], compressed_size=end)


@pytest.mark.parametrize(("result", "kind"), [each[1:] for each in described()], ids=[each[0] for each in described()])
def test_a_result_that_does_not_fit_its_data_is_refused(result: CompressionResult, kind: str) -> None:
    with pytest.raises(CompressionError) as told:
        DataCompressor().decompress_data(result)
    assert told.value.kind == kind
    assert told.value.remedy


def test_a_result_may_come_from_json() -> None:
    """The method a word, the type of bytes not told: as somebody may have kept it."""
    good = whole("zstd", b"x" * 500)
    kept = json.loads(json.dumps(good.to_json()))
    again = good._replace(method=kept["method"], metadata={})
    assert DataCompressor().decompress_data(again) == b"x" * 500


def test_only_json_is_read_as_json() -> None:
    compressor = DataCompressor()
    with pytest.raises(CompressionError, match="not said to be JSON"):
        compressor.decompress_json_data(whole())
    for text in ("{", "[" * 200_000):
        found = compressor.compress_data(text)
        with pytest.raises(CompressionError, match="said to be JSON") as told:
            compressor.decompress_json_data(found._replace(metadata={**found.metadata, "data_type": "json"}))
        assert told.value.kind == "mislabelled"


def test_more_than_the_limit_is_refused_until_it_is_raised() -> None:
    found = DataCompressor("zstd").compress_data(bytes(1 << 20))
    assert found.compressed_size < 200
    with pytest.raises(CompressionError, match="1,000,000 bytes") as told:
        DataCompressor(limit=1_000_000).decompress_data(found)
    assert told.value.kind == "oversized"
    assert DataCompressor(limit=1 << 20).decompress_data(found) == bytes(1 << 20)


# What it saves


@pytest.mark.parametrize("quality", codecs.QUALITIES)
@pytest.mark.parametrize("method", containers.METHODS[1:])
def test_typical_changesets_shrink_by_more_than_half(method: str, quality: str) -> None:
    assert DataCompressor(method, quality).compress_data(changesets(50_000)).space_saved_percent > 50


def test_nothing_heavy_is_loaded_by_the_package() -> None:
    code = "import sys, mgit_hooks.pipeline; print(*(name for name in sys.modules if name.startswith('mgit_hooks')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mgit_hooks", "mgit_hooks.pipeline"]


@pytest.mark.parametrize(
    "lie",
    [
        {"original_size": None}, {"original_size": "600"}, {"original_size": -1}, {"original_size": True},
        {"compressed_size": None}, {"compressed_size": "39"}, {"compressed_data": 1}, {"compressed_data": "x" * 39},
        {"metadata": None}, {"metadata": "json"},
    ],
    ids=str,
)  # fmt: skip
def test_a_result_of_the_wrong_shape_is_mislabelled(lie: dict[str, Any]) -> None:
    found = DataCompressor().compress_data("hello world " * 50)
    for call in (DataCompressor().decompress_data, DataCompressor().decompress_json_data):
        with pytest.raises(CompressionError) as told:
            call(found._replace(**lie))
        assert told.value.kind == "mislabelled"


@pytest.mark.parametrize("value", [None, {}, b"bytes", 1])
def test_what_is_no_result_is_a_type_error_that_says_so(value: Any) -> None:
    with pytest.raises(TypeError, match="not a CompressionResult"):
        DataCompressor().decompress_data(value)


def test_an_unknown_temperature_is_refused_whatever_the_method_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hot, warm, cold"):
        DataCompressor("gzip").compress_data(b"x", temperature="tepid")
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(ValueError, match="hot, warm, cold"):
        FileCompressor().compress_file(tmp_path / "x", temperature="tepid")
    assert os.listdir(tmp_path) == ["x"]


def test_without_a_limit_any_size_comes_back() -> None:
    found = DataCompressor().compress_data(b"x" * 5000)
    assert DataCompressor(limit=None).decompress_data(found) == b"x" * 5000
