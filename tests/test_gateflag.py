"""The gate flag: armed or open by the files alone, and stale as soon as one of them changes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from conftest import Repo

from mgit_hooks import layout
from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import gateflag, library, opennames, schemas
from mgit_hooks.judging.configfiles import Source
from mgit_hooks.judging.gateflag import read, refresh
from mgit_hooks.resources import hooks_dir, schemas_dir


def lines(repo: Repo) -> list[str]:
    return Path(layout.locate(repo.path).gate_flag).read_text().splitlines()


def of_the_package(sources: Iterable[Source]) -> list[Source]:
    return [source for source in sources if source.path.startswith(f"{schemas_dir()}{os.sep}")]


def test_the_flag_says_open_and_names_every_file(repo: Repo) -> None:
    location = layout.locate(repo.path)
    before = time.time()
    found = refresh(location)
    first, *rest = lines(repo)
    assert first == "open"
    ours = of_the_package(found.sources)
    named = [source for source in found.sources if source not in ours[1:]]  # an upgrade writes all of them anew
    assert len(ours) > 1
    own = Source(f"{repo.path}/.git/config", True)
    assert rest == [f"{'=' if each == own else '-+'[each.exists]}{each.path}" for each in named]
    assert f"={repo.path}/.git/config" in rest
    assert f"-{repo.path}/.mgit-hooks.toml" in rest
    status = os.stat(location.gate_flag)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert before - 2.1 < status.st_mtime < time.time() - 1.9
    assert sorted(os.listdir(os.path.dirname(location.gate_flag))) == ["main-worktree", "open"]


def names(repo: Repo) -> Path:
    return Path(layout.locate(repo.path).open_names)


def test_an_open_gate_hangs_on_the_same_files_by_name(repo: Repo) -> None:
    location = layout.locate(repo.path)
    refresh(location)
    first, *rest = lines(repo)
    assert first == "open"
    assert sorted(os.listdir(names(repo))) == sorted(line.replace("/", "%") for line in rest)
    status = names(repo).stat()
    assert status.st_mtime == os.stat(location.gate_flag).st_mtime
    assert stat.S_IMODE(status.st_mode) == 0o700
    repo.write(".mgit-hooks.toml", 'strategy = "abort"\n')
    refresh(location)
    assert os.listdir(names(repo).parent) == []
    repo.write(".mgit-hooks.toml", "")
    refresh(location)
    assert "+" + f"{repo.path}/.mgit-hooks.toml".replace("/", "%") in os.listdir(names(repo))
    repo.write(".mgit-hooks.toml", "levle = 1\n")
    with pytest.raises(ConfigError):
        refresh(location)
    assert os.listdir(names(repo).parent) == []


@pytest.mark.parametrize("name", ["50%", "a*", "a?", "[a]", "a\\b", "a\nb", "a" * 250, "x/../y/"])
def test_what_a_name_cannot_tell_is_left_to_the_flag(repo: Repo, name: str) -> None:
    path = os.path.join(os.environ["HOME"], name)
    repo.git("config", "include.path", path)
    refresh(layout.locate(repo.path))
    assert lines(repo)[0] == "open"
    # git's own reading makes the last one a plain path
    assert names(repo).exists() is name.endswith("/")


def test_the_shell_reads_of_a_name_what_was_written(repo: Repo, tmp_path: Path) -> None:
    """Spaces, quotes, dollars, non-ASCII and double slashes: the file is found, and its change is."""
    script = Path(hooks_dir(), "open.sh").read_text()
    folder, config = tmp_path / "names", tmp_path / "config"
    config.touch()
    os.utime(config, (1_000_000_000, 1_000_000_000))
    for name in (" a  b ", "it's", "$HOME`x`", "ü\u00a0\t", "-n", "+", "a;b&c"):
        path = tmp_path / name
        path.touch()
        os.utime(path, (1_000_000_000, 1_000_000_000))
        told = (f"={config}", f"+{path}", f"-{tmp_path}//absent{name}")

        def is_open(config: Path = config) -> bool:
            return subprocess.run(["sh", "-c", f'{script}\nis_open "$0" "$1"', folder, config]).returncode == 0

        opennames.put(str(folder), told, 1_000_000_001.0)
        assert is_open(), name
        assert not is_open(path), name
        os.utime(path, (1_000_000_002, 1_000_000_002))
        assert not is_open(), name
        os.utime(path, (1_000_000_000, 1_000_000_000))
        (tmp_path / f"absent{name}").touch()
        assert not is_open(), name
        opennames.take_away(str(folder))
        assert not is_open(), name


@pytest.mark.parametrize("link", ["gate", "gate/worktrees", "gate/open", "gate/open/worktrees"])
def test_no_folder_of_somebodys_is_written_to_or_taken_away(repo: Repo, tmp_path: Path, link: str) -> None:
    """A worktree may be named as one of them, and a repository from an archive lead there."""
    repo.commit("one", {"a": "a"})
    repo.git("worktree", "add", "-q", str(tmp_path / "Documents"))
    home = tmp_path / "home"
    for kept in ("Documents/file", "worktrees/Documents/file", "open/worktrees/Documents/file", "main-worktree/file"):
        (home / kept).parent.mkdir(parents=True)
        (home / kept).write_text("precious")
    before = sorted(home.rglob("*"))
    place = Path(layout.locate(repo.path).mgit_dir, link)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(home)
    for worktree in (tmp_path / "Documents", repo.path):
        assert refresh(layout.locate(str(worktree))).level == "standard"
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_what_stands_in_the_place_of_the_names_goes(repo: Repo, tmp_path: Path, kind: str) -> None:
    location = layout.locate(repo.path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there/kept").touch()
    names(repo).parent.mkdir(parents=True)
    if kind == "file":
        names(repo).touch()
    else:
        names(repo).symlink_to(tmp_path / ("there" if kind == "link" else "absent"))
    refresh(location)
    assert names(repo).is_dir()
    assert not names(repo).is_symlink()
    assert (tmp_path / "there/kept").exists()
    assert os.listdir(names(repo).parent) == ["main-worktree"]


def test_two_that_evaluate_at_once_leave_whole_names(repo: Repo) -> None:
    """And nothing beside them."""
    script = (
        "import sys; from mgit_hooks import layout; from mgit_hooks.judging import gateflag\n"
        "location = layout.locate(sys.argv[1])\n"
        "for _ in range(15): gateflag.refresh(location)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, repo.path]) for _ in range(3)]
    assert [each.wait() for each in running] == [0] * 3
    assert os.listdir(names(repo).parent) == ["main-worktree"]
    assert sorted(os.listdir(names(repo))) == sorted(line.replace("/", "%") for line in lines(repo)[1:])


@pytest.mark.parametrize("text", ['strategy = "abort"', '[[rules]]\nid = "r"\nstrategy = "abort"\nschema = true'])
@pytest.mark.parametrize("enforce", ["true", "false"])
def test_what_can_refuse_arms_it(repo: Repo, text: str, enforce: str) -> None:
    repo.write(".mgit-hooks.toml", f"enforce = {enforce}\n{text}\n")
    refresh(layout.locate(repo.path))
    assert lines(repo)[0] == "armed"


@pytest.mark.parametrize(
    "environ",
    [
        {"MGIT_STRATEGY": "abort"},
        {"GIT_CONFIG_PARAMETERS": "'mgit.strategy'='abort'"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "mgit.strategy", "GIT_CONFIG_VALUE_0": "abort"},
    ],
)
def test_the_environment_counts_for_the_process_but_not_for_the_flag(repo: Repo, environ: dict[str, str]) -> None:
    location = layout.locate(repo.path)
    assert refresh(location, environ={**os.environ, **environ}).strategy == "abort"
    assert lines(repo)[0] == "open"
    assert refresh(location, {"strategy": "abort"}).strategy == "abort"
    assert lines(repo)[0] == "open"


def test_the_environment_cannot_disarm_it_either(repo: Repo) -> None:
    repo.git("config", "mgit.strategy", "abort")
    found = refresh(layout.locate(repo.path), environ={**os.environ, "MGIT_STRATEGY": "ignore"})
    assert (found.strategy, lines(repo)[0]) == ("ignore", "armed")


def test_a_flag_is_fresh_until_a_file_comes_changes_or_goes(repo: Repo) -> None:
    location = layout.locate(repo.path)

    def fresh() -> bool:
        flag = read(location)
        assert flag is not None
        return flag.fresh

    def settled() -> None:
        """As if the configuration had lain there for a while before it was evaluated."""
        for source in refresh(location).sources:
            if source.exists and not source.path.startswith(schemas_dir()):
                os.utime(source.path, (1_000_000_000, 1_000_000_000))

    assert read(location) is None
    settled()
    assert fresh()
    repo.write(".mgit-hooks.toml", "")
    assert not fresh()
    settled()
    assert fresh()
    repo.git("config", "x.y", "z")
    assert not fresh()
    settled()
    os.unlink(f"{repo.path}/.mgit-hooks.toml")
    assert not fresh()


def test_a_file_written_while_the_configuration_was_read_makes_it_stale(repo: Repo) -> None:
    """The trap of equal time stamps: the change has the same tick as the evaluation."""
    location = layout.locate(repo.path)
    refresh(location)
    repo.git("config", "x.y", "z")
    flag = read(location)
    assert flag is not None
    assert not flag.fresh
    # and the shell's own test says the same
    newer = f'[ "{repo.path}/.git/config" -nt "{location.gate_flag}" ]'
    assert subprocess.run(["sh", "-c", newer]).returncode == 0


@pytest.mark.parametrize("content", ["", "armed", "perhaps\n", "arm"])
def test_a_flag_that_is_not_whole_is_none(repo: Repo, content: str) -> None:
    location = layout.locate(repo.path)
    refresh(location)
    Path(location.gate_flag).write_text(content)
    assert read(location) is None


def test_what_is_written_is_read_back(repo: Repo) -> None:
    location = layout.locate(repo.path)
    found = refresh(location)
    gateflag.write(location, found._replace(strategy="abort"), time.time())
    flag = read(location)
    assert flag is not None
    ours = of_the_package(found.sources)
    assert (flag.armed, flag.sources) == (True, tuple(each for each in found.sources if each not in ours[1:]))


def test_a_path_that_a_line_cannot_hold_makes_it_stale(repo: Repo) -> None:
    """Never armed: a commit without a verdict would be taken for one that went round the gate."""
    strange = Path(os.environ["HOME"], "a\nb")
    strange.write_text("")
    repo.git("config", "include.path", str(strange))
    location = layout.locate(repo.path)
    refresh(location)
    first, *rest = lines(repo)
    assert (first, [line for line in rest if line[:1] not in "=+-"]) == ("open", ["unwatched"])
    flag = read(location)
    assert flag is not None
    assert (flag.armed, flag.fresh) == (False, False)


def test_a_broken_configuration_arms_it_until_it_is_mended(repo: Repo) -> None:
    location = layout.locate(repo.path)
    repo.write(".mgit-hooks.toml", "levle = 1\n")
    with pytest.raises(ConfigError):
        refresh(location)
    assert lines(repo) == ["armed"]
    repo.write(".mgit-hooks.toml", "")
    refresh(location)
    assert lines(repo)[0] == "open"


def test_a_slip_on_the_command_line_leaves_the_flag_to_the_files(repo: Repo) -> None:
    location = layout.locate(repo.path)
    for overrides, environ in (({"level": "lax"}, {}), (None, {"MGIT_LEVEL": "lax"})):
        with pytest.raises(ConfigError):
            refresh(location, overrides, {**os.environ, **environ})
        assert lines(repo)[0] == "open"
        assert len(lines(repo)) > 3


def test_a_repository_that_cannot_be_written_still_has_a_configuration(repo: Repo) -> None:
    location = layout.locate(repo.path)
    Path(location.mgit_dir).write_text("in the way of the folder")
    assert refresh(location).level == "standard"
    with pytest.raises(OSError, match="mgit"):
        gateflag.write(location, refresh(location), 0)


def test_each_worktree_has_a_flag_of_its_own(repo: Repo, tmp_path: Path) -> None:
    repo.commit("one", {"a": "a"})
    repo.git("worktree", "add", "-q", str(tmp_path / "side"))
    (tmp_path / "side" / ".mgit-hooks.toml").write_text('strategy = "abort"\n')
    side = layout.locate(str(tmp_path / "side"))
    refresh(side)
    refresh(layout.locate(repo.path))
    assert side.gate_flag == f"{repo.path}/.git/mgit/gate/worktrees/side"
    assert Path(side.gate_flag).read_text().startswith("armed\n")
    assert lines(repo)[0] == "open"


# What each place can name, and what arms the gate once it is in there.
_HARMLESS = '[[rules]]\nid = "r"\nschema = true\n'
_ARMING = '[[rules]]\nid = "r"\nschema = true\nstrategy = "abort"\n'


@pytest.mark.parametrize("kind", ["file", "folder", "new in a folder", "package", "package put anew", "library", "set"])
def test_a_change_in_any_file_that_a_policy_is_read_from_makes_the_flag_stale(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """And the next evaluation arms it."""
    location = layout.locate(repo.path)
    one = '{"x-rule": %s}'
    if kind == "file":
        path, before, after, name = Path(repo.path, "team.toml"), _HARMLESS, _ARMING, "team.toml"
    elif kind in ("folder", "new in a folder"):
        path, name = Path(repo.path, "rules/r.json"), "rules/"
        path.parent.mkdir()
        before, after = one % "{}", one % '{"strategy": "abort"}'
    elif kind.startswith("package"):
        path, before, after, name = tmp_path / "site/acme_git/rules.toml", _HARMLESS, _ARMING, "acme_git"
        path.parent.mkdir(parents=True)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
    else:
        ours = tmp_path / "schemas"
        shutil.copytree(schemas_dir(), ours)
        for module in (schemas, library):
            monkeypatch.setattr(module, "schemas_dir", lambda: str(ours))
        path, name = ours / ("sets/dco.json" if kind == "set" else "rules/signed-off-by.json"), "dco"
        before = path.read_text()
        after = before.replace('"signed-off-by"', '"signed-off-by", "strategy": "abort"')
        if kind == "library":
            after = before.replace('"severity": "error"', '"severity": "error", "strategy": "abort"')
    path.write_text(before)
    repo.write(".mgit-hooks.toml", f'extends = ["{name}"]\n')
    for source in refresh(location).sources:
        if source.exists and not source.path.startswith(schemas_dir()):
            os.utime(source.path, (1_000_000_000, 1_000_000_000))
    refresh(location)
    flag = read(location)
    assert flag is not None
    assert (flag.armed, flag.fresh) == (False, True)
    if kind == "new in a folder":
        path = path.with_name("s.json")
    if kind == "package put anew":  # by an installer that keeps the file's old time, as uv does from its cache
        shutil.rmtree(path.parent)
        path.parent.mkdir()
    path.write_text(after)
    if kind in ("new in a folder", "package put anew"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    stale = read(location)
    assert stale is not None
    assert not stale.fresh
    library.forget()
    refresh(location)
    assert lines(repo)[0] == "armed"
