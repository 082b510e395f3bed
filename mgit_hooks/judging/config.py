"""The configuration in force, and where each value came from.

Command line > MGIT_* environment > git config mgit.* > .mgit-hooks.toml > [tool.mgit-hooks] of
pyproject.toml > defaults. What a worktree's files say may tighten what the user said, never loosen it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.files import exists
from mgit_hooks.judging import configfiles, rulefiles, schemas
from mgit_hooks.judging.configfiles import Source
from mgit_hooks.judging.policy import STRATEGIES
from mgit_hooks.judging.rules import Rule
from mgit_hooks.judging.validate import LEVELS, validate
from mgit_hooks.layout import Location
from mgit_hooks.record import Json

KEYS = ("level", "strategy", "embed", "enforce", "retries", "anchor", "compact", "keep_checkpoints", "rules")
EMBED = ("none", "summary", "sample", "full")
# From loose to strict: where the user and the worktree differ, the stricter of the two holds. More
# embedding is looser: contents that someone wanted kept out cannot be taken back.
_STRICTNESS: dict[str, tuple[Any, ...]] = {
    "level": LEVELS,
    "strategy": STRATEGIES,
    "embed": EMBED[::-1],
    "enforce": (False, True),
    "anchor": ("off", "ref"),
    "keep_checkpoints": tuple(range(1, 1001)),
}
# As git has it: its keys have no underscore, and no case.
_IN_GIT = {key.replace("_", ""): key for key in KEYS}


class Origin(NamedTuple):
    value: Any
    source: str  # "command line", "environment MGIT_LEVEL", "git config (local)", a file's name, "default"
    path: str | None = None
    line: int | None = None


class Config(NamedTuple):
    level: str
    strategy: str
    embed: str
    enforce: bool
    retries: int
    anchor: str
    compact: bool
    keep_checkpoints: int
    rules: tuple[Rule, ...]
    origins: Mapping[str, Origin]
    sources: tuple[Source, ...]


class _Layer(NamedTuple):
    """What one place says. ``lasting``: it is a file, not this process's command line or environment."""

    values: Mapping[str, Origin]
    rules: tuple[Rule, ...]
    trusted: bool
    lasting: bool


class Read(NamedTuple):
    """All that was read, before any of it is weighed: highest precedence first."""

    layers: tuple[_Layer, ...]
    sources: tuple[Source, ...]
    defaults: Mapping[str, Any]

    def resolve(self, *, lasting_only: bool = False) -> Config:
        """The configuration; with ``lasting_only`` that of a process without overrides and environment."""
        layers = [layer for layer in self.layers if layer.lasting or not lasting_only]
        origins = {key: _weigh(key, layers, self.defaults[key]) for key in KEYS if key != "rules"}
        rules = _add_up(layers)
        origins["rules"] = Origin(
            [rule.id for rule in rules], ", ".join(dict.fromkeys(r.origin for r in rules)) or "default"
        )
        values = {key: origin.value for key, origin in origins.items()}
        return Config(**{**values, "rules": rules}, origins=origins, sources=self.sources)


def load(
    location: Location, overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """The configuration of a worktree. ``overrides`` are the command line's, by key.

    Raises ConfigError, naming file, key and, where it can be found, the line.
    """
    return read(location, overrides, environ).resolve()


def defaults() -> Config:
    """What holds where nobody said anything."""
    return Read((), (), _Reader.defaults()).resolve()


def read(
    location: Location, overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Read:
    """Read everything; ``resolve`` weighs it. Raises ConfigError."""
    env = os.environ if environ is None else environ
    reader = _Reader(location, env)
    given = configfiles.git_config(location, env)
    reader.files += given.files
    layers = [
        reader.texts({key: (value, "command line") for key, value in (overrides or {}).items()}),
        reader.texts(
            {key: (env[_variable(key)], f"environment {_variable(key)}") for key in KEYS if env.get(_variable(key))}
        ),
        reader.git([each for each in given.settings if each.scope == "command"], lasting=False),
        reader.git([each for each in given.settings if each.scope != "command"], lasting=True),
    ]
    if location.root is not None:
        layers += (
            reader.worktree(location.root, ".mgit-hooks.toml"),
            reader.worktree(location.root, "pyproject.toml"),
        )
    sources = tuple(Source(path, _is_read(path)) for path in dict.fromkeys(reader.files))
    return Read(tuple(layers), sources, reader.defaults())


def _is_read(path: str) -> bool:
    """Whether there is such a file, as far as its folder lets us see: git too goes without those of a closed one."""
    try:
        return exists(path)
    except PermissionError:
        return False


def lasting_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what it says about the configuration: ours, and that of ``git -c``."""
    ours = {_variable(key) for key in KEYS} | {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}
    return {name: value for name, value in environ.items() if name not in ours}


def _variable(key: str) -> str:
    return f"MGIT_{key.upper()}"


class _Reader:
    def __init__(self, location: Location, environ: Mapping[str, str]) -> None:
        self.files: list[str] = []
        self._schemas = schemas.load()
        self._spec: Json = self._schemas.documents["urn:mgit-hooks:config"]["properties"]
        self._environ = environ
        self._directory = location.root or location.git_dir

    @staticmethod
    def defaults() -> dict[str, Any]:
        spec: Json = schemas.load().documents["urn:mgit-hooks:config"]["properties"]
        return {key: each["default"] for key, each in spec.items()}

    def texts(self, given: Mapping[str, tuple[str, str]]) -> _Layer:
        """A layer of the command line or of the environment."""
        values: dict[str, Origin] = {}
        rules: list[Rule] = []
        for key, (text, source) in given.items():
            if key == "rules":
                for path in text.split(os.pathsep):
                    rules += self._rule_file(
                        configfiles.relative_to(None, path, self._directory, self._environ), source
                    )
            else:
                values[key] = Origin(self._value(key, text, source, None), source)
        return _Layer(values, tuple(rules), trusted=True, lasting=False)

    def git(self, settings: list[configfiles.Setting], *, lasting: bool) -> _Layer:
        values: dict[str, Origin] = {}
        rules: dict[str, Rule] = {}
        for setting in settings:
            key = _IN_GIT.get(setting.key, setting.key)
            source = f"git config ({setting.scope})"
            where = f"{setting.path}: mgit.{setting.key}" if setting.path else f"git -c mgit.{setting.key}"
            if key == "rules" and setting.value is not None:
                path = configfiles.relative_to(setting.path, setting.value, self._directory, self._environ)
                # as everywhere in git's configuration, of two with one name the last wins
                rules.update((rule.id, rule) for rule in self._rule_file(path, where))
            else:
                value = self._value(key, setting.value, where, setting.path)
                values[key] = Origin(value, source, setting.path)
        return _Layer(values, tuple(rules.values()), trusted=True, lasting=lasting)

    def worktree(self, root: str, name: str) -> _Layer:
        """A layer from a file that came with the repository."""
        path = os.path.join(root, name)
        self.files.append(path)
        text = configfiles.read_text(path)
        document: Json = {}
        # Someone else's pyproject.toml is not ours to complain about, and its parsing not ours to wait for.
        if text is not None and (name != "pyproject.toml" or "mgit-hooks" in text):
            document = configfiles.parse_toml(path, text)
            if name == "pyproject.toml":
                tool = document.get("tool")
                document = tool.get("mgit-hooks", {}) if isinstance(tool, dict) else {}
        self._validate(document, path, text or "")
        values = {
            key: Origin(value, name, path, configfiles.line_of(text or "", f"/{key}"))
            for key, value in document.items()
            if key != "rules"
        }
        rules = rulefiles.read(document.get("rules", []), path, text or "", self._schemas, self.files)
        return _Layer(values, rules, trusted=False, lasting=True)

    def _rule_file(self, path: str, source: str) -> tuple[Rule, ...]:
        self.files.append(path)
        text = configfiles.read_text(path)
        if text is None:
            raise ConfigError(f"{source}: there is no rule file {path}", "write it, or unset the key")
        document = configfiles.parse_toml(path, text)
        other = next((key for key in document if key != "rules"), None)
        if other is not None:
            line = configfiles.line_of(text, f"/{other}")
            raise ConfigError(
                f"{path}:{line or 1}: unknown key '{other}'",
                "a rule file holds [[rules]]; the other keys belong into git config",
            )
        self._validate(document, path, text)
        return rulefiles.read(document.get("rules", []), path, text, self._schemas, self.files)

    def _value(self, key: str, text: str | None, where: str, path: str | None) -> Any:
        if key not in KEYS:
            raise _unknown(where, key, KEYS)
        if text is None and self._spec[key].get("type") != "boolean":
            raise ConfigError(f"{where} has no value", f"set it: git config mgit.{key} VALUE")
        value = _converted(text, self._spec[key].get("type"))
        if issues := validate("config", {key: value}, "basic", self._schemas):
            raise ConfigError(f"{where}: {issues[0].message}", f"allowed: {_allowed(self._spec[key])}")
        return value

    def _validate(self, document: Any, path: str, text: str) -> None:
        """A TOML document against the schema; the first thing that is wrong is the error."""
        issues = validate("config", document, "basic", self._schemas)
        if not issues:
            return
        issue = issues[0]
        line = configfiles.line_of(text, issue.field_path)
        where = f"{path}:{line}" if line else path
        key = issue.field_path.rpartition("/")[2]
        rule = self._schemas.documents["urn:mgit-hooks:config"]["$defs"]["rule"]["properties"]
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


def _weigh(key: str, layers: list[_Layer], default: Any) -> Origin:
    """The first by precedence, except that a worktree's stricter value beats the user's."""
    said = [(layer.trusted, layer.values[key]) for layer in layers if key in layer.values]
    user = next((origin for trusted, origin in said if trusted), None)
    worktree = next((origin for trusted, origin in said if not trusted), None)
    if user is None or worktree is None:
        return user or worktree or Origin(default, "default")
    order = _STRICTNESS.get(key)
    stricter = order is not None and order.index(worktree.value) > order.index(user.value)
    return worktree if stricter else user


def _add_up(layers: list[_Layer]) -> tuple[Rule, ...]:
    """All rules. A same id replaces among equals only: the user's and the worktree's then both hold."""
    kept: dict[tuple[bool, str], Rule] = {}
    for layer in reversed(layers):
        for rule in layer.rules:
            kept.pop((layer.trusted, rule.id), None)
            kept[layer.trusted, rule.id] = rule
    return tuple(kept.values())
