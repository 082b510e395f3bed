"""``diff``: the lines, what is kept of them, and what a failure leaves."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from terminal import on_a_terminal

from mgit_hooks.changesets import ChangesetStorage, looking, patience, working
from mgit_hooks.changesets.embedding import Embedder
from mgit_hooks.changesets.linesfile import write
from mgit_hooks.changesets.patience import at_most
from mgit_hooks.errors import UsageError
from mgit_hooks.git import plumbing, worktree
from mgit_hooks.pipeline import ChangesetRecoveryManager, validate_changeset, validate_collection

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def work(repo: Repo) -> Repo:
    repo.commit("one", {"a": "a\n"})
    repo.write("b c", "b\n")
    return repo


def test_a_line_is_the_changeset_of_the_repository(work: Repo, mgit: Any) -> None:
    told = mgit("diff", work.path)
    (line,) = told.json
    assert (told.code, told.err) == (0, "")
    assert line["repository_path"] == work.path
    assert [(each["filename"], each["change_type"]) for each in line["uncommitted_files"]] == [("b c", "untracked")]
    assert [each["message"] for each in line["recent_commits"]] == ["one\n"]


def test_a_repository_that_cannot_be_read_is_a_line_and_exit_1(work: Repo, mgit: Any) -> None:
    mgit("diff", work.path, "-s")
    kept = ChangesetStorage().load_json("default")
    index = Path(work.path, ".git", "index")
    index.write_bytes(b"nonsense")
    told = mgit("diff", work.path, "-s", "-i")
    assert (told.code, told.json[0]["git_status"]) == (1, "error")
    assert told.json[0]["error"]
    assert ChangesetStorage().load_json("default") == kept  # it is not replaced by what says nothing


def test_an_invalid_changeset_is_exit_1(work: Repo, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mgit_hooks.changesets.working.dates.now", lambda: "yesterday")
    told = mgit("diff", work.path, "--validation-level", "standard")
    assert (told.code, told.json[0]["validation"]["issues"][0]["code"]) == (1, "INVALID_DATE")
    assert mgit("diff", work.path).code == 0


def test_incremental_twice_says_what_came_since(work: Repo, mgit: Any) -> None:
    mgit("diff", work.path, "-s")
    work.write("b c", "x\n")  # as long as before
    work.git("commit", "-q", "--amend", "-m", "other")
    (told,) = mgit("diff", work.path, "-is").json
    assert [each["filename"] for each in told["uncommitted_files"]] == ["b c"]
    assert [each["message"] for each in told["recent_commits"]] == ["other\n"]
    assert len(told["metadata"]["increment"]["dropped"]) == 1
    assert mgit("diff", work.path, "-is").out == ""
    kept = next(iter(ChangesetStorage().load_changeset_collection("default").repositories.values()))
    assert len(kept.uncommitted_files or ()) == 1  # all of it is kept, not the increment
    assert "increment" not in (kept.metadata or {})


def test_a_name_that_can_be_none_is_said_before_any_work(work: Repo, mgit: Any, tmp_path: Path) -> None:
    told = mgit("diff", work.path, "-s", "-n", "x" * 300, "-o", str(tmp_path / "lines"))
    assert (told.code, told.out, (tmp_path / "lines").exists()) == (2, "", False)


def test_eight_at_once_lose_nothing(tmp_path: Path) -> None:
    """Whole processes, each with a repository of its own, into one collection."""
    paths = []
    for number in range(8):
        path = tmp_path / f"repo {number}"
        subprocess.run(["git", "init", "-q", path], check=True)
        paths.append(str(path))
    command = (sys.executable, "-m", "mgit_hooks", "diff", "-s", "-n", "together")
    running = [subprocess.Popen((*command, path), stdout=subprocess.DEVNULL, cwd=ROOT) for path in paths]
    assert [each.wait() for each in running] == [0] * 8
    kept = ChangesetStorage().load_changeset_collection("together").repositories.values()
    assert sorted(each.repository_path for each in kept) == paths


@pytest.mark.parametrize("strategy", ["ignore", "repair", "fallback", "checkpoint", "abort"])
def test_what_cannot_be_read_never_takes_the_place_of_what_is_kept(work: Repo, mgit: Any, strategy: str) -> None:
    mgit("diff", work.path, "-s")
    kept = ChangesetStorage().load_json("default")
    Path(work.path, ".git", "index").write_bytes(b"nonsense")
    told = mgit("diff", work.path, "-s", "--recovery-strategy", strategy)
    assert told.code == 1
    assert ChangesetStorage().load_json("default") == kept
    if strategy == "abort":
        assert (told.out, "index" in told.err) == ("", True)
    else:
        (line,) = told.json
        assert line["git_status"] == ("unknown" if strategy == "fallback" else "error")
        assert "index" in line["error"]


def test_a_failure_that_passes_is_tried_again(work: Repo, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a lock is let go of: the second look succeeds, and that one is told and kept."""
    tries = []

    def status(*given: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise BlockingIOError(errno.EAGAIN, "try again")
        return real(*given)

    real = worktree.status
    monkeypatch.setattr(worktree, "status", status)
    told = mgit("diff", work.path, "-s", "--recovery-strategy", "repair")
    assert (told.code, told.json[0]["git_status"], len(tries)) == (0, "dirty", 3)
    assert len(ChangesetStorage().load_changeset_collection("default").repositories) == 1
    tries.clear()
    assert mgit("diff", work.path).code == 1


def test_abort_leaves_the_file_as_it_was(work: Repo, mgit: Any, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("before")
    Path(work.path, ".git", "index").write_bytes(b"nonsense")
    assert mgit("diff", work.path, "-o", str(tmp_path / "lines"), "--recovery-strategy", "abort").code == 1
    assert (tmp_path / "lines").read_text() == "before"


def test_a_hash_is_of_one_moment_with_the_content(work: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is written to while it is looked at."""
    real = working._held

    def held(path: bytes) -> Any:
        found = real(path)
        if path.endswith(b"b c"):
            work.write("b c", "written meanwhile\n")
        return found

    monkeypatch.setattr(working, "_held", held)
    found = working.read(work.path, content=Embedder("full"))
    assert found.uncommitted_files is not None
    assert found.uncommitted_files[0].size_bytes == 18
    assert validate_changeset(found, "strict").issues == ()


def test_a_copy_of_a_secret_is_one_under_any_name(work: Repo) -> None:
    """git tells of no rename that is not in the index."""
    work.commit("two", {".env": "PIN=1\n", "b.env": "PIN=2\n", "empty.env": "\n"})
    os.rename(os.path.join(work.path, ".env"), os.path.join(work.path, "notes"))
    work.git("mv", "b.env", "c")
    for name, text in {
        "b.env": "PIN=3\n",
        "same": "PIN=3\n",
        "staged": "PIN=2\n",
        "empty.env": "\t",
        "blank": "\n",
    }.items():
        work.write(name, text)
    found = {
        each.filename: each.embedded_content
        for each in working.read(work.path, content=Embedder()).uncommitted_files or ()
    }
    reasons = {name: each.reason for name, each in found.items() if each is not None and each.content is None}
    assert reasons == dict.fromkeys(
        ("b.env", "c", "empty.env", "notes", "same", "staged"), "looks like a secret: environment file"
    )


def test_a_signal_leaves_no_half_of_a_file_and_no_git_behind(work: Repo, tmp_path: Path) -> None:
    pipe = os.path.join(work.path, ".gitignore")
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "mgit_hooks", "diff", work.path, "-o", str(tmp_path / "out" / "lines")]
    (tmp_path / "out").mkdir()
    process = subprocess.Popen(command)
    for _ in range(400):
        with contextlib.suppress(OSError):  # git is not there yet
            writing = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            break
        time.sleep(0.05)
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    assert os.listdir(tmp_path / "out") == []
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"x")
    os.close(writing)


def test_what_could_not_be_told_is_not_kept(work: Repo) -> None:
    """Else the next `--incremental` would pass over what nobody has ever seen."""
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "mgit_hooks", "diff", work.path, "-is"]
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run(command, stdout=full, env=buffered, check=False)
    assert done.returncode == 128
    assert ChangesetStorage().names() == []


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("-s", "-n", ""), 2, "needs a name"),
        (("-c", "\u0663"), 2, "not a number from 1 to 50"),
        (("-c", "1" * 5000), 2, "not a number from 1 to 50"),
        (("-o", "nowhere/lines"), 128, "nowhere/lines: No such file"),
    ],
)
def test_what_makes_no_sense_is_said_by_its_name(
    work: Repo, mgit: Any, options: tuple[str, ...], code: int, said: str
) -> None:
    told = mgit("diff", work.path, *options)
    assert (told.code, told.out) == (code, "")
    assert said in told.err


def test_nothing_in_a_line_is_acted_on_by_a_terminal(work: Repo, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a\x7f\x9b31m\u202e\u2066\u061cä"
    work.write(name, "")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    told = mgit("diff", work.path, "-i", "-s", "-v", "-n", "x\x1b[31m\x9b")
    assert not set("\x1b\x7f\x9b\u202e\u2066\u061c") & set(told.out + told.err)
    assert "ä" in told.out
    assert name in [each["filename"] for each in told.json[0]["uncommitted_files"]]


# The file that the lines go to


def lines(*given: bytes, fails: bool = False) -> Any:
    yield from given
    if fails:
        raise RuntimeError


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "lines"
    target.write_bytes(b"before")
    target.chmod(0o640)
    with pytest.raises(RuntimeError):
        write(str(target), lines(b"1\n", fails=True), compress=False)
    assert [each.name for each in tmp_path.iterdir()] == ["lines"]
    assert target.read_bytes() == b"before"
    assert write(str(target), lines(b"1\n", b"2\n"), compress=False) == (str(target), 4, 4)
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"1\n2\n", 0o640)


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"before")
    (tmp_path / "link").symlink_to("there")
    write(str(tmp_path / "link"), lines(b"1\n"), compress=False)
    assert ((tmp_path / "there").read_bytes(), (tmp_path / "link").is_symlink()) == (b"1\n", True)


def test_a_pipe_gets_the_lines_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    write(str(pipe), lines(b"1\n"), compress=False)
    assert reader.communicate()[0] == b"1\n"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_a_killed_process_of_the_same_number_left_is_in_nobodys_way(tmp_path: Path) -> None:
    """In a container each run may have the same one. The name may be as long as the system allows, too."""
    name = "é" * 127
    for left in (f".out.{os.getpid()}.part", f".{name[:200]}.{os.getpid()}.part"):
        with contextlib.suppress(OSError):
            (tmp_path / left).write_bytes(b"half")
    for each in ("out", name):
        write(str(tmp_path / each), lines(b"1\n"), compress=False)
        assert (tmp_path / each).read_bytes() == b"1\n"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write(str(tmp_path), lines(b"1\n"), compress=False)


@pytest.mark.parametrize(("name", "program"), [("x.gz", "gunzip"), ("x.xz", "xz"), ("x.zst", "zstd"), ("x", "zstd")])
def test_what_is_compressed_is_anybodys(tmp_path: Path, name: str, program: str) -> None:
    whole = b"".join(b'{"line":%d}\n' % number for number in range(1000))
    written = write(str(tmp_path / name), lines(*whole.splitlines(keepends=True)), compress=True)
    assert written.path == str(tmp_path / (name if "." in name else "x.zst"))
    assert written[1:] == (len(whole), os.path.getsize(written.path))
    done = subprocess.run([program, "-dc", written.path], capture_output=True, check=True)
    assert done.stdout == whole


# Many repositories


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve repositories, of which one cannot be read; looked at in workers."""
    monkeypatch.setattr("mgit_hooks.changesets.sweeping._QUICKLY", 0.0)
    return folder_of(tmp_path / "many", 12)


def folder_of(root: Path, count: int) -> Path:
    for number in range(count):
        made = Repo(root / f"repo {number:03}")
        subprocess.run(["git", "init", "-q", made.path], check=True)
        if number % 3:
            made.write("a b", f"{number}\n")
            made.git("add", "-A")
            made.git("commit", "-qm", f"commit {number}")
            made.git("mv", "a b", "c -> d")
    return root


def test_lines_come_in_the_order_of_paths_and_a_failure_costs_its_own_only(folder: Path, mgit: Any) -> None:
    (folder / "repo 007" / ".git" / "index").write_bytes(b"nonsense")
    told = mgit("diff", str(folder), "-s")
    assert told.code == 1
    assert [line["repository_name"] for line in told.json] == [f"repo {number:03}" for number in range(12)]
    assert [line["git_status"] for line in told.json].count("error") == 1
    assert told.json[7]["git_status"] == "error"
    renamed = told.json[8]["uncommitted_files"]
    assert [(each["change_type"], each["old_filename"], each["filename"]) for each in renamed] == [
        ("renamed", "a b", "c -> d")
    ]
    kept = ChangesetStorage().load_changeset_collection("default").repositories.values()
    assert {each.repository_name for each in kept} == {f"repo {number:03}" for number in range(12) if number != 7}


def test_workers_say_what_one_process_says(folder: Path, mgit: Any) -> None:
    def told(*words: str) -> list[Any]:
        return [{**line, "timestamp": None} for line in mgit("diff", str(folder), "--embed-content", *words).json]

    assert told("-c", "3") == told("-c", "1")


def test_a_worker_that_dies_costs_one_repository(folder: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "read", dying)
    told = mgit("diff", str(folder))
    assert told.code == 1
    assert [line["repository_name"] for line in told.json if line["git_status"] == "error"] == ["repo 004"]
    assert "died" in told.json[4]["error"] or "ended" in told.json[4]["error"]


def dying(path: str, **given: Any) -> Any:
    if path.endswith("004"):
        os.kill(os.getpid(), signal.SIGKILL)
    return working.capture(path, **given)


def test_abort_stops_all_and_saves_nothing(folder: Path, mgit: Any, tmp_path: Path) -> None:
    (folder / "repo 007" / ".git" / "index").write_bytes(b"nonsense")
    told = mgit("diff", str(folder), "-s", "-o", str(tmp_path / "lines"), "--recovery-strategy", "abort")
    assert (told.code, "repo 007" in told.err) == (1, True)
    assert ChangesetStorage().names() == []
    assert not (tmp_path / "lines").exists()


def test_how_far_it_is_shows_on_a_terminal_that_gets_no_lines(folder: Path) -> None:
    drawn = on_a_terminal(str(folder), "diff", ".", "-o", os.devnull)
    assert b"reading [##" in drawn
    assert b"/12" in drawn
    assert b"reading" not in on_a_terminal(str(folder), "diff", ".", "-q", "-o", os.devnull)
    assert b"reading" not in on_a_terminal(str(folder), "diff", ".")  # both would be on it


# The commands as they are written

VERBATIM = (
    "mgit diff . --enable-compression --validation-level strict --recovery-strategy repair --verbose",
    "mgit diff ROOT --optimization-strategy throughput --batch-size 200",
    "mgit diff REPO --enable-compression --embed-content --save-changeset",
)


def as_written(command: str, mgit: Any, place: Path) -> Any:
    """As a shell would run it at ``place``."""
    program, *words = shlex.split(command)
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"][program] == "mgit_hooks.cli:main"
    with contextlib.chdir(place):
        return mgit(*(str(place) if word in ("REPO", "ROOT") else word for word in words))


@pytest.mark.parametrize("command", VERBATIM)
def test_the_commands_as_written_in_one_repository(command: str, work: Repo, mgit: Any) -> None:
    told = as_written(command, mgit, Path(work.path))
    assert told.code == 0
    (line,) = told.json
    assert_does_what_it_says(command, told, [line])


@pytest.mark.parametrize("command", VERBATIM)
@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.full)])
def test_the_commands_as_written_in_a_folder_of_repositories(
    command: str, count: int, tmp_path: Path, mgit: Any
) -> None:
    told = as_written(command, mgit, folder_of(tmp_path / "many", count))
    assert told.code == 0
    assert [line["repository_name"] for line in told.json] == [f"repo {number:03}" for number in range(count)]
    for number, line in enumerate(told.json):
        changes = [(each["change_type"], each["old_filename"], each["filename"]) for each in line["uncommitted_files"]]
        assert changes == ([("renamed", "a b", "c -> d")] if number % 3 else [])
    assert_does_what_it_says(command, told, told.json)


def assert_does_what_it_says(command: str, told: Any, lines: list[Any]) -> None:
    kept = ChangesetStorage().names()
    if "--save-changeset" in command:
        collection = ChangesetStorage().load_changeset_collection("default")
        assert [each.to_json() for each in collection.repositories.values()] == lines
        assert told.err.count(" % saved\n") == 1
        contents = [each["embedded_content"] for line in lines for each in line["uncommitted_files"]]
        assert {each["strategy"] for each in contents} == {"full"}
        assert validate_collection(collection, "strict").issues == ()
    else:
        assert kept == []
    if "--validation-level" in command:
        assert {line["validation"]["validation_level"] for line in lines} == {"strict"}
        assert {line["validation"]["is_valid"] for line in lines} == {True}
        assert {line["recovery"]["recovery_successful"] for line in lines} == {True}
    if "--verbose" in command:
        assert f"{len(lines)} repositor" in told.err


# What it loads


def test_one_repository_loads_no_more_than_it_needs(work: Repo) -> None:
    # -S: what site loads is the environment's affair. cffi comes from where pygit2 does.
    code = (
        "import sys, json\n"
        "sys.path[:0] = sys.argv[2:]\n"
        "from mgit_hooks import cli\n"
        "code = cli.main(['diff', '-q', sys.argv[1]])\n"
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    folders = [str(ROOT), *(str(Path(find_spec(name).origin).parents[1]) for name in ("pygit2", "cffi"))]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, work.path, *folders], capture_output=True, check=True
    )
    status, modules = json.loads(done.stdout.splitlines()[-1])
    assert status == 0
    dear = {
        "asyncio", "concurrent.futures", "jsonschema", "logging", "loguru", "multiprocessing",
        "orjson", "pebble", "prometheus_client", "snappy", "sqlite3", "subprocess", "tempfile",
        "mgit_hooks.bulk", "mgit_hooks.codecs", "mgit_hooks.journal", "mgit_hooks.judging.explain",
        "mgit_hooks.pipeline", "mgit_hooks.recorder", "mgit_hooks.recovery", "mgit_hooks.changesets.storage",
    }  # fmt: skip
    assert set(modules) & dear == set()


def test_a_folder_that_cannot_be_looked_into_and_a_damaged_repository_stop_nothing(
    tmp_path: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("closed", "sound"):
        subprocess.run(["git", "init", "-q", tmp_path / each], check=True)
    (tmp_path / "damaged" / ".git").mkdir(parents=True)
    scandir = os.scandir

    def closed(path: str) -> Any:
        if path == str(tmp_path / "closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)  # nothing is unreadable to root
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    told = mgit("diff", str(tmp_path))
    assert told.code == 1
    assert [(os.path.basename(each["repository_path"]), each["git_status"]) for each in told.json] == [
        ("damaged", "error"),
        ("sound", "clean"),
    ]
    assert "closed: Permission denied: what is in there is not known" in told.err


def test_a_worktree_that_is_elsewhere_lends_neither_its_contents_nor_its_name(tmp_path: Path, mgit: Any) -> None:
    """``core.worktree`` of a repository that came from anywhere may name a folder of its user's."""
    victim = tmp_path / "victim"
    for name in ("victim", "evil"):
        subprocess.run(["git", "init", "-q", tmp_path / name], check=True)
    (victim / "diary").write_text("private")
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "evil.git"], check=True)
    (tmp_path / "evil.git" / "config").write_text(f"[core]\n\tbare = false\n\tworktree = {victim}\n")
    subprocess.run(["git", "-C", tmp_path / "evil", "config", "core.worktree", victim], check=True)
    told = mgit("diff", str(tmp_path), "--embed-content", "-s").json
    assert [os.path.basename(each["repository_path"]) for each in told] == ["evil", "evil.git", "victim"]
    assert [each["metadata"].get("worktree") for each in told] == [str(victim), str(victim), None]
    assert ["private" in json.dumps(each) for each in told] == [False, False, True]
    for inside in ("victim/.git", "victim"):
        (one,) = mgit("diff", str(tmp_path / inside), "--embed-content").json
        assert (one["repository_path"], "private" in json.dumps(one)) == (str(victim), True)


@pytest.mark.parametrize(
    ("flag", "users", "worktrees", "becomes", "limited"),
    [
        (None, None, None, "sample", None),
        ("full", None, None, "full", None),
        (None, "full", None, "full", None),
        ("summary", "full", None, "summary", None),
        ("full", "none", None, "full", None),  # the command line is the user's last word
        (None, "none", None, "none", None),
        ("full", None, 'embed = "none"', "none", "embed in .mgit-hooks.toml"),
        (None, None, 'embed = "summary"', "summary", "embed in .mgit-hooks.toml"),
        (None, None, 'embed = "full"', "sample", None),  # a worktree takes away, and gives nothing
        (None, "none", 'embed = "full"', "none", None),
        ("full", None, "embed = [", "none", ".mgit-hooks.toml"),
    ],
)
def test_a_worktree_may_keep_its_contents_out_and_put_none_in(
    work: Repo, mgit: Any, flag: str | None, users: str | None, worktrees: str | None, becomes: str, limited: str | None
) -> None:
    if users is not None:
        work.git("config", "mgit.embed", users)
    if worktrees is not None:
        work.write(".mgit-hooks.toml", worktrees)
    words = [] if flag is None else ["--content-strategy", flag]
    (told,) = mgit("diff", work.path, "--embed-content", *words).json
    stats = told["content_embedding_stats"]
    assert (stats["strategy"], (limited or "") in stats.get("limited_by", "")) == (becomes, True)
    assert ("limited_by" in stats) == (limited is not None)
    contents = [each["embedded_content"]["content"] for each in told["uncommitted_files"]]
    assert all(each is None for each in contents) == (becomes == "none")


def test_no_secret_leaves_the_worktree(work: Repo, mgit: Any, tmp_path: Path) -> None:
    """Not in the lines, a file of them, a collection, a checkpoint, nor anywhere else in the data folder."""
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    work.write(".env", "PIN=314159\n")
    work.commit("two", {"server.key": "x\n", "plain": "y\n"})
    work.git("mv", ".env", "settings")
    for name, content in {
        "new": token.encode(),
        "staged": f"a = '{token}'\n".encode(),
        "server.key": b"PIN=314159\n",
        "plain": b"y\n" * 9000 + token.encode(),
        "wide": token.encode("utf-16"),
        "bytes": b"\0\xff" + token.encode() + b"\0",
    }.items():
        work.write(name, content)
    work.git("add", "staged")
    file = tmp_path / "lines.jsonl"
    words = ("--embed-content", "--content-strategy", "full", "-s", "--recovery-strategy", "checkpoint", "-v")
    told = mgit("diff", work.path, *words)
    mgit("diff", work.path, *words, "-o", str(file), "--validation-level", "strict")
    (line,) = told.json
    reasons = {each["filename"]: each["embedded_content"].get("reason", "") for each in line["uncommitted_files"]}
    named = {name for name, reason in reasons.items() if reason.startswith("looks like a secret")}
    assert named == {"new", "staged", "server.key", "plain", "wide", "bytes", "settings"}
    kept = [
        told.raw,
        told.err.encode(),
        file.read_bytes(),
        json.dumps(ChangesetStorage().load_json("default")).encode(),
    ]
    data = Path(ChangesetStorage().storage_dir).parent
    for path in data.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            kept.append(gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw)
    assert any(b"content_embedding_stats" in each for each in kept[4:])  # the checkpoints
    for each in kept:
        for secret in (token.encode(), token.encode("utf-16-le"), token.encode("utf-16-be"), b"314159"):
            assert secret not in each


@pytest.mark.parametrize("pipe", ["included", ".gitignore", "HEAD"])
def test_a_pipe_where_git_expects_a_file_holds_up_nobody(
    tmp_path: Path, mgit: Any, monkeypatch: pytest.MonkeyPatch, pipe: str
) -> None:
    monkeypatch.setattr(looking, "SECONDS", 2)
    for name in ("a", "b", "c"):
        subprocess.run(["git", "init", "-q", tmp_path / name], check=True)
    place = tmp_path / "b" / (pipe if pipe == ".gitignore" else f".git/{pipe}")
    if pipe == "included":
        Repo(tmp_path / "b").git("config", "include.path", "included")
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    told = mgit("diff", str(tmp_path), "--embed-content")
    status = [each["git_status"] for each in told.json]
    assert (told.code, status) == (1, ["clean", "error", "clean"])
    assert ("took more than 2 seconds" in told.json[1]["error"]) == (pipe != "HEAD")  # libgit2 looks at that first


def test_the_less_patient_one_rings_first_and_the_other_one_still_does() -> None:
    def wait(inner: float) -> None:
        with contextlib.suppress(TimeoutError), at_most(inner):
            time.sleep(0.2)
        time.sleep(5)

    for outer, inner in ((0.1, 9.0), (0.3, 0.1)):
        with pytest.raises(TimeoutError, match=rf"more than {outer} seconds"), at_most(outer):
            wait(inner)


@pytest.mark.parametrize("level", ["strict", "standard"])
def test_a_pipe_that_git_opens_holds_up_neither_validation_nor_recovery(
    work: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    """A configuration may include it; each repository is waited for, and no longer than that."""
    monkeypatch.setattr(patience, "LONGEST", 0.3)
    made = working.read(work.path)
    os.mkfifo(tmp_path / "pipe")
    work.git("config", "include.path", str(tmp_path / "pipe"))
    judged = validate_changeset(made, level)
    assert (judged.is_valid, judged.issues) == (True, ())
    manager = ChangesetRecoveryManager(ChangesetStorage(tmp_path / "kept"), level=level, folder=tmp_path / "recovery")
    broken = {**made.to_json(), "git_status": "tidy"}
    assert manager.recover_changeset_operation(lambda given: given, broken).recovered_data == made
    result = manager.recover_storage_operation("x", "load", repositories=[work.path])
    assert "git_rebuild_failed" in [action.action_type for action in result.actions_taken]


def test_a_git_that_nobody_waits_for_any_more_is_ended(work: Repo) -> None:
    os.mkfifo(os.path.join(work.path, ".gitignore"))
    with pytest.raises(TimeoutError, match=r"more than 0\.3 seconds"), at_most(0.3):
        plumbing.run(("status",), directory=work.path)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
