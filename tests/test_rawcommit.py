"""Commit objects as bytes: what is read at one look is what is read line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks.capture import rawcommit
from mgit_hooks.errors import ObjectError
from mgit_hooks.record import Oid

OID = Oid("ab" * 20)
TREE = b"tree " + b"1" * 40 + b"\n"
PARENT = b"parent " + b"2" * 40 + b"\n"
ORDINARY = TREE + PARENT + b"author A B <a@b> 1700000000 +0100\ncommitter C <c@d> 1700000001 -0230\n\nmessage\n\nmore\n"
ODD = (
    ORDINARY,
    TREE + b"author A <a> 1 +0000\ncommitter C <c> 2 +0000\n\n",
    TREE + b"author A <a> 1 +0000\ncommitter C <c> 2 +0000\n",
    TREE + PARENT * 3 + b"author  A  < a > 1 +0000\ncommitter <c> 2 +0000\ngpgsig x\n y\nencoding latin-1\n\nm\xe9\n",
    TREE + b"author A <a> 1 +0000\ncommitter C <c> 2 +9900\n\nzone",
    TREE + b"author A <a> -1 +0000\ncommitter C <c> 2\n\nold",
    TREE + b"author A <a> b> 1 +0000\ncommitter C > <c> 2 +0000\n\nbrackets",
    TREE + b"author A <a> 99999999999999999999 +0000\ncommitter C <c> 999999999999999 +0000\n\nlate",
    TREE + PARENT + b"author A <a> 1 +0000\nparent " + b"3" * 40 + b"\ncommitter C <c> 2 +0000\n\norder",
    TREE + PARENT[:-9] + b"\nauthor A <a> 1 +0000\ncommitter C <c> 2 +0000\n\nshort",
    b"tree short\nauthor A <a> 1 +0000\ncommitter C <c> 2 +0000\n\nno tree",
    b"",
)


def by_line(raw: bytes) -> rawcommit.RawCommit | str:
    try:
        return rawcommit._by_line(raw, OID)
    except ObjectError as error:
        return str(error)


def at_once(raw: bytes) -> rawcommit.RawCommit | str:
    try:
        return rawcommit.parse(raw, OID)
    except ObjectError as error:
        return str(error)


def place(raw: bytes) -> rawcommit.Place | str:
    try:
        return rawcommit.place(raw, OID)
    except ObjectError as error:
        return str(error)


def expected_place(raw: bytes) -> rawcommit.Place | str:
    told = by_line(raw)
    if isinstance(told, str):
        return told
    return rawcommit.Place(rawcommit._committer_time(raw), rawcommit._parents(raw))


@pytest.mark.parametrize("raw", ODD)
def test_at_one_look_as_line_by_line(raw: bytes) -> None:
    assert at_once(raw) == by_line(raw)
    assert place(raw) == expected_place(raw)


@given(st.sampled_from(ODD), st.integers(0, 300), st.integers(0, 8), st.binary(max_size=6))
def test_of_changed_objects_as_well(raw: bytes, at: int, gone: int, come: bytes) -> None:
    changed = raw[:at] + come + raw[at + gone :]
    assert at_once(changed) == by_line(changed)
    assert place(changed) == expected_place(changed)


def test_an_ordinary_commit_is_read_at_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rawcommit, "_by_line", None)
    found = rawcommit.parse(ORDINARY, OID)
    assert (found.parents, found.author.name, found.committer.date) == (
        ("2" * 40,),
        b"A B",
        "2023-11-14T19:43:21-02:30",
    )
    assert found.message == b"message\n\nmore\n"
    assert rawcommit.place(ORDINARY, OID) == rawcommit.Place(1700000001, (Oid("2" * 40),))
