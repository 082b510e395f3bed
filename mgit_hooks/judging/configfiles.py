"""What the configuration is read from: git's configuration, and TOML files of the user and the worktree.

Files in a worktree come from strangers: they are read as plain, small, regular files or not at all.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.files import exists
from mgit_hooks.git import plumbing
from mgit_hooks.layout import Location
from mgit_hooks.record import Json

LARGEST = 1 << 20
"""Bytes of the largest configuration, rule or schema file that is read."""
LARGEST_ALTOGETHER = 8 << 20
MOST_FILES = 500

_TIES = frozenset(plumbing.LOCAL_ENV_VARS) - {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}


class Source(NamedTuple):
    """A file that a policy came from, or could come from once it exists."""

    path: str
    exists: bool


class Setting(NamedTuple):
    """One ``mgit.*`` entry of git's configuration. ``value`` is None where the key stands alone."""

    key: str
    value: str | None
    scope: str  # system | global | local | worktree | command
    path: str | None  # None on git's command line and in its environment


class GitConfig(NamedTuple):
    settings: tuple[Setting, ...]
    files: tuple[str, ...]  # all that git reads or would read, existing or not


def git_config(location: Location, environ: Mapping[str, str]) -> GitConfig:
    """Our part of git's configuration, and every file it can come from. One process.

    Raises ConfigError where git cannot read its own configuration.
    """
    # GIT_DIR and its kin may belong to the hook that called us; GIT_CONFIG would hide every other file.
    env = {name: value for name, value in environ.items() if name not in _TIES}
    directory = location.root or location.git_dir
    result = plumbing.run(
        ("--git-dir", location.git_dir, "config", "--list", "-z", "--show-origin", "--show-scope"),
        directory=directory,
        env=env,
    )
    if result.status:
        lines = result.stderr.strip().splitlines() or ["git config failed"]
        reason = lines[0].removeprefix("fatal: ").removeprefix("error: ")
        raise ConfigError(reason, "mend that file: 'git config --list' must work")
    settings, files = [], _candidates(location, environ)
    fields = os.fsdecode(result.stdout).split("\0")
    for scope, origin, entry in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        path = os.path.join(directory, origin[5:]) if origin.startswith("file:") else None
        key, newline, value = entry.partition("\n")
        if path is not None:
            files.append(path)
        if key == "extensions.worktreeconfig":  # git-config(1): without it git reads no such file
            files.append(os.path.join(location.git_dir, "config.worktree"))
        if key.startswith("mgit.alert."):
            continue  # for who looks at figures (metrics.alerts): no part of a policy
        if key.startswith("mgit."):
            settings.append(Setting(key.removeprefix("mgit."), value if newline else None, scope, path))
        elif key == "include.path" or (key.startswith("includeif.") and key.endswith(".path")):
            files.append(relative_to(path, value, directory, environ))
            if key.startswith("includeif.onbranch:"):
                files.append(os.path.join(location.git_dir, "HEAD"))
    return GitConfig(tuple(settings), tuple(dict.fromkeys(files)))


def _candidates(location: Location, environ: Mapping[str, str]) -> list[str]:
    """The files that git looks for, in its order (git-config(1), FILES)."""
    found = []
    if environ.get("GIT_CONFIG_NOSYSTEM", "").lower() not in ("1", "true", "yes", "on"):
        found.append(environ.get("GIT_CONFIG_SYSTEM") or "/etc/gitconfig")
    if "GIT_CONFIG_GLOBAL" in environ:
        found.append(environ["GIT_CONFIG_GLOBAL"])
    elif home := environ.get("HOME"):
        found.append(os.path.join(environ.get("XDG_CONFIG_HOME") or f"{home}/.config", "git", "config"))
        found.append(os.path.join(home, ".gitconfig"))
    found.append(os.path.join(location.common_dir, "config"))
    return [path for path in found if path]


def relative_to(path: str | None, value: str, directory: str, environ: Mapping[str, str]) -> str:
    """A path as in git's include.path: ``~`` is the home folder, relative is to the file that names it."""
    if value == "~" or value.startswith("~/"):
        value = environ.get("HOME", "~") + value[1:]
    return os.path.normpath(os.path.join(os.path.dirname(path) if path else directory, value))


class Files:
    """The files that a policy is read from, for whoever watches them: each read once, all within one bound."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._raw: dict[str, bytes | None] = {}
        self._size = 0

    def watch(self, path: str) -> None:
        """What the policy hangs on though it is not read here: a folder, or a file that git reads."""
        self.paths.append(path)

    def raw(self, path: str) -> bytes | None:
        """The file's bytes; None where there is none. Raises ConfigError where it is not one to read."""
        if path not in self._raw:
            self.paths.append(path)
            raw = self._raw[path] = read_raw(path)
            self._size += len(raw or b"")
            if len(self._raw) > MOST_FILES or self._size > LARGEST_ALTOGETHER:
                raise ConfigError(
                    f"{path}: one file too many: a policy is read from at most {MOST_FILES}, "
                    f"of {LARGEST_ALTOGETHER} bytes altogether",
                    "extend fewer files",
                )
        return self._raw[path]

    def sources(self) -> tuple[Source, ...]:
        return tuple(Source(path, _is_there(path)) for path in dict.fromkeys(self.paths))

    def read(self, path: str) -> str | None:
        """The file's text, as ``raw``."""
        raw = self.raw(path)
        return None if raw is None else decoded(path, raw)


def _is_there(path: str) -> bool:
    """Whether there is such a file, as far as its folder lets us see: git too goes without those of a closed one."""
    try:
        return exists(path)
    except PermissionError:
        return False


def read_raw(path: str) -> bytes | None:
    """The file's bytes; None where there is none. Raises ConfigError where it is not one to read."""
    try:
        # O_NONBLOCK: a pipe with this name must not hold us up
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "make it readable, or move it away") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ConfigError(f"{path}: not a regular file", "move it away, or put a file in its place")
    with open(handle, "rb") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ConfigError(f"{path}: larger than {LARGEST} bytes", "keep configuration, rules and schemas small")
    return raw


def decoded(path: str, raw: bytes) -> str:
    """Raises ConfigError with file and line where it is not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8", "save the file as UTF-8") from error


def parse_toml(path: str, text: str) -> Json:
    """Raises ConfigError with file and line."""
    import tomllib  # 5 ms: only where there is a file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words = str(error)
        where = re.search(r" \(at line (\d+), column (\d+)\)$", words)
        place = f"{path}:{where[1]}:{where[2]}" if where else f"{path}:{text.count(chr(10)) + 1}"
        fix = (
            "write it as TOML or JSON: YAML is not read" if path.endswith((".yaml", ".yml")) else "mend the TOML there"
        )
        raise ConfigError(f"{place}: {words[: where.start()] if where else words}", fix) from error
    except ValueError as error:  # a number of more digits than Python reads
        raise ConfigError(f"{path}: {error}", "mend the TOML there") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply", "mend the TOML there") from error


def line_of(text: str, pointer: str) -> int | None:
    """The line of a TOML text where the value that ``pointer`` names most likely is set."""
    parts: list[Any] = pointer.split("/")[1:]
    start = 0
    table = len(parts) > 1 and parts[0] == "rules" and parts[1].isdigit()
    if table:
        tables = [match.start() for match in re.finditer(r"(?m)^[ \t]*\[\[[^\]\n]*rules[ \t]*\]\]", text)]
        if int(parts[1]) >= len(tables):
            return None
        start, parts = tables[int(parts[1])], parts[2:]
    if parts:
        name = re.escape(parts[0])
        found = re.compile(rf"""(?m)^[ \t]*(?:\[(?:.*\.)?{name}[ \t]*\]|["']?{name}["']?[ \t]*[=.])""").search(
            text, start
        )
        if found is None and not table:
            return None
        start = found.start() if found else start
    return text.count("\n", 0, start) + 1
