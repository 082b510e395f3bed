"""The configuration in force, and where each value came from.

Command line > MGIT_* environment > git config mgit.* > .mgit-hooks.toml > [tool.mgit-hooks] of
pyproject.toml > defaults. What a worktree's files say may tighten what the user said, never loosen it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import configfiles, trust
from mgit_hooks.judging.configfiles import Source
from mgit_hooks.judging.configlayers import ADDING, KEYS, Layer, LayerReader, Origin, variable
from mgit_hooks.judging.rules import Rule
from mgit_hooks.judging.trust import Chains
from mgit_hooks.layout import Location


class Config(NamedTuple):
    level: str
    strategy: str
    embed: str
    enforce: bool
    fail: str
    retries: int
    anchor: str
    compact: bool
    keep_checkpoints: int
    rules: tuple[Rule, ...]
    extends: tuple[str, ...]
    origins: Mapping[str, Origin]
    sources: tuple[Source, ...]


class Read(NamedTuple):
    """All that was read, before any of it is weighed: highest precedence first."""

    layers: tuple[Layer, ...]
    reader: LayerReader

    def resolve(self, *, lasting_only: bool = False) -> Config:
        """The configuration; with ``lasting_only`` that of a process without overrides and environment.

        Raises ConfigError where a rule in force is none.
        """
        layers = self._layers(lasting_only)
        default = self.reader.defaults()
        origins = {key: trust.weigh(key, layers, default[key])[0] for key in KEYS if key not in ADDING}
        rules = self._rules(layers, self.chains(lasting_only=lasting_only))
        extends = [said.origin for layer in layers for said in reversed(layer.said) if said.key == "extends"]
        names = tuple(dict.fromkeys(name for origin in extends for name in origin.value))
        values = {key: origin.value for key, origin in origins.items()}
        origins["rules"] = Origin([rule.id for rule in rules], _named(rule.origin for rule in rules))
        origins["extends"] = Origin(list(names), _named(origin.path or origin.source for origin in extends))
        return Config(**values, rules=rules, extends=names, origins=origins, sources=self.reader.files.sources())

    def _rules(self, layers: Sequence[Layer], chains: Chains) -> tuple[Rule, ...]:
        strategy, by = trust.weigh("strategy", layers, self.reader.defaults()["strategy"])
        return tuple(
            trust.with_repair(self.reader.rule(entry), users=users, strategy=strategy.value, by=by)
            for users, side in ((False, chains.worktree), (True, chains.user))
            for entry in side.values()
            if entry.enabled
        )

    def chains(self, *, lasting_only: bool = False) -> Chains:
        """What was said about rules, those of the level among them. Raises ConfigError."""
        layers = self._layers(lasting_only)
        level, by = trust.weigh("level", layers, self.reader.defaults()["level"])
        return trust.chains(layers, level.value, by, self.reader.sets)

    def _layers(self, lasting_only: bool) -> list[Layer]:
        return [layer for layer in self.layers if layer.lasting or not lasting_only]


def _named(places: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(places)) or "default"


def load(
    location: Location, overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """The configuration of a worktree. ``overrides`` are the command line's, by key.

    Raises ConfigError, naming file, key and, where it can be found, the line.
    """
    return read(location, overrides, environ).resolve()


def defaults() -> Config:
    """What holds where nobody said anything."""
    return nothing().resolve()


def nothing() -> Read:
    """What is read where nobody said anything."""
    return Read((), LayerReader(None, {}))


def read(
    location: Location, overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Read:
    """Read everything; ``resolve`` weighs it. Raises ConfigError."""
    env = os.environ if environ is None else environ
    reader = LayerReader(location, env)
    given = configfiles.git_config(location, env)
    for path in given.files:
        reader.files.watch(path)
    layers = [
        reader.texts({key: (value, "command line") for key, value in (overrides or {}).items()}),
        reader.texts(
            {key: (env[variable(key)], f"environment {variable(key)}") for key in KEYS if env.get(variable(key))}
        ),
        reader.git([each for each in given.settings if each.scope == "command"], lasting=False),
        reader.git([each for each in given.settings if each.scope != "command"], lasting=True),
    ]
    if location.root is not None:
        layers += (
            reader.worktree(location.root, ".mgit-hooks.toml"),
            reader.worktree(location.root, "pyproject.toml"),
        )
    return Read(tuple(layers), reader)


def lasting_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` without what it says about the configuration: ours, and that of ``git -c``."""
    ours = {variable(key) for key in KEYS} | {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}
    return {name: value for name, value in environ.items() if name not in ours}


def fails_open(location: Location, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the user lets git go on where the configuration cannot be read: by the environment, else by git's.

    What a worktree says counts only once all of it can be read.
    """
    env = os.environ if environ is None else environ
    said = env.get(variable("fail"))
    if not said:
        try:
            settings = configfiles.git_config(location, env).settings
        except ConfigError:
            return False
        said = next((each.value for each in reversed(settings) if each.key == "fail"), None)
    return said == "open"
