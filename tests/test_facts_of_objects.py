"""Facts that need git's objects, over real ones."""

from __future__ import annotations

import copy
import os
import subprocess
from pathlib import Path
from typing import Any

import histories
import pytest
from conftest import Repo

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.checking.blobs import Blobs
from mgit_hooks.errors import ConfigError
from mgit_hooks.gatekeeper import secrets
from mgit_hooks.gatekeeper.existing import of_commit
from mgit_hooks.gatekeeper.facts import with_facts
from mgit_hooks.gatekeeper.judgement import Facts, gather
from mgit_hooks.gatekeeper.objects import LIMIT, Objects
from mgit_hooks.gatekeeper.pushed import brought
from mgit_hooks.gatekeeper.pushed import with_facts as with_refs_facts
from mgit_hooks.judging import config, library, schemas
from mgit_hooks.layout import locate
from mgit_hooks.record import Oid
from mgit_hooks.recorder.event import PushLine

CONFLICT = "<<<<<<< HEAD\none\n||||||| base\n=======\ntwo\n>>>>>>> side\n"
TOKEN = "ghp" + "_" + "aB3" * 12


def facts(repo: Repo, name: str, commit: str = "HEAD") -> dict[str, Any]:
    """The fact of each file, or of the commit."""
    captured = Capturer(os.path.join(repo.path, ".git")).commit(Oid(repo.git("rev-parse", commit)))
    objects = Objects(repo.path)
    told = with_facts({"commit": captured.to_json()}, frozenset((name,)), objects, staged=False)["commit"]
    objects.close()
    if name in ("signature", "case_conflicts"):
        return dict(told["facts"])
    return {each["filename"]: each["facts"].get(name, "unknown") for each in told["files"]}


def test_markers_are_found_where_they_are_added(repo: Repo) -> None:
    repo.commit("one", {"old.c": CONFLICT, "b": "x\n", "dos": "1\r\n"})
    repo.commit(
        "two",
        {
            "old.c": "moved\n" + CONFLICT,
            "b": f"x\n{CONFLICT}",
            "title.rst": "Title\n=======\n",
            "quoted": " <<<<<<< HEAD\n<<<<<<<< eight\n<<<<<<<x\n",
            "dos": "1\r\n<<<<<<< a\r\n=======\r\n>>>>>>>\r\n",
            "bin": b"\0" + CONFLICT.encode(),
        },
    )
    assert facts(repo, "conflict_markers") == {
        "old.c": [],
        "b": [2, 4, 5, 7],
        "title.rst": [],
        "quoted": [],
        "dos": [2, 3, 4],
        "bin": [],
    }


def test_only_the_first_mebibyte_of_a_file_is_looked_at(repo: Repo) -> None:
    line = "x" * 63 + "\n"
    repo.commit(
        "one",
        {"in": line * 16 + CONFLICT + line * LIMIT, "behind": line * (LIMIT // 64) + CONFLICT, "other": CONFLICT},
    )
    assert facts(repo, "conflict_markers") == {"in": [17, 19, 20, 22], "behind": [], "other": [1, 3, 4, 6]}
    assert facts(repo, "secrets") == {"in": [], "behind": [], "other": []}


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_loose_is_read_as_what_git_says(repo: Repo, packed: bool) -> None:
    repo.commit("one", {"a": CONFLICT, "big": os.urandom(LIMIT + 5)})
    if packed:
        repo.git("repack", "-q", "-a", "-d")
    folder = os.path.join(repo.path, ".git", "objects")
    fast, plain = Objects(repo.path, folder), Objects(repo.path)
    for name in ("HEAD", "HEAD:a", "HEAD:big"):
        oid = Oid(repo.git("rev-parse", name))
        raw = repo.run("cat-file", repo.git("cat-file", "-t", oid), oid).stdout
        assert fast.beginning(oid) == plain.beginning(oid) == raw[:LIMIT]
    assert fast.beginning(Oid("1" * 40)) is None
    assert fast.beginning(Oid("abc")) is None
    plain.close()
    fast.close()


def test_a_loose_object_that_is_damaged_is_gits_to_judge(repo: Repo) -> None:
    repo.commit("one", {"a": CONFLICT})
    oid = Oid(repo.git("rev-parse", "HEAD:a"))
    path = Path(repo.path, ".git", "objects", oid[:2], oid[2:])
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-9])
    objects = Objects(repo.path, os.path.join(repo.path, ".git", "objects"))
    assert objects.beginning(oid) is None
    assert objects.beginning(Oid(repo.git("rev-parse", "HEAD"))) is not None
    objects.close()


def test_a_blob_that_is_not_here_leaves_its_facts_unknown_and_nothing_is_fetched(repo: Repo, tmp_path: Path) -> None:
    repo.commit("one", {"a": "x\n"})
    repo.commit("two", {"a": CONFLICT})
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = Repo(tmp_path / "clone")
    url = f"file://{repo.path}"
    subprocess.run(["git", "clone", "-q", "--filter=blob:none", "--no-checkout", url, clone.path], check=True)
    before = clone.git("count-objects", "-v")
    files = [
        {
            "filename": "a",
            "change_type": "modified",
            "old_mode": "100644",
            "new_mode": "100644",
            "old_oid": repo.git("rev-parse", "HEAD^:a"),
            "new_oid": repo.git("rev-parse", "HEAD:a"),
        }
    ]
    objects = Objects(clone.path)
    told = with_facts({"commit": {"files": files}}, frozenset(("conflict_markers",)), objects, staged=False)
    objects.close()
    assert told["commit"]["files"][0]["facts"] == {}
    assert clone.git("count-objects", "-v") == before


def test_no_filter_and_no_textconv_runs(repo: Repo) -> None:
    mark = Path(repo.path).parent / "ran"
    for key in ("filter.f.smudge", "diff.f.textconv", "filter.f.process"):
        repo.git("config", key, f"touch '{mark}'; cat")
    repo.git("config", "filter.f.clean", "cat")
    repo.write(".gitattributes", "* filter=f diff=f\n")
    repo.git("config", "--unset", "filter.f.process")
    repo.commit("one", {"a": CONFLICT})
    mark.unlink(missing_ok=True)
    assert facts(repo, "conflict_markers")["a"] == [1, 3, 4, 6]
    assert facts(repo, "secrets")["a"] == []
    assert not mark.exists()


@pytest.mark.parametrize(
    ("path", "target", "leaves"),
    [
        ("a", "b", False),
        ("x/y/a", "../../b", False),
        ("x/a", "./../b/../c", False),
        ("a", "../b", True),
        ("x/a", "../../b", True),
        ("a", "/etc/passwd", True),
        ("a", "b/../../c", True),
        ("a", "..", True),
        ("x/a", "..", False),
        ("a", ".git/config", True),
        ("x/a", "../.GIT/hooks", True),
        ("a", "..\\b", True),
        ("a", "C:\\b", True),
        ("a", ".github", False),
    ],
)
def test_a_link_leaves_the_tree_by_its_words(repo: Repo, path: str, target: str, leaves: bool) -> None:
    oid = repo.git("hash-object", "-w", "--stdin", stdin=target.encode())
    repo.git("update-index", "--add", "--cacheinfo", f"120000,{oid},{path}")
    repo.git("commit", "-q", "-m", "one")
    assert facts(repo, "link_leaves_tree") == {path: leaves}


def staged_names(repo: Repo, *paths: str) -> None:
    oid = repo.git("hash-object", "-w", "--stdin", stdin=b"")
    for path in paths:
        repo.git("update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")


def test_names_that_differ_in_case_are_found_once_they_come_in(repo: Repo) -> None:
    staged_names(repo, "Makefile", "docs/a", "docs/b", "src/É.c", "Straße/x", "same/b/c")
    repo.git("commit", "-q", "-m", "one")
    assert facts(repo, "case_conflicts") == {"case_conflicts": []}
    staged_names(repo, "makefile", "Docs/c", "Docs/d", "src/é.c", "strasse/y", "same/b/d")
    repo.git("commit", "-q", "-m", "two")
    assert facts(repo, "case_conflicts")["case_conflicts"] == [
        ["Docs", "docs"],
        ["makefile", "Makefile"],
        ["src/é.c", "src/É.c"],
        ["strasse", "Straße"],
    ]
    staged_names(repo, "Makefile")
    repo.git("commit", "-q", "--allow-empty", "-m", "three")
    assert facts(repo, "case_conflicts") == {"case_conflicts": []}


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n", "openpgp"),
        ("gpgsig -----BEGIN SSH SIGNATURE-----\n abc\n -----END SSH SIGNATURE-----\n", "ssh"),
        ("gpgsig -----BEGIN SIGNED MESSAGE-----\n abc\n -----END SIGNED MESSAGE-----\n", "x509"),
        ("", None),
        ("note gpgsig -----BEGIN SSH SIGNATURE-----\n", None),
    ],
)
def test_the_kind_of_a_signature_is_told_by_its_first_line(repo: Repo, header: str, kind: str | None) -> None:
    repo.commit("one", {"a": "1\n"})
    raw = repo.run("cat-file", "commit", "HEAD").stdout.decode()
    above, _, message = raw.partition("\n\n")
    made = f"{above}\n{header}\n{message}\n\ngpgsig -----BEGIN PGP SIGNATURE-----\n"
    oid = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=made.encode())
    assert facts(repo, "signature", oid) == {"signature": kind}


def test_secrets_are_told_by_kind_and_line_and_never_shown(repo: Repo) -> None:
    pytest.importorskip("detect_secrets")
    key = "-----BEGIN RSA " + "PRIVATE KEY-----"
    repo.commit("one", {"old": f"{TOKEN}\n"})
    allowed = f"{TOKEN} # pragma: allowlist secret\n"
    repo.commit("two", {"old": f"moved\n{TOKEN}\n", "a.txt": f"\n{key}\nx = '{TOKEN}'\n", "b": allowed, "c": "word\n"})
    found = facts(repo, "secrets")
    assert found == {
        "old": [],
        "a.txt": [{"kind": "Private Key", "line": 2}, {"kind": "GitHub Token", "line": 3}],
        "b": [],
        "c": [],
    }
    assert TOKEN not in str(found)


def test_without_the_extra_a_rule_that_asks_for_secrets_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_loaded", [])
    monkeypatch.setitem(__import__("sys").modules, "detect_secrets.core.plugins.util", None)
    with pytest.raises(ConfigError) as caught:
        list(secrets.secrets([(1, b"x")]))
    assert "mgit-hooks[secrets]" in str(caught.value.remedy)


def test_a_push_brings_what_the_remote_has_not(repo: Repo, bare: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo.path)
    base = Oid(repo.commit("one", {"a": "1\n"}))
    repo.git("remote", "add", "origin", bare.path)
    repo.git("push", "-q", "origin", "main")
    repo.git("checkout", "-q", "-b", "side")
    side = Oid(repo.commit("side", {"b": "1\n"}))
    repo.git("checkout", "-q", "main")
    repo.commit("two", {"c": "1\n"})
    repo.git("merge", "-q", "--no-edit", "side")
    repo.git("tag", "-a", "-m", "v1", "v1")
    merge, tag = Oid(repo.git("rev-parse", "HEAD")), Oid(repo.git("rev-parse", "v1"))
    gone = Oid("1" * 40)
    lines = [
        PushLine("main", merge, "refs/heads/main", base),
        PushLine("side", side, "refs/heads/side", gone),
        PushLine("v1", tag, "refs/tags/v1", None),
        PushLine("base", base, "refs/heads/base", None),
        PushLine(None, None, "refs/heads/old", base),
    ]
    found = brought(lines, "--remotes=origin")
    assert len(found.commits) == 3
    value = {"push": {"refs": [{"remote_ref": line.remote_ref} for line in lines]}}
    told = with_refs_facts(value, lines, frozenset(("commits", "merges")), found)
    assert [(each["facts"]["commits"], each["facts"]["merges"]) for each in told["push"]["refs"]] == [
        (3, 1), (1, 0), (3, 1), (0, 0), (0, 0),
    ]  # fmt: skip
    assert brought([]) == ({}, {})


def found_at_standard(made: histories.History, repo: Repo) -> list[str]:
    """What the rules of the level find in a whole history, in which nothing is wrong."""
    made.write(os.path.join(repo.path, ".git"))
    policy = config.defaults()
    assert policy.rules
    capturer, facts_of = Capturer(os.path.join(repo.path, ".git")), Facts(repo.path)
    candidates = [
        of_commit(capturer.commit(Oid(oid)), locate(repo.path), "check")
        for oid in repo.git("rev-list", "--all").split()
    ]
    found = gather(candidates, policy, schemas.load(), (), facts_of)
    facts_of.close()
    assert found.candidates >= 50
    issues = [issue for _, judgement in found.judged for issue in judgement.issues]
    return [issue.message for issue in issues if issue.code == "RULE_VIOLATED"]


@pytest.mark.parametrize("made", [histories.every_kind(), histories.renames(1)], ids=["every kind", "renames"])
def test_the_level_standard_has_no_false_findings(made: histories.History, repo: Repo) -> None:
    assert found_at_standard(made, repo) == []


def test_a_keyword_that_finds_too_much_is_told_by_this_family(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the rule takes every link for one that leaves the tree."""
    edited = copy.deepcopy(library.document(library.rule_path("links-inside-tree")))
    of_file = edited["properties"]["commit"]["properties"]["files"]["items"]["properties"]["facts"]["properties"]
    assert of_file["link_leaves_tree"]["const"] is False
    of_file["link_leaves_tree"]["const"] = True
    monkeypatch.setitem(library._read, library.rule_path("links-inside-tree"), edited)
    assert any("links-inside-tree" in each for each in found_at_standard(histories.every_kind(), repo))


def test_a_fact_that_is_made_of_too_much_is_told_by_this_family(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a name that is nowhere else conflicts with itself."""
    monkeypatch.setattr("mgit_hooks.gatekeeper.facts._case_conflicts", lambda files, tree, objects: [["a", "a"]])
    assert any("case-conflicts" in each for each in found_at_standard(histories.every_kind(), repo))


def test_the_library_reads_what_git_reads(repo: Repo) -> None:
    repo.commit("one", {"small": "small\n", "empty": "", "large": b"x" * (LIMIT + 10), "text": CONFLICT})
    repo.git("gc", "-q")
    loose = repo.commit("two", {"small": "other\n"})
    here = locate(repo.path)
    by_library, by_git = Blobs(here), Objects(here.root)
    names = [loose, *(f"HEAD:{name}" for name in ("small", "empty", "large", "text")), "HEAD^{tree}", "HEAD~1:small"]
    oids = [Oid(repo.git("rev-parse", name)) for name in names]
    for oid in (*oids, Oid("1" * 40), Oid("12"), Oid("1" * 64)):
        assert by_library.beginning(oid) == by_git.beginning(oid)
    assert by_library.beginning(oids[3]) == b"x" * LIMIT
    lost = Oid(repo.git("hash-object", "-w", "--stdin", stdin=b"lost"))
    damaged = Path(repo.path, ".git/objects", lost[:2], lost[2:])
    damaged.chmod(0o644)
    damaged.write_bytes(b"damaged")
    assert by_library.beginning(lost) is by_git.beginning(lost) is None
    by_library.close()
    by_git.close()
