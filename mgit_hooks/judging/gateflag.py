"""The gate flag: what a sh stub reads to know, without Python, whether the gate has to run.

Format and meaning are in docs/decisions/0001-architecture.md. The flag is about files alone: what the
environment and a command line add, the stub sees for itself.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.files import create, is_link, open_to_read
from mgit_hooks.judging import config as configuration
from mgit_hooks.judging import opennames
from mgit_hooks.judging.config import Config
from mgit_hooks.judging.configfiles import Source
from mgit_hooks.judging.policy import armed, can_refuse
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.resources import schemas_dir

_GRAIN = 2.0
"""Seconds by which the flag is dated back: the coarsest clock of a file system (FAT) has this grain, so
that a file changed during the evaluation, or within one tick of it, still counts as newer."""


_ARMED, _MENDS, _OPEN = "armed", "mends", "open"
"""The gate may refuse; it may repair, and refuses nothing; it has nothing to do."""


class Flag(NamedTuple):
    armed: bool
    sources: tuple[Source, ...]  # as they were when it was written
    fresh: bool  # none of them has changed since


def refresh(
    location: Location, overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """Load the configuration and rewrite the flag by it. Raises ConfigError, with the flag then armed.

    A flag that cannot be written (a read-only repository) is no error: it is as stale as it was.
    """
    started = time.time()
    try:
        read = configuration.read(location, overrides, environ)
        lasting, config = read.resolve(lasting_only=True), read.resolve()
    except ConfigError:
        _put_without_ours(location, environ, started)
        raise
    _try_to_put(location, _word(lasting), lasting.sources, started)
    return config


def _word(config: Config) -> str:
    return _ARMED if can_refuse(config) else _MENDS if armed(config) else _OPEN


def _put_without_ours(location: Location, environ: Mapping[str, str] | None, started: float) -> None:
    """The flag where the configuration is broken: armed, unless only this process's part of it is."""
    kept = configuration.lasting_environment(os.environ if environ is None else environ)
    try:
        config = configuration.load(location, None, kept)
    except ConfigError:
        # Nobody knows what the policy is: the gate runs, and says so, until the file is mended.
        _try_to_put(location, _ARMED, (), started)
    else:
        _try_to_put(location, _word(config), config.sources, started)


def write(location: Location, config: Config, started: float) -> None:
    """Write the flag of a worktree by ``config``, whose evaluation began at ``started`` (s since 1970)."""
    _put(location, _word(config), config.sources, started)


def read(location: Location) -> Flag | None:
    """The flag as it stands; None where there is none or it is not whole."""
    try:
        with open_to_read(location.gate_flag) as file:
            text = file.read()
            written = os.fstat(file.fileno()).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None
    first, *lines = os.fsdecode(text).split("\n")
    if first not in (_ARMED, _MENDS, _OPEN) or not text.endswith(b"\n"):
        return None
    watched = [line for line in lines if line[:1] in ("=", "+", "-")]
    sources = tuple(Source(line[1:], line[0] != "-") for line in watched)
    fresh = len(watched) == len(lines) - 1 and all(_unchanged(source, written) for source in sources)
    fresh = fresh and all(_is_same(line[1:], _own(location)) for line in watched if line[0] == "=")
    return Flag(first != _OPEN, sources, fresh)


def _own(location: Location) -> str:
    return os.path.join(location.common_dir, "config")


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _unchanged(source: Source, written: int) -> bool:
    try:
        changed = os.stat(source.path).st_mtime_ns
    except OSError:
        return not source.exists
    return source.exists and changed <= written


def _watched(sources: tuple[Source, ...]) -> Iterator[Source]:
    """Of the package's own files the first alone: an upgrade writes all of them anew, and sh reads each letter of the
    flag by itself, three times a commit."""
    own, seen = f"{schemas_dir()}{os.sep}", False
    for source in sources:
        if not source.path.startswith(own):
            yield source
        elif not seen:
            seen = True
            yield source


def _try_to_put(location: Location, word: str, sources: tuple[Source, ...], started: float) -> None:
    try:
        _put(location, word, sources, started)
    except OSError:
        pass


def _put(location: Location, word: str, sources: tuple[Source, ...], started: float) -> None:
    """Killed anywhere, this leaves a flag that is stale or right, and names only beside one that says open."""
    dated = started - _GRAIN
    # In a copy of this repository "=" is another one's configuration: what was evaluated there holds there alone.
    told = [f"{'=' if each.path == _own(location) else '+-'[not each.exists]}{each.path}" for each in _watched(sources)]
    _refuse_links(location)
    opennames.take_away(location.open_names)
    _put_file(location.gate_flag, word, told, dated)
    if word == _OPEN and all(map(_can_be_told, told)):
        with suppress(OSError):  # stubs then read the flag
            opennames.put(location.open_names, told, dated)


def _refuse_links(location: Location) -> None:
    """A repository that came in an archive could lead us to write, and to take away, in folders of somebody's."""
    for folder in (location.gate_flag, location.open_names):
        while (folder := os.path.dirname(folder)) != location.mgit_dir:
            if is_link(folder):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), folder)


def _can_be_told(source: str) -> bool:
    """Whether a line can hold its path. By the word for one that it cannot, the stub takes the flag for a stale one."""
    return "\n" not in source


def _put_file(path: str, word: str, told: Iterable[str], dated: float) -> None:
    lines = [word, *(each if _can_be_told(each) else "unwatched" for each in told)]
    make_private_dir(os.path.dirname(path))
    # Killed before the rename, this leaves the old flag, and a file named so.
    made = f"{path}.{os.getpid()}.new"
    handle = create(made)
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.write(os.fsencode("\n".join(lines) + "\n"))
        os.utime(made, (dated, dated))
        os.replace(made, path)
    except OSError:
        os.unlink(made)
        raise
