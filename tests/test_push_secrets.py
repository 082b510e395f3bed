"""No credential of a push is stored: not in the journal, not in the spool, not in a log, in whatever form it came."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Repo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pushes import DYING, SSH, hook, script
from recording import Recording
from test_server import Server

from mgit_hooks import credentials
from mgit_hooks.recorder import pushing

TOKEN = "s3cr3t-t0ken"
# Where a token stands in what names a remote; {} is the path of a repository.
URLS = (
    f"file://user:{TOKEN}@localhost{{}}",
    f"file://{TOKEN}@localhost{{}}",
    f"file://localhost{{}}?token={TOKEN}",
    f"file://localhost{{}}#{TOKEN}",
    f"file://user:{TOKEN}%40@localhost{{}}?a={TOKEN}#{TOKEN}",
    f"ssh://git:{TOKEN}@host{{}}",
    f"git:{TOKEN}@host:{{}}",
    f"ext::sh -c 'echo {TOKEN}' https://u:{TOKEN}@host/x",
    f"https://x-access-token:{TOKEN}@127.0.0.1:1/x.git",
    f"http://u:{TOKEN}/with?odd#bytes@127.0.0.1:1/x.git",
)


def stored(work: Recording) -> Iterator[tuple[Path, bytes]]:
    for folder, _, files in os.walk(work.location.mgit_dir):
        for name in files:
            yield Path(folder, name), Path(folder, name).read_bytes()


def require_clean(work: Recording) -> None:
    for path, content in stored(work):
        assert TOKEN.encode() not in content, path
    work.drain()
    for path, content in stored(work):
        assert TOKEN.encode() not in content, path
    for record in work.records():
        assert TOKEN not in repr(record)


@pytest.fixture
def work(repo: Repo, bare: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    monkeypatch.setenv("GIT_SSH_COMMAND", script(tmp_path / "ssh", SSH))
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    work = Recording(repo)
    work.commit("one")
    bare.git("config", "receive.advertisePushOptions", "true")
    return work


@pytest.mark.parametrize("url", URLS)
def test_a_url_in_each_place_that_git_takes_one_from(work: Recording, bare: Repo, url: str) -> None:
    """Some of these pushes succeed and some fail, and that is no matter here."""
    named = url.format(bare.path)
    plain = f"file://{bare.path}"
    work.repo.run("push", "-q", named, "main", check=False)
    work.git("remote", "add", "plain", plain)
    work.git("remote", "add", "fetched", named)
    work.repo.run("push", "-q", "fetched", "main:refs/heads/fetched", check=False)
    work.git("config", "remote.plain.pushurl", named)
    work.repo.run("push", "-q", "plain", "main:refs/heads/pushed", check=False)
    work.git("config", "--unset", "remote.plain.pushurl")
    work.git("config", f"url.{named}.insteadOf", "short:")
    work.git("config", f"url.{named}.pushInsteadOf", "shorter:")
    for short in ("short:", "shorter:"):
        work.repo.run("push", "-q", short, "main:refs/heads/short", check=False)
    work.git("push", "-q", plain, "main:refs/heads/plain")
    require_clean(work)
    assert work.pushes()


def test_options_environment_and_reflogs(work: Recording, bare: Repo, tmp_path: Path) -> None:
    plain = f"file://{bare.path}"
    work.git("remote", "add", "origin", plain)
    env = {"MGIT_TOKEN": TOKEN, "GIT_ASKPASS": f"/bin/echo {TOKEN}", "SSH_ORIGINAL_COMMAND": TOKEN}
    work.git("push", "-q", "-o", f"token={TOKEN}", "origin", "main", **env)
    work.git("-c", f"http.extraHeader=Authorization: Bearer {TOKEN}", "push", "-q", "origin", "main:b", **env)
    url = URLS[0].format(bare.path)
    work.git("commit", "-q", "--allow-empty", "-m", "x", GIT_REFLOG_ACTION=f"pull {url}")
    work.git("update-ref", "-m", f"update by push {url}", "refs/remotes/origin/main", "HEAD")
    hook(bare, "pre-receive", f"echo {TOKEN} >&2; exit 1")
    work.fails("push", "origin", "main")
    work.repo.run("push", "host:x", "main", check=False, GIT_SSH_COMMAND=script(tmp_path / "dying", DYING))
    require_clean(work)
    assert len(work.pushes()) == 3


def test_a_drain_that_fails_writes_none_into_its_log(
    work: Recording, bare: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = URLS[0].format(bare.path)
    work.repo.run("push", "-q", url, "main", check=False)

    def fails(*_: object) -> None:
        raise RuntimeError(f"cannot push to {url}")

    from mgit_hooks.recorder import drain

    monkeypatch.setattr(pushing, "pushed", fails)
    assert drain.main(["--git-dir", os.path.join(work.path, ".git")]) == 128
    logs = [content for path, content in stored(work) if path.parent.name == "logs"]
    assert logs
    assert b"cannot push to" in b"".join(logs)
    monkeypatch.undo()
    require_clean(work)


def test_a_server_stores_none(bare: Repo, repo: Repo) -> None:
    server = Server(bare)
    bare.git("config", "receive.advertisePushOptions", "true")
    repo.commit("one")
    env = {"SSH_ORIGINAL_COMMAND": TOKEN, "REMOTE_USER": f"ada:{TOKEN}", "HTTP_AUTHORIZATION": TOKEN}
    repo.git("push", "-q", "-o", TOKEN, URLS[0].format(bare.path), "main", **env)
    require_clean(server)
    assert len(server.told()) == 1


def test_the_family_tells_a_stub_that_does_not_strip(
    work: Recording, bare: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the stub writes git's words as they are."""
    stub = Path(work.path, ".git/hooks/pre-push")
    stub.write_bytes(stub.read_bytes().replace(b'strip "${2-}"', b'text="${2-}"'))
    work.git("push", "-q", URLS[0].format(bare.path), "main")
    with pytest.raises(AssertionError, match="now"):
        require_clean(work)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scheme=st.sampled_from(("https", "http", "ssh", "git", "file", "ftp")),
    user=st.text("abc.-_%", max_size=5),
    before=st.text("abc/?#:%.~!$&'()*+,;=-_", max_size=6),
    after=st.text("abc/?#:%.~!$&'()*+,;=-_", max_size=6),
    place=st.sampled_from(("password", "user", "query", "fragment")),
    path=st.text("abc/.~-_", max_size=8),
)
def test_a_token_anywhere_in_a_url(scheme: str, user: str, before: str, after: str, place: str, path: str) -> None:
    secret = {
        "password": f"{scheme}://{user or 'u'}:{before.replace('/', '')}{TOKEN}{after}@host/{path}",
        "user": f"{scheme}://{TOKEN}@host/{path}",
        "query": f"{scheme}://{user}@host/{path}?{before}{TOKEN}{after}",
        "fragment": f"{scheme}://host/{path}#{before}{TOKEN}{after}",
    }[place]
    assert TOKEN not in credentials.strip(secret)
