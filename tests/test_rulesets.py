"""Rules that use, change, extend and switch off others: what holds in the end, and what is refused at once."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo

from mgit_hooks import layout
from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import config, library, rulecheck, schemas
from mgit_hooks.judging.judge import judge
from mgit_hooks.judging.rules import Rule
from mgit_hooks.resources import schemas_dir

OWN = '\n[[rules]]\nid = "{0}"\nseverity = "{1}"\nmessage = "Way out."\nschema = {{ required = ["{0}"] }}\n'
LEVEL = [entry["use"] for entry in library.set_entries("standard")]


def load(repo: Repo, **environ: str) -> config.Config:
    return config.load(layout.locate(repo.path), None, {**os.environ, **environ})


def rules(repo: Repo, **environ: str) -> list[tuple[str, str]]:
    """What holds beside the level's set: id and severity."""
    return [(rule.id, rule.severity) for rule in load(repo, **environ).rules if rule.id not in LEVEL]


def rule(repo: Repo, name: str) -> Rule:
    (found,) = (each for each in load(repo).rules if each.id == name)
    return found


def use(name: str, more: str = "") -> str:
    return f'\n[[rules]]\nuse = "{name}"\n{more}\n'


# What is used


def test_a_rule_of_the_library_is_used_with_values_and_changed_keys(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", use("subject-length", 'with = { most = 9 }\nseverity = "warning"\nenforce = false'))
    found = rule(repo, "subject-length")
    ours = library.rule("subject-length")
    assert (found.title, found.severity, found.enforce) == (ours["title"], "warning", False)
    assert (found.events, found.parameters) == (tuple(ours["events"]), {"most": 9})
    assert found.message.startswith("Keep the subject within 9 characters")
    assert found.origin == f"{repo.path}/.mgit-hooks.toml"
    assert found.source == "urn:mgit-hooks:rule.subject-length"
    for subject, hits in (("123456789", 0), ("1234567890", 1)):
        value = {"event": "commit", "commit": {"message": subject, "parents": []}}
        assert len(judge([found], value, schemas.load())) == hits


def test_a_rule_can_be_used_twice_under_two_names(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", use("subject-length") + use("subject-length", 'id = "short"\nwith = { most = 9 }'))
    assert [rule(repo, name).parameters["most"] for name in ("subject-length", "short")] == [72, 9]


def test_examples_of_other_values_are_not_taken_over(repo: Repo) -> None:
    repo.write(
        ".mgit-hooks.toml", use("subject-length", 'severity = "info"') + use("body-width", "with = { most = 9 }")
    )
    assert rule(repo, "subject-length").examples.bad
    assert rule(repo, "body-width").examples == ((), ())


# What is extended, in which order


def test_what_is_extended_comes_first_and_the_files_own_words_change_it_key_by_key(repo: Repo) -> None:
    repo.write(
        "rules/team.toml", use("subject-length", 'with = { most = 9 }\nstrategy = "abort"') + OWN.format("a", "info")
    )
    repo.write(
        ".mgit-hooks.toml",
        'extends = ["rules/team.toml"]\n[[rules]]\nid = "subject-length"\nseverity = "warning"\n'
        + OWN.format("b", "info"),
    )
    assert rules(repo) == [("a", "info"), ("subject-length", "warning"), ("b", "info")]
    found = rule(repo, "subject-length")
    assert (found.parameters, found.strategy) == ({"most": 9}, "abort")
    repo.write(".mgit-hooks.toml", 'extends = ["rules/team.toml"]\n' + use("subject-length", 'severity = "info"'))
    assert rule(repo, "subject-length").parameters == {"most": 9}  # what is extended, before the library


def test_values_are_changed_one_by_one(repo: Repo) -> None:
    declared = "parameters = { a = { default = 1 }, b = { default = 2 } }\nwith = { a = 3 }\n"
    schema = 'schema = { minLength = { x-parameter = "a" }, maxLength = { x-parameter = "b" } }'
    repo.write("x.toml", f'[[rules]]\nid = "r"\n{declared}{schema}')
    repo.write(".mgit-hooks.toml", 'extends = ["x.toml"]\n[[rules]]\nid = "r"\nwith = { b = 4 }')
    assert rule(repo, "r").schema == {"minLength": 3, "maxLength": 4}


def test_a_rule_with_a_schema_of_its_own_replaces_the_whole_one(repo: Repo) -> None:
    repo.write("x.toml", use("subject-length", 'strategy = "abort"'))
    repo.write(".mgit-hooks.toml", 'extends = ["x.toml"]\n[[rules]]\nid = "subject-length"\nschema = true\n')
    found = rule(repo, "subject-length")
    assert (found.schema, found.strategy, found.title, found.parameters) == (True, None, "", {})


def test_switched_off_and_on_again(repo: Repo) -> None:
    repo.write("x.toml", OWN.format("a", "info") + OWN.format("b", "info"))
    repo.write("y.toml", 'extends = ["x.toml"]\n[[rules]]\nid = "a"\nenabled = false\n')
    repo.write(".mgit-hooks.toml", 'extends = ["y.toml"]\n')
    assert rules(repo) == [("b", "info")]
    repo.write(".mgit-hooks.toml", 'extends = ["y.toml"]\n[[rules]]\nid = "a"\nenabled = true\n')
    assert rules(repo) == [("b", "info"), ("a", "info")]


def test_a_broken_rule_that_is_switched_off_hurts_nobody(repo: Repo) -> None:
    repo.write("x.toml", '[[rules]]\nid = "a"\nschema = { pattern = "(" }\n')
    repo.write(".mgit-hooks.toml", 'extends = ["x.toml"]\n')
    with pytest.raises(ConfigError, match="bad pattern"):
        load(repo)
    repo.write(".mgit-hooks.toml", 'extends = ["x.toml"]\n[[rules]]\nid = "a"\nenabled = false\n')
    assert rules(repo) == []


@pytest.mark.parametrize("name", ["conventional-commits", "dco", "kernel", "strict", "standard"])
def test_a_set_of_ours(repo: Repo, name: str) -> None:
    repo.write(".mgit-hooks.toml", f'extends = ["{name}"]\n')
    assert {rule.id for rule in load(repo).rules} == {*LEVEL, *(each["use"] for each in library.set_entries(name))}


def test_a_folder_of_schemas_in_the_form_of_the_librarys(repo: Repo) -> None:
    said = {"title": "T", "severity": "info", "parameters": {"n": {"default": 3}}}
    repo.write("schemas/short.json", json.dumps({"x-rule": said, "maxLength": {"x-parameter": "n"}}))
    repo.write("schemas/parts/p.json", "{}")
    repo.write("list.json", json.dumps([{"id": "b", "severity": "info", "schema": {}}]))
    repo.write(".mgit-hooks.toml", 'extends = ["schemas/", "list.json"]\n')
    assert rules(repo) == [("short", "info"), ("b", "info")]
    assert rule(repo, "short").schema == {"maxLength": 3}
    assert f"{repo.path}/schemas" in {source.path for source in load(repo).sources}


def test_extends_of_the_user_in_gits_configuration_and_the_environment(repo: Repo) -> None:
    Path(os.environ["HOME"], "team.toml").write_text('extends = ["dco"]\n' + OWN.format("a", "info"))
    repo.git("config", "--global", "mgit.extends", "~/team.toml")
    repo.git("config", "mgit.extends", "conventional-commits")
    found = load(repo, MGIT_EXTENDS="kernel, dco")
    assert found.extends == ("kernel", "dco", "conventional-commits", "~/team.toml")
    assert {"a", "signed-off-by", "conventional-commits", "subject-style"} <= {rule.id for rule in found.rules}
    assert rules(repo)[:2] == [("signed-off-by", "error"), ("a", "info")]


# A pinned file


def test_a_pinned_file_holds_as_long_as_its_bytes_do(repo: Repo) -> None:
    text = OWN.format("a", "info")
    pin = hashlib.sha256(text.encode()).hexdigest()
    repo.write("x.toml", text)
    repo.write(".mgit-hooks.toml", f'extends = ["x.toml@sha256:{pin}"]\n')
    assert rules(repo) == [("a", "info")]
    repo.write("x.toml", text.replace("info", "warning"))
    with pytest.raises(ConfigError, match=r"\.mgit-hooks\.toml:1: extends .*other bytes: sha256:[0-9a-f]{64}$"):
        load(repo)


@pytest.mark.parametrize(
    ("pinned", "message"),
    [
        ("x.toml@sha256:12", "64 hexadecimal digits"),
        (f"x.toml@sha256:{'A' * 64}", "64 hexadecimal digits"),
        (f"gone.toml@sha256:{'a' * 64}", "there is no file"),
        (f"folder/@sha256:{'a' * 64}", "there is no file"),
    ],
)
def test_a_pin_that_is_none(repo: Repo, pinned: str, message: str) -> None:
    repo.write("x.toml", "")
    repo.write("folder/r.json", "{}")
    repo.write(".mgit-hooks.toml", f'extends = ["{pinned}"]\n')
    with pytest.raises(ConfigError, match=message):
        load(repo)


# An installed package, of which no code runs


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where Python looks for packages; importing one of them would be seen."""
    site = tmp_path / "site"
    for name in ("acme", "acme/rules", "plain_acme"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("raise SystemExit('imported')")
    (site / "shared" / "rules").mkdir(parents=True)  # no __init__: PEP 420
    (site / "alone.py").write_text("raise SystemExit('imported')")
    for name in ("acme/rules", "shared/rules"):
        (site / name / "rules.toml").write_text('extends = ["parts/p.toml"]\n' + OWN.format("a", "info"))
        (site / name / "parts").mkdir()
        (site / name / "parts/p.toml").write_text(OWN.format("p", "info"))
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.mark.parametrize("name", ["acme.rules", "shared.rules"])
def test_a_package_is_read_and_not_imported(repo: Repo, site: Path, name: str) -> None:
    repo.write(".mgit-hooks.toml", f'extends = ["{name}"]\n')
    assert rules(repo) == [("p", "info"), ("a", "info")]
    folder = site / name.replace(".", "/")
    assert {str(folder), f"{folder}/rules.toml", f"{folder}/parts/p.toml"} <= {each.path for each in load(repo).sources}
    assert not any(module.partition(".")[0] in ("acme", "shared") for module in sys.modules)


@pytest.mark.parametrize(
    ("name", "text", "message", "remedy"),
    [
        (
            "acme_rules",
            None,
            "extends 'acme_rules', which is no set of ours, no file and no installed package",
            "our sets",
        ),
        ("plain_acme", None, "package plain_acme has no rules.toml", "plain_acme/rules.toml"),
        ("alone", None, "alone is a module, not a package", "rules.toml in it"),
        ("acme.none", None, "extends 'acme.none', which is no set", "our sets"),
        ("kernell", None, "extends 'kernell', which is no set", "did you mean 'kernel'?"),
        ("acme.rules", "rules = ", r"rules.toml:1(:\d+)?: Invalid value", "mend the TOML"),
        ("acme.rules", 'level = "strict"', "unknown key 'level'", "extends and"),
        ("acme.rules", '[[rules]]\nid = "r"\nschema = 3', "schema is not of type", "allowed"),
        ("acme.rules", 'extends = ["../x.toml"]', "not a file below", "without"),
        ("acme.rules", 'extends = ["/etc/x.toml"]', "not a file below", "without"),
        ("acme.rules", 'extends = ["acme.rules"]', "extends itself", "take one"),
    ],
)
def test_a_package_that_is_not_there_or_is_broken(
    repo: Repo, site: Path, name: str, text: str | None, message: str, remedy: str
) -> None:
    if text is not None:
        (site / "acme/rules/rules.toml").write_text(text)
    repo.git("config", "mgit.extends", name)  # of the user: the package itself is nobody's to trust
    with pytest.raises(ConfigError, match=message) as raised:
        load(repo)
    assert remedy in raised.value.remedy


def test_a_folder_of_the_worktree_stands_for_no_package(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``python -m mgit_hooks`` has the folder that it was started in on its path."""
    repo.write("acme_rules/rules.toml", OWN.format("fake", "info"))
    repo.write("acme_rules/__init__.py", "")
    monkeypatch.syspath_prepend(repo.path)
    repo.git("config", "mgit.extends", "acme_rules")
    monkeypatch.chdir(repo.path)
    with pytest.raises(ConfigError, match="no installed package"):
        load(repo)
    monkeypatch.chdir(tmp_path)  # what counts is the worktree, wherever Python was started
    with pytest.raises(ConfigError, match="no installed package"):
        load(repo)


# Trust


def test_a_worktree_takes_out_what_a_worktree_brought_and_nothing_else(repo: Repo) -> None:
    home = Path(os.environ["HOME"], "mine.toml")
    home.write_text(OWN.format("mine", "error") + use("subject-length"))
    repo.git("config", "--global", "mgit.rules", str(home))
    repo.write("pyproject.toml", OWN.format("theirs", "info").replace("[[rules]]", "[[tool.mgit-hooks.rules]]"))
    off = "".join(f'[[rules]]\nid = "{name}"\nenabled = false\n' for name in ("theirs", "mine", "subject-length"))
    repo.write(".mgit-hooks.toml", off)
    assert rules(repo) == [("mine", "error"), ("subject-length", "error")]
    looser = '[[rules]]\nid = "mine"\nseverity = "info"\nenforce = false\n'
    repo.write(".mgit-hooks.toml", looser)
    assert rules(repo) == [("theirs", "info"), ("mine", "error"), ("subject-length", "error")]
    assert rule(repo, "mine").enforce
    repo.write(".mgit-hooks.toml", use("subject-length", 'severity = "info"'))
    assert ("subject-length", "error") in rules(repo)  # beside the worktree's own
    assert ("subject-length", "info") in rules(repo)


def test_of_the_user_the_nearer_place_switches_off(repo: Repo) -> None:
    home = Path(os.environ["HOME"], "mine.toml")
    home.write_text(OWN.format("mine", "error"))
    repo.git("config", "--global", "mgit.rules", str(home))
    Path(repo.path, ".git", "off.toml").write_text('[[rules]]\nid = "mine"\nenabled = false\n')
    repo.git("config", "mgit.rules", "off.toml")
    assert rules(repo) == []


@pytest.mark.parametrize(
    ("level_by", "off_by", "holds"),
    [
        ("nobody", "worktree", False),
        ("nobody", "user", False),
        ("worktree", "worktree", False),
        ("worktree", "user", True),
        ("user", "worktree", True),
        ("user", "user", False),
    ],
)
def test_the_set_of_the_level_belongs_to_who_chose_the_level(
    repo: Repo, level_by: str, off_by: str, holds: bool
) -> None:
    off = '[[rules]]\nid = "case-conflicts"\nenabled = false\n'
    mine = Path(os.environ["HOME"], "mine.toml")
    mine.write_text(off if off_by == "user" else "")
    repo.git("config", "--global", "mgit.rules", str(mine))
    if level_by == "user":
        repo.git("config", "mgit.level", "standard")
    text = 'level = "standard"\n' if level_by == "worktree" else ""
    repo.write(".mgit-hooks.toml", text + (off if off_by == "worktree" else ""))
    assert ("case-conflicts" in {rule.id for rule in load(repo).rules}) is holds


@pytest.mark.parametrize(("level", "count"), [("basic", 0), ("standard", len(LEVEL)), ("strict", 11)])
def test_each_level_has_its_set(repo: Repo, level: str, count: int) -> None:
    assert len(config.load(layout.locate(repo.path), {"level": level}).rules) == count


# What is refused, with one clear message

NAMES = [
    (use("subjct-length"), r":3: rule 'subjct-length': there is no rule 'subjct-length' to use", "'subject-length'"),
    ('[[rules]]\nid = "case-conflict"\nenabled = false', "no rule of this id to switch off", "'case-conflicts'"),
    ('[[rules]]\nid = "subject-lenght"\nseverity = "info"', "has no schema", 'use = "subject-length"'),
    ('[[rules]]\nseverity = "info"', "neither id nor use", "use = "),
    (use("dco") , "no rule 'dco' to use", "mgit-hooks schema"),
    (use("body-width", "schema = {}"), "both use and schema", "take one"),
    (use("body-width") * 2, "this id is given twice", "an id of its own"),
    (use("body-width", "with = { mots = 3 }"), "unknown parameter 'mots'", "did you mean 'most'?"),
    (use("body-width", 'with = { most = "x" }'), "'most' is not of type integer", "characters"),
    (use("protected-branches", 'with = { branches = ["a(b"] }'), r"bad pattern 'a\(b'", "mend"),
    (use("case-conflicts", "with = { most = 3 }"), "unknown parameter 'most'", "its parameters: none"),
    ('extends = ["/etc/rules.toml"]', r":1: extends .*not a file below", "relative"),
    ('extends = ["~/rules.toml"]', "not a file below", "relative"),
    ('extends = ["../rules.toml"]', "not a file below", "relative"),
    ('extends = ["a/../../rules.toml"]', "not a file below", "relative"),
    ('extends = ["link.toml"]', "a link leads out of", "itself"),
    ('extends = ["gone.toml"]', r":1: extends 'gone.toml': there is no rule file", "write it"),
    ('extends = ["empty/"]', "a folder without rules", "JSON file"),
    ('extends = ["bad/"]', "no annotation 'x-rule'", "title"),
    ('extends = ["a.toml"]', "extends itself: .*/a.toml -> .*/b.toml -> .*/a.toml", "take one"),
    ('extends = "kernel"', "extends is not of type array", "allowed"),
    ('extends = ["-rf"]', "no set of ours", "our sets"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "remedy"), NAMES)
def test_what_names_nothing_is_named(repo: Repo, tmp_path: Path, text: str, message: str, remedy: str) -> None:
    repo.write("a.toml", 'extends = ["b.toml"]')
    repo.write("b.toml", 'extends = ["a.toml"]')
    repo.write("empty/x.txt", "")
    repo.write("bad/r.json", "{}")
    Path(tmp_path, "away.toml").write_text("")
    Path(repo.path, "link.toml").symlink_to(tmp_path / "away.toml")
    repo.write(".mgit-hooks.toml", text)
    with pytest.raises(ConfigError, match=message) as raised:
        load(repo)
    assert remedy in raised.value.remedy
    assert repo.path in raised.value.message


def nested(depth: int) -> str:
    return '{"not":' * depth + "{}" + "}" * depth


@pytest.mark.parametrize("depth", [90, 300, 2000, 100_000])
@pytest.mark.parametrize("where", ["schema file", "rule file", "set"])
def test_what_is_nested_deeply_ends_in_one_clear_message(repo: Repo, where: str, depth: int) -> None:
    if where == "schema file":
        repo.write("s.json", nested(depth))
        repo.write(".mgit-hooks.toml", '[[rules]]\nid = "r"\nschema = "s.json"\n')
    elif where == "rule file":
        text = nested(depth).replace(":", "=").replace('"', "")
        repo.write(".mgit-hooks.toml", f'[[rules]]\nid = "r"\nschema = {text}\n')
    else:
        repo.write("s.json", f'[{{"id": "r", "schema": {nested(depth)}}}]')
        repo.write(".mgit-hooks.toml", 'extends = ["s.json"]\n')
    if depth == 90:
        assert rules(repo) == [("r", "error")]
    else:
        with pytest.raises(ConfigError, match="nested too deeply"):
            load(repo)


def doubling(repo: Repo) -> None:
    """Each file extends the next two: read as a tree, 2^40 of them."""
    for number in range(18):
        repo.write(f"f{number}.toml", f'extends = ["f{number + 1}.toml", "./f{number + 1}.toml"]\n')
    repo.write("f18.toml", OWN.format("a", "info"))
    repo.write(".mgit-hooks.toml", 'extends = ["f0.toml"]\n')


def chain(repo: Repo) -> None:
    for number in range(40):
        repo.write(f"f{number}.toml", f'extends = ["f{number + 1}.toml"]\n')
    repo.write(".mgit-hooks.toml", 'extends = ["f0.toml"]\n')


def crowd(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", "".join(f'[[rules]]\nid = "r{n}"\nschema = {{}}\n' for n in range(1100)))


def files(repo: Repo) -> None:
    for number in range(6):
        names = ", ".join(f'"g{number}-{n}.toml"' for n in range(100))
        repo.write(f"f{number}.toml", f"extends = [{names}]\n")
        for n in range(100):
            repo.write(f"g{number}-{n}.toml", "")
    repo.write(".mgit-hooks.toml", 'extends = ["f0.toml", "f1.toml", "f2.toml", "f3.toml", "f4.toml", "f5.toml"]\n')


def bytes_(repo: Repo) -> None:
    for n in range(9):
        repo.write(f"f{n}.toml", "#" * 1_000_000)
    repo.write(".mgit-hooks.toml", f"extends = [{', '.join(f'{chr(34)}f{n}.toml{chr(34)}' for n in range(9))}]\n")


def long_value(repo: Repo) -> None:
    places = ", ".join('{ pattern = "${p}" }' for _ in range(2000))
    declared = f'parameters = {{ p = {{ default = "{"x" * 500_000}" }} }}'
    repo.write(".mgit-hooks.toml", f'[[rules]]\nid = "r"\n{declared}\nschema = {{ allOf = [{places}] }}\n')


def endless_parameter(repo: Repo) -> None:
    declared = f'p = {{ pattern = "^(a+)+$", default = "{"a" * 40}!" }}'
    repo.write(".mgit-hooks.toml", f'[[rules]]\nid = "r"\nschema = {{}}\nparameters = {{ {declared} }}\n')


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (doubling, None),
        (chain, "extended over more than 20 files"),
        (crowd, "more than 1000 rules"),
        (files, "at most 500"),
        (bytes_, "8388608 bytes altogether"),
        (long_value, "too large once its parameters are put in"),
        (endless_parameter, "a pattern that may never end"),
    ],
)
def test_what_is_meant_to_take_for_ever_ends_soon(repo: Repo, make: Any, message: str | None) -> None:
    make(repo)
    began = time.process_time()
    if message is None:
        assert rules(repo) == [("a", "info")]
    else:
        with pytest.raises(ConfigError, match=message):
            load(repo)
    assert time.process_time() - began < 5


# The gate flag follows every file


def test_every_file_that_a_rule_came_from_is_a_source(repo: Repo) -> None:
    repo.write("x.toml", use("body-width"))
    repo.write(".mgit-hooks.toml", 'extends = ["x.toml", "kernel"]\n')
    found = {source.path for source in load(repo).sources}
    library_files = {f"sets/{name}.json" for name in ("kernel", "standard")}
    library_files |= {f"rules/{name}.json" for name in (*LEVEL, "body-width", "signed-off-by", "subject-style")}
    assert {f"{schemas_dir()}/{name}" for name in library_files} <= found
    assert f"{repo.path}/x.toml" in found


# enforce = false of one rule


def test_a_rule_that_only_reports_refuses_nothing(repo: Repo) -> None:
    from mgit_hooks.judging.policy import Abort, Accept, decide

    strict = OWN.format("a", "critical").replace("message", 'strategy = "abort"\nmessage')
    repo.write(".mgit-hooks.toml", strict)
    value = {"event": "commit"}
    issues = judge([rule(repo, "a")], value, schemas.load())
    assert isinstance(decide(issues, "repair", enforce=True, can_refuse=True), Abort)
    repo.write(".mgit-hooks.toml", strict + "enforce = false\n")
    issues = judge([rule(repo, "a")], value, schemas.load())
    assert [issue.severity for issue in issues] == ["critical"]
    assert isinstance(decide(issues, "abort", enforce=True, can_refuse=True), Accept)
    both = issues + judge([rule(repo, "a")._replace(id="b", enforce=True)], value, schemas.load())
    assert isinstance(decided := decide(both, "repair", enforce=True, can_refuse=True), Abort)
    assert [(issue.data_context or {})["rule"] for issue in decided.issues] == ["b"]


def test_finding_a_package_loads_none_of_it_in_a_process_of_its_own(repo: Repo, site: Path) -> None:
    """In a fresh interpreter, where nothing can have been loaded before."""
    repo.write(".mgit-hooks.toml", 'extends = ["acme.rules"]\n')
    code = (
        "import sys\nfrom mgit_hooks import layout\nfrom mgit_hooks.judging import config\n"
        f"sys.path.insert(0, {str(site)!r})\n"
        f"found = config.load(layout.locate({repo.path!r}))\n"
        "print([rule.id for rule in found.rules][-2:], [name for name in sys.modules if name.startswith('acme')])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout == "['p', 'a'] []\n", done.stderr


# Every rule of the library


@pytest.mark.parametrize("name", library.rules())
def test_a_rule_of_the_library_is_sound_and_its_examples_hold(name: str) -> None:
    found = rulecheck.by_id(name, None)
    (entry,) = found.entries
    assert list(rulecheck.problems(entry, found.reader)) == []
    tried = rulecheck.tried(found.reader.rule(entry), found.reader.schemas)
    assert tried.good
    assert tried.bad
    assert tried.failures == ()
