"""A violation of each rule of the library, planted with the real git in front of the real hooks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo

from mgit_hooks.installer import stubs
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.judging import library
from mgit_hooks.layout import locate

ROOT = Path(__file__).resolve().parents[1]
GIVEN: dict[str, dict[str, Any]] = {
    "author-email-domain": {"domains": ["example.com"]},
    "file-size": {"most": 1000},
    "churn": {"most": 5},
    "commits-per-push": {"most": 2},
}
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\n"
CONFLICT = "<<<<<<< HEAD\none\n=======\ntwo\n>>>>>>> side\n"
OF_FILES = frozenset(
    (
        "binary-files", "case-conflicts", "executable-bits", "file-size", "forbidden-paths", "links-inside-tree",
        "no-conflict-markers", "required-paths", "secrets", "submodule-changes", "churn", "changed-together",
        "author-email-domain",
    )
)  # fmt: skip
OF_MESSAGES = frozenset(
    (
        "conventional-commits", "subject-length", "subject-style", "body-width", "blank-line-after-subject",
        "issue-reference", "signed-off-by", "message-whitespace", "trailer-order",
    )
)  # fmt: skip
OF_PUSHES = frozenset(
    (
        "protected-branches", "protected-tags", "no-force-push", "linear-history", "commits-per-push",
        "fixup-commits-not-pushed", "signed-commits",
    )
)  # fmt: skip
TRAILERS = "Signed-off-by: Grace <grace@example.org>\nAcked-by: Grace <grace@example.org>\n"
MESSAGE = f" {'X' * 80}\nno empty line\n\n{'long ' * 20}\n\n{TRAILERS}"
REFS = ("+lost:old", "+HEAD:main", "+v1", "HEAD:topic")
GOOD = "docs: say (#1) what it is\n\nSigned-off-by: Ada Lovelace <ada@example.com>\n"


def policy(names: frozenset[str]) -> str:
    entries = []
    for name in sorted(names):
        given = "".join(f"with.{key} = {value!r}\n" for key, value in GIVEN.get(name, {}).items())
        entries.append(f'[[rules]]\nuse = "{name}"\nstrategy = "abort"\n{given}')
    return "".join(entries).replace("'", '"')


def set_rules(repo: Repo, names: frozenset[str]) -> None:
    path = Path(repo.git("rev-parse", "--absolute-git-dir"), "rules.toml")
    path.write_text(policy(names))
    repo.git("config", "mgit.rules", str(path))
    repo.git("config", "mgit.level", "basic")  # no rules but these


def guarded(repo: Repo, names: frozenset[str], *, server: bool = False) -> Repo:
    install(locate(repo.path), python=sys.executable, boot=boot_path(), asked_for=stubs.SERVER if server else ())
    set_rules(repo, names)
    return repo


def found(done: Any) -> set[str]:
    """The rules that the refusal names; each of them can be skipped by name."""
    assert done.returncode != 0, done.stderr
    said = done.stderr.decode()
    return set(re.findall(r"(?:error|critical): (?:[0-9a-f]{10} \(.*?\): )?rule ([a-z-]+):", said))


def entry(repo: Repo, mode: str, path: str, content: str) -> None:
    """Into the index, whatever the file system can hold."""
    oid = content if mode == "160000" else repo.git("hash-object", "-w", "--stdin", stdin=content.encode())
    repo.git("update-index", "--add", "--cacheinfo", f"{mode},{oid},{path}")


def plant_files(repo: Repo) -> None:
    repo.git("rm", "-q", "--cached", "LICENSE")
    entry(repo, "100644", "conflict.c", CONFLICT)
    entry(repo, "100644", "key.txt", KEY)
    entry(repo, "100644", ".env", "TOKEN=\n")
    entry(repo, "100644", "large.txt", "large\n" * 200)
    entry(repo, "100755", "README.md", "Read me\n")
    entry(repo, "120000", "link", "../../etc/passwd")
    entry(repo, "160000", "vendor/lib", "1" * 40)
    entry(repo, "100644", "lib.so", "\0" * 20)
    entry(repo, "100644", "MAKEFILE", "all:\n")
    entry(repo, "100644", "package.json", "{}\n")


@pytest.fixture
def planted(repo: Repo) -> Repo:
    repo.commit("one", {"LICENSE": "MIT\n", "Makefile": "all:\n"})
    return repo


def at_the_gate(repo: Repo, bare: Repo, names: frozenset[str]) -> dict[str, set[str]]:
    """What each hook of a client finds of everything that is planted."""
    repo.git("remote", "add", "origin", bare.path)
    repo.git("push", "-q", "origin", "main", "main:old")
    repo.git("tag", "v1")
    repo.git("push", "-q", "origin", "v1")
    guarded(repo, names)
    plant_files(repo)
    message = Path(repo.path).parent / "message"
    message.write_text(MESSAGE)
    told = {"pre-commit": found(repo.run("commit", "-F", str(message), check=False))}
    skip = ",".join(OF_FILES)
    told["commit-msg"] = found(repo.run("commit", "-F", str(message), check=False, MGIT_SKIP=skip))
    plant_pushes(repo)
    told["pre-push"] = found(repo.run("push", "origin", *REFS, check=False))
    return told


def plant_pushes(repo: Repo) -> None:
    """Without a gate: a merge, a fixup, a tag that moved, and a history from nowhere."""
    off = {"MGIT": "0"}
    repo.git("reset", "-q", "--hard")
    repo.git("checkout", "-q", "-b", "side", **off)
    repo.git("commit", "-q", "--allow-empty", "-m", "fixup! one", **off)
    repo.git("checkout", "-q", "main", **off)
    repo.git("commit", "-q", "--amend", "--no-edit", "--cleanup=verbatim", "--date=2020-01-01T00:00:00Z", **off)
    repo.git("merge", "-q", "--no-ff", "--allow-unrelated-histories", "-m", "Merge side", "side", **off)
    repo.git("branch", "lost", repo.git("commit-tree", "-m", "from nowhere", "HEAD^{tree}"), **off)
    repo.git("tag", "-f", "v1")


def test_every_seeded_violation_is_found_by_the_hook_that_is_due(planted: Repo, bare: Repo) -> None:
    pytest.importorskip("detect_secrets")
    names = frozenset(library.rules())
    assert names == OF_FILES | OF_MESSAGES | OF_PUSHES
    told = at_the_gate(planted, bare, names)
    assert told["pre-commit"] == OF_FILES
    assert told["commit-msg"] == OF_MESSAGES
    assert told["pre-push"] == OF_PUSHES


def test_every_seeded_violation_is_found_where_it_is_pushed_to(planted: Repo, bare: Repo) -> None:
    pytest.importorskip("detect_secrets")
    names = frozenset(library.rules())
    planted.git("remote", "add", "origin", bare.path)
    planted.git("push", "-q", "origin", "main", "main:old")
    planted.git("tag", "v1")
    planted.git("push", "-q", "origin", "v1")
    guarded(bare, names, server=True)
    plant_files(planted)
    planted.git("commit", "-q", "--cleanup=verbatim", "-m", MESSAGE)
    plant_pushes(planted)
    told: set[str] = set()
    while True:  # a push shows twenty findings at a time
        done = planted.run("push", "origin", *REFS, check=False, MGIT_SKIP=",".join(told))
        if done.returncode == 0:
            break
        more = found(done)
        assert more - told, done.stderr
        told |= more
    assert told == names


def test_what_keeps_to_every_rule_is_let_through(planted: Repo, bare: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh-keygen to sign with")
    pytest.importorskip("detect_secrets")
    key = Path(planted.path).parent / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, value in {"gpg.format": "ssh", "user.signingKey": f"{key}.pub", "commit.gpgSign": "true"}.items():
        planted.git("config", name, value)
    planted.git("remote", "add", "origin", bare.path)
    guarded(planted, frozenset(library.rules()))
    for variable in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(variable, "ada@example.com")
    planted.git("commit", "-q", "--amend", "--reset-author", "-F", "-", stdin=GOOD.encode())
    planted.write("docs/a.txt", "Title\n=======\n")
    planted.git("add", "docs")
    planted.git("commit", "-q", "-F", "-", stdin=GOOD.encode())
    planted.git("push", "-q", "origin", "HEAD:refs/heads/topic")
    assert bare.git("rev-parse", "topic") == planted.git("rev-parse", "HEAD")


FACTS = "mgit_hooks/gatekeeper/facts.py"
PLANTED = [
    (FACTS, (('b"(?m)^(?:<{7}', 'b"(?m)^(?:<{8}'), ("|>{7}|", "|>{8}|")), "no-conflict-markers"),
    (FACTS, (('if target.startswith("/")', "return False\n    if target"),), "links-inside-tree"),
    ("schemas/rules/links-inside-tree.json", (('"const": false', '"type": "boolean"'),), "links-inside-tree"),
    ("schemas/rules/executable-bits.json", (('"const": "100755"', '"const": "100775"'),), "executable-bits"),
    ("schemas/rules/file-size.json", (('"maximum"', '"maxLength"'),), "file-size"),
]


@pytest.mark.parametrize(("file", "edits", "unseen"), PLANTED)
def test_a_planted_bug_is_told_by_this_family(
    planted: Repo, file: str, edits: tuple[tuple[str, str], ...], unseen: str
) -> None:
    """A fact that finds nothing, a keyword that says something else: what is seeded goes unseen by the hooks."""
    lamed = Path(planted.path).parent / "lamed"
    for name in ("mgit_hooks", "schemas"):
        shutil.copytree(ROOT / name, lamed / name, ignore=shutil.ignore_patterns("__pycache__"))
    source = lamed / file
    text = source.read_text("utf-8")
    for right, wrong in edits:
        assert right in text
        text = text.replace(right, wrong)
    source.write_text(text, "utf-8")
    names = frozenset(("no-conflict-markers", "links-inside-tree", "executable-bits", "file-size"))
    install(locate(planted.path), python=sys.executable, boot=str(lamed / "mgit_hooks" / "boot.py"))
    set_rules(planted, names)
    plant_files(planted)
    assert found(planted.run("commit", "-m", "two", check=False)) == names - {unseen}
