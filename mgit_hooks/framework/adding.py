"""Our hooks put into a configuration: every byte that is there stays, in its place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from mgit_hooks.errors import UsageError
from mgit_hooks.framework.looking import HEADER, MARK, REPOS, TYPES, Entry, Top, entries, installed_by_default, top
from mgit_hooks.framework.manifest import Source, Style, entry_lines, hook_lines, scalar, stages
from mgit_hooks.framework.splicing import (
    Splice,
    Unclear,
    after_comments,
    dash_column,
    inserted_lines,
    line_after,
    line_start,
    newline,
)
from mgit_hooks.framework.yamltext import Document, Node

_DEFAULT_TYPES: Final = ("pre-commit",)
_NO_REVISION: Final = ("there is no revision that --rev could change", "add --repo: where it is a revision of")


class Wanted(NamedTuple):
    """``source`` None: the one that is there, or else the installed program. ``rev`` None: nobody named one."""

    ids: tuple[str, ...]
    source: Source | None = None
    rev: str | None = None


class Added(NamedTuple):
    splices: tuple[Splice, ...]
    ids: tuple[str, ...] = ()  # the hooks that are new
    types: tuple[str, ...] = ()  # the hooks of git's that are new in ``default_install_hook_types``
    rev: tuple[str, str] | None = None  # from, to


def new_file(wanted: Wanted) -> str:
    """A configuration with nothing but our hooks. Raises UsageError."""
    if wanted.rev is not None and wanted.source is None:
        raise UsageError(*_NO_REVISION)
    source = wanted.source or Source()
    lines = [HEADER, *_types_lines(all_types(wanted.ids)), f"{REPOS}:  {MARK}"]
    return "\n".join((*lines, *entry_lines(source, wanted.ids, Style()), ""))


def add(document: Document, wanted: Wanted) -> Added:
    """What makes ``document`` have the hooks. Raises Unclear, and UsageError where source or revision do not fit it."""
    found = entries(document)
    here = top(document)
    known = tuple(each for entry in found for each in entry.ids)
    new = tuple(each for each in wanted.ids if each not in known)
    splices: list[Splice] = []
    changed = None
    if found:
        entry = _chosen(found, wanted.source)
        if new:
            splices.append(_into_hooks(document.text, entry, new, wanted.source))
        if wanted.rev is not None and (splice := _new_rev(document.text, entry, wanted.rev)) is not None:
            splices.append(splice)
            changed = (entry.rev.value if entry.rev else "", wanted.rev)
    elif wanted.rev is not None and wanted.source is None:
        raise UsageError(*_NO_REVISION)
    else:
        splices.append(_into_repos(document, here, wanted.source or Source(), new))
    types = tuple(each for each in stages((*known, *new)) if each not in installed_by_default(document))
    if types:
        splices.append(_into_types(document, here, types, (*known, *new)))
    return Added(tuple(splices), new, types, changed)


def _chosen(found: list[Entry], source: Source | None) -> Entry:
    """The entry that hooks are added to. Raises UsageError where all are another source's: they would run twice."""
    if source is None:
        return found[0]
    for entry in found:
        if _plain_url(entry.repo) == _plain_url(source.repo):
            return entry
    raise UsageError(
        f"the hooks are there already, from '{found[0].repo}', and would run twice",
        "run 'mgit-hooks uninstall --mode pre-commit' first, or leave --repo out",
    )


def _plain_url(url: str) -> str:
    return url.rstrip("/").removesuffix(".git")


def _new_rev(text: str, entry: Entry, rev: str) -> Splice | None:
    """Raises UsageError where there is none, or where a comment says which version it is: it would go on saying so."""
    if entry.rev is None:
        raise UsageError(*_NO_REVISION)
    if entry.rev.value == rev:
        return None
    if "frozen:" in text[entry.rev.end : line_after(text, entry.rev.end)]:
        raise UsageError(
            f"the revision {entry.rev.value} is frozen, and a comment says at which version",
            "'pre-commit autoupdate --freeze' changes both",
        )
    return Splice(entry.rev.start, entry.rev.end, scalar(rev))


def _into_hooks(text: str, entry: Entry, ids: tuple[str, ...], source: Source | None) -> Splice:
    of = source or Source(entry.repo)
    if entry.hooks.flow:
        return _into_flow(text, entry.hooks, [json.dumps(each) for each in of.to_json(ids)["hooks"]])
    dash = dash_column(text, entry.hooks.children[-1].start)
    width = entry.hooks.children[-1].column - dash
    style = Style(dash=0, item=0, hooks=dash, hook=width)
    return _lines_behind(text, entry.hooks, hook_lines(of, ids, style), dash)


def _into_repos(document: Document, here: Top, source: Source, ids: tuple[str, ...]) -> Splice:
    text = document.text
    if here.repos is None:
        if document.root is not None and document.root.flow:
            raise Unclear(f"it is one flow mapping, without '{REPOS}'")
        lines = [f"{REPOS}:  {MARK}", *entry_lines(source, ids, Style())]
        return _at_the_end(document, lines)
    key, repos = here.repos
    if repos.flow:
        return _into_flow(text, repos, [json.dumps(source.to_json(ids), indent=2)])
    if repos.is_nothing:
        lines = entry_lines(source, ids, Style(dash=key.column + 2))
        return inserted_lines(text, line_after(text, repos.end), lines, newline(text, key.end))
    style = _style(text, repos)
    lines = entry_lines(source, ids, style)
    if spaced(text, repos.children):
        lines.insert(0, "")
    return _lines_behind(text, repos, lines, max(style.dash, 1))


def _style(text: str, repos: Node) -> Style:
    """As the entries that are there."""
    known = Style()
    dash = dash_column(text, repos.children[-1].start)
    item = repos.children[-1].column - dash
    for each in repos.children:
        for key, hooks in each.named("hooks") if each.kind == "mapping" and not each.flow else ():
            if hooks.kind == "sequence" and not hooks.flow and hooks.children:
                inner = dash_column(text, hooks.children[0].start)
                return Style(dash, item, inner - key.column, hooks.children[0].column - inner)
    return known._replace(dash=dash, item=item)


def spaced(text: str, entries: Sequence[Node]) -> bool:
    """Whether an empty line stands before each of ``entries`` but the first, and there is another."""
    starts = [line_start(text, each.start) for each in entries[1:]]
    return bool(starts) and all(text[line_start(text, at - 1) : at].strip() == "" for at in starts)


def _lines_behind(text: str, node: Node, lines: list[str], column: int) -> Splice:
    at = after_comments(text, line_after(text, node.end), column)
    return inserted_lines(text, at, lines, newline(text, line_start(text, node.end - 1)))


def _at_the_end(document: Document, lines: list[str]) -> Splice:
    """A key of the top, as the last one."""
    text, root = document.text, document.root
    ending = newline(text, 0)
    if root is None:
        return inserted_lines(text, len(text), lines, ending)
    if root.flow:
        raise Unclear("it is one flow mapping")
    indented = [" " * root.column + line for line in lines]
    return inserted_lines(text, after_comments(text, line_after(text, root.end), 1), indented, ending)


def _into_flow(text: str, node: Node, values: list[str]) -> Splice:
    """JSON, which is YAML in a list in brackets, and leaves JSON what was JSON."""
    ending, inner = newline(text, node.start), " " * (_depth(text, node.start) + 2)
    told = ",".join(f"{ending}{inner}{value.replace(chr(10), ending + inner)}" for value in values)
    if not node.children:
        return Splice(node.start + 1, node.start + 1, told + ending)
    return Splice(node.children[-1].end, node.children[-1].end, "," + told)


def _depth(text: str, at: int) -> int:
    """The column that the lines of a list in brackets must stand behind: that of the key before it."""
    start = line_start(text, at)
    return len(text[start:at]) - len(text[start:at].lstrip(" -"))


def _into_types(document: Document, here: Top, types: tuple[str, ...], ids: tuple[str, ...]) -> Splice:
    text = document.text
    if here.types is None:
        if document.root is not None and document.root.flow:
            value = json.dumps(list(all_types(ids)))
            last = document.root.children[-1].end if document.root.children else document.root.start + 1
            return Splice(last, last, f', "{TYPES}": {value}')
        return _at_the_end(document, _types_lines(all_types(ids)))
    _, value_node = here.types
    if value_node.kind != "sequence":
        raise Unclear(f"'{TYPES}' is not a list")
    if not value_node.flow:
        dash = dash_column(text, value_node.children[-1].start)
        width = value_node.children[-1].column - dash
        lines = [f"{' ' * dash}{'-'.ljust(width)}{each}  {MARK}" for each in types]
        return _lines_behind(text, value_node, lines, max(dash, 1))
    if document.root is not None and document.root.flow:
        told = ", ".join(json.dumps(each) for each in types)
        return Splice(value_node.end - 1, value_node.end - 1, (", " if value_node.children else "") + told)
    ending, inner = newline(text, value_node.start), " " * (_depth(text, value_node.start) + 2)
    inside = f"  {MARK}{ending}{inner}{', '.join(types)}"
    if not value_node.children:
        return Splice(value_node.start + 1, value_node.start + 1, inside)
    at = value_node.children[-1].end
    return Splice(at, at, "," + inside)


def all_types(ids: tuple[str, ...]) -> tuple[str, ...]:
    """The value of a ``default_install_hook_types`` for ``ids`` alone. With the key there, what is not in it is not
    installed: so its default is named too."""
    return tuple(dict.fromkeys((*_DEFAULT_TYPES, *stages(ids))))


def _types_lines(types: tuple[str, ...]) -> list[str]:
    return [f"{TYPES}:  {MARK}", *(f"  - {each}" for each in types)]
