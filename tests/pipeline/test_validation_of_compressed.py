"""Validation of compressed data: every code from its level on, and not below, and never on what is clean."""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit_hooks import codecs
from mgit_hooks.containers import METHODS
from mgit_hooks.judging import compressedchecks, schemas
from mgit_hooks.judging.validate import LEVELS, validate
from mgit_hooks.pipeline import ChangesetValidator, DataCompressor, FileCompressor, ValidationResult

DATA = b"a line that comes again and again\n" * 40
OTHER = DATA.replace(b"again", b"AGAIN", 1)
CODES = {
    "MISSING_REQUIRED_FIELD": ("error", "basic"),
    "MISSING_COMPRESSED_DATA": ("critical", "basic"),
    "SIZE_INCONSISTENCY": ("error", "basic"),
    "UNUSUAL_COMPRESSION_RATIO": ("warning", "basic"),
    "INVALID_COMPRESSION_METHOD": ("error", "basic"),
    "DATA_CORRUPTION": ("critical", "standard"),
    "DECOMPRESSION_FAILED": ("error", "standard"),
    "INCONSISTENT_COMPRESSION_RATIO": ("warning", "strict"),
    "COMPRESSION_VALIDATION_EXCEPTION": ("critical", "basic"),
}


def result(method: str = "gzip") -> Any:
    return DataCompressor(method).compress_data(DATA)


def found(judged: ValidationResult) -> list[tuple[str, str, str]]:
    return [(issue.severity, issue.code, issue.field_path) for issue in judged.issues]


def judge(value: Any, level: str, expected: Any = None) -> ValidationResult:
    return ChangesetValidator(level).validate_compressed_data(value, expected)


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


PACKED = codecs.pack(DATA, "gzip")
# What is another in the result, what it was to give back, and what is found where.
FAULTS: list[tuple[dict[str, Any], Any, str, str]] = [
    ({"compressed_data": None}, None, "MISSING_COMPRESSED_DATA", "/compressed_data"),
    ({"compressed_data": b""}, DATA, "MISSING_COMPRESSED_DATA", "/compressed_data"),
    ({"compressed_data": b"", "compressed_size": 0, "compression_ratio": 0.0}, None, "MISSING_COMPRESSED_DATA",
     "/compressed_data"),
    ({"compressed_size": len(PACKED) + 1}, None, "SIZE_INCONSISTENCY", "/compressed_size"),
    ({"compressed_size": 0, "compression_ratio": 0.0}, None, "SIZE_INCONSISTENCY", "/compressed_size"),
    ({"compression_ratio": -0.1}, None, "UNUSUAL_COMPRESSION_RATIO", "/compression_ratio"),
    ({"compression_ratio": 10.1}, DATA, "UNUSUAL_COMPRESSION_RATIO", "/compression_ratio"),
    ({"method": "arj"}, None, "INVALID_COMPRESSION_METHOD", "/method"),
    ({"method": None}, None, "MISSING_REQUIRED_FIELD", "/method"),
    ({"original_size": None}, None, "MISSING_REQUIRED_FIELD", "/original_size"),
    ({"compression_ratio": None}, None, "MISSING_REQUIRED_FIELD", "/compression_ratio"),
    ({}, OTHER, "DATA_CORRUPTION", "/compressed_data"),
    ({}, OTHER.decode(), "DATA_CORRUPTION", "/compressed_data"),
    ({}, {"not": "this"}, "DATA_CORRUPTION", "/compressed_data"),
    ({"compressed_data": codecs.pack(OTHER, "gzip")}, DATA, "DATA_CORRUPTION", "/compressed_data"),
    ({"original_size": len(DATA) - 1}, None, "DATA_CORRUPTION", "/compressed_data"),
    ({"original_size": len(DATA) + 1}, None, "DATA_CORRUPTION", "/compressed_data"),
    ({"compressed_data": _cut(PACKED)}, None, "DECOMPRESSION_FAILED", "/compressed_data"),
    ({"compressed_data": PACKED[:-6] + bytes(6)}, DATA, "DECOMPRESSION_FAILED", "/compressed_data"),
    ({"compressed_data": b"no gzip at all"}, None, "DECOMPRESSION_FAILED", "/compressed_data"),
    ({"compressed_data": PACKED + b"x"}, None, "DECOMPRESSION_FAILED", "/compressed_data"),
    ({"method": "zstd"}, None, "DECOMPRESSION_FAILED", "/compressed_data"),
    ({"compression_ratio": 0.9}, None, "INCONSISTENT_COMPRESSION_RATIO", "/compression_ratio"),
    ({"compression_ratio": float("nan")}, None, "UNUSUAL_COMPRESSION_RATIO", "/compression_ratio"),
    ({"metadata": {"original_type": "list"}}, DATA, "DECOMPRESSION_FAILED", "/compressed_data"),
    ({"metadata": {"original_type": "string"}, "compressed_data": codecs.pack(b"\xff" * len(DATA), "gzip")}, None,
     "DECOMPRESSION_FAILED", "/compressed_data"),
    ({"metadata": {"data_type": "json"}}, None, "DECOMPRESSION_FAILED", "/compressed_data"),
]  # fmt: skip


@pytest.mark.parametrize("form", ["value", "json"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_each_fault_is_found_from_its_level_on(number: int, level: str, form: str) -> None:
    changes, given, code, where = FAULTS[number]
    data = changes.get("compressed_data", PACKED)
    fitting = {} if "compressed_size" in changes or not data else {"compressed_size": len(data)}
    changed = {"compressed_data": PACKED, **fitting, **changes}
    value = result()._replace(**changed) if form == "value" else {**result().to_json(), **changed}
    severity, lowest = CODES[code]
    seen = found(judge(value, level, given))
    if LEVELS.index(level) < LEVELS.index(lowest):
        assert seen == []
    else:
        assert (severity, code, where) in seen
        # A size or a ratio that is off is off by another rule, too.
        rest = {other for _, other, _ in seen} - {code}
        assert rest <= {"INCONSISTENT_COMPRESSION_RATIO"}


def test_every_code_has_a_fault_and_a_line_in_the_docs() -> None:
    covered = {code for _, _, code, _ in FAULTS}
    assert set(CODES) - covered == {"COMPRESSION_VALIDATION_EXCEPTION"}  # below, by a check that fails
    docs = (Path(__file__).parents[2] / "docs" / "validation.md").read_text()
    assert [code for code in CODES if f"`{code}`" not in docs] == []


@pytest.mark.parametrize("value", [None, 5, [], b"x", object()])
def test_what_is_no_result_is_of_an_invalid_type(value: Any) -> None:
    assert found(judge(value, "strict")) == [("error", "INVALID_TYPE", "")]


def test_a_method_may_be_its_name() -> None:
    assert found(judge(result()._replace(method="gzip"), "strict", DATA)) == []


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("method", [*METHODS, "auto"])
@pytest.mark.parametrize("data", [b"", b"x", DATA, bytes(range(256)) * 9, "text \u6587" * 99])
def test_nothing_is_found_on_what_the_compressor_gives(method: str, data: bytes | str, level: str) -> None:
    made = DataCompressor(method).compress_data(data)
    judged = judge(made, level, data)
    assert (found(judged), judged.is_valid, judged.statistics) == ([], True, {"compression_checks": 1})
    assert found(judge(made, level)) == []


@settings(max_examples=30, deadline=None)
@given(value=st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.text(), inner)))  # fmt: skip
def test_a_json_value_is_compared_as_a_value(value: Any) -> None:
    made = DataCompressor("zlib").compress_json_data([value])
    assert found(judge(made, "strict", [value])) == []
    assert [code for _, code, _ in found(judge(made, "standard", [value, 1]))] == ["DATA_CORRUPTION"]


def test_each_flipped_bit_is_found_with_or_without_what_was_expected() -> None:
    """With what was expected every one; without it, all that the container's own checksum covers."""
    made = result("zstd")
    for at in range(len(made.compressed_data)):
        data = bytearray(made.compressed_data)
        data[at] ^= 1 << at % 8
        judged = judge(made._replace(compressed_data=bytes(data)), "standard", DATA)
        assert not judged.is_valid or codecs.unpack(bytes(data), "zstd") == DATA, at


def test_what_is_in_a_file_is_read_there_and_held_against_its_hash(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(DATA)
    (tmp_path / "other").write_bytes(OTHER)
    compressor = FileCompressor(DataCompressor("gzip"))
    made, other = (compressor.compress_file(tmp_path / name) for name in ("in", "other"))
    assert made.compressed_data is None
    for level in LEVELS:
        assert found(judge(made, level)) == found(judge(made, level, DATA)) == []
    assert [code for _, code, _ in found(judge(made, "standard", OTHER))] == ["DATA_CORRUPTION"]
    packed = Path(made.metadata["output_file"])
    packed.write_bytes(Path(other.metadata["output_file"]).read_bytes())
    assert "DATA_CORRUPTION" in [code for _, code, _ in found(judge(made, "standard"))]
    packed.write_bytes(packed.read_bytes()[:-3])
    assert [code for _, code, _ in found(judge(made, "standard"))][-1] == "DECOMPRESSION_FAILED"
    packed.unlink()
    assert [code for _, code, _ in found(judge(made, "basic"))] == ["MISSING_COMPRESSED_DATA"]


def test_a_bomb_is_not_unpacked() -> None:
    import tracemalloc

    bomb = codecs.pack(bytes(64 << 20), "gzip", "fast")
    value = {"original_size": 1000, "compressed_size": len(bomb), "compression_ratio": 1.0, "method": "gzip"}
    tracemalloc.start()
    try:
        seen = found(judge({**value, "compressed_data": bomb}, "standard"))
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert seen == [("critical", "DATA_CORRUPTION", "/compressed_data")]


def test_without_the_round_trip_faults_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: a decompression that gives what was expected, whatever the bytes are."""
    monkeypatch.setattr(compressedchecks, "decompressed", lambda value: DATA)
    for number, (changes, _, code, _) in enumerate(FAULTS):
        if code == "DECOMPRESSION_FAILED" and "metadata" not in changes:
            with pytest.raises(AssertionError):
                test_each_fault_is_found_from_its_level_on(number, "standard", "value")


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, {"compressed_data": 7}, object()])
@pytest.mark.parametrize("level", LEVELS)
def test_whatever_comes_in_comes_out_as_issues(value: Any, level: str) -> None:
    judged = judge(value, level, DATA)
    assert not judged.is_valid


def test_a_check_that_fails_itself_is_an_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(compressedchecks, "decompressed", fails)
    judged = judge(result(), "standard")
    assert found(judged) == [("critical", "COMPRESSION_VALIDATION_EXCEPTION", "")]
    assert judged.has_critical_issues


def test_the_json_of_a_result_is_judged_by_the_schemas_command_too(tmp_path: Path, mgit: Any) -> None:
    made = result()
    value = {**made.to_json(), "compressed_data": b2a_base64(made.compressed_data, newline=False).decode()}
    value["sha256"] = sha256(DATA).hexdigest()
    assert a2b_base64(value["compressed_data"]) == made.compressed_data
    for sound, code in ((True, 0), (False, 1)):
        told = {**value, "sha256": value["sha256"] if sound else "0" * 64}
        (tmp_path / "result.json").write_text(json.dumps(told))
        shown = mgit("schema", "validate", str(tmp_path / "result.json"), "--kind", "compressed")
        assert (shown.code, "DATA_CORRUPTION" in shown.out) == (code, not sound)


@pytest.mark.parametrize("level", LEVELS)
def test_both_paths_of_validation_agree(level: str) -> None:
    known = schemas.load()
    value = {**result().to_json(), "compressed_data": "", "sha256": "0" * 64}
    name = f"urn:mgit-hooks:compressed.{level}"
    fast = known.checker(name)
    assert fast is not None
    for key in value:
        for new in (None, "", -1, 0, 1.5, 11, True, [], {}, "zstd", "f" * 64):
            changed = {**value, key: new}
            assert fast(changed) == (not list(known.validator(name).iter_errors(changed)))
    assert validate("compressed", value, level, known)
