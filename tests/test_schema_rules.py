"""``schema check``, ``test`` and ``show``, ``config explain``; and that the library's files decide at every entry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import library, rulefiles, schemas
from mgit_hooks.judging.parameters import Filler

ROOT = Path(__file__).resolve().parents[1]

SOUND = """
[[rules]]
id = "ticket"
message = "Name a ticket of ${projects}."
schema.properties.commit.properties.message.pattern = "(${projects})-[0-9]"
parameters.projects = { default = ["WEB", "A.B"], type = "array", items = { type = "string" } }
examples.good = [{ commit = { message = "WEB-12: Subject" } }, { commit = { message = "A.B-1" } }]
examples.bad = [{ commit = { message = "Subject" } }, { commit = { message = "AxB-1" } }]
"""


# schema check

CHECKS = [
    ("", [], []),
    (SOUND, [], []),
    ('[[rules]]\nid = "a"\nschema = { patern = "x" }\n', ["unknown schema keyword 'patern'"], []),
    (
        '[[rules]]\nid = "a"\nschema = { pattern = "(" }\n[[rules]]\nid = "b"\nschema = { minLength = "x" }\n',
        ["rule 'a': bad pattern", "rule 'b': its schema is wrong at /minLength"],
        [],
    ),
    ('[[rules]]\nid = "a"\nschema = { pattern = "^(a+)+$" }\n', [], ["'^(a+)+$' has no bound"]),
    ('[[rules]]\nid = "a"\nstrategy = "abort"\nschema = {}\n', [], ["refuses and does not say what to do"]),
    ('[[rules]]\nid = "a"\nevents = ["push"]\nschema.properties.commit = {}\n', [], ["looks at commit, which none"]),
    ('[[rules]]\nid = "a"\nevents = ["comit"]\nschema = {}\n', ['is not one of'], []),
    (SOUND.replace('message = "WEB', 'mesage = "WEB'), [], ["good example 1: no record has 'mesage'"]),
    (SOUND.replace('{ commit = { message = "Subject" } }', "3"), [], ["bad example 1 is no value and no part of one"]),
    (SOUND.replace("Subject", "S", 1).replace('"WEB-12: S"', "12"), [], ["good example 1: /commit/message"]),
    ("[[rules]]\nid = \n", ["Invalid value"], []),
    ('extends = ["gone.toml"]\n', ["there is no rule file"], []),
    (SOUND.replace("${projects})", "${project})"), ["unknown parameter 'project'"], []),
    (SOUND.replace('"(${projects})-[0-9]"', '{ x-parameter = "projects", a = 1 }'), ["beside other keywords"], []),
    (SOUND.replace('["WEB", "A.B"]', "3"), ["'projects' is not of type array: 3"], []),
    (SOUND.replace('["WEB", "A.B"]', "[{}]").replace(', items = { type = "string" }', ""), ["stand in a text"], []),
    (SOUND.replace('default = ["WEB", "A.B"], ', ""), ["'projects' has no value"], []),
    (SOUND.replace('type = "array"', '"$ref" = "#"'), ["'projects' has a $ref"], []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "errors", "warnings"), CHECKS)
def test_check_says_what_is_wrong_with_rules(
    tmp_path: Path, mgit: Any, text: str, errors: list[str], warnings: list[str]
) -> None:
    (tmp_path / "rules.toml").write_text(text)
    told = mgit("-C", str(tmp_path), "schema", "check", "rules.toml", "--json")
    found = {kind: [each for each in told.json if each["severity"] == kind] for kind in ("error", "warning")}
    assert [len(found["error"]), len(found["warning"])] == [len(errors), len(warnings)], told.out
    assert all(said in each["message"] for said, each in zip(errors, found["error"], strict=True)), told.out
    assert all(said in each["message"] for said, each in zip(warnings, found["warning"], strict=True)), told.out
    assert told.code == bool(errors)
    plain = mgit("-C", str(tmp_path), "schema", "check", "rules.toml")
    assert plain.out.count("\n") == len(errors) + len(warnings)
    assert str(tmp_path) in plain.out or not plain.out


@pytest.mark.parametrize("word", ["check", "test", "show"])
@pytest.mark.parametrize("name", ["nothing-such", "gone.toml", "sub/gone"])
def test_what_is_not_there_is_a_slip_of_the_command_line(tmp_path: Path, mgit: Any, word: str, name: str) -> None:
    told = mgit("-C", str(tmp_path), "schema", word, name)
    assert (told.code, told.out, "hint: " in told.err) == (2, "", True)


def test_a_worktrees_own_file_is_checked_as_one(repo: Repo, mgit: Any) -> None:
    repo.write(".mgit-hooks.toml", 'level = "strict"\nextends = ["/etc/rules.toml"]\n')
    told = mgit("-C", repo.path, "schema", "check", "./.mgit-hooks.toml")
    assert (told.code, "not a file below" in told.out) == (1, True)


# schema test


def test_test_says_which_example_does_not_hold(tmp_path: Path, mgit: Any) -> None:
    (tmp_path / "rules.toml").write_text(SOUND)
    assert mgit("-C", str(tmp_path), "schema", "test", "rules.toml").out == "ticket: 2 good, 2 bad\n"
    wrong = SOUND.replace('"WEB-12: Subject"', '"Subject"').replace('"AxB-1"', '"WEB-2"')
    (tmp_path / "rules.toml").write_text(wrong)
    told = mgit("-C", str(tmp_path), "schema", "test", "rules.toml")
    first, second = told.out.splitlines()
    assert first.startswith("ticket: good example 1 found: rule ticket: message does not match")
    assert (told.code, second) == (1, "ticket: bad example 2 not found")
    (value,) = mgit("-C", str(tmp_path), "schema", "test", "rules.toml", "--json").json
    assert [(each["kind"], each["number"]) for each in value["failures"]] == [("good", 1), ("bad", 2)]


def test_an_example_that_the_rule_cannot_judge_does_not_hold(tmp_path: Path, mgit: Any) -> None:
    endless = 'pattern = "^(a+)+$"'
    bad = f'examples.bad = [{{ commit = {{ message = "{"a" * 40}!" }} }}]'
    text = f'[[rules]]\nid = "r"\nschema.properties.commit.properties.message.{endless}\n{bad}\n'
    (tmp_path / "rules.toml").write_text(text)
    told = mgit("-C", str(tmp_path), "schema", "test", "rules.toml")
    assert (told.code, "ran out of time" in told.out) == (1, True)


# schema show


def test_show_fills_everything_in(repo: Repo, mgit: Any) -> None:
    repo.git("config", "mgit.strategy", "checkpoint")
    (value,) = mgit("-C", repo.path, "schema", "show", "subject-length", "--json").json
    assert (value["severity"], value["strategy"], value["enforce"]) == ("error", "checkpoint", True)
    assert value["parameters"]["most"]["value"] == value["parameters"]["most"]["default"] == 72
    assert "${most}" not in json.dumps(value["schema"])
    assert value["source"] == "urn:mgit-hooks:rule.subject-length"
    repo.write(".mgit-hooks.toml", '[[rules]]\nuse = "subject-length"\nwith = { most = 9 }\nstrategy = "abort"\n')
    (value,) = mgit("-C", repo.path, "schema", "show", "subject-length", "--json").json
    assert (value["strategy"], value["parameters"]["most"]["value"]) == ("abort", 9)
    assert value["origin"] == f"{repo.path}/.mgit-hooks.toml"
    assert (
        "\nparameter most: 9  (characters; default 72)\n"
        in mgit("-C", repo.path, "schema", "show", "subject-length").out
    )
    near = mgit("-C", repo.path, "schema", "show", "subject-lenght")
    assert (near.code, "did you mean 'subject-length'?" in near.err) == (2, True)
    assert mgit("-C", repo.path, "schema", "show").code == 2


def test_the_library_is_listed_and_printed_as_it_is(mgit: Any) -> None:
    listed = mgit("schema").out
    assert all(f"\nrule.{name} " in listed for name in library.rules())
    assert all(f"\nset.{name} " in listed for name in library.sets())
    assert mgit("schema", "rule.dco").code == 2
    (value,) = mgit("schema", "rule.subject-length", "--json").json
    assert value["$id"] == "urn:mgit-hooks:rule.subject-length"
    assert json.loads(mgit("schema", "set.dco").out) == [{"use": "signed-off-by"}]


# config explain


def test_explain_says_what_holds_and_why_the_rest_does_not(repo: Repo, mgit: Any) -> None:
    repo.git("config", "--global", "mgit.level", "strict")
    repo.git("config", "mgit.level", "standard")
    repo.write(".mgit-hooks.toml", 'level = "basic"\nretries = 9\n')
    repo.git("config", "mgit.retries", "1")
    (value,) = mgit("-C", repo.path, "config", "explain", "level", "--json").json
    assert (value["value"], value["default"], value["values"]) == ("standard", "standard", "basic, standard, strict")
    assert [(each["value"], each["holds"], each["because"]) for each in value["said"]] == [
        ("standard", True, None),
        ("strict", False, "a nearer place says otherwise"),
        ("basic", False, "it is no stricter than the user's"),
    ]
    (value,) = mgit("-C", repo.path, "config", "explain", "retries", "--json").json
    assert value["said"][1]["because"] == "a worktree does not change it"
    repo.write(".mgit-hooks.toml", 'level = "strict"\n')
    (value,) = mgit("-C", repo.path, "config", "explain", "level", "--json").json
    assert [each["because"] for each in value["said"]] == ["the worktree's is stricter"] * 2 + [None]
    assert mgit("-C", repo.path, "config", "explain", "level", "--level", "basic").out.count("said: ") == 4


def test_explain_of_a_rule_says_who_brought_it_and_who_was_overruled(repo: Repo, mgit: Any) -> None:
    mine = Path(os.environ["HOME"], "mine.toml")
    mine.write_text('[[rules]]\nuse = "body-width"\n[[rules]]\nuse = "file-size"\n')
    repo.git("config", "--global", "mgit.rules", str(mine))
    repo.write(".mgit-hooks.toml", '[[rules]]\nid = "body-width"\nenabled = false\n')
    (value,) = mgit("-C", repo.path, "config", "explain", "rules.body-width", "--json").json
    assert (value["value"], value["origin"]) == (True, str(mine))
    assert [(each["value"], each["holds"]) for each in value["said"]] == [
        ("a whole rule", True),
        ("switched off", False),
    ]
    told = mgit("-C", repo.path, "config", "explain", "rules.body-widht")
    assert (told.code, "did you mean 'rules.body-width'?" in told.err) == (2, True)
    (value,) = mgit("-C", repo.path, "config", "explain", "rules", "--json").json
    assert {"body-width", "file-size"} <= set(value["value"])


@pytest.mark.parametrize(
    ("words", "hint"), [(("explain",), "rules.ID"), (("explain", "levl"), "'level'"), (("level", "strict"), "explain")]
)
def test_slips_around_explain(repo: Repo, mgit: Any, words: tuple[str, ...], hint: str) -> None:
    told = mgit("-C", repo.path, "config", *words)
    assert (told.code, hint in told.err) == (2, True)


def test_every_key_of_the_configuration_has_a_description_for_editors() -> None:
    document = schemas.load().documents["urn:mgit-hooks:config"]
    for keys in (document["properties"], document["$defs"]["rule"]["properties"]):
        assert [name for name, each in keys.items() if not each.get("description")] == []


# Parameters


@pytest.mark.parametrize(
    ("declared", "pattern", "expected"),
    [
        ({"default": "a.b"}, "^${p}$", "^a\\.b$"),
        ({"default": "a|b", "format": "regex"}, "^${p}$", "^(?:a|b)$"),
        ({"default": ["a.b", "c"]}, "^(${p}):", "^((?:a\\.b|c)):"),
        ({"default": ["a.", "c"], "items": {"format": "regex"}}, "${p}", "(?:a.|c)"),
        ({"default": []}, "^${p}$", "^(?!)$"),
        ({"default": 72}, "^.{1,${p}}$", "^.{1,72}$"),
        ({"default": True}, "${p}", "true"),
    ],
)
def test_a_value_in_a_pattern_is_quoted_unless_it_is_one(declared: Any, pattern: str, expected: str) -> None:
    filler = Filler({"p": declared}, {}, "x")
    assert filler.schema({"pattern": pattern}) == {"pattern": expected}
    assert filler.schema({"patternProperties": {pattern: {}}}) == {"patternProperties": {expected: {}}}


def test_a_value_in_other_places() -> None:
    filler = Filler({"p": {"default": ["a.", "b"]}, "n": {"default": 3}}, {}, "x")
    assert filler.schema({"enum": {"x-parameter": "p"}, "maximum": {"x-parameter": "n"}}) == {
        "enum": ["a.", "b"],
        "maximum": 3,
    }
    assert filler.schema({"enum": ["x", {"x-parameter": "p"}, {"x-parameter": "n"}]}) == {"enum": ["x", "a.", "b", 3]}
    assert filler.schema({"const": {"pattern": "${n}"}, "title": "${p}"}) == {
        "const": {"pattern": "3"},
        "title": "a., b",
    }
    assert filler.text("at most ${n} of ${p}") == "at most 3 of a., b"
    assert Filler({}, {}, "x").text("${HOME}") == "${HOME}"


def test_a_pattern_that_breaks_out_of_its_place_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"bad pattern 'a\)\|\(b'"):
        Filler({"p": {"default": "a)|(b", "format": "regex"}}, {}, "x")


def test_of_the_library_takes_values_and_changes() -> None:
    found = rulefiles.of_library("subject-length", schemas.load(), {"most": 9}, severity="info")
    assert (found.parameters, found.severity) == ({"most": 9}, "info")
    with pytest.raises(ConfigError, match="unknown parameter 'least'"):
        rulefiles.of_library("subject-length", schemas.load(), {"least": 9})


# The library's files decide, wherever a rule is judged


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """This project in a folder of its own, where a file of the library can be changed."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("mgit_hooks", "schemas", "hooks"):
        shutil.copytree(ROOT / name, tmp_path / "copy" / name, ignore=ignored)
    return tmp_path / "copy"


def program(copy: Path, cwd: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(copy)!r}); from mgit_hooks import cli; sys.exit(cli.main())"
    if words[0] == "boot":
        command = [sys.executable, "-I", str(copy / "mgit_hooks" / "boot.py"), *words[1:]]
    else:
        command = [sys.executable, "-I", "-c", code, *words]
    env = {**os.environ, "MGIT_GATE_WAS": "a"}
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, env=env)


def verdicts(copy: Path, repo: Repo, bare: Repo) -> dict[str, bool]:
    """At each entry point: whether the rule finds the commit's subject."""
    message = f"{repo.path}/.git/COMMIT_EDITMSG"
    tip = repo.git("rev-parse", "HEAD").strip()
    push = f"{'0' * 40} {tip} refs/heads/main\n"
    bare.git("config", "receive.denyCurrentBranch", "ignore")
    alternates = Path(bare.path, "objects/info/alternates")
    alternates.write_text(f"{repo.path}/.git/objects\n")
    example = Path(repo.path, ".git", "example.toml")
    example.write_text(
        'extends = []\n[[rules]]\nuse = "subject-length"\n'
        'examples.good = [{ commit = { message = "one two", parents = [] } }]\n'
    )
    found = {
        "gate": program(copy, repo.path, "boot", "gate", "commit-msg", "1.1", "--", message).returncode == 1,
        "framework": program(copy, repo.path, "gate", "commit-msg", message).returncode == 1,
        "pre-receive": program(copy, bare.path, "boot", "gate", "pre-receive", "1.1", "--", stdin=push).returncode == 1,
        "schema test": program(copy, repo.path, "schema", "test", str(example)).returncode == 1,
        "check": program(copy, repo.path, "check", "HEAD").returncode == 1,
    }
    assert program(copy, repo.path, "drain").returncode == 0
    log = program(copy, repo.path, "log", "--json", "-n", "1").stdout
    issues = json.loads(log.splitlines()[0])["validation"]["issues"]
    found["drain"] = any((each["data_context"] or {}).get("rule") == "subject-length" for each in issues)
    return found


@pytest.mark.parametrize("changed", [False, True])
def test_a_changed_keyword_of_a_rule_changes_the_verdict_everywhere(
    copy: Path, repo: Repo, bare: Repo, changed: bool
) -> None:
    if changed:
        path = copy / "schemas/rules/subject-length.json"
        text = json.dumps(json.loads(path.read_text()))
        assert '"maxLength": {"x-parameter": "most"}' in text
        path.write_text(text.replace('{"x-parameter": "most"}', "3"))
    mine = Path(os.environ["HOME"], "mine.toml")
    mine.write_text('[[rules]]\nuse = "subject-length"\nstrategy = "abort"\n')
    repo.git("config", "--global", "mgit.rules", str(mine))
    assert program(copy, repo.path, "init").returncode == 0
    repo.write("a", "1\n")
    repo.git("add", "a")
    repo.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "one two")
    Path(repo.path, ".git/COMMIT_EDITMSG").write_text("one two\n")
    assert set(verdicts(copy, repo, bare).items()) == {
        (name, changed) for name in ("gate", "framework", "pre-receive", "schema test", "check", "drain")
    }
