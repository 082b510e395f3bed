"""What each place says about the configuration, before any of it is weighed against another's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import configfiles, rulesets, schemas
from mgit_hooks.judging.configfiles import Files
from mgit_hooks.judging.rules import Rule
from mgit_hooks.judging.rulesets import Entries, Entry, Place, fold, place_of
from mgit_hooks.judging.validate import validate
from mgit_hooks.layout import Location
from mgit_hooks.record import Json

if TYPE_CHECKING:
    from mgit_hooks.judging.rulefiles import Room

KEYS = (
    "level", "strategy", "embed", "enforce", "fail", "retries", "anchor", "compact", "keep_checkpoints", "rules",
    "extends",
)  # fmt: skip
ADDING = ("rules", "extends")
"""Keys of which every place adds its own; of the others one value holds."""
# As git has it: its keys have no underscore, and no case.
_IN_GIT = {key.replace("_", ""): key for key in KEYS}


class Origin(NamedTuple):
    value: Any
    source: str  # "command line", "environment MGIT_LEVEL", "git config (local)", a file's name, "default"
    path: str | None = None
    line: int | None = None


class Said(NamedTuple):
    key: str
    origin: Origin


class Layer(NamedTuple):
    """What one place says. ``lasting``: it is a file, not this process's command line or environment."""

    said: tuple[Said, ...]  # of one key, the last holds
    entries: Entries  # its rules, and those that it extends
    trusted: bool
    lasting: bool

    @property
    def values(self) -> dict[str, Origin]:
        return dict(self.said)


def variable(key: str) -> str:
    return f"MGIT_{key.upper()}"


class LayerReader:
    """Reads every place. What it raises is ConfigError, with file, line and key."""

    def __init__(self, location: Location | None, environ: Mapping[str, str]) -> None:
        self.files = Files()
        self.schemas = schemas.load()
        self.sets = rulesets.Reader(self.files, self._validate, location.root if location else None)
        self._document: Json = self.schemas.documents["urn:mgit-hooks:config"]
        self._spec: Json = self._document["properties"]
        self._environ = environ
        self._directory = "/" if location is None else location.root or location.git_dir
        self._made: dict[int, tuple[Entry, Rule]] = {}
        self._room: Room | None = None

    def defaults(self) -> dict[str, Any]:
        return {key: each["default"] for key, each in self._spec.items()}

    def rule(self, entry: Entry) -> Rule:
        """What ``entry`` describes: made once, however often the layers are weighed."""
        made = self._made.get(id(entry))
        if made is None:
            from mgit_hooks.judging import rulefiles  # only where there is a rule

            # It holds the entry, or another's could come to have this id.
            self._room = self._room or rulefiles.Room()
            made = self._made[id(entry)] = (entry, rulefiles.make(entry, self.schemas, self.files, self._room))
        return made[1]

    def check(self, rule: Rule, entry: Entry) -> None:
        """What ``rule`` leaves out for what is ours. Raises ConfigError."""
        from mgit_hooks.judging import rulefiles

        rulefiles.check(rule, entry.where, self.schemas, rulefiles.Room())

    def texts(self, given: Mapping[str, tuple[str, str]]) -> Layer:
        """A layer of the command line or of the environment."""
        said: list[Said] = []
        entries: Entries = {}
        for key, (text, source) in given.items():
            if key == "rules":
                entries = fold(self._rule_files(text.split(os.pathsep), None, source).values(), entries)
                said.append(Said(key, Origin(text.split(os.pathsep), source)))
            elif key == "extends":
                names = [name.strip() for name in text.split(",") if name.strip()]
                entries = fold(entries.values(), self._extended(names, None, source))
                said.append(Said(key, Origin(names, source)))
            else:
                said.append(Said(key, Origin(self._value(key, text, source), source)))
        return Layer(tuple(said), entries, trusted=True, lasting=False)

    def git(self, settings: Iterable[configfiles.Setting], *, lasting: bool) -> Layer:
        """As everywhere in git's configuration, of two with one name the last wins."""
        said: list[Said] = []
        extended: Entries = {}
        entries: Entries = {}
        for setting in settings:
            key = _IN_GIT.get(setting.key, setting.key)
            where = f"{setting.path}: mgit.{setting.key}" if setting.path else f"git -c mgit.{setting.key}"
            value: Any = setting.value
            if key in ADDING and setting.value is not None:
                if key == "rules":
                    entries = fold(self._rule_files([setting.value], setting.path, where).values(), entries)
                else:
                    extended = fold(self._extended([setting.value], setting.path, where).values(), extended)
                value = [value]
            else:
                value = self._value(key, setting.value, where)
            said.append(Said(key, Origin(value, f"git config ({setting.scope})", setting.path)))
        return Layer(tuple(said), fold(entries.values(), extended), trusted=True, lasting=lasting)

    def worktree(self, root: str, name: str) -> Layer:
        """A layer from a file that came with the repository."""
        path = os.path.join(root, name)
        text = self.files.read(path)
        document: Json = {}
        # Someone else's pyproject.toml is not ours to complain about, and its parsing not ours to wait for.
        if text is not None and (name != "pyproject.toml" or "mgit-hooks" in text):
            document = configfiles.parse_toml(path, text)
            if name == "pyproject.toml":
                tool = document.get("tool")
                document = tool.get("mgit-hooks", {}) if isinstance(tool, dict) else {}
        self._validate(document, path, text or "")
        said = tuple(
            Said(key, Origin(value, name, path, configfiles.line_of(text or "", f"/{key}")))
            for key, value in document.items()
        )
        entries = self.sets.entries(document, place_of(path, text or "", trusted=False))
        return Layer(said, entries, trusted=False, lasting=True)

    def _rule_files(self, paths: Iterable[str], beside: str | None, where: str) -> Entries:
        found: Entries = {}
        for each in paths:
            path = configfiles.relative_to(beside, each, self._directory, self._environ)
            found = fold(self.sets.file(path, trusted=True, missing=where).values(), found)
        return found

    def _extended(self, names: Iterable[str], beside: str | None, where: str) -> Entries:
        folder = os.path.dirname(beside) if beside else self._directory
        return self.sets.extended(names, Place(where, folder, "", trusted=True))

    def _value(self, key: str, text: str | None, where: str) -> Any:
        if key not in KEYS:
            raise _unknown(where, key, KEYS)
        if text is None and self._spec[key].get("type") != "boolean":
            raise ConfigError(f"{where} has no value", f"set it: git config mgit.{key} VALUE")
        value = _converted(text, self._spec[key].get("type"))
        if issues := validate("config", {key: value}, "basic", self.schemas):
            raise ConfigError(f"{where}: {issues[0].message}", f"allowed: {_allowed(self._spec[key])}")
        return value

    def _validate(self, document: Any, path: str, text: str) -> None:
        """A TOML document against the schema; the first thing that is wrong is the error."""
        issues = validate("config", document, "basic", self.schemas)
        if not issues:
            return
        issue = issues[0]
        line = configfiles.line_of(text, issue.field_path)
        where = f"{path}:{line}" if line else path
        key = issue.field_path.rpartition("/")[2]
        rule = self._document["$defs"]["rule"]["properties"]
        if issue.code == "UNKNOWN_FIELD":
            raise _unknown(where, key, rule if issue.field_path.startswith("/rules/") else KEYS)
        spec = rule.get(key) if issue.field_path.startswith("/rules/") else self._spec.get(key)
        fix = f"allowed: {_allowed(spec)}" if spec else "see docs/configuration.md"
        raise ConfigError(f"{where}: {issue.message}", fix)


def _unknown(where: str, key: str, known: Any) -> ConfigError:
    from difflib import get_close_matches

    near = get_close_matches(key, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
    return ConfigError(f"{where}: unknown key '{key}'", hint)


def _converted(text: str | None, kind: str | None) -> Any:
    """A text of git's configuration or of the environment as the value it stands for, if it does."""
    if kind == "boolean":
        if text is None or text.lower() in ("true", "yes", "on", "1"):
            return True
        return False if text.lower() in ("false", "no", "off", "0", "") else text
    if (
        kind == "integer"
        and text is not None
        and text.strip().lstrip("+-").isascii()
        and text.strip().lstrip("+-").isdigit()
    ):
        return int(text)
    return text


def _allowed(spec: Json) -> str:
    if "enum" in spec:
        return ", ".join(map(str, spec["enum"]))
    if spec.get("type") == "boolean":
        return "true, false"
    if spec.get("type") == "integer":
        return f"{spec['minimum']} to {spec['maximum']}"
    return str(spec.get("description") or spec.get("type"))
