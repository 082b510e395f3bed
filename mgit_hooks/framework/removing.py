"""Our hooks taken out of a configuration: what ``adding`` has put in, and no byte more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from mgit_hooks.framework.adding import all_types, spaced
from mgit_hooks.framework.looking import HEADER, MARK, TYPES, Top, entries, top
from mgit_hooks.framework.manifest import HOOKS, stages
from mgit_hooks.framework.splicing import Splice, dash_column, line_after, line_start, removed_lines
from mgit_hooks.framework.yamltext import Document, Node

_OURS: Final = frozenset(all_types(tuple(hook.id for hook in HOOKS)))
_IN_BRACKETS: Final = re.compile(rf",?[ ]{{2}}{re.escape(MARK)}\r?\n[ ]+({'|'.join(_OURS)})(, ({'|'.join(_OURS)}))*")
Range = tuple[int, int]


class Removed(NamedTuple):
    """``pieces`` are the splices one by one, where two meet: the end of a list of ours, and a key of ours behind it."""

    splices: tuple[Splice, ...]
    pieces: tuple[Splice, ...] = ()
    ids: tuple[str, ...] = ()
    left: tuple[str, ...] = ()  # hooks of git's that a plain ``pre-commit install`` goes on to write


def remove(document: Document) -> Removed:
    """Raises Unclear where something of ours stands in a form that is not ours."""
    found = entries(document)
    here = top(document)
    text = document.text
    if here.repos is None or not found:
        return Removed(())
    lines: list[Range] = []
    spans: list[Range] = []
    whole = [entry.at for entry in found if entry.is_all_ours]
    _out_of(text, here.repos[1], whole, lines, spans, blank_too=True)
    for entry in found:
        if not entry.is_all_ours:
            _out_of(text, entry.hooks, entry.ours, lines, spans)
    if len(whole) == len(here.repos[1].children) and _is_marked(text, here.repos[0]):
        lines.append(_line(text, here.repos[0]))
    ids = tuple(dict.fromkeys(each for entry in found for each in entry.ids))
    left = _out_of_types(document, here, ids, lines, spans)
    cut = [removed_lines(text, *each) for each in _joined(lines)] + [Splice(*each, "") for each in _joined(spans)]
    pieces = tuple(Splice(*each, "") for each in (*lines, *_joined(spans)))
    return Removed(tuple(cut), pieces, ids, left)


def is_empty(text: str) -> bool:
    """Whether what is left is no more than ``install`` began the file with."""
    return text.rstrip("\r\n") == HEADER


def _out_of(
    text: str, node: Node, places: Sequence[int], lines: list[Range], spans: list[Range], *, blank_too: bool = False
) -> None:
    kept = [each for each in range(len(node.children)) if each not in places]
    if node.flow:
        spans += _between_brackets(text, node, places, kept)
        return
    separated = blank_too and spaced(text, [node.children[each] for each in kept])
    for place in places:
        child = node.children[place]
        start = line_start(text, child.start)
        dash_column(text, child.start)
        end = line_after(text, child.end)
        before = line_start(text, start - 1) if start else start
        if separated and place and not text[before:start].strip():
            start = before
        lines.append((start, end))


def _between_brackets(text: str, node: Node, places: Sequence[int], kept: Sequence[int]) -> Iterator[Range]:
    for place in places:
        child = node.children[place]
        if not kept:
            end = re.compile(r"\r?\n|").match(text, node.children[-1].end)
            yield node.start + 1, end.end() if end is not None else child.end
            return
        if place > kept[0]:
            yield node.children[place - 1].end, child.end
        else:
            yield child.start, node.children[place + 1].start


def _line(text: str, key: Node) -> Range:
    start = line_start(text, key.start)
    return start, line_after(text, text.index(MARK, key.end) + len(MARK))


def _is_marked(text: str, key: Node) -> bool:
    return re.compile(rf":[ ]+{re.escape(MARK)}[ \t]*(\r?\n|\Z)").match(text, key.end) is not None


def _out_of_types(
    document: Document, here: Top, ids: Sequence[str], lines: list[Range], spans: list[Range]
) -> tuple[str, ...]:
    if here.types is None or here.types[1].kind != "sequence":
        return ()
    text, (key, value) = document.text, here.types
    named = tuple(each.value for each in value.children)
    if _is_marked(text, key) and set(named) <= _OURS and not value.flow:
        lines.append((line_start(text, key.start), line_after(text, value.end)))
        return ()
    if not value.flow:
        ours = [each for each in value.children if MARK in text[each.end : line_after(text, each.end)]]
        lines += ((line_start(text, each.start), line_after(text, each.end)) for each in ours)
        return _still(ids, named, [each.value for each in ours])
    inside = _IN_BRACKETS.search(text, value.start, value.end)
    if inside is not None:
        spans.append(inside.span())
        return _still(ids, named, re.findall(r"[a-z-]+", inside[0].partition(MARK)[2]))
    told = f', "{TYPES}": {json.dumps(named)}'
    if named == all_types(tuple(ids)) and text[value.end - len(told) : value.end] == told:
        spans.append((value.end - len(told), value.end))
        return ()
    return _still(ids, named, ())


def _still(ids: Sequence[str], named: Sequence[str], gone: Sequence[str]) -> tuple[str, ...]:
    wanted = set(stages(tuple(ids))) - {"pre-commit"}
    return tuple(each for each in named if each in wanted and each not in gone)


def _joined(ranges: Sequence[Range]) -> list[Range]:
    """Those that meet as one: only the last line of the text may have no end."""
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
