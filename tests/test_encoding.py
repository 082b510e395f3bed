"""Records as bytes: what is encoded many at a time is, to the byte, what is encoded alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import samples
from hypothesis import example, given
from hypothesis import strategies as st

from mgit_hooks import encoding
from mgit_hooks.encoding import decode, encode, encode_json, exported
from mgit_hooks.record import Action, FileChange, Issue, Record, Seq, Validation

texts = st.text(st.characters(exclude_categories=()))  # lone surrogates too
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.integers(), inner, max_size=3),
    max_leaves=8,
)
free = st.none() | st.dictionaries(texts, values, max_size=3)


@pytest.fixture(scope="module", autouse=True)
def many() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "_dumps", None)
        encoding.expect_many()
        yield


def many_of(detail: Any = None, original: Any = None, issue: Any = None, action: Any = None, text: str = "") -> Record:
    changed = FileChange(text, None, "added", "A", ".", None, "100644", None, samples.BLOB, 2**70, 1, 0, False)
    return samples.record(
        detail=detail,
        original=original,
        branch=text,
        supersedes=Seq(2**63),
        commit=samples.COMMIT._replace(message=text, files=(changed,) if text else samples.CHANGES),
        validation=Validation("basic", False, (Issue("error", text, "m", "", None, issue),)),
        recovery=(Action("x", "d", True, None, action),),
    )


@given(free, free, free, free, texts)
@example({"a": 1e16}, None, None, None, "")
@example(None, {"a": [float("nan")]}, None, None, "")
@example(None, None, {"a": {"b": 1e-7}}, None, "")
@example(None, None, None, {"a": (-0.0, 1e300)}, "")
@example({"\ud800": "\udfff"}, {"big": 2**64, "small": -(2**64)}, {1: 2}, {"c": "\x00\x1f\x7f\u2028"}, "\ud83d")
def test_many_at_a_time_give_the_same_bytes(detail: Any, original: Any, issue: Any, action: Any, text: str) -> None:
    made = many_of(detail, original, issue, action, text)
    assert encode(made) == encode_json(made.payload())


@pytest.mark.parametrize("name", samples.RECORDS)
def test_every_kind_of_record_too(name: str) -> None:
    made = samples.RECORDS[name]
    payload = encode(made)
    assert payload == encode_json(made.payload())
    assert decode(payload, Seq(1), "f" * 64) == made._replace(seq=Seq(1), id="f" * 64)


def test_orjson_is_not_loaded_before_many_are_expected() -> None:
    script = (
        "import sys; from mgit_hooks import encoding; assert 'orjson' not in sys.modules; "
        "encoding.expect_many(); assert 'orjson' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", sorted(samples.RECORDS))
def test_a_line_of_the_export_is_the_record_as_log_prints_it(name: str) -> None:
    payload = encode(samples.RECORDS[name])
    shown = decode(payload, Seq(7), "ab" * 32).to_json()
    assert exported(payload, Seq(7), "ab" * 32) == encode_json(shown)


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b'{"no":1}', b"\xff", b'"event"', b"[" * 100_000])
def test_what_is_no_record_has_no_line_in_the_export(payload: bytes) -> None:
    assert exported(payload, Seq(1), "ab" * 32) is None


def test_a_record_that_another_program_wrote_is_one_line_all_the_same() -> None:
    line = exported(b'{\n "other": 1,\n "event": "commit"\n}', Seq(1), "ab")
    assert line == b'{"seq":1,"id":"ab","other":1,"event":"commit"}'
