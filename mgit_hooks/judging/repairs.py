"""Which repairs a rule may name, and with what options (docs/decisions/0014-repair-at-the-gate.md).

What each does to a message is in ``gatekeeper.mending``; here is what a policy may say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from mgit_hooks.judging.matching import compiled
from mgit_hooks.judging.patterns import cost

NONE: Final = "none"
"""Takes off what the library's rule names."""
SIGN_OFF: Final = "sign-off"
_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_TRAILER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*: \S")


class Repair(NamedTuple):
    name: str
    options: Mapping[str, Any]  # each of them, defaults included


class Option(NamedTuple):
    default: Any
    wrong: Callable[[Any], str | None]  # what is wrong with a value, in words


def _width(value: Any) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10_000
    return None if fits else "is not a number from 1 to 10000"


def _ids(value: Any) -> str | None:
    if not isinstance(value, str):
        return "is not a pattern"
    try:
        compiled(value)
    except re.error as error:
        return f"is a bad pattern: {error}"
    # A worktree's pattern is matched against a name that a stranger may have given to a branch.
    return None if cost(value) is not None else "is a pattern that may never end: write it without a repeat in a repeat"


def _put(value: Any) -> str | None:
    if not isinstance(value, str) or value.count("{id}") != 1 or not value.isprintable():
        return "is not a text with {id} in it, once"
    if "{subject}" in value:
        return None
    if _TRAILER.match(value) and value.partition(":")[0].casefold().endswith("-by"):
        return "is a trailer that a person gives (Signed-off-by, Reviewed-by)"  # not a worktree in that person's name
    return None if _TRAILER.match(value) else "is neither a trailer, as 'Refs: {id}', nor has it {subject}"


def _order(value: Any) -> str | None:
    fits = isinstance(value, list) and all(isinstance(each, str) and _KEY.match(each) for each in value)
    if not fits or not value:
        return "is not a list of trailers' keys"
    same = len({each.casefold() for each in value}) < len(value)
    return "names a key twice" if same else None


# In the order in which they are made: trailers come after the text above them, and are put in order last.
KNOWN: Final[Mapping[str, Mapping[str, Option]]] = {
    "whitespace": {},
    "blank-line": {},
    "wrap": {"width": Option(72, _width)},
    "issue-from-branch": {"ids": Option("[A-Z][A-Z0-9]+-[0-9]+", _ids), "put": Option("Refs: {id}", _put)},
    SIGN_OFF: {},
    "trailer-order": {"order": Option(["Signed-off-by"], _order)},
}


class Wrong(ValueError):
    """What a rule says of its repair makes no sense. ``fix`` says what would."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def read(said: Any) -> Repair | None:
    """The repair that ``said`` (a name, or an object with ``name`` and options) names; None of "none".

    Raises Wrong.
    """
    given = {"name": said} if isinstance(said, str) else dict(said)
    name = given.pop("name", None)
    if name == NONE and not given:
        return None
    if name not in KNOWN:
        raise Wrong(f"unknown repair '{name}'", f"known: {', '.join((*KNOWN, NONE))}")
    options = KNOWN[name]
    for key, value in given.items():
        if key not in options:
            raise Wrong(f"repair '{name}' has no option '{key}'", f"its options: {', '.join(options) or 'none'}")
        if (wrong := options[key].wrong(value)) is not None:
            raise Wrong(f"option '{key}' of repair '{name}' {wrong}", "see docs/rules.md")
    return Repair(name, {key: given.get(key, option.default) for key, option in options.items()})
