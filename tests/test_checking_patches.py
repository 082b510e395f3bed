"""Patches and mboxes: judged as the commits that ``git am`` would make of them, and never applied."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.checking import diffheaders, patches
from mgit_hooks.layout import locate
from mgit_hooks.record import Json

RULES = """
[[rules]]
id = "short"
events = ["am"]
schema.properties.commit.properties.message.maxLength = 12

[[rules]]
id = "no-link"
schema.properties.commit.properties.files.items.properties.new_mode.not.const = "120000"

[[rules]]
id = "lines"
severity = "warning"
schema.properties.commit.properties.files.items.properties.additions.maximum = 2

[[rules]]
id = "nothing-new"
severity = "info"
schema.properties.commit.properties.files.items.properties.size_bytes.const = 0
"""
# What a patch tells of a file; the rest is unknown.
TOLD = ("filename", "filename_bytes", "old_filename", "old_filename_bytes", "change_type", "index_status", "binary")
KNOWN = (*TOLD, "additions", "deletions")


@pytest.fixture
def many(repo: Repo) -> Repo:
    """Commits with every kind of change that a patch can hold."""
    text = "".join(f"line {number}\n" for number in range(30))
    repo.commit("first", {"a": text, "b c": text, "gone": "x\n", "größe": text, "exec": "#!/bin/sh\n", "bin": b"\0\1"})
    repo.commit("Modify", {"a": text + "more\n--- a/b\n+++ b/b\n@@ -1 +1 @@\ndiff --git a/x b/x\n", "bin": b"\0\2"})
    repo.git("mv", "b c", "d e")
    repo.git("mv", "größe", "new\nline")
    os.remove(os.path.join(repo.path, "gone"))
    os.chmod(os.path.join(repo.path, "exec"), 0o700)
    os.symlink("a", os.path.join(repo.path, "link"))
    repo.write("empty", "")
    repo.write(os.fsdecode(b'\xff "quoted"\t'), "x\r\ny\r\nz")
    repo.write("new\nline", text + "changed\n")
    repo.commit("Größe: ändern", GIT_AUTHOR_NAME="Ådå L.", GIT_AUTHOR_DATE="2020-02-03T04:05:06+0530")
    repo.git("rm", "-q", "link")
    repo.write("link", "a file now\n")
    repo.write("sub/- - a/b", "-- a\n++ b\n")
    repo.commit("A very long subject that " + "goes on and " * 12 + "ends", {"a": "--- a\n"})
    repo.git("rm", "-q", "sub/- - a/b")
    repo.commit("Last\n\nBody with a\n\n> From someone\nFrom me\n")
    return repo


def files(value: Json) -> list[dict[str, Any]]:
    return [{name: each.get(name) for name in KNOWN} for each in value["commit"]["files"]]


def mbox(repo: Repo, *args: str) -> bytes:
    out: bytes = repo.run("format-patch", "--stdout", *args).stdout
    return out


def test_a_patch_tells_what_its_commit_does(many: Repo, tmp_path: Path) -> None:
    """Over each commit: the files as capture has them, author, date and message as the commit has them."""
    (tmp_path / "all.mbox").write_bytes(mbox(many, "--root", "-M", "--no-signature", "HEAD"))
    told = list(patches.read("all.mbox", str(tmp_path / "all.mbox"), locate(many.path), several=True))
    oids = many.git("rev-list", "--reverse", "HEAD").split()
    capturer = Capturer(locate(many.path).common_dir)
    assert len(told) == len(oids) == 5
    for number, (each, oid) in enumerate(zip(told, oids, strict=True), 1):
        assert each.candidate is not None
        assert each.subject.name == f"all.mbox#{number}"
        value, commit = each.candidate.value, capturer.commit(oid).to_json()
        if "link" in {file["filename"] for file in commit["files"] if file["index_status"] == "T"}:
            # a patch has the one file going and the other coming
            names = [(f["filename"], f["index_status"]) for f in value["commit"]["files"] if f["filename"] == "link"]
            assert names == [("link", "D"), ("link", "A")]
        else:
            assert files(value) == sorted(files({"commit": commit}), key=order(value))
        for name in ("author_name", "author_email", "date", "message"):
            assert value["commit"][name] == commit[name], name
        for place in filter(lambda each: each.startswith("/commit/"), each.candidate.unknown):
            assert found_at(value, place) in (None, "0" * 40), place
        for file, known in zip(value["commit"]["files"], commit["files"], strict=False):
            for mode in ("old_mode", "new_mode"):
                assert file[mode] in (None, known[mode]) or file["filename"] == "link"


def order(value: Json) -> Any:
    names = [each["filename"] for each in value["commit"]["files"]]
    return lambda each: names.index(each["filename"])


def found_at(value: Any, place: str) -> Any:
    for word in place.split("/")[1:]:
        value = None if value is None else value[int(word)] if isinstance(value, list) else value.get(word)
    return value


def test_mails_are_judged_as_am_makes_commits_of_them(many: Repo, mgit: Any, tmp_path: Path) -> None:
    many.write(".git/rules.toml", RULES)
    many.git("config", "mgit.rules", os.path.join(many.path, ".git/rules.toml"))
    series = tmp_path / "series.mbox"
    series.write_bytes(mbox(many, "--root", "--binary", "HEAD"))
    told = mgit("-C", many.path, "check", "--mbox", str(series), "--json")
    many.git("checkout", "-q", "--orphan", "applied")
    many.git("rm", "-rqf", ".")
    many.git("am", "-q", "--keep-non-patch", str(series))
    made = mgit("-C", many.path, "check", "HEAD", "--json")
    ours = ("short", "no-link", "lines")
    assert judged(told, ours) == judged(made, ours)
    assert {each[0] for each in judged(made, ours)} == set(ours)
    assert {file for _, file, _ in judged(told, ("nothing-new",))} == {
        "gone",
        "link",
        "sub/- - a/b",
    }  # which it takes away
    assert len(judged(made, ("nothing-new",))) > 3
    assert told.code == made.code == 1


def judged(told: Any, rules: tuple[str, ...]) -> list[tuple[str, str, str]]:
    found = [(each["rule"], each["file"], each["message"]) for each in told.json[0]["findings"]]
    return sorted((rule, file or "", message) for rule, file, message in found if rule in rules)


def test_a_patch_is_not_applied(many: Repo, mgit: Any) -> None:
    patch = mbox(many, "-1", "HEAD~1")
    many.git("checkout", "-q", "HEAD~2")
    status = many.git("status", "--porcelain")
    Path(many.path, ".git/p.patch").write_bytes(patch)
    assert mgit("-C", many.path, "check", "--patch", ".git/p.patch").code == 0
    assert many.git("status", "--porcelain") == status


@pytest.mark.parametrize("options", [(), ("--no-prefix", "--src-prefix=a/", "--dst-prefix=b/"), ("--full-index",)])
def test_a_plain_diff_has_files_and_no_more(many: Repo, mgit: Any, options: tuple[str, ...]) -> None:
    many.write(".git/rules.toml", RULES)
    many.git("config", "mgit.rules", os.path.join(many.path, ".git/rules.toml"))
    Path(many.path, ".git/plain.diff").write_bytes(many.run("diff", *options, "HEAD~3", "HEAD~2").stdout)
    told = mgit("-C", many.path, "check", "--patch", ".git/plain.diff", "--json")
    assert {each["rule"] for each in told.json[0]["findings"]} >= {"no-link", "lines"}
    assert "short" not in {each["rule"] for each in told.json[0]["findings"]}


def test_the_diff_of_diff(repo: Repo, mgit: Any) -> None:
    """GNU diff's: no header of git's, times behind the names."""
    repo.commit("one")
    text = (
        b"only in a: x\n--- a/old file.c\t2020-01-01 00:00:00.0 +0000\n+++ b/old file.c\t2020-01-02 00:00:00.0 +0000\n"
        b"@@ -1,3 +1,3 @@\n one\n--- two\n+++ two\n\n--- /dev/null\t1970-01-01 00:00:00.0 +0000\n"
        b"+++ b/new.c\t2020-01-02 00:00:00.0 +0000\n@@ -0,0 +1 @@\n+x\n"
    )
    Path(repo.path, "p.diff").write_bytes(text)
    (told,) = patches.read("p.diff", os.path.join(repo.path, "p.diff"), locate(repo.path), several=False)
    assert told.candidate is not None
    assert [(f["filename"], f["index_status"], f["additions"]) for f in told.candidate.value["commit"]["files"]] == [
        ("old file.c", "M", 1),
        ("new.c", "A", 1),
    ]


# Hostile

FIRST = b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
MAIL = FIRST + b"From: A <a@b>\nDate: %b\nSubject: [PATCH] x\n\n---\n%b"
PATCH = b"diff --git a/f b/f\nnew file mode 100644\nindex 0000000..7898192\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n"
DATE = b"Mon, 21 Sep 2026 20:00:00 +0200"


@pytest.mark.parametrize(
    ("flag", "raw", "said"),
    [
        ("--mbox", b"", "is empty"),
        ("--patch", b" \n\n", "is empty"),
        ("--mbox", b"no mail at all\n" * 10, "is no mbox"),
        ("--mbox", bytes(range(256)) * 1000, "is no mbox"),
        ("--patch", bytes(range(256)) * 1000, "cannot read"),
        ("--patch", b"no patch at all\n", "cannot read its patch"),
        ("--patch", b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1,99 @@\n-a\n+b\n", "corrupt patch"),
        ("--patch", PATCH.replace(b"100644", b"99999999999"), "mode"),
        ("--patch", b"diff --git a/f b/f\nold mode 100644\nnew mode \xff\n", "mode"),
        ("--patch", b"--- a/" + b"x" * 5_000_000 + b"\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n", ""),
        ("--mbox", MAIL % (DATE, b"@@ -1 +1 @@\n-a\n+b\n"), "fragment without header"),
        ("--mbox", FIRST + b"X: y\n" * 300_000 + b"\n", ""),
        ("--mbox", FIRST + b"Subject: =?utf-8?q?" + b"x" * 3_000_000 + b"\n\nbody\n---\n" + PATCH, ""),
    ],
)  # fmt: skip
def test_what_git_cannot_read_is_one_message_and_soon(repo: Repo, mgit: Any, flag: str, raw: bytes, said: str) -> None:
    repo.commit("one")
    Path(repo.path, "bad").write_bytes(raw)
    began = time.process_time()
    told = mgit("-C", repo.path, "check", flag, "bad")
    assert time.process_time() - began < 20
    assert told.code == 2 if said else told.code in (0, 1, 2)
    assert said in told.err
    assert told.err.count("\n") <= (2 if said else 3)
    assert len(told.err) < 1000


@pytest.mark.parametrize(
    "date", [b"the day after", b"", b"Mon, 99 Foo 2026 99:99:99 +9999", b"Mon, 21 Sep 99999999 20:00:00", b"\xff"]
)
def test_a_date_that_is_none_is_unknown(repo: Repo, mgit: Any, date: bytes) -> None:
    repo.commit("one")
    repo.write(".git/rules.toml", '[[rules]]\nid = "dated"\nschema.properties.commit.properties.date.pattern = "^2"\n')
    repo.git("config", "mgit.rules", os.path.join(repo.path, ".git/rules.toml"))
    Path(repo.path, "mail").write_bytes(MAIL % (date, PATCH))
    told = mgit("-C", repo.path, "check", "--mbox", "mail", "--json")
    assert (told.code, told.json[0]["findings"]) == (0, [])
    assert "its date cannot be read" in told.err
    Path(repo.path, "mail").write_bytes(MAIL % (DATE, PATCH))
    told = mgit("-C", repo.path, "check", "--mbox", "mail", "--json")
    assert told.json[0]["judged"] == 1
    assert "date" not in told.err


def test_an_mbox_with_crlf_is_read_as_one_without(many: Repo, tmp_path: Path) -> None:
    raw = mbox(many, "-2", "--no-binary", "HEAD")
    location = locate(many.path)
    told = []
    for name, text in (("lf", raw), ("crlf", raw.replace(b"\n", b"\r\n"))):
        (tmp_path / name).write_bytes(text)
        read = list(patches.read(name, str(tmp_path / name), location, several=True))
        told.append([each.candidate.value for each in read if each.candidate is not None])
    assert len(told[0]) == 2
    assert told[0] == told[1]


def test_ten_thousand_files_are_judged_in_seconds(repo: Repo, mgit: Any) -> None:
    repo.commit("one")
    repo.write(".git/rules.toml", RULES)
    repo.git("config", "mgit.rules", os.path.join(repo.path, ".git/rules.toml"))
    each = "diff --git a/f{0} b/f{0}\nnew file mode 120000\n--- /dev/null\n+++ b/f{0}\n@@ -0,0 +1 @@\n+x\n"
    Path(repo.path, "many.patch").write_text("".join(each.format(number) for number in range(10_000)))
    began = time.process_time()
    told = mgit("-C", repo.path, "check", "--patch", "many.patch", "--json")
    assert len(told.json[0]["findings"]) == 10_000
    assert time.process_time() - began < 60


def test_a_mail_without_a_patch_is_passed_over_and_said_to_be(repo: Repo, mgit: Any) -> None:
    repo.commit("one")
    Path(repo.path, "mail").write_bytes(MAIL % (DATE, b"") + MAIL % (DATE, PATCH))
    told = mgit("-C", repo.path, "check", "--mbox", "mail", "--json")
    assert (told.code, told.json[0]["judged"]) == (0, 1)
    assert "mail#1 has no patch in it: not judged" in told.err


def test_a_patch_that_reads_in_two_ways_is_refused(repo: Repo, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: a reader of headers that takes a line of a hunk for a header."""
    repo.commit("one")
    text = PATCH.replace(b"+1 @@\n+a\n", b"+1,2 @@\n+a\n+b\n") + PATCH.replace(b"f\n", b"g\n").replace(b"f b", b"g b")
    Path(repo.path, "p").write_bytes(text)
    assert mgit("-C", repo.path, "check", "--patch", "p").code == 0
    read = diffheaders.headers
    monkeypatch.setattr(diffheaders, "headers", lambda patch: read(patch)[:1])
    told = mgit("-C", repo.path, "check", "--patch", "p")
    assert (told.code, "can be read in two ways: 2 files by one reading and 1 by another" in told.err) == (2, True)
    monkeypatch.setattr(diffheaders, "headers", lambda patch: read(patch)[::-1])
    told = mgit("-C", repo.path, "check", "--patch", "p")
    assert (told.code, "can be read in two ways" in told.err) == (2, True)


def test_the_texts_of_a_patch_do_not_reach_the_terminal_raw(repo: Repo, mgit: Any) -> None:
    repo.commit("one")
    repo.write(".git/rules.toml", RULES)
    repo.git("config", "mgit.rules", os.path.join(repo.path, ".git/rules.toml"))
    raw = MAIL.replace(b"[PATCH] x", b"[PATCH] much too long \x1b[31m") % (DATE, PATCH)
    Path(repo.path, "mail\x1b[31m").write_bytes(raw)
    told = mgit("-C", repo.path, "check", "--mbox", "mail\x1b[31m")
    assert told.code == 1
    assert "\x1b" not in told.out + told.err
    assert json.dumps(told.out)
