"""What a terminal gets to see of a repository's text: nothing that moves, hides or turns what is around it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks.display import escape, escape_block

TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, Zürich, 東京, 👍", "plain, Zürich, 東京, 👍"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("one\ntwo\rthree\tfour", "one\\ntwo\\rthree\\tfour"),
        ("\x00\x07\x7f\x85\x9b", "\\x00\\x07\\x7f\\x85\\x9b"),
        ("abc\u202edcba\u2066", "abc\\u202edcba\\u2066"),
        ("\u200e\u200f\u061c\u2028\u2029", "\\u200e\\u200f\\u061c\\u2028\\u2029"),
        ("\udc80", "\\udc80"),
    ],
)
def test_controls_become_visible(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_a_block_keeps_its_lines_and_nothing_else() -> None:
    assert escape_block("one\n\ttwo\r\x1b[2J\n") == "one\n\\ttwo\\r\\x1b[2J\n"


@given(st.text(st.characters()))
def test_no_control_is_left(text: str) -> None:
    for shown, allowed in ((escape(text), ""), (escape_block(text), "\n")):
        for character in shown:
            assert character in allowed or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
            assert unicodedata.bidirectional(character) not in (
                "LRE",
                "RLE",
                "LRO",
                "RLO",
                "PDF",
                "LRI",
                "RLI",
                "FSI",
                "PDI",
            )
        shown.encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_is_harmless_stays(text: str) -> None:
    assert escape(text) == text
