"""Text from a repository, made safe for a terminal."""

from __future__ import annotations

import re

# C0 and C1 controls, DEL, and the bidirectional controls that can make a line read as what it is not.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")
_UNSAFE_BUT_NEWLINE = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


def escape(text: str) -> str:
    """``text`` on one line, every control character visible as ``\\x1b`` or ``\\u202e``."""
    return _UNSAFE.sub(_visible, text)


def escape_block(text: str) -> str:
    """As ``escape``, but newlines stay: for a commit message shown whole."""
    return _UNSAFE_BUT_NEWLINE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
