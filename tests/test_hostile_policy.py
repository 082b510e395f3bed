"""Hostile and broken policies, messages and pushes before the real hooks: each ends soon, in little memory, with one
clear message, and stops git unless whoever runs it said otherwise."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Repo

from mgit_hooks.installer import stubs
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.layout import locate
from mgit_hooks.recorder import event, spool
from mgit_hooks.recorder.event import Verdict

SECONDS = 10.0
"""Processor time of git and all of its hooks. What backtracks is ended after one second."""
PEAK = 256 * 1024
"""KiB that the largest of these processes may have resident."""

AFTERWARDS = ("post-commit", "post-merge", "post-rewrite", "post-checkout")
# In a process of its own: one that was forked off pytest starts with the memory of that.
MEASURE = """
import json, os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    json.dump([used.ru_utime + used.ru_stime, used.ru_maxrss], file)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Done(NamedTuple):
    code: int
    said: str  # on standard error


def measured(repo: Repo, *arguments: str, seconds: float = SECONDS, **env: str) -> Done:
    """Run git, and hold it and its hooks to the bounds."""
    costs = Path(repo.path).parent / "costs"
    command = [sys.executable, "-I", "-S", "-c", MEASURE, str(costs), "git", "-C", repo.path, *arguments]
    # Whoever runs over three times the bound is ended by the kernel, not by a clock that a busy machine upsets.
    limit = f'ulimit -t {int(3 * seconds)}; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", limit, "sh", *command], capture_output=True, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip
    processor, peak = json.loads(costs.read_text())
    assert processor < seconds, f"{processor:.1f} s of processor time"
    assert peak < PEAK, f"{peak} KiB"
    return Done(done.returncode, done.stderr.decode())


def one_message(said: str, expected: str, lines: int = 12) -> None:
    """One line says what is wrong and of what file, in a form that fits on a terminal; hints say what to do."""
    assert "Traceback" not in said
    ours = [line for line in said.splitlines() if line.startswith("mgit-hooks:")]
    assert len(ours) == 1, said
    assert re.search(expected, said), said
    assert len(said.splitlines()) <= lines
    assert max(map(len, said.splitlines())) < 1000
    assert "--no-verify" in said, "the way to skip it"


@pytest.fixture
def guarded(repo: Repo) -> Repo:
    """A repository with the hooks, no drain, and no policy but the default."""
    repo.commit("one", {"a": "1\n"})
    install(locate(repo.path), python=sys.executable, boot=boot_path())
    for hook in AFTERWARDS:
        os.unlink(os.path.join(repo.path, ".git", "hooks", hook))
    return repo


def rule(schema: object, name: str = "r", **more: object) -> str:
    keys = {"id": name, "strategy": "abort", "message": "Mend it.", **more}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return f"[[rules]]\n{lines}schema = {inline(schema)}\n"


def inline(value: object) -> str:
    """JSON as TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {inline(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def message_rule(**schema: object) -> str:
    return rule({"properties": {"commit": {"properties": {"message": schema}}}})


def policy(text: str) -> Callable[[Repo], None]:
    return lambda repo: repo.write(".mgit-hooks.toml", text)


# What a worktree brings


def loosens(repo: Repo) -> None:
    user = Path(repo.path, ".git", "user.toml")
    user.write_text(message_rule(maxLength=3))
    repo.git("config", "mgit.rules", str(user))
    repo.git("config", "mgit.enforce", "true")
    off = '[[rules]]\nid = "r"\nenabled = false\n'
    repo.write(".mgit-hooks.toml", f'level = "basic"\nstrategy = "ignore"\nenforce = false\nfail = "open"\n{off}')


def runs_code(repo: Repo) -> None:
    """As a package that is named, and whose import would leave a file."""
    repo.write("acme_rules/__init__.py", "open('pwned', 'w')\n")
    repo.write("acme_rules/rules.toml", "")
    repo.write(".mgit-hooks.toml", 'extends = ["acme_rules"]\n')


def yaml_rules(repo: Repo) -> None:
    repo.write(".git/rules.yaml", "rules:\n  - id: r\n")
    repo.git("config", "mgit.rules", str(Path(repo.path, ".git", "rules.yaml")))


def broken_package(repo: Repo) -> None:
    """Where the hooks' interpreter finds packages: its import would fail, and what is read of it is no TOML."""
    above = Path(repo.path).parent
    package = above / "site" / "acme_rules"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError\n")
    (package / "rules.toml").write_text("rules: []\n")
    python = above / "python"
    python.write_text(f'#!/bin/sh\nshift\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    install(locate(repo.path), python=str(python), boot=boot_path())
    for hook in AFTERWARDS:
        Path(repo.path, ".git", "hooks", hook).unlink(missing_ok=True)
    repo.write(".mgit-hooks.toml", 'extends = ["acme_rules"]\n')


def huge_schema(repo: Repo) -> None:
    with open(Path(repo.path, "huge.json"), "wb") as file:
        file.write(b'{"enum": [')
        file.write(b"1," * (25 << 20))
        file.write(b"1]}")
    repo.write(".mgit-hooks.toml", '[[rules]]\nid = "r"\nschema = "huge.json"\n')


def huge_policy(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", "# comment\n" * (5 << 20))


def deep(repo: Repo) -> None:
    repo.write("deep.json", '{"not":' * 100_000 + "{}" + "}" * 100_000)
    repo.write(".mgit-hooks.toml", '[[rules]]\nid = "r"\nschema = "deep.json"\n')


def crowd_of_large_schemas(repo: Repo) -> None:
    """A thousand rules, each of which takes in the same large file: read once, and a thousand times in memory."""
    large = {"$defs": {f"d{n}": {"type": "string", "maxLength": n} for n in range(20_000)}}
    repo.write("large.json", json.dumps(large))
    rules = "".join(rule({"$ref": "large.json#/$defs/d1"}, f"r{n}") for n in range(900))
    repo.write(".mgit-hooks.toml", rules)


def crowd_of_wide_schemas(repo: Repo) -> None:
    """A small text each, and for the compiler as much as one schema may be."""
    defs: dict[str, object] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(13)}
    wide = {"$ref": "#/$defs/d0", "$defs": {**defs, "d13": {"minProperties": 0}}}
    repo.write("wide.json", json.dumps(wide))
    repo.write(".mgit-hooks.toml", "".join(f'[[rules]]\nid = "r{n}"\nschema = "wide.json"\n' for n in range(900)))


def doubling(keyword: str) -> object:
    defs: dict[str, object] = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, "d60": False}}


BACKTRACKING = r"rule r ran out of time \(1 s\)"
POLICIES: list[tuple[str, Callable[[Repo], None], str]] = [
    ("loosens", loosens, r"rule r: message has \d+ characters, more than 3"),
    ("names a command", policy('command = "touch pwned"\n'), r"\.mgit-hooks\.toml:1: unknown key 'command'"),
    (
        "names a command in a rule",
        policy('[[rules]]\nid = "r"\nrun = "touch pwned"\nschema = {}\n'),
        r"\.mgit-hooks\.toml:\d: unknown key 'run'",
    ),
    ("names a package beside it", runs_code, r"extends 'acme_rules', which is no set of ours"),
    ("absolute $ref", policy(rule({"$ref": "/etc/passwd"})), r"rule 'r': its schema /etc/passwd is outside"),
    ("$ref upwards", policy(rule({"$ref": "../../x.json"})), r"rule 'r': its schema \.\./\.\./x\.json is outside"),
    ("$ref to a file URL", policy(rule({"$ref": "file:///etc/passwd"})), r"refers to file:///etc/passwd, which is not"),
    ("remote $ref", policy(rule({"$ref": "https://127.0.0.1:1/s.json"})), r"refers to https://127\.0\.0\.1:1/s\.json"),
    ("schema that is itself", policy(rule({"$ref": "#"})), r"rule 'r': its schema refers to itself without end"),
    (
        "schemas that are one another",
        policy(rule({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})),
        r"rule 'r': its schema refers to itself without end",
    ),
    (
        "schema that is in itself",
        policy(rule({"anyOf": [{"$ref": "#"}]})),
        r"rule r could not be judged: RecursionError",
    ),
    ("schema that doubles in allOf", policy(rule(doubling("allOf"))), r"rule r ran out of time \(1 s\)"),
    ("schema that doubles in anyOf", policy(rule(doubling("anyOf"))), r"rule r ran out of time \(1 s\)"),
    ("pattern that backtracks", policy(message_rule(pattern="^(a+)+$")), BACKTRACKING),
    (
        "pattern that backtracks in a keyword of jsonschema's",
        policy(rule({"patternProperties": {"^(([a-z])+.)+[A-Z]([a-z])+$": {}}, "unevaluatedProperties": True})),
        "",
    ),
    ("schema of 50 MB", huge_schema, r"huge\.json: larger than 1048576 bytes"),
    ("policy of 50 MB", huge_policy, r"\.mgit-hooks\.toml: larger than 1048576 bytes"),
    ("deeply nested schema", deep, r"deep\.json: nested too deeply"),
    ("deeply nested policy", policy("a = " + "[" * 100_000), r"\.mgit-hooks\.toml: nested too deeply"),
    ("rules in YAML", yaml_rules, r"rules\.yaml:1:\d+: Expected '='.*\nhint: .*YAML is not read"),
    ("a broken package", broken_package, r"rules\.toml:1:\d+: "),
    ("no TOML", policy("level: strict\n"), r"\.mgit-hooks\.toml:1:\d+: Expected '='"),
    ("not UTF-8", lambda repo: repo.write(".mgit-hooks.toml", b'level = "\xff"\n'), r"\.mgit-hooks\.toml:1: not UTF-8"),
    ("a NUL", policy("level\0 = 3\n"), r"\.mgit-hooks\.toml:1:\d+: "),
    ("a list where a text belongs", policy('level = ["strict"]\n'), r"\.mgit-hooks\.toml:1: level is not one of"),
    ("a table where a list belongs", policy("[rules]\nid = 3\n"), r"\.mgit-hooks\.toml:1: rules is not of type array"),
    ("a number for an id", policy("[[rules]]\nid = 3\n"), r"\.mgit-hooks\.toml:2: id is not of type string"),
    ("a schema that is a number", policy('[[rules]]\nid = "r"\nschema = 3\n'), r"\.mgit-hooks\.toml:3: schema "),
    ("a keyword of the wrong shape", policy(rule({"required": 3})), r"its schema is wrong at /required"),
    ("unknown key", policy('stratgy = "abort"\n'), r"unknown key 'stratgy'\nhint: did you mean 'strategy'\?"),
    ("unknown event", policy(rule({}, events=["comit"])), r"\.mgit-hooks\.toml:\d: .*comit"),
    ("unknown keyword", policy(message_rule(patern="^x")), r"unknown schema keyword 'patern'\nhint: .*'pattern'"),
    ("bad pattern", policy(message_rule(pattern="(")), r"rule 'r': bad pattern '\('"),
    ("two rules with one id", policy(rule({}) + rule({})), r"rule 'r': this id is given twice"),
    ("a thousand large schemas", crowd_of_large_schemas, r"rule 'r\d+': with it the rules' schemas are too large"),
    ("a thousand wide schemas", crowd_of_wide_schemas, r"rule 'r\d+': with it the rules' schemas are too large"),
]


@pytest.mark.parametrize(("plant", "says"), [case[1:] for case in POLICIES], ids=[case[0] for case in POLICIES])
def test_a_hostile_policy_of_a_worktree_ends_in_one_message(
    guarded: Repo, plant: Callable[[Repo], None], says: str
) -> None:
    plant(guarded)
    guarded.git("add", "-A")
    done = measured(guarded, "commit", "-q", "-m", "a" * 40 + "!")
    if not says:  # nothing to find, and found soon
        assert (done.code, done.said) == (0, "")
        return
    one_message(done.said, says)
    assert done.code == 1
    assert guarded.git("log", "--format=%s") == "one"
    assert not Path(guarded.path, "pwned").exists()


def test_a_policy_that_cannot_be_read_stops_git_unless_the_user_says_otherwise(guarded: Repo) -> None:
    guarded.write(".mgit-hooks.toml", 'fail = "open"\nstratgy = "abort"\n')
    guarded.git("add", "-A")
    one_message(measured(guarded, "commit", "-q", "-m", "two").said, "git stops here: .*unknown key 'stratgy'")
    assert guarded.git("log", "--format=%s") == "one"
    for number, (env, words) in enumerate([({"MGIT_FAIL": "open"}, ()), ({}, ("-c", "mgit.fail=open"))]):
        done = measured(guarded, *words, "commit", "-q", "--allow-empty", "-m", f"open {number}", **env)
        assert done.code == 0
        assert "git goes on: " in done.said
        assert "unknown key 'stratgy'" in done.said
    guarded.git("config", "mgit.fail", "open")
    one_message(
        measured(guarded, "commit", "-q", "--allow-empty", "-m", "x", MGIT_FAIL="closed").said, "git stops here: "
    )
    guarded.write(".mgit-hooks.toml", message_rule(maxLength=3))
    refused = measured(guarded, "commit", "-q", "--allow-empty", "-m", "three")
    one_message(refused.said, "rule r: message has")  # what can be judged is judged


# Messages


SCISSORS = b"two\n# ------------------------ >8 ------------------------\ndiff\n"
MESSAGES: list[tuple[str, bytes, tuple[str, ...], str]] = [
    ("CRLF", b"two\r\n\r\nbody\r\n", (), "two\n\nbody\n"),
    ("a BOM", "\ufefftwo\n".encode(), (), "\ufefftwo\n"),
    ("Latin-1 as git was told", "zwölf\n".encode("latin-1"), ("i18n.commitEncoding=ISO-8859-1",), "zwölf\n"),
    ("Latin-1 as it comes", "zwölf\n".encode("latin-1"), (), "zwölf\n"),
    ("Shift JIS", "二番\n".encode("shift-jis"), ("i18n.commitEncoding=SHIFT-JIS",), "二番\n"),
    ("UTF-16 in a message of UTF-8", "t\udcff\n".encode("utf-8", "surrogateescape"), (), "t\u00ff\n"),
    ("comments", b"two\n# no\n; yes\n", ("commit.cleanup=strip",), "two\n; yes\n"),
    ("other comments", b"two\n# yes\n; no\n", ("commit.cleanup=strip", "core.commentChar=;"), "two\n# yes\n"),
    ("comments that are kept", b"\n\ntwo\n# yes\n\n\n", ("commit.cleanup=whitespace",), "two\n# yes\n"),
    ("verbatim", b"\n\ntwo  \n# yes\n\n\n", ("commit.cleanup=verbatim",), "\n\ntwo  \n# yes\n\n\n"),
    ("scissors", SCISSORS, ("commit.cleanup=scissors",), "two\n"),
    ("a megabyte on one line", b"x" * (1 << 20) + b"\n", (), "x" * (1 << 20) + "\n"),
    ("a hundred thousand lines", b"x\n" * 100_000, (), "x\n" * 100_000),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "told", "stored"), [case[1:] for case in MESSAGES], ids=[case[0] for case in MESSAGES])
def test_a_message_is_judged_as_git_stores_it(guarded: Repo, raw: bytes, told: tuple[str, ...], stored: str) -> None:
    """One rule lets this message alone pass, another one finds it."""
    guarded.git("config", "mgit.level", "basic")
    rules = Path(guarded.path, ".git", "rules.json")
    guarded.git("config", "mgit.rules", str(rules))
    this = {"const": stored} if len(stored) < 1000 else {"minLength": len(stored), "maxLength": len(stored)}
    asked = {"only-this": this, "none-of-this": {"not": this}}
    about = {name: {"properties": {"commit": {"properties": {"message": schema}}}} for name, schema in asked.items()}
    entries = [{"id": name, "strategy": "abort", "schema": schema} for name, schema in about.items()]
    rules.write_text(json.dumps([{**entry, "enforce": entry["id"] == "only-this"} for entry in entries]))
    message = Path(guarded.path).parent / "message"
    message.write_bytes(raw)
    options = [word for each in told for word in ("-c", each)]
    edited = ("-e",) if "commit.cleanup=scissors" in told else ()  # only then does git look for them
    done = measured(guarded, *options, "commit", "-q", "--allow-empty", *edited, "-F", str(message))
    assert (done.code, re.findall(r"rule ([a-z-]+):", done.said)) == (0, ["none-of-this"]), done.said
    digest = hashlib.sha256(guarded.run("cat-file", "commit", "HEAD").stdout.partition(b"\n\n")[2]).hexdigest()
    (verdict,) = [said for said in verdicts(guarded) if said.stage == "commit-msg"]
    assert (verdict.status, verdict.message_sha256) == ("passed", digest)


def verdicts(repo: Repo) -> list[Verdict]:
    told = spool.read(os.path.join(repo.path, ".git", "mgit", "spool"), None).events
    return [event.verdict(said) for said in told if said.hook == "gate"]


def test_a_message_with_a_nul_is_judged_and_refused_by_git_itself(guarded: Repo) -> None:
    guarded.write(".mgit-hooks.toml", message_rule(pattern="^two"))
    guarded.git("add", "-A")
    message = Path(guarded.path).parent / "message"
    message.write_bytes(b"t\0wo\n")
    done = measured(guarded, "commit", "-q", "-F", str(message))
    assert done.code != 0
    assert "Traceback" not in done.said
    assert guarded.git("log", "--format=%s") == "one"


# Pushes


def test_a_push_of_ten_thousand_refs(guarded: Repo, bare: Repo) -> None:
    install(locate(bare.path), python=sys.executable, boot=boot_path(), asked_for=stubs.SERVER)
    one = guarded.git("rev-parse", "HEAD")
    lines = "".join(f"create refs/heads/many/{number:05} {one}\n" for number in range(10_000))
    guarded.git("update-ref", "--stdin", stdin=lines.encode())
    rules = rule(
        {"properties": {"push": {"properties": {"refs": {"items": {"properties": {
            "remote_ref": {"not": {"const": "refs/heads/many/09999"}}}}}}}}},
        events=["push"],
    )  # fmt: skip
    for repo in (guarded, bare):
        path = Path(repo.git("rev-parse", "--absolute-git-dir"), "rules.toml")
        path.write_text(rules)
        repo.git("config", "mgit.rules", str(path))
    refused = measured(guarded, "push", "-q", bare.path, "refs/heads/many/*:refs/heads/many/*", seconds=30)
    one_message(refused.said.partition("error: failed")[0], r"rule r: .*/push/refs/9999/remote_ref")
    there = measured(guarded, "push", "-q", "--no-verify", bare.path, "refs/heads/many/*:refs/heads/many/*", seconds=30)
    assert there.code != 0
    assert "remote: mgit-hooks: push refused: 1 finding" in there.said
    assert bare.git("for-each-ref") == ""
