"""Which of our hooks a configuration has, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from mgit_hooks.framework.manifest import BY_ID, LOCAL, stages
from mgit_hooks.framework.splicing import Unclear
from mgit_hooks.framework.yamltext import Document, Node

REPOS: Final = "repos"
TYPES: Final = "default_install_hook_types"
MARK: Final = "# for mgit-hooks"
"""Stands behind each line of ours outside of ``repos``: by it alone is it ours when it is taken out again."""
HEADER: Final = "# Begun by 'mgit-hooks install --mode pre-commit'. See https://pre-commit.com for more hooks."


class Entry(NamedTuple):
    """An entry of ``repos`` with hooks of ours."""

    at: int  # its place in the list
    node: Node
    repo: str
    rev: Node | None
    hooks: Node
    ours: tuple[int, ...]  # places in ``hooks``
    ids: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        return self.repo == LOCAL

    @property
    def is_all_ours(self) -> bool:
        return len(self.ours) == len(self.hooks.children)


class Top(NamedTuple):
    """The two keys that concern us."""

    repos: tuple[Node, Node] | None
    types: tuple[Node, Node] | None


def top(document: Document) -> Top:
    """Raises Unclear where it cannot be told what the keys stand for."""
    root = document.root
    if root is None or root.is_nothing:
        return Top(None, None)
    if root.kind != "mapping":
        raise Unclear("there is no mapping at its top")
    found = []
    for key in (REPOS, TYPES):
        pairs = root.named(key)
        if len(pairs) > 1:
            raise Unclear(f"the key '{key}' stands there {len(pairs)} times")
        if not pairs and root.named("<<"):
            raise Unclear("its top is merged from elsewhere ('<<')")
        if pairs and pairs[0][1].kind == "alias":
            raise Unclear(f"'{key}' is an alias")
        if pairs and pairs[0][1].anchor in document.aliases:
            raise Unclear(f"'{key}' has an alias elsewhere")
        found.append(pairs[0] if pairs else None)
    return Top(*found)


def entries(document: Document) -> list[Entry]:
    """Those with a hook of ours, in the file's order. Raises Unclear."""
    repos = top(document).repos
    if repos is None or repos[1].is_nothing:
        return []
    if repos[1].kind != "sequence":
        raise Unclear(f"'{REPOS}' is not a list")
    return [found for at, item in enumerate(repos[1].children) if (found := _entry(at, item)) is not None]


def _entry(at: int, item: Node) -> Entry | None:
    repo, hooks, rev = (item.get(key) if item.kind == "mapping" else None for key in ("repo", "hooks", "rev"))
    if repo is None or hooks is None or hooks.kind != "sequence":
        return None
    ours = [(place, name) for place, hook in enumerate(hooks.children) if (name := _id(hook)) in BY_ID]
    if not ours:
        return None
    if len(item.named("hooks")) > 1:
        raise Unclear("the key 'hooks' stands twice in the entry of ours")
    places, names = zip(*ours, strict=True)
    return Entry(at, item, repo.value, rev, hooks, places, names)


def _id(hook: Node) -> str | None:
    found = hook.get("id") if hook.kind == "mapping" else None
    return found.value if found is not None and found.kind == "scalar" else None


class Configured(NamedTuple):
    """What of ours a configuration has."""

    ids: tuple[str, ...]
    repos: tuple[str, ...]
    missing_types: tuple[str, ...]  # hooks of git's that a plain ``pre-commit install`` would leave out


def look(document: Document) -> Configured:
    """Raises Unclear."""
    found = entries(document)
    ids = tuple(dict.fromkeys(each for entry in found for each in entry.ids))
    types = top(document).types
    wanted = stages(ids)
    missing = tuple(each for each in wanted if each not in _named(types))
    return Configured(ids, tuple(dict.fromkeys(entry.repo for entry in found)), missing)


def _named(types: tuple[Node, Node] | None) -> Iterator[str]:
    if types is None:
        yield "pre-commit"  # the default of both managers
    elif types[1].kind == "sequence":
        yield from (each.value for each in types[1].children if each.kind == "scalar")
    else:
        yield types[1].value


def installed_by_default(document: Document) -> tuple[str, ...]:
    """The hooks of git's that a plain ``pre-commit install`` writes. Raises Unclear."""
    return tuple(_named(top(document).types))
