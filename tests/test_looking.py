"""What moved is found at the cost of what moved: the looks of a drain against all that is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pygit2
import pytest
from conftest import Repo
from hypothesis import given
from hypothesis import strategies as st
from recording import wait_until
from reliability import Tally

from mgit_hooks.git import reffiles, reflog
from mgit_hooks.layout import Location, locate, make_private_dir
from mgit_hooks.record import Oid
from mgit_hooks.recorder import looking, movements, stamps, state, watch
from mgit_hooks.recorder.looking import Look
from mgit_hooks.recorder.watch import FILES, TIMES

# Refs that are now a file and now a folder, nested ones, ones of a worktree, ones without a reflog.
NAMES = (
    "refs/heads/a",
    "refs/heads/a/b",
    "refs/heads/a/b/c",
    "refs/heads/topic/one",
    "refs/heads/topic/two",
    "refs/heads/\u00e9t\u00e9",
    "refs/remotes/origin/main",
    "refs/tags/v1",
    "refs/tags/deep/er/v2",
    "refs/notes/commits",
    "refs/bisect/bad",
    "refs/worktree/x",
    "refs/stash",
    "refs/odd",
)


class Looker:
    """Looks as drains do, and knows of refs and reflogs what it learnt by that alone."""

    def __init__(self, repo: Repo, how: str = TIMES) -> None:
        self.repo = repo
        self.how = how
        self.location: Location = locate(repo.path)
        make_private_dir(self.location.mgit_dir)
        Path(self.location.mgit_dir, "drain.lock").touch()
        self.common = self.location.common_dir
        self.refs: dict[str, Oid] = {}
        self.lines = 0

    def look(self, how: str | None = None) -> Look:
        how = how or self.how
        before = state.read(self.location.mgit_dir)

        def see() -> Look:
            return looking.look(self.common, before, looking.clock(self.location), how)

        reading = movements.unread(self.common, before, see, 0)
        found = reading.look
        if found.refs is None:
            self.refs = there(self.repo)
        else:
            for name, oid in reffiles.look_up(self.common, found.refs).items():
                self.refs.pop(name, None)
                if oid is not None:
                    self.refs[name] = oid
        self.lines += sum(len(movement.refs) for movement in reading.movements)
        state.write(self.location.mgit_dir, before, state.Read(found, how, reading.places), 1, None)
        return found

    def moved(self, how: str | None = None) -> bool:
        before = state.read(self.location.mgit_dir)
        return looking.has_moved(self.common, before, looking.clock(self.location), how or self.how)

    def missed(self) -> list[str]:
        """What is there and no look has seen; what is no more and a look still has."""
        wrong = [f"ref {each}" for each in sorted(set(self.refs.items()) ^ set(there(self.repo).items()))]
        before = state.read(self.location.mgit_dir)
        for ref, worktree, path in reflog.paths(self.common):
            key = os.path.relpath(path, self.common)
            place = reflog.read(ref, worktree, path, None)[1]
            if place.tail and before.place(key) != place:
                wrong.append(f"reflog {key}")
        before.close()
        return wrong

    def settle(self) -> None:
        """Look until nothing is too young to be told from a later change."""

        def rests() -> bool:
            self.look()
            return not self.moved()

        wait_until(rests)


def there(repo: Repo) -> dict[str, Oid]:
    told = repo.git("for-each-ref", "--format=%(objectname) %(refname) %(symref)").splitlines()
    found = [line.split(" ", 2) for line in told]
    return {name: Oid(oid) for oid, name, symbolic in found if not symbolic and "refs/mgit/" not in name}


@pytest.fixture
def looker(repo: Repo) -> Looker:
    for number in range(3):
        repo.commit(f"commit {number}", {"file": str(number)})
    made = Looker(repo)
    made.look()
    return made


# Random changes


class Changes:
    """Changes to refs, by whatever changes refs. Each is one that can fail: then nothing moved."""

    def __init__(self, repo: Repo, chance: Random) -> None:
        self.repo = repo
        self.chance = chance
        self.common = Path(repo.path, ".git")
        self.library = pygit2.Repository(repo.path)
        self.commits = repo.git("rev-list", "--all").splitlines()
        self.made = 0

    def name(self) -> str:
        return self.chance.choice(NAMES)

    def commit(self) -> str:
        return self.chance.choice(self.commits)

    def present(self) -> str | None:
        names = [name for name in self.library.references if name.startswith("refs/") and name != "refs/heads/main"]
        return self.chance.choice(sorted(names)) if names else None

    def one(self) -> str:
        kinds = [name for name in dir(self) if name.startswith(("git_", "libgit2_", "dulwich_", "hand_"))]
        rare = ("git_gc", "git_worktree", "git_bisect", "git_pack", "hand_folder", "git_expire")
        kinds += [kind for kind in kinds if not kind.startswith(rare)] * 4
        kind = self.chance.choice(kinds)
        try:
            getattr(self, kind)()
        except Exception:  # of one of three libraries
            return f"{kind} failed"
        self.made += 1
        return kind

    def run(self, *args: str) -> None:
        self.repo.run(*args, check=False)

    def git_update(self) -> None:
        self.run("update-ref", "--create-reflog", "-m", "moved", self.name(), self.commit())

    def git_update_many(self) -> None:
        lines = "".join(f"update {name} {self.commit()}\n" for name in self.chance.sample(NAMES, 2))
        self.repo.run("update-ref", "--stdin", stdin=lines.encode(), check=False)

    def git_delete(self) -> None:
        name = self.present()
        if name is not None:
            self.run("update-ref", "-d", name)

    def git_rename(self) -> None:
        self.run("branch", "-M", "topic/one", f"topic/{self.chance.choice('xyz')}")
        self.run("branch", "-f", "topic/one", self.commit())

    def git_pack(self) -> None:
        self.run("pack-refs", "--all", *self.chance.choice((("--prune",), ("--no-prune",))))

    def git_gc(self) -> None:
        self.run("gc", "-q", "--prune=now")

    def git_expire(self) -> None:
        self.run("reflog", "expire", "--expire=all", "--all")

    def git_symbolic(self) -> None:
        self.run("symbolic-ref", f"refs/heads/{self.chance.choice('st')}", "refs/heads/main")

    def git_commit(self) -> None:
        self.run("commit", "-q", "--allow-empty", "-m", str(self.made))
        self.commits.append(self.repo.git("rev-parse", "HEAD"))

    def git_amend(self) -> None:
        self.run("commit", "-q", "--amend", "--allow-empty", "-m", f"better {self.made}")

    def git_reset(self) -> None:
        self.run("reset", "-q", "--soft", self.commit())

    def git_stash(self) -> None:
        self.repo.write("file", f"{self.made}\n")
        self.run("stash")

    def git_drop(self) -> None:
        self.run("stash", "drop")

    def git_worktree(self) -> None:
        path = f"{self.repo.path}-{self.made}"
        self.run("worktree", "add", "-q", "--detach", path)
        self.run("-C", path, "update-ref", "refs/worktree/own", self.commit())
        self.run("-C", path, "checkout", "-q", "-B", f"w{self.made % 3}", self.commit())
        if self.chance.random() < 0.5:
            self.run("worktree", "remove", "--force", path)

    def git_bisect(self) -> None:
        self.run("bisect", "start", "HEAD", self.commits[0])
        self.run("bisect", "reset")

    def libgit2_set(self) -> None:
        name = self.name()
        if name in self.library.references:
            self.library.references[name].set_target(self.commit(), "set")
        else:
            self.library.create_reference(name, self.commit(), force=True, message="made")

    def libgit2_delete(self) -> None:
        name = self.present()
        if name is not None:
            self.library.references.delete(name)

    def libgit2_commit(self) -> None:
        who = pygit2.Signature("Ada", "ada@example.org")
        tree = self.library.revparse_single("HEAD^{tree}").id
        parent = self.library.revparse_single("HEAD").id
        self.commits.append(str(self.library.create_commit("HEAD", who, who, f"{self.made}", tree, [parent])))

    def libgit2_pack(self) -> None:
        self.library.compress_references()

    def hand_rename(self) -> None:
        """As any tool does that knows how: a lock, renamed into place."""
        name = self.name()
        path = self.common / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = Path(f"{path}.lock")
        lock.write_text(f"{self.commit()}\n")
        lock.rename(path)

    def hand_new(self) -> None:
        path = self.common / self.name()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(f"{self.commit()}\n")

    def hand_remove(self) -> None:
        name = self.name()
        (self.common / name).unlink()
        (self.common / "logs" / name).unlink(missing_ok=True)

    def hand_folder(self) -> None:
        for top in ("refs", "logs/refs"):
            folder = self.common / top / "heads"
            if (folder / "a").is_dir():
                shutil.rmtree(folder / "moved", ignore_errors=True)
                (folder / "a").rename(folder / "moved")

    def hand_head_in_place(self) -> None:
        """As go-git does, on the branch that is checked out: any other is looked at once a day."""
        branch = self.repo.git("symbolic-ref", "HEAD")
        (self.common / branch).write_text(f"{self.commit()}\n")

    def dulwich_set(self) -> None:
        from dulwich.repo import Repo as Dulwich

        with Dulwich(self.repo.path) as opened:
            opened.refs.set_if_equals(os.fsencode(self.name()), None, self.commit().encode(), message=b"by dulwich")

    def dulwich_delete(self) -> None:
        from dulwich.repo import Repo as Dulwich

        name = self.present()
        if name is not None:
            with Dulwich(self.repo.path) as opened:
                opened.refs.remove_if_equals(os.fsencode(name), None)


def changed_at_random(looker: Looker, seed: int, looks: int) -> tuple[list[str], int]:
    """What the first look missed that missed anything, and how many changes there were until then."""
    changes = Changes(looker.repo, Random(seed))
    for _ in range(looks):
        told = [changes.one() for _ in range(changes.chance.choice((1, 1, 1, 2, 5)))]
        looker.look()
        missed = looker.missed()
        if missed:
            return [*told, *missed], changes.made
    return [], changes.made


@pytest.fixture
def grain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """File times as a file system has them whose clock ticks every so many nanoseconds."""
    ticks: int = request.param
    real = stamps.times

    def coarse(status: os.stat_result) -> tuple[int, int]:
        changed, renamed = real(status)
        return changed // ticks * ticks, renamed // ticks * ticks

    monkeypatch.setattr(stamps, "times", coarse)
    return ticks


_SECOND = 1_000_000_000


@pytest.mark.parametrize("grain", [1, _SECOND], indirect=True, ids=["fine", "second"])
@pytest.mark.parametrize("many", [watch.MANY, 1], ids=["all", "some"])
def test_nothing_is_missed(looker: Looker, grain: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dulwich")
    monkeypatch.setattr(watch, "MANY", many)
    missed, made = changed_at_random(looker, seed=many + grain % 7, looks=60)
    assert [each for each in missed if many > 1 or not each.startswith("reflog")] == []
    assert made > 40 or many == 1


@pytest.mark.full
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("grain", [1, 10_000_000, _SECOND], indirect=True, ids=["fine", "tick", "second"])
def test_nothing_is_missed_in_thousands(looker: Looker, grain: int, seed: int, tally: Tally) -> None:
    pytest.importorskip("dulwich")
    missed, made = changed_at_random(looker, seed, looks=250)
    tally.cases += made
    tally.silent += missed
    tally.check()


@pytest.mark.parametrize("grain", [_SECOND], indirect=True, ids=["second"])
def test_planted_without_a_margin_a_change_is_missed(
    looker: Looker, grain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that trusts a time in which more can still happen."""
    pytest.importorskip("dulwich")
    monkeypatch.setattr(looking, "clock", lambda location: time.time_ns() + _SECOND)
    missed, _ = changed_at_random(looker, seed=1, looks=60)
    assert missed


def test_looks_in_the_middle_of_changes(looker: Looker) -> None:
    """Half of an act may be seen. The look after the last one has the rest."""
    script = (
        "import sys, pygit2\n"
        "repo = pygit2.Repository(sys.argv[1]); tip = repo.revparse_single('HEAD').id\n"
        "old = repo.revparse_single('HEAD~1').id\n"
        "for n in range(400):\n"
        "    name = f'refs/heads/f{n % 7}/x{n % 11}'\n"
        "    repo.create_reference(name, (tip, old)[n % 2], force=True, message=str(n))\n"
        "    if n % 5 == 0: repo.references.delete(name)\n"
    )
    looks = 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", script, looker.repo.path])
        while process.poll() is None:
            looker.look()
            looks += 1
        assert process.returncode == 0
        looker.look()
        assert looker.missed() == []
    assert looks > 5


# What it costs


class Counted:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders: list[str] = []
        self.stats: list[str] = []
        scandir, stat = os.scandir, os.stat

        def counted_scandir(path: str) -> Iterator[os.DirEntry[str]]:
            self.folders.append(os.path.relpath(path))
            return scandir(path)  # type: ignore[return-value]

        def counted_stat(path: str, **options: object) -> os.stat_result:
            self.stats.append(str(path))
            return stat(path, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "scandir", counted_scandir)
        monkeypatch.setattr(os, "stat", counted_stat)


def test_an_unchanged_repository_costs_no_look_at_its_files(looker: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    head = looker.repo.git("rev-parse", "HEAD")
    lines = "".join(f"create refs/heads/f{number % 10}/b{number} {head}\n" for number in range(500))
    looker.repo.git("update-ref", "--stdin", stdin=lines.encode())
    looker.settle()
    monkeypatch.chdir(looker.common)
    count = Counted(monkeypatch)
    assert not looker.moved()
    assert count.folders == []
    assert len(count.stats) < 50
    found = looker.look()
    assert (found.folders, found.logs, found.refs) == ({}, (), frozenset())
    assert count.folders == []


def test_a_commit_costs_a_look_at_its_folder(looker: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    head = looker.repo.git("rev-parse", "HEAD")
    lines = "".join(f"create refs/heads/f{number % 10}/b{number} {head}\n" for number in range(500))
    looker.repo.git("update-ref", "--stdin", stdin=lines.encode())
    looker.settle()
    looker.repo.commit("more")
    monkeypatch.chdir(looker.common)
    count = Counted(monkeypatch)
    found = looker.look()
    assert set(count.folders) == {"refs/heads", "logs/refs/heads"}
    assert set(found.logs) == {"logs/HEAD", "logs/refs/heads/main"}
    assert found.refs == {"refs/heads/main"}
    assert looker.missed() == []


def test_what_is_written_in_place_is_seen_where_each_file_is_looked_at(looker: Looker) -> None:
    head, other = looker.repo.git("rev-parse", "HEAD", "HEAD~1").split()
    looker.repo.git("branch", "a")
    looker.settle()
    Path(looker.common, "refs/heads/a").write_text(f"{other}\n")
    assert not looker.moved(TIMES)
    assert looker.moved(FILES)
    looker.look(FILES)
    assert looker.refs["refs/heads/a"] == other != head


def test_the_branch_that_is_checked_out_is_looked_at_each_time(looker: Looker) -> None:
    other = looker.repo.git("rev-parse", "HEAD~1")
    looker.settle()
    Path(looker.common, "refs/heads/main").write_text(f"{other}\n")
    assert looker.moved(TIMES)
    assert looker.look().refs == {"refs/heads/main"}


@pytest.mark.parametrize(
    ("files", "since", "thorough", "how"),
    [
        (0, 0.0, False, FILES),
        (looking.FEW, 60.0, False, FILES),
        (looking.FEW + 1, 60.0, False, TIMES),
        (looking.FEW + 1, 60.0, True, FILES),
        (looking.FEW + 1, looking.DAY + 60, False, FILES),
        (looking.FEW + 1, -60.0, False, FILES),
    ],
)
def test_how_closely_is_looked(files: int, since: float, thorough: bool, how: str) -> None:
    before = state.State(head={"files": files, "looked_at": time.time() - since})
    assert looking.level(before, thorough=thorough) == how


def test_a_pipe_among_the_refs_holds_nobody_up(looker: Looker) -> None:
    os.mkfifo(Path(looker.common, "refs", "heads", "pipe"))  # git itself would wait at it
    known = dict(looker.refs)
    for how in (TIMES, FILES):
        looker.look(how)
        assert looker.refs == known


def test_without_a_clock_all_is_looked_at(looker: Looker) -> None:
    looker.settle()
    os.unlink(Path(looker.location.mgit_dir, "drain.lock"))
    assert looker.moved()


# packed-refs


def line(number: int, value: int) -> bytes:
    return b"%040x refs/heads/b%d\n" % (value, number) + (b"^%040x\n" % value if number % 3 == 0 else b"")


_PACKED = st.dictionaries(st.integers(0, 12), st.integers(0, 3), max_size=10)


@given(_PACKED, _PACKED)
def test_what_differs_between_two_packed_refs(old: dict[int, int], new: dict[int, int]) -> None:
    files = [
        b"# pack-refs with: peeled\n" + b"".join(line(*each) for each in sorted(refs.items())) for refs in (old, new)
    ]
    expected = {f"refs/heads/b{number}" for number, _ in set(old.items()) ^ set(new.items())}
    assert reffiles.differing(*files) == expected


def test_few_of_many_packed_refs_are_taken_apart() -> None:
    files = [b"".join(line(number, 0) for number in range(10_000)), b""]
    files[1] = files[0].replace(b" refs/heads/b5000\n", b" refs/heads/c5000\n")
    assert reffiles.differing(*files) == {"refs/heads/b5000", "refs/heads/c5000"}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("count", [3, 100])
def test_where_refs_stand(repo: Repo, packed: bool, count: int) -> None:
    one, two = repo.commit("one"), repo.commit("two")
    for number in range(count):
        repo.git("update-ref", f"refs/x/{number}", (one, two)[number % 2])
    repo.git("tag", "-m", "annotated", "refs/annotated")
    repo.git("symbolic-ref", "refs/heads/other", "refs/heads/main")
    if packed:
        repo.git("pack-refs", "--all", "--prune")
        repo.git("update-ref", "refs/x/0", two)
        repo.git("update-ref", "-d", "refs/x/1")
    known = there(repo)
    asked = [
        *(f"refs/x/{number}" for number in range(count)),
        "refs/tags/refs/annotated",
        "refs/heads/other",
        "refs/no",
    ]
    found = reffiles.look_up(f"{repo.path}/.git", asked)
    assert found == {name: known.get(name) for name in asked}


@pytest.mark.parametrize("content", ["", "garbage\n", "1234\n", "\0" * 41])
def test_a_ref_that_nobody_can_read_is_told_by_nobody(repo: Repo, content: str) -> None:
    repo.commit("one")
    Path(repo.path, ".git/refs/heads/broken").write_text(content)
    assert reffiles.look_up(f"{repo.path}/.git", ["refs/heads/broken"]) == {}


@pytest.mark.parametrize(
    ("name", "is_ref"),
    [
        ("refs/heads/main", True),
        ("refs/heads/é", True),
        ("refs/heads/a.b", True),
        ("refs/heads/main.lock", False),
        ("refs/heads/a.lock/b", False),
        ("refs/heads/.hidden", False),
        ("refs/heads/a..b", False),
        ("refs/heads/a b", False),
        ("refs/heads/a~1", False),
        ("refs/heads/a@{1}", False),
        ("refs/heads/end.", False),
        ("refs/heads/a\\b", False),
        ("HEAD", False),
    ],
)
def test_what_git_takes_for_a_ref(repo: Repo, name: str, is_ref: bool) -> None:
    assert reffiles.is_ref(name) is is_ref
    assert (repo.run("check-ref-format", name, check=False).returncode == 0) is is_ref


# The memory of it


def test_what_is_remembered_is_there_again(looker: Looker) -> None:
    for number in range(5):
        looker.repo.git("branch", f"f/b{number}")
    looker.look()
    before = state.read(looker.location.mgit_dir)
    assert set(before.folders) == {"refs", "refs/heads", "refs/heads/f", "refs/tags"}
    assert set(before.refs("refs/heads/f")) == {f"b{number}" for number in range(5)}
    assert before.logged("refs/heads/f") == 5
    assert set(before.logs("refs/heads/f")) == {f"refs/heads/f/b{number}" for number in range(5)}
    assert before.files == 12
    before.close()


def damaged(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no database" * 1000),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), os.mkfifo(path)),
        damaged,
    ],
    ids=["empty", "garbage", "gone", "pipe", "torn"],
)
def test_a_memory_that_is_none_is_made_anew(looker: Looker, harm: Callable[[Path], object]) -> None:
    harm(Path(looker.location.mgit_dir, "looked.sqlite"))
    looker.repo.git("branch", "more")
    for _ in range(2):  # what is found damaged only where it is read is removed: the next one starts anew
        try:
            looker.look()
        except state.JournalError:
            continue
        break
    assert looker.missed() == []
