"""What ``status`` says of each state that a repository can be in."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from mgit_hooks import cli
from mgit_hooks.installer import stubs
from mgit_hooks.installer.install import install
from mgit_hooks.layout import locate


@pytest.fixture
def status(repo, capsysbinary):  # type: ignore[no-untyped-def]
    def ask():  # type: ignore[no-untyped-def]
        capsysbinary.readouterr()
        assert cli.main(["-C", repo.path, "status", "--json"]) == 0
        return json.loads(capsysbinary.readouterr().out)

    return ask


def states(value) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return {hook["hook"]: hook["state"] for hook in value["hooks"]}


def test_before_anything_is_installed(repo, status) -> None:  # type: ignore[no-untyped-def]
    value = status()
    assert value["installed"] is False
    assert set(states(value).values()) == {"missing"}
    assert (value["records"], value["head"], value["waiting"], value["gate"]) == (0, None, 0, "unknown")
    assert not Path(repo.path, ".git/mgit").exists()


def test_each_state_of_a_hook(repo, status) -> None:  # type: ignore[no-untyped-def]
    hooks = Path(repo.path, ".git/hooks")
    (hooks / "pre-push").write_text("#!/bin/sh\n")
    install(locate(repo.path))
    assert status()["installed"] is True
    (hooks / "commit-msg").unlink()
    (hooks / "post-commit").write_text("#!/bin/sh\n")
    with (hooks / "post-merge").open("a") as file:
        file.write("echo mine\n")
    (hooks / "post-rewrite").chmod(0o644)
    found = stubs.assemble("post-checkout", "/a", "/b").replace(b"umask 077", b"umask 177")
    body = found.split(b"\n", 2)[2]
    found = found.replace(stubs.recognise(found).digest.encode(), stubs._digest(body).encode())  # type: ignore[union-attr]
    (hooks / "post-checkout").write_bytes(found)
    value = status()
    assert value["installed"] is False
    assert {hook: state for hook, state in states(value).items() if state != "installed"} == {
        "commit-msg": "missing", "post-commit": "overwritten", "post-merge": "modified", "post-checkout": "outdated",
    }  # fmt: skip
    assert {hook["hook"] for hook in value["hooks"] if hook["chained"]} == {"pre-push"}
    assert {hook["hook"] for hook in value["hooks"] if not hook["executable"]} == {"commit-msg", "post-rewrite"}


def test_an_interpreter_that_is_gone(repo, status) -> None:  # type: ignore[no-untyped-def]
    install(locate(repo.path), python="/nothing/here")
    assert status()["interpreters"] == [{"path": "/nothing/here", "exists": False}]


def test_what_waits_and_what_is_recorded(repo, status) -> None:  # type: ignore[no-untyped-def]
    install(locate(repo.path), python="/nothing/here")  # so that no drain starts by itself
    repo.commit("First")
    repo.git("checkout", "-q", "-b", "side")
    assert (status()["waiting"], status()["records"], status()["drained_at"]) == (2, 0, None)
    assert status()["waiting"] == 2  # status takes nothing in
    assert cli.main(["-C", repo.path, "drain", "-q"]) == 0
    value = status()
    assert value["waiting"] == 0
    assert value["records"] > 0
    assert len(value["head"]) == 64
    assert value["drained_at"].endswith("+00:00")
    (Path(repo.path) / ".git/mgit/journal/head").unlink()  # a hint: the journal itself knows
    assert (status()["records"], status()["head"]) == (value["records"], value["head"])


def test_a_drain_that_runs(repo, status) -> None:  # type: ignore[no-untyped-def]
    install(locate(repo.path))
    mark = Path(repo.path, ".git/mgit/draining")
    mark.write_text(f"{os.getpid()}\n")
    assert status()["draining"] == os.getpid()
    mark.write_text("4194305\n")
    assert status()["draining"] is None


@pytest.mark.parametrize(("strategy", "gate"), [("abort", "armed"), ("repair", "open")])
def test_the_gate(repo, status, strategy: str, gate: str) -> None:  # type: ignore[no-untyped-def]
    repo.git("config", "mgit.strategy", strategy)
    old = time.time() - 60
    os.utime(Path(repo.path, ".git/config"), (old, old))
    os.utime(os.environ["GIT_CONFIG_GLOBAL"], (old, old))
    install(locate(repo.path))
    assert status()["gate"] == gate
    repo.git("config", "mgit.strategy", "repair" if strategy == "abort" else "abort")
    flag = Path(locate(repo.path).gate_flag).read_bytes()
    assert status()["gate"] == {"armed": "open", "open": "armed"}[gate]  # the flag is older than that
    assert Path(locate(repo.path).gate_flag).read_bytes() == flag
    repo.git("config", "mgit.strategy", "nonsense")
    assert status()["gate"] == "unknown"


def test_for_people(repo, capsysbinary) -> None:  # type: ignore[no-untyped-def]
    def ask() -> tuple[str, str]:
        assert cli.main(["-C", repo.path, "status"]) == 0
        told = capsysbinary.readouterr()
        return told.out.decode(), told.err.decode()

    hooks = os.path.join(repo.path, ".git/hooks")
    out, err = ask()
    assert "mgit-hooks init" in err
    assert f"hooks     all 9 missing in {hooks}\n" in out
    assert "gate      none: no hook of ours runs\n" in out
    install(locate(repo.path))
    out, err = ask()
    assert f"hooks     all 9 installed in {hooks}\n" in out
    assert "gate      open: nothing is refused\n" in out
    assert err == ""
    Path(hooks, "post-merge").unlink()
    out, _ = ask()
    assert "  post-commit      installed\n  post-merge       missing\n" in out
