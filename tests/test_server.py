"""Pushes to a repository with ``install --server``: recorded in post-receive, judged in pre-receive."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from pushes import SSH, hook, outcomes, script, second_clone, serve_http
from recording import Recording, wait_until

from mgit_hooks.installer import stubs
from mgit_hooks.installer.install import install
from mgit_hooks.layout import locate
from mgit_hooks.record import Push, Record
from mgit_hooks.recorder import alive, held, movements
from mgit_hooks.recorder.receiving import Receptions

RULES = """
[[rules]]
id = "no-wip"
events = ["commit"]
severity = "error"
strategy = "abort"
message = "Finish it first."
schema.properties.commit.properties.message.pattern = "^(?!WIP)"
[[rules]]
id = "no-force"
events = ["push"]
severity = "error"
strategy = "abort"
message = "Merge what is there."
schema.properties.push.properties.refs.items.properties.forced = { const = false }
"""


class Server(Recording):
    """A bare repository that is pushed to. ``real``: its stubs start the real interpreter."""

    real = False

    def install(self, path: str) -> None:
        if self.real:
            install(locate(path), asked_for=stubs.SERVER)
        else:
            install(locate(path), python="/bin/true", boot=self.boot, asked_for=stubs.SERVER)

    def told(self) -> list[Record]:
        return self.records("push")

    def refs_of(self, number: int = -1) -> dict[str, bool | None]:
        push = self.told()[number].push
        assert push is not None
        return {ref.remote_ref: ref.confirmed for ref in push.refs}

    def rules(self, text: str, folder: Path) -> None:
        (folder / "rules.toml").write_text(text)
        self.git("config", "mgit.rules", str(folder / "rules.toml"))


class Real(Server):
    real = True


@pytest.fixture(params=["each", "once"])
def server(request: pytest.FixtureRequest, bare: Repo) -> Server:
    return Server(bare, every=request.param == "each")


@pytest.fixture
def client(server: Server, repo: Repo) -> Repo:
    repo.git("remote", "add", "origin", server.path)
    repo.commit("one", {"one": "1"})
    return repo


def push(server: Server, client: Repo, *args: str, check: bool = True, **env: str) -> str:
    done = client.run("push", *args, check=check, **env)
    if server.every:
        server.drain()
    return os.fsdecode(done.stderr)


def brought(found: list[Record]) -> dict[str, int]:
    """Of each commit the number of the push that brought it."""
    return {r.commit.hash: (r.detail or {})["push"] for r in found if r.commit is not None}


def test_every_push_and_what_it_brought(server: Server, client: Repo) -> None:
    one = client.git("rev-parse", "HEAD")
    push(server, client, "-q", "origin", "main", LOGNAME="ada")
    two, three = client.commit("two"), client.commit("three")
    push(server, client, "-q", "origin", "main", "main~1:refs/heads/side")
    push(server, client, "-q", "-f", "origin", f"{one}:main")
    client.git("tag", "-a", "-m", "a", "v1")
    push(server, client, "-q", "origin", "v1", ":side")
    told = [record.push for record in server.told() if record.push is not None]
    side, main = "refs/heads/side", "refs/heads/main"
    assert [{ref.remote_ref: (ref.remote_oid, ref.local_oid) for ref in each.refs} for each in told] == [
        {main: (None, one)},
        {main: (one, three), side: (None, two)},
        {main: (three, one)},
        {"refs/tags/v1": (None, client.git("rev-parse", "v1")), side: (two, None)},
    ]
    assert [(each.remote_name, each.remote_url, each.confirmed) for each in told] == [(".", None, True)] * 4
    assert told[0].pusher == "ada"
    dropped = [(ref.forced, ref.deleted, ref.dropped, ref.dropped_count) for each in told[2:] for ref in each.refs]
    assert dropped[0][:2] == (True, False)
    if server.every:  # else side is gone by then, and two is dropped by this one as well
        assert dropped[0][2:] == ((three,), 1) or dropped[0][2:] == ((three, two), 2)
    numbers = [record.seq for record in server.told()]
    assert brought(server.records("import")) == {one: numbers[0], two: numbers[1], three: numbers[1]}
    assert {record.source for record in server.records("import")} == {"fetch"}
    moved = [(r.refs[0].name, (r.detail or {}).get("push"), r.source) for r in server.records("ref-update") if r.refs]
    assert sorted(moved) == sorted(
        (ref.remote_ref, number, "hook") for number, each in zip(numbers, told, strict=True) for ref in each.refs
    )
    server.check()


def test_what_one_hook_of_the_server_refused(server: Server, client: Repo) -> None:
    hook(Repo(Path(server.path)), "update", '[ "$1" != refs/heads/main ]')
    push(server, client, "-q", "origin", "main", "main:side", check=False)
    assert server.refs_of() == {"refs/heads/main": False, "refs/heads/side": True}
    server.check()


def test_a_refused_push_whose_objects_are_gone(server: Server, client: Repo) -> None:
    path = Path(server.path, "hooks", "pre-receive.mgit-chained")
    script(path, "#!/bin/sh\ncat >/dev/null\nexit 1\n")
    push(server, client, "-q", "origin", "main", check=False)
    gone = client.git("rev-parse", "HEAD")
    assert Repo(Path(server.path)).run("cat-file", "-e", gone, check=False).returncode != 0
    assert server.refs_of() == {"refs/heads/main": False}
    assert server.made() == []
    path.unlink()
    push(server, client, "-q", "origin", "main")
    assert server.refs_of() == {"refs/heads/main": True}
    assert server.made() == ["import one"]
    server.check()


def test_hooks_that_were_there_run_with_what_git_told(bare: Repo, repo: Repo, tmp_path: Path) -> None:
    for name in ("pre-receive", "post-receive", "update", "post-update"):
        hook(bare, name, f'{{ echo "$0 $*"; [ {name} = update ] || cat; }} >>{tmp_path}/{name}')
    server = Server(bare)
    repo.commit("one")
    tip = repo.git("rev-parse", "HEAD")
    repo.git("push", "-q", bare.path, "main")
    line = f"{'0' * 40} {tip} refs/heads/main\n"
    for name in ("pre-receive", "post-receive"):
        assert (tmp_path / name).read_text().endswith(line)
    assert f"refs/heads/main {'0' * 40} {tip}" in (tmp_path / "update").read_text()
    assert "refs/heads/main" in (tmp_path / "post-update").read_text()
    assert server.refs_of() == {"refs/heads/main": True}


WHO = [
    ({"REMOTE_USER": "ada", "LOGNAME": "git"}, "ada"),
    ({"REMOTE_USER": "ada:s3cr3t"}, "ada"),
    ({"GL_USER": "ada", "USER": "git"}, "ada"),
    ({"GL_USERNAME": "ada", "GL_ID": "user-7"}, "ada"),
    ({"GL_ID": "key-7"}, "key-7"),
    ({"GITEA_PUSHER_NAME": "ada"}, "ada"),
    ({"GIT_PUSHER_NAME": "Ada", "GIT_PUSHER_EMAIL": "ada@example.org"}, "Ada <ada@example.org>"),
    ({"GIT_PUSHER_EMAIL": "ada@example.org"}, "<ada@example.org>"),
    ({"LOGNAME": "ada", "USER": "git"}, "ada"),
    ({"USER": "ada"}, "ada"),
    ({"SSH_ORIGINAL_COMMAND": "git-receive-pack s3cr3t"}, None),
]


def test_who_pushed(bare: Repo, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(bare)
    for name in ("LOGNAME", "USER", "REMOTE_USER"):
        monkeypatch.delenv(name, raising=False)
    for env, _ in WHO:
        repo.commit("next")
        repo.git("push", "-q", bare.path, "main", **env)
    assert [record.push.pusher for record in server.told() if record.push] == [who for _, who in WHO]
    for path in Path(bare.path, "mgit").rglob("*"):
        assert not path.is_file() or b"s3cr3t" not in path.read_bytes(), path


def test_an_environment_with_next_to_nothing(bare: Repo, repo: Repo, tmp_path: Path) -> None:
    server = Server(bare)
    git = subprocess.check_output(["git", "--exec-path"], text=True).strip()  # where git-receive-pack is as well
    bare_env = script(tmp_path / "ssh", f'#!/bin/sh\nfor last; do :; done\nexec env -i PATH={git} /bin/sh -c "$last"\n')
    repo.commit("one")
    repo.git("push", "-q", f"host:{bare.path}", "main", GIT_SSH_COMMAND=bare_env)
    assert server.refs_of() == {"refs/heads/main": True}
    assert server.told()[0].push.pusher is None  # type: ignore[union-attr]


def test_over_ssh(bare: Repo, repo: Repo, tmp_path: Path) -> None:
    server = Server(bare)
    repo.commit("one")
    repo.git("push", "-q", f"host:{bare.path}", "main", GIT_SSH_COMMAND=script(tmp_path / "ssh", SSH))
    assert server.refs_of() == {"refs/heads/main": True}
    server.check()


def test_sha256(tmp_path: Path) -> None:
    paths = tmp_path / "s.git", tmp_path / "c"
    for path, more in zip(paths, (["--bare"], []), strict=True):
        subprocess.run(["git", "init", "-q", "-b", "main", "--object-format=sha256", *more, str(path)], check=True)
    server, client = Server(Repo(paths[0])), Repo(paths[1])
    client.commit("one")
    client.git("push", "-q", server.path, "main")
    assert server.refs_of() == {"refs/heads/main": True}
    assert server.made() == ["import one"]


def test_where_reflogs_are_kept(bare: Repo, repo: Repo) -> None:
    bare.git("config", "core.logAllRefUpdates", "true")
    server = Server(bare)
    for _ in range(2):
        repo.commit("next")
        repo.git("push", "-q", bare.path, "main")
    assert [(r.occurred_from, (r.detail or {}).get("push")) for r in server.records("ref-update")] == [
        ("reflog", record.seq) for record in server.told()
    ]
    server.check()


def test_lines_that_come_in_another_order(bare: Repo, repo: Repo) -> None:
    """post-receive runs when the ref has moved, and the next push may be faster in writing its line."""
    server = Server(bare)
    for number in range(3):
        repo.commit(f"c{number}")
        repo.git("push", "-q", bare.path, "main")
    now = Path(server.location.spool_dir, "now")
    lines = now.read_bytes().splitlines(keepends=True)
    now.write_bytes(b"".join(lines[::-1]))
    assert server.made() == ["import c0", "import c1", "import c2"]
    assert [list(server.refs_of(number).values()) for number in range(3)] == [[True]] * 3
    assert len(server.records("ref-update")) == 3
    server.check()


# The gate


@pytest.fixture
def gated(bare: Repo, tmp_path: Path) -> Real:
    server = Real(bare)
    server.rules(RULES, tmp_path)
    return server


def test_what_the_policy_refuses(gated: Real, repo: Repo) -> None:
    repo.commit("fine")
    repo.git("push", "-q", gated.path, "main")
    wip = repo.commit("WIP: later", {"a": "x"})
    repo.commit("fine again")
    gated.drain()
    marks = [Path(gated.location.mgit_dir, name) for name in ("starting", "draining")]
    wait_until(lambda: not any(mark.exists() for mark in marks))  # the first push has started one
    before = Path(gated.location.journal_dir, "head").read_bytes()
    done = repo.run("push", gated.path, "main", "main~1:refs/heads/side", check=False)
    words = done.stderr.decode()
    assert done.returncode == 1
    assert "pre-receive hook declined" in words
    assert "remote: mgit-hooks: push refused: 1 finding" in words
    assert f"{wip[:10]} (WIP: later): rule no-wip: " in words
    assert words.count("remote: hint: ") == 2
    assert "Traceback" not in words
    assert Path(gated.location.journal_dir, "head").read_bytes() == before, "the journal was written in quarantine"
    (refused,) = gated.records("refused")
    assert (refused.gate.reason, refused.detail["stage"]) == ("refused by no-wip", "pre-receive")  # type: ignore[index]
    assert [issue.data_context["commit"] for issue in refused.validation.issues if issue.data_context] == [wip]
    last = gated.told()[-1]
    assert (last.gate.status, gated.refs_of()) == ("refused", {"refs/heads/main": False, "refs/heads/side": False})
    assert gated.made() == ["import fine"]
    repo.git("rebase", "-q", "--onto", wip + "~1", wip, "main")
    repo.git("push", "-q", gated.path, "main")
    assert gated.told()[-1].gate.status == "passed"
    assert gated.made() == ["import fine", "import fine again"]
    gated.check()


def test_a_forced_push_is_refused(gated: Real, repo: Repo) -> None:
    repo.commit("fine")
    repo.git("push", "-q", gated.path, "main")
    repo.git("commit", "-q", "--amend", "--allow-empty", "-m", "other")
    assert b"no-force" in repo.run("push", "-f", gated.path, "main", check=False).stderr
    assert gated.refs_of() == {"refs/heads/main": False}
    gated.git("config", "mgit.enforce", "false")
    assert (
        b"remote: mgit-hooks: report; the push is taken: 1 finding" in repo.run("push", "-f", gated.path, "main").stderr
    )
    assert gated.refs_of() == {"refs/heads/main": True}
    gated.check()


def test_a_skipped_gate(gated: Real, repo: Repo) -> None:
    repo.commit("WIP")
    repo.git("push", "-q", gated.path, "main", MGIT="0", MGIT_SKIP_REASON="an import")
    assert (gated.told()[-1].gate.status, gated.told()[-1].gate.reason) == ("skipped", "an import")
    assert [record.gate.reason for record in gated.records("skipped")] == ["an import"]


def test_tags_and_deletions_are_no_commits_to_judge(gated: Real, repo: Repo) -> None:
    repo.commit("fine", {"a": "x"})
    repo.git("push", "-q", gated.path, "main", "main:side")
    repo.git("tag", "-a", "-m", "WIP", "v1")
    repo.git("tag", "blob", "HEAD:a")
    repo.git("push", "-q", gated.path, "v1", "blob", ":side")
    assert gated.refs_of() == {"refs/tags/v1": True, "refs/tags/blob": True, "refs/heads/side": True}
    gated.check()


# Several at once, and killed


def test_ten_clients_at_once(bare: Repo, repo: Repo, tmp_path: Path) -> None:
    """With real drains in the background: every push is on record once, with what it brought."""
    server = Real(bare)
    repo.commit("base")
    repo.git("push", "-q", bare.path, "main")
    clients = []
    for number in range(10):
        client = second_clone(bare, tmp_path / f"c{number}")
        client.git("checkout", "-q", "-b", f"b{number}")
        client.commit(f"first {number}", {"a": str(number)})
        client.commit(f"second {number}", {"b": str(number)})
        clients.append(client)
    running = [
        subprocess.Popen(
            ["git", "-C", client.path, "push", "-q", "origin", "HEAD"], env={**os.environ, "LOGNAME": f"u{n}"}
        )
        for n, client in enumerate(clients)
    ]
    assert [process.wait() for process in running] == [0] * 10
    server.check()
    told = [record for record in server.told() if record.push is not None][1:]
    assert Counter(ref.remote_ref for r in told for ref in (r.push or _none()).refs) == {
        f"refs/heads/b{number}": 1 for number in range(10)
    }
    assert all(record.push is not None and record.push.confirmed for record in told)
    assert {(r.push or _none()).pusher for r in told} == {f"u{number}" for number in range(10)}
    by_branch = {(r.push or _none()).refs[0].remote_ref: r.seq for r in told}
    expected = {}
    for number, client in enumerate(clients):
        for oid in client.git("rev-list", "origin/main..HEAD").split():
            expected[oid] = by_branch[f"refs/heads/b{number}"]
    assert {oid: seq for oid, seq in brought(server.records("import")).items() if oid in expected} == expected
    assert len(server.records("ref-update")) == 11


def _none() -> Push:
    raise AssertionError("a push without a push")


def test_killed_before_the_refs_moved(bare: Repo, repo: Repo, tmp_path: Path) -> None:
    server = Server(bare)
    slow = Path(bare.path, "hooks", "pre-receive.mgit-chained")
    script(slow, f"#!/bin/sh\necho $PPID >{tmp_path}/stub\nexec sleep 60\n")
    repo.commit("one")
    pushing = subprocess.Popen(["git", "-C", repo.path, "push", "-q", bare.path, "main"], stderr=subprocess.DEVNULL)
    wait_until(lambda: (tmp_path / "stub").exists() and (tmp_path / "stub").read_text().strip())
    server.drain()
    assert server.told() == []
    waiting = held.read(server.location.mgit_dir, held.UNDERWAY)
    assert [said.hook for said in waiting] == ["pre-receive"]
    os.kill(waiting[0].ppid, signal.SIGKILL)
    pushing.wait()
    wait_until(lambda: not alive.is_alive(waiting[0].process))
    assert server.refs_of() == {"refs/heads/main": False}
    assert held.read(server.location.mgit_dir, held.UNDERWAY) == []
    server.check()
    assert len(server.told()) == 1
    subprocess.run(["pkill", "-P", (tmp_path / "stub").read_text().strip()], check=False)


# install --server


def test_only_where_it_is_meant(repo: Repo, bare: Repo, mgit: Any) -> None:
    refused = mgit("-C", repo.path, "install", "--server")
    assert refused.code == 2
    assert "is not a bare repository" in refused.err
    assert "--server --server" in refused.err
    assert not Path(repo.path, ".git/hooks/pre-receive").exists()
    assert mgit("-C", repo.path, "install", "--server", "--server").code == 0
    assert mgit("-C", bare.path, "install", "--server").code == 0
    for path in (f"{repo.path}/.git", bare.path):
        assert all(Path(path, "hooks", name).exists() for name in stubs.SERVER)
        assert mgit("-C", path, "doctor").code == 0
    assert mgit("-C", bare.path, "install").code == 0
    assert Path(bare.path, "hooks/pre-receive").exists(), "a later install takes them away"
    assert mgit("-C", bare.path, "uninstall").code == 0
    assert not any(Path(bare.path, "hooks", name).exists() for name in stubs.SERVER)


@pytest.mark.parametrize(("shared", "says"), [("group", True), ("0660", True), ("umask", False)])
def test_that_the_journal_is_for_one_account_is_said(bare: Repo, mgit: Any, shared: str, says: bool) -> None:
    bare.git("config", "core.sharedRepository", shared)
    assert ("pushes by other accounts" in mgit("-C", bare.path, "install", "--server").err) is says


def test_a_plain_install_writes_none_of_them(bare: Repo, mgit: Any) -> None:
    assert mgit("-C", bare.path, "install").code == 0
    assert not any(Path(bare.path, "hooks", name).exists() for name in stubs.SERVER)


def test_a_push_to_a_repository_with_a_worktree(repo: Repo, tmp_path: Path) -> None:
    repo.commit("one")
    server = Server(repo)
    other = Repo(tmp_path / "other")
    subprocess.run(["git", "clone", "-q", repo.path, other.path], check=True)
    other.commit("two")
    other.git("push", "-q", "origin", "main:side")
    assert server.refs_of() == {"refs/heads/side": True}
    assert brought(server.records("import")) == {other.git("rev-parse", "HEAD"): server.told()[0].seq}
    server.check()


def test_over_http(bare: Repo, repo: Repo, tmp_path: Path) -> None:
    """Both sides: the client's journal names no password, and the server's the user that the web server lets in."""
    server = Server(bare)
    work = Recording(repo)
    work.commit("one")
    serving = serve_http(os.path.dirname(bare.path))
    try:
        assert serving.stdout is not None
        port = int(serving.stdout.readline())
        url = f"http://user:s3cr3t@127.0.0.1:{port}/{os.path.basename(bare.path)}"
        work.git("remote", "add", "origin", url)
        work.git("push", "-q", "origin", "main")
        hook(bare, "update", "exit 1")
        work.commit("two")
        work.fails("push", "-q", "origin", "main")
    finally:
        serving.kill()
        serving.wait()
    assert outcomes(work) == [{"refs/heads/main": True}, {"refs/heads/main": False}]
    assert {record.push.remote_url for record in work.pushes() if record.push} == {url.replace("user:s3cr3t@", "")}
    assert [server.refs_of(number) for number in range(2)] == [{"refs/heads/main": True}, {"refs/heads/main": False}]
    assert {record.push.pusher for record in server.told() if record.push} == {"ada"}


def pushed_while_a_drain_looks(server: Server, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> str:
    """The second of two pushes comes between the reading of the spool and the look at the refs; its commit."""
    repo.commit("one")
    repo.git("push", "-q", server.path, "main")
    real, pushed = movements.unread, []

    def late(*args: Any) -> Any:
        if not pushed:
            pushed.append(repo.commit("two"))
            repo.git("push", "-q", server.path, "main:side")
        return real(*args)

    monkeypatch.setattr(movements, "unread", late)
    server.drain()
    return pushed[0]


def bringers(server: Server) -> dict[str, object]:
    return {r.refs[0].name: (r.detail or {}).get("push") for r in server.records("ref-update") if r.refs}


def test_a_ref_that_moves_while_a_drain_looks(bare: Repo, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by the push's own line, and not as a bare movement."""
    server = Server(bare)
    two = pushed_while_a_drain_looks(server, repo, monkeypatch)
    first, second = (record.seq for record in server.told())
    assert bringers(server) == {"refs/heads/main": first, "refs/heads/side": second}
    assert brought(server.records("import"))[two] == second
    server.check()


def test_that_tells_a_drain_that_does_not_look_into_the_spool_again(
    bare: Repo, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted."""
    monkeypatch.setattr(Receptions, "still_to_come", lambda *_: set())
    server = Server(bare)
    pushed_while_a_drain_looks(server, repo, monkeypatch)
    assert bringers(server)["refs/heads/side"] is None


def test_a_drain_that_is_killed_before_it_forgets_what_waited(
    bare: Repo, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that was under way is told once, though the drain that told it died before it wrote that down."""
    server = Server(bare)
    gate = Path(bare.path).parent / "go"
    script(
        Path(bare.path, "hooks", "pre-receive.mgit-chained"), f"#!/bin/sh\nwhile [ ! -e {gate} ]; do sleep 0.05; done\n"
    )
    repo.commit("one")
    pushing = subprocess.Popen(["git", "-C", repo.path, "push", "-q", bare.path, "main"])
    wait_until(lambda: server.drain() == 0 and held.read(server.location.mgit_dir, held.UNDERWAY))
    gate.touch()
    assert pushing.wait() == 0
    before = Path(server.location.mgit_dir, held.UNDERWAY).read_bytes()
    state = Path(server.location.mgit_dir, "state.json").read_bytes()
    assert server.refs_of() == {"refs/heads/main": True}
    Path(server.location.mgit_dir, held.UNDERWAY).write_bytes(before)
    Path(server.location.mgit_dir, "state.json").write_bytes(state)
    assert len(server.told()) == 1
    server.check()
