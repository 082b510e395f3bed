"""What files say about rules, folded into one entry for each id: what is used, extended, changed, switched off.

Order: what is extended first, then the file's own. An entry with a schema is a rule of its own, and so is one
that uses a rule; any other changes keys of the rule that has its id.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.files import is_folder
from mgit_hooks.judging import library
from mgit_hooks.judging.configfiles import Files, line_of, parse_toml
from mgit_hooks.record import Json

MOST_RULES = 1000
"""The most rules that one policy may have: each costs time at every hook."""
_MOST_NESTED = 20


class Place(NamedTuple):
    """A text that says something about rules, and what it may name."""

    name: str  # of the file; of another place, what error messages call it
    folder: str  # where relative paths in it start
    text: str  # "" where lines are of no use
    trusted: bool  # False: it names files below its own folder only

    def where(self, pointer: str) -> str:
        line = line_of(self.text, pointer) if self.text else None
        return f"{self.name}:{line}" if line else self.name


def place_of(path: str, text: str, *, trusted: bool) -> Place:
    return Place(path, os.path.dirname(path), text, trusted)


class Entry(NamedTuple):
    """What is said about one rule so far."""

    id: str
    keys: Json  # those of an entry of [[rules]], without id, use and with
    given: Json  # its ``with``
    folder: str  # where the references of its schema start
    source: str  # where its schema was written: a file, or urn:mgit-hooks:rule.ID; "" where it has none
    origin: str  # the file that had the last word
    where: str  # begins its error messages

    @property
    def enabled(self) -> bool:
        return self.keys.get("enabled", True) is not False

    @property
    def whole(self) -> bool:
        return "schema" in self.keys


Entries = dict[str, Entry]
Validate = Callable[[Any, str, str], None]


def fold(entries: Iterable[Entry], below: Entries | None = None) -> Entries:
    """``entries`` over ``below``: of two with one id the later holds, key by key unless it is a whole rule."""
    found = dict(below or {})
    for entry in entries:
        found[entry.id] = _over(found.pop(entry.id, None), entry)
    return found


def _over(below: Entry | None, above: Entry) -> Entry:
    if below is None or above.whole:
        return above
    keys = {**below.keys, **above.keys}
    if above.given and "examples" not in above.keys:
        keys.pop("examples", None)  # they are of other values
    return above._replace(
        keys=keys, given={**below.given, **above.given}, folder=below.folder, source=below.source or above.source
    )


class Reader:
    """Reads what files say about rules, each file once. ``validate`` judges a document's structure.

    ``root``: the worktree, in which no package is looked for.
    """

    def __init__(self, files: Files, validate: Validate, root: str | None) -> None:
        self._root = root
        self._files = files
        self._validate = validate
        self._done: dict[tuple[str, bool], Entries] = {}
        self._open: list[str] = []

    def file(self, path: str, trusted: bool, missing: str) -> Entries:
        """A rule file, or a folder with one rule in each of its JSON files.

        ``missing`` begins the message where it is not there. Raises ConfigError.
        """
        key = (os.path.realpath(path), trusted)
        if key[0] in self._open:
            chain = " -> ".join((*self._open[self._open.index(key[0]) :], key[0]))
            raise ConfigError(f"{self._open[-1]}: extends itself: {chain}", "take one of them out")
        if len(self._open) >= _MOST_NESTED:
            raise ConfigError(f"{path}: extended over more than {_MOST_NESTED} files", "extend it directly")
        if key not in self._done:
            self._open.append(key[0])
            self._done[key] = self._folder(path) if is_folder(path) else self._file(path, trusted, missing)
            self._open.pop()
        return self._done[key]

    def entries(self, document: Json, place: Place) -> Entries:
        """``extends`` and ``rules`` of a document whose structure has been judged."""
        found = self.extended(document.get("extends", []), place)
        own: Entries = {}
        for number, keys in enumerate(document.get("rules", [])):
            entry = self._entry(keys, number, found, place)
            if entry.id in own:
                fix = "give each rule an id of its own" if "id" in keys else "give one of them an id of its own"
                raise ConfigError(f"{entry.where}: this id is given twice", fix)
            own[entry.id] = entry
        return self._bounded(fold(own.values(), found), place)

    def extended(self, names: Iterable[str], place: Place) -> Entries:
        found: Entries = {}
        for name in dict.fromkeys(names):
            found = self._bounded(fold(self._extended(name, place).values(), found), place)
        return found

    def builtin(self, name: str) -> Entries:
        """A set of ours."""
        path = library.set_path(name)
        if (path, False) not in self._done:
            self._files.watch(path)
            place = place_of(path, "", trusted=False)
            document = {"rules": library.set_entries(name)}
            self._validate(document, path, "")
            self._done[path, False] = self.entries(document, place)
        return self._done[path, False]

    def _extended(self, name: str, place: Place) -> Entries:
        from mgit_hooks.judging import extending

        target = extending.find(name, place, self._files, self._root)
        if isinstance(target, extending.BuiltIn):
            return self.builtin(target.name)
        return self.file(target.path, target.trusted, f"{place.where('/extends')}: extends '{name}'")

    def _file(self, path: str, trusted: bool, missing: str) -> Entries:
        text = self._files.read(path)
        if text is None:
            raise ConfigError(f"{missing}: there is no rule file {path}", "write it, or take its name out")
        if path.endswith(".json"):
            return self._json(path, text, trusted)
        document = parse_toml(path, text)
        other = next((key for key in document if key not in ("rules", "extends")), None)
        if other is not None:
            line = line_of(text, f"/{other}")
            raise ConfigError(
                f"{path}:{line or 1}: unknown key '{other}'",
                "a rule file holds extends and [[rules]]; the other keys belong into git config",
            )
        self._validate(document, path, text)
        return self.entries(document, place_of(path, text, trusted=trusted))

    def _json(self, path: str, text: str, trusted: bool) -> Entries:
        """A list of entries, or one rule in the form of the library's."""
        from mgit_hooks.judging.bundles import parse_json

        document = parse_json(path, text)
        if isinstance(document, dict):
            document = [library.entry(os.path.basename(path).removesuffix(".json"), document, path)]
        if not isinstance(document, list):
            raise ConfigError(f"{path}: neither a list of rules nor a rule", "see docs/configuration.md")
        self._validate({"rules": document}, path, "")
        return self.entries({"rules": document}, place_of(path, "", trusted=trusted))

    def _folder(self, path: str) -> Entries:
        self._files.watch(path)  # a file that is put there changes its time
        found: Entries = {}
        for name in sorted(os.listdir(path)):
            if name.endswith(".json") and not name.startswith("."):
                file = os.path.join(path, name)
                text = self._files.read(file)
                found = fold(self._json(file, text or "", trusted=False).values(), found)
        if not found:
            raise ConfigError(f"{path}: a folder without rules", "put one rule in each JSON file there")
        return self._bounded(found, place_of(path, "", trusted=False))

    def _entry(self, keys: Json, number: int, found: Entries, place: Place) -> Entry:
        used = keys.get("use")
        name = keys.get("id", used)
        line = place.where(f"/rules/{number}/{'id' if 'id' in keys else 'use'}")
        if name is None:
            raise ConfigError(f"{line}: a rule has neither id nor use", "name it: id = ..., or use one: use = ...")
        where = f"{line}: rule '{name}'"
        own = {key: value for key, value in keys.items() if key not in ("id", "use", "with")}
        given = keys.get("with", {})
        if used is None:
            source = place.name if "schema" in own else ""
            return Entry(name, own, given, place.folder, source, place.name, where)
        if "schema" in own:
            raise ConfigError(f"{where}: both use and schema", "take one of them out")
        change = Entry(name, {"enabled": True, **own}, given, place.folder, "", place.name, where)
        return _over(self._used(used, found, where), change)

    def _used(self, name: str, found: Entries, where: str) -> Entry:
        if name in found and found[name].whole:
            return found[name]
        if library.has_rule(name):
            return self.of_library(name)
        from difflib import get_close_matches

        known = [*(each.id for each in found.values() if each.whole), *library.rules()]
        near = get_close_matches(name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else "see 'mgit-hooks schema' for the library's rules"
        raise ConfigError(f"{where}: there is no rule '{name}' to use", hint)

    def of_library(self, name: str) -> Entry:
        """A rule of the library, as it stands there."""
        path = library.rule_path(name)
        self._files.watch(path)
        keys = library.rule(name)
        self._validate({"rules": [keys]}, path, "")
        del keys["id"]
        source = library.RULE_PREFIX + name
        return Entry(name, keys, {}, os.path.dirname(path), source, path, f"{path}: rule '{name}'")

    def _bounded(self, found: Entries, place: Place) -> Entries:
        if len(found) > MOST_RULES:
            raise ConfigError(f"{place.name}: more than {MOST_RULES} rules", "take out those that nobody needs")
        return found
