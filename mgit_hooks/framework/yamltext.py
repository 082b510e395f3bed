"""YAML as the places in a text where its nodes stand, so that lines can go in between what others wrote, and out again.

Read by PyYAML, as pre-commit reads its configuration. By its events, not its objects: an alias stays one (a few lines
of them can stand for more than any memory holds), and depth is bounded while the text is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from mgit_hooks.errors import ConfigError

LARGEST: Final = 256 * 1024
"""Characters: PyYAML takes about a second for them. The largest configurations known have 30,000."""
DEEPEST: Final = 32
"""Levels; pre-commit's own schema has six."""


class Node(NamedTuple):
    """A node's place, in characters from the text's beginning. Of lists and mappings that are lines (not ``flow``),
    ``end`` is that of their last node: PyYAML counts comments and empty lines behind it to them."""

    kind: str  # mapping | sequence | scalar | alias
    start: int
    end: int
    column: int
    flow: bool = False
    value: str = ""
    style: str | None = None
    anchor: str | None = None
    children: tuple[Node, ...] = ()  # of a mapping: keys and values in turn

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        return zip(self.children[::2], self.children[1::2], strict=True)

    def named(self, key: str) -> list[tuple[Node, Node]]:
        """The pairs of this key; more than one where it is doubled."""
        return [pair for pair in self.pairs() if pair[0].kind == "scalar" and pair[0].value == key]

    def get(self, key: str) -> Node | None:
        found = self.named(key)
        return found[0][1] if found else None

    @property
    def is_nothing(self) -> bool:
        """Nothing is written: ``key:`` and no more."""
        return self.kind == "scalar" and self.start == self.end


Event = tuple[str, str | None, str | None, str | None]
"""What an event says, wherever it stands: kind, anchor, tag, value."""
NOTHING: Final[Event] = ("ScalarEvent", None, None, "")
"""What stands for a value where none is written."""


class Document(NamedTuple):
    text: str
    root: Node | None  # None: comments at most
    events: tuple[Event, ...]

    @property
    def aliases(self) -> frozenset[str]:
        return frozenset(event[1] for event in self.events if event[0] == "AliasEvent" and event[1])


class _Open(NamedTuple):
    event: Any
    children: list[Node]


def read(text: str, name: str) -> Document:
    """The one document of ``text``. Raises ConfigError, which speaks of the file ``name``, where it is none, is too
    large or too deep, or holds several."""
    if len(text) > LARGEST:
        raise ConfigError(
            f"{name} is larger than {LARGEST // 1024} KiB", "no configuration of hooks is: see what it is"
        )
    import yaml

    events: list[Event] = []
    anchors: set[str | None] = set()
    open_: list[_Open] = []
    roots: list[Node] = []
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            events.append(said := _said(event))
            if said[0] == "AliasEvent" and said[1] not in anchors:
                line = event.start_mark.line + 1
                raise ConfigError(f"{name}:{line}: *{said[1]} stands for nothing", "mend that: managers refuse it")
            anchors.add(said[1])
            made = _taken(event, open_)
            if len(open_) > DEEPEST:
                raise ConfigError(f"{name} is nested more than {DEEPEST} levels deep", "no configuration of hooks is")
            if made is not None:
                (open_[-1].children if open_ else roots).append(made)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}{_told(error)}", "mend that: pre-commit cannot read it either") from None
    if len(roots) > 1:
        raise ConfigError(f"{name} holds {len(roots)} documents", "pre-commit reads a file with one")
    return Document(text, roots[0] if roots else None, tuple(events))


def _said(event: Any) -> Event:
    found = (getattr(event, name, None) for name in ("anchor", "tag", "value"))
    return (type(event).__name__, *found)  # type: ignore[return-value]


def _taken(event: Any, open_: list[_Open]) -> Node | None:
    """The node that ``event`` ends, if it ends one."""
    kind = type(event).__name__
    start, end = event.start_mark, event.end_mark
    if kind in ("MappingStartEvent", "SequenceStartEvent"):
        open_.append(_Open(event, []))
    elif kind in ("MappingEndEvent", "SequenceEndEvent"):
        first, children = open_.pop()
        last = end.index if first.flow_style else children[-1].end if children else first.end_mark.index
        at = first.start_mark
        name = "mapping" if kind == "MappingEndEvent" else "sequence"
        return Node(name, at.index, last, at.column, bool(first.flow_style), "", None, first.anchor, tuple(children))
    elif kind == "ScalarEvent":
        return Node("scalar", start.index, end.index, start.column, False, event.value, event.style, event.anchor)
    elif kind == "AliasEvent":
        return Node("alias", start.index, end.index, start.column, False, event.anchor)
    return None


def _told(error: Exception) -> str:
    """Where and what, of PyYAML's two kinds of errors."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is not YAML"
    return (f":{mark.line + 1}" if mark is not None else "") + f": {what}"


class Difference(NamedTuple):
    gone: tuple[Event, ...]
    new: tuple[Event, ...]


def difference(before: Document, after: Document) -> Difference:
    """What one of two documents has that the other has not, in one piece: between what they share at their begin and
    what they share at their end."""
    old, new = before.events, after.events
    shortest = min(len(old), len(new))
    first = next((at for at in range(shortest) if old[at] != new[at]), shortest)
    rest = shortest - first
    last = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
    return Difference(old[first : len(old) - last], new[first : len(new) - last])
