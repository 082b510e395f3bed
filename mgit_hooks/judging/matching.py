"""Patterns as JSON Schema means them, compiled. Loads ``re`` only for a pattern that nobody compiled before."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

_MOST = 512
_compiled: dict[str, re.Pattern[str]] = {}


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern with ECMA-262's ``$``: the very end, not also before a last newline as in Python.

    Raises re.error.
    """
    found = _compiled.get(pattern)
    if found is None:
        import re

        if len(_compiled) >= _MOST:
            _compiled.clear()
        found = _compiled[pattern] = re.compile(end_anchors(pattern))
    return found


def know(patterns: Mapping[str, re.Pattern[str]]) -> None:
    """Take these for compiled: the gate has them from its last run, and need not load ``re``."""
    _compiled.update(patterns)


def end_anchors(pattern: str) -> str:
    if "$" not in pattern:
        return pattern
    out = []
    in_class = escaped = False
    for char in pattern:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "[":
            in_class = True
        elif char == "]":
            in_class = False
        elif char == "$" and not in_class:
            char = r"\Z"
        out.append(char)
    return "".join(out)
