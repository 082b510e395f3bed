"""Configuration: precedence, what a worktree may say, errors that name file, line, key and the nearest one."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo

from mgit_hooks import cli, layout
from mgit_hooks.errors import ConfigError
from mgit_hooks.installer import diagnosis
from mgit_hooks.judging import config, library
from mgit_hooks.judging.config import Config
from mgit_hooks.judging.configlayers import KEYS
from mgit_hooks.judging.rules import Rule
from mgit_hooks.resources import schemas_dir

RULE = """
[[rules]]
id = "subject-length"
events = ["commit", "amend"]
strategy = "abort"
message = "Keep the subject within 72 characters."
schema = { properties = { commit = { properties = { message = { pattern = "^.{1,72}(\\\\n|$)" } } } } }
"""


def load(repo: Repo, overrides: dict[str, str] | None = None, **environ: str) -> Config:
    return config.load(layout.locate(repo.path), overrides, {**os.environ, **environ})


def of_files(found: Config) -> list[Rule]:
    """The rules that somebody wrote down, without those of the level's set."""
    return [rule for rule in found.rules if not rule.origin.startswith(schemas_dir())]


def test_without_any_file_the_defaults_hold(repo: Repo) -> None:
    found = load(repo)
    assert found[:9] == ("standard", "repair", "none", True, "closed", 3, "off", True, 3)
    assert found.extends == ()
    assert {rule.origin for rule in found.rules} == {library.set_path("standard")}
    assert found == config.defaults()._replace(sources=found.sources)
    assert {origin.source for key, origin in found.origins.items() if key != "rules"} == {"default"}


def test_each_place_outranks_the_next(repo: Repo, tmp_path: Path) -> None:
    repo.write("pyproject.toml", "[tool.mgit-hooks]\nretries = 1\n")
    assert load(repo).retries == 1
    repo.write(".mgit-hooks.toml", "retries = 2\n")
    assert load(repo).retries == 2
    repo.git("config", "--global", "mgit.retries", "4")
    assert load(repo).retries == 4
    repo.git("config", "mgit.retries", "5")
    assert load(repo).retries == 5
    assert load(repo, GIT_CONFIG_PARAMETERS="'mgit.retries'='6'").retries == 6
    assert load(repo, MGIT_RETRIES="7").retries == 7
    found = load(repo, {"retries": "8"}, MGIT_RETRIES="7")
    assert found.retries == 8
    assert found.origins["retries"] == (8, "command line", None, None)


def test_origins_name_file_and_line(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", "# ours\n\nlevel = 'strict'\n")
    repo.git("config", "mgit.embed", "none")
    origins = load(repo, MGIT_ENFORCE="no").origins
    assert origins["level"] == ("strict", ".mgit-hooks.toml", f"{repo.path}/.mgit-hooks.toml", 3)
    assert origins["embed"] == ("none", "git config (local)", f"{repo.path}/.git/config", None)
    assert origins["enforce"] == (False, "environment MGIT_ENFORCE", None, None)


@pytest.mark.parametrize(
    ("key", "user", "worktree", "expected"),
    [
        ("level", "standard", "strict", "strict"),
        ("level", "strict", "basic", "strict"),
        ("level", None, "basic", "basic"),  # a mere default binds nobody
        ("strategy", "abort", "ignore", "abort"),
        ("strategy", "checkpoint", "repair", "repair"),
        ("strategy", "fallback", "checkpoint", "checkpoint"),
        ("strategy", None, "ignore", "ignore"),
        ("enforce", "true", "false", True),
        ("enforce", None, "false", False),
        ("enforce", "false", "true", True),
        ("embed", "summary", "full", "summary"),
        ("embed", "full", "sample", "sample"),
        ("embed", None, "full", "full"),
        ("retries", "5", "1", 5),
        ("fail", "open", "closed", "closed"),
        ("fail", "closed", "open", "closed"),
        ("keep_checkpoints", "5", "9", 9),
        ("keep_checkpoints", "5", "2", 5),
    ],
)
@pytest.mark.parametrize("where", ["local", "environment", "command line", "git -c"])
def test_a_worktree_may_tighten_what_the_user_said_but_never_loosen_it(
    repo: Repo, key: str, user: str | None, worktree: str, expected: Any, where: str
) -> None:
    quoted = worktree if worktree in ("true", "false") or worktree.isdigit() else f'"{worktree}"'
    repo.write(".mgit-hooks.toml", f"{key} = {quoted}\n")
    overrides, environ = {}, {}
    if user is not None:
        if where == "local":
            repo.git("config", f"mgit.{key.replace('_', '')}", user)
        elif where == "environment":
            environ[f"MGIT_{key.upper()}"] = user
        elif where == "git -c":
            environ["GIT_CONFIG_PARAMETERS"] = f"'mgit.{key.replace('_', '')}'='{user}'"
        else:
            overrides[key] = user
    assert getattr(load(repo, overrides, **environ), key) == expected


def test_rules_add_up_and_a_worktree_cannot_replace_a_users(repo: Repo, tmp_path: Path) -> None:
    home = Path(os.environ["HOME"])
    (home / "team.toml").write_text(RULE)
    (home / "more.toml").write_text(RULE.replace("subject-length", "second"))
    repo.git("config", "--global", "mgit.rules", "~/team.toml")
    repo.git("config", "--add", "mgit.rules", str(home / "more.toml"))
    loose = RULE.replace("1,72", "0,9999").replace("abort", "ignore")
    repo.write(".mgit-hooks.toml", loose + loose.replace("subject-length", "local"))
    repo.write("pyproject.toml", loose.replace("rules", "tool.mgit-hooks.rules").replace("subject-length", "local"))
    found = [(rule.id, rule.strategy, os.path.basename(rule.origin)) for rule in of_files(load(repo))]
    assert found == [
        ("subject-length", "ignore", ".mgit-hooks.toml"),
        ("local", "ignore", ".mgit-hooks.toml"),
        ("subject-length", "abort", "team.toml"),
        ("second", "abort", "more.toml"),
    ]


def test_of_two_rules_of_the_user_with_one_id_the_nearer_one_holds(repo: Repo) -> None:
    home = Path(os.environ["HOME"])
    (home / "team.toml").write_text(RULE)
    (home / "own.toml").write_text(RULE.replace("abort", "repair"))
    repo.git("config", "--global", "mgit.rules", "~/team.toml")
    repo.git("config", "mgit.rules", str(home / "own.toml"))
    assert [rule.strategy for rule in of_files(load(repo))] == ["repair"]
    assert [rule.strategy for rule in of_files(load(repo, MGIT_RULES=str(home / "team.toml")))] == ["abort"]


def test_a_rule_needs_only_an_id_and_a_schema(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", '[[rules]]\nid = "r"\nschema = true\n')
    (rule,) = of_files(load(repo))
    assert (rule.severity, rule.strategy, rule.message) == ("error", None, "")
    assert {"commit", "push", "refused"} <= set(rule.events)


def test_a_schema_may_be_a_file_that_refers_to_files_beside_it(repo: Repo) -> None:
    repo.write("rules/r.json", json.dumps({"$id": "https://x.example/r", "$ref": "parts/commit.json#/$defs/c"}))
    repo.write(
        "rules/parts/commit.json", json.dumps({"$defs": {"c": {"properties": {"commit": {"$ref": "../short.json"}}}}})
    )
    repo.write("rules/short.json", json.dumps({"properties": {"message": {"maxLength": 3}}}))
    repo.write(".mgit-hooks.toml", '[[rules]]\nid = "r"\nschema = "rules/r.json"\n')
    found = load(repo)
    from mgit_hooks.judging import schemas
    from mgit_hooks.judging.judge import judge

    (issue,) = judge(found.rules, {"event": "commit", "commit": {"message": "long"}}, schemas.load())
    assert issue.field_path == "/commit/message"
    assert judge(found.rules, {"event": "commit", "commit": {"message": "ok"}}, schemas.load()) == ()
    named = {source.path for source in found.sources}
    assert {f"{repo.path}/rules/{name}" for name in ("r.json", "parts/commit.json", "short.json")} <= named


ERRORS = [
    ('levle = "x"', r":1: unknown key 'levle'", "did you mean 'level'?"),
    ("zzz = 1", r":1: unknown key 'zzz'", f"known keys: {', '.join(KEYS)}"),
    ('# one\nlevel = "lax"', r":2: level is not one of .*\"lax\"", "allowed: basic, standard, strict"),
    ("enforce = 1", r":1: enforce is not of type boolean: 1", "allowed: true, false"),
    ("retries = -1", r":1: retries is below 0: -1", "allowed: 0 to 100"),
    ("retries = true", r":1: retries is not of type integer", "allowed: 0 to 100"),
    ("level = \n", r":1:9: Invalid value", "mend the TOML there"),
    ('level = "strict', r"\.mgit-hooks\.toml:1", "mend the TOML there"),
    ("rules = 1", r":1: rules is not of type array", "allowed: array"),
    ('x = 0\n[[rules]]\nid = "r"', r":1: unknown key 'x'", "known keys"),
    ('[[rules]]\nid = "r"', r":2: rule 'r': it has no schema, and there is no rule of this id", "give it a schema"),
    ('[[rules]]\nid = "a"\nschema = {}\n\n[[rules]]\nid = "b"\nshema = {}', r":7: unknown key 'shema'", "'schema'"),
    ('[[rules]]\nid = "a b"\nschema = {}', r":2: id does not match", "allowed"),
    (
        '[[rules]]\nid = "a"\nschema = {}\n[[rules]]\nid = "a"\nschema = {}',
        r":5: rule 'a': this id is given twice",
        "own",
    ),
    ('[[rules]]\nid = "a"\nevents = ["comit"]\nschema = {}', r":3: .*\"comit\"", ""),
    ('[[rules]]\nid = "a"\nstrategy = "stop"\nschema = {}', r":3: strategy is not one of", "allowed: ignore, fallback"),
    ('[[rules]]\nid = "a"\nschema = { patern = "x" }', r":2: rule 'a': unknown schema keyword 'patern'", "'pattern'"),
    ('[[rules]]\nid = "a"\nschema = { minLength = "x" }', r"its schema is wrong at /minLength", "mend the schema"),
    ('[[rules]]\nid = "a"\nschema = { pattern = "(" }', r"bad pattern '\('", "mend the pattern"),
    (
        '[[rules]]\nid = "a"\nschema = { "$schema" = "http://json-schema.org/draft-07/schema#" }',
        r"for http://json-sch",
        "2020-12",
    ),
    (
        '[[rules]]\nid = "a"\nschema = { "$ref" = "https://example.org/s.json" }',
        r"refers to https://example.org/s.json",
        "nothing is fetched",
    ),
    (
        '[[rules]]\nid = "a"\nschema = { not = { "$ref" = "file:///etc/passwd" } }',
        r"refers to file:///etc/passwd",
        "nothing is fetched",
    ),
    (
        '[[rules]]\nid = "a"\nschema = { "$ref" = "//example.org/s.json" }',
        r"refers to //example.org",
        "nothing is fetched",
    ),
    (
        '[[rules]]\nid = "a"\nschema = { "$ref" = "urn:mgit-hooks:recrd" }',
        r"no schema urn:mgit-hooks:recrd",
        "mgit-hooks schema",
    ),
    ('[[rules]]\nid = "a"\nschema = { "$ref" = "../s.json" }', r"is outside", "keep schemas"),
    ('[[rules]]\nid = "a"\nschema = "/etc/hostname"', r"is outside", "keep schemas"),
    ('[[rules]]\nid = "a"\nschema = "nowhere.json"', r"nowhere.json is not there", "write it"),
    ('[[rules]]\nid = "a"\nschema = "broken.json"', r"broken.json:2:1: ", "mend the JSON"),
    ('[[rules]]\nid = "a"\nschema = { const = 2024-01-01 }', r"its schema is not JSON", "as text"),
]


@pytest.mark.parametrize(("text", "message", "remedy"), ERRORS)
def test_what_is_wrong_in_a_worktrees_file_is_named(repo: Repo, text: str, message: str, remedy: str) -> None:
    repo.write(".mgit-hooks.toml", text)
    repo.write("broken.json", "{\n")
    with pytest.raises(ConfigError, match=message) as raised:
        load(repo)
    assert remedy in raised.value.remedy
    assert repo.path in raised.value.message


@pytest.mark.parametrize("name", [".mgit-hooks.toml", "big.json"])
def test_a_number_too_long_to_read_is_an_error_of_its_file(repo: Repo, name: str) -> None:
    repo.write(".mgit-hooks.toml", '[[rules]]\nid = "r"\nschema = "big.json"\n')
    number = "9" * 5000
    repo.write(name, f"retries = {number}\n" if name.endswith("toml") else f'{{"maximum": {number}}}')
    with pytest.raises(ConfigError, match=f"{name}: Exceeds the limit"):
        load(repo)


def test_the_same_errors_are_found_in_pyproject(repo: Repo) -> None:
    repo.write("pyproject.toml", '[project]\nname = "x"\n[tool.mgit-hooks]\nlevle = "strict"\n')
    with pytest.raises(ConfigError, match=r"pyproject\.toml:4: unknown key 'levle'"):
        load(repo)


def test_a_broken_pyproject_that_is_not_about_us_is_not_ours_to_complain_about(repo: Repo) -> None:
    repo.write("pyproject.toml", "[project\n")
    assert load(repo).level == "standard"


@pytest.mark.parametrize(
    ("key", "value", "message", "remedy"),
    [
        ("mgit.levle", "strict", "mgit.levle: unknown key 'levle'", "did you mean 'level'?"),
        ("mgit.level", "lax", r'config: mgit.level: level is not one of .*: "lax"', "allowed: basic, standard, strict"),
        ("mgit.retries", "many", 'retries is not of type integer: "many"', "0 to 100"),
        ("mgit.enforce", "perhaps", "enforce is not of type boolean", "true, false"),
        ("mgit.rules", "nowhere.toml", r"there is no rule file .*/\.git/nowhere.toml", "write it"),
        ("mgit.sub.level", "strict", "unknown key 'sub.level'", "level"),
    ],
)
def test_what_is_wrong_in_gits_configuration_is_named(
    repo: Repo, key: str, value: str, message: str, remedy: str
) -> None:
    repo.git("config", key, value)
    with pytest.raises(ConfigError, match=message) as raised:
        load(repo)
    assert remedy in raised.value.remedy
    assert f"{repo.path}/.git/config" in raised.value.message


@pytest.mark.parametrize(("variable", "key"), [("MGIT_LEVEL", "level"), ("MGIT_RETRIES", "retries")])
def test_what_is_wrong_in_the_environment_is_named(repo: Repo, variable: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"environment {variable}: {key} is not"):
        load(repo, **{variable: "x"})
    assert load(repo, **{variable: ""}) == load(repo)


def test_a_rule_file_holds_nothing_but_rules(repo: Repo) -> None:
    path = Path(os.environ["HOME"], "r.toml")
    path.write_text('level = "basic"\n')
    repo.git("config", "mgit.rules", str(path))
    with pytest.raises(ConfigError, match="unknown key 'level'"):
        load(repo)


@pytest.mark.parametrize(
    ("spelled", "value"), [("true", True), ("YES", True), ("on", True), ("1", True), ("off", False), ("0", False)]
)
def test_booleans_are_spelled_as_git_spells_them(repo: Repo, spelled: str, value: bool) -> None:
    repo.git("config", "mgit.enforce", spelled)
    assert load(repo).enforce is value


def test_a_key_alone_is_true_for_a_boolean_and_an_error_elsewhere(repo: Repo) -> None:
    with open(f"{repo.path}/.git/config", "a") as file:
        file.write("[MGIT]\n\tEnForce\n")
    assert load(repo).enforce is True
    with open(f"{repo.path}/.git/config", "a") as file:
        file.write("\tLevel\n")
    with pytest.raises(ConfigError, match="has no value"):
        load(repo)


def test_a_configuration_that_git_cannot_read_is_an_error_with_gits_reason(repo: Repo) -> None:
    location = layout.locate(repo.path)
    with open(f"{repo.path}/.git/config", "a") as file:
        file.write("[mgit\n")
    with pytest.raises(ConfigError, match="bad config line"):
        config.load(location)


@pytest.mark.parametrize("kind", ["pipe", "folder", "large", "not UTF-8", "link to a device"])
def test_a_worktrees_file_that_is_no_plain_small_text_is_refused_at_once(repo: Repo, kind: str) -> None:
    path = Path(repo.path, ".mgit-hooks.toml")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"#" * 2_000_000)
    elif kind == "not UTF-8":
        path.write_bytes(b"# one\n# \xff\n")
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match=r"\.mgit-hooks\.toml" + (":2" if kind == "not UTF-8" else "")):
        load(repo)


def test_sources_are_every_file_that_a_policy_can_come_from(repo: Repo, tmp_path: Path) -> None:
    home = Path(os.environ["HOME"])
    (home / "included").write_text("[mgit]\n\tlevel = strict\n")
    repo.git("config", "--global", "include.path", "included")
    repo.git("config", "includeIf.onbranch:release.path", "~/absent")
    found = load(repo, GIT_CONFIG_NOSYSTEM="0", GIT_CONFIG_SYSTEM=str(tmp_path / "system"))
    assert found.level == "strict"
    assert {path: there for path, there in found.sources if not path.startswith(schemas_dir())} == {
        str(tmp_path / "system"): False,
        f"{home}/gitconfig": True,
        f"{home}/included": True,
        f"{home}/absent": False,
        f"{repo.path}/.git/HEAD": True,  # onbranch: depends on it
        f"{repo.path}/.git/config": True,
        f"{repo.path}/.mgit-hooks.toml": False,
        f"{repo.path}/pyproject.toml": False,
    }


def test_without_a_named_global_file_both_of_gits_own_places_count(repo: Repo) -> None:
    environ = {
        name: value for name, value in os.environ.items() if name not in ("GIT_CONFIG_GLOBAL", "XDG_CONFIG_HOME")
    }
    found = config.load(layout.locate(repo.path), None, environ)
    home = environ["HOME"]
    assert {f"{home}/.config/git/config", f"{home}/.gitconfig"} <= {source.path for source in found.sources}


def test_a_linked_worktree_has_files_and_a_configuration_of_its_own(repo: Repo, tmp_path: Path) -> None:
    repo.commit("one", {"a": "a"})
    repo.git("worktree", "add", "-q", str(tmp_path / "side"))
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("-C", str(tmp_path / "side"), "config", "--worktree", "mgit.retries", "9")
    (tmp_path / "side" / ".mgit-hooks.toml").write_text('level = "strict"\n')
    side = config.load(layout.locate(str(tmp_path / "side")))
    assert (side.level, side.retries) == ("strict", 9)
    assert side.origins["retries"].path == f"{repo.path}/.git/worktrees/side/config.worktree"
    assert load(repo)[:5] == config.defaults()[:5]


def test_another_repositorys_environment_does_not_lead_astray(repo: Repo, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "other"], check=True)
    subprocess.run(["git", "-C", tmp_path / "other", "config", "mgit.level", "strict"], check=True)
    for name in ("GIT_DIR", "GIT_COMMON_DIR"):
        assert load(repo, **{name: str(tmp_path / "other" / ".git")}).level == "standard"
    assert load(repo, GIT_CONFIG=str(tmp_path / "other" / ".git" / "config")).level == "standard"


def test_a_bare_repository_has_no_worktree_files(bare: Repo) -> None:
    Path(bare.path, ".mgit-hooks.toml").write_text('level = "strict"\n')
    bare.git("config", "mgit.retries", "2")
    found = load(bare)
    assert (found.level, found.retries) == ("standard", 2)
    assert not any(source.path.endswith(".toml") for source in found.sources)


def test_loading_takes_one_git_and_nothing_heavy(repo: Repo) -> None:
    repo.write(".mgit-hooks.toml", RULE)
    repo.git("config", "mgit.level", "strict")
    heavy = ("jsonschema", "argparse", "subprocess", "dataclasses", "pygit2", "loguru", "tempfile", "difflib")
    code = (
        "import sys\nfrom mgit_hooks import layout\nfrom mgit_hooks.judging import config\n"
        "from mgit_hooks.git import plumbing\n"
        f"location = layout.locate({repo.path!r})\n"
        "calls, spawn = [], plumbing._spawn\n"
        "plumbing._spawn = lambda *given: calls.append(given) or spawn(*given)\n"
        "assert config.load(location).level == 'strict'\n"
        f"print(len(calls), [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout == "1 []\n", done.stderr


STRICT = [entry["use"] for entry in library.set_entries("strict")]


def run(capfdbinary: Any, *args: str) -> tuple[int, str, str]:
    code = cli.main(list(args))
    out, err = capfdbinary.readouterr()
    return code, out.decode(), err.decode()


def test_the_command_lists_values_and_where_they_come_from(repo: Repo, capfdbinary: Any) -> None:
    repo.write(".mgit-hooks.toml", 'level = "strict"\n' + RULE)
    assert run(capfdbinary, "-C", repo.path, "config")[:2] == (
        0,
        "level=strict\nstrategy=repair\nembed=none\nenforce=true\nfail=closed\nretries=3\nanchor=off\ncompact=true\nkeep_checkpoints=3\n"
        + "".join(f"rules.{rule}=error,default\n" for rule in STRICT if rule != "subject-length")
        + "rules.subject-length=error,abort\n",
    )
    assert run(capfdbinary, "-C", repo.path, "config", "enforce")[1] == "true\n"
    shown = run(capfdbinary, "-C", repo.path, "config", "level", "--show-origin")[1]
    assert shown == f"{repo.path}/.mgit-hooks.toml:1\tstrict\n"
    value = json.loads(run(capfdbinary, "-C", repo.path, "config", "--json", "--show-origin", "--show-sources")[1])
    assert value["level"] == "strict"
    assert "subject-length" in [rule["id"] for rule in value["rules"]]
    assert value["origins"]["strategy"]["source"] == "default"
    assert {"path": f"{repo.path}/pyproject.toml", "exists": False} in value["sources"]
    assert "strategy=abort\n" in run(capfdbinary, "-C", repo.path, "config", "--strategy", "abort")[1]


@pytest.mark.parametrize("args", [("config",), ("config", "levl"), ("config", "--level", "lax")])
def test_a_bad_configuration_or_key_exits_with_two(repo: Repo, capfdbinary: Any, args: tuple[str, ...]) -> None:
    if args == ("config",):
        repo.git("config", "mgit.level", "lax")
    code, out, err = run(capfdbinary, "-C", repo.path, *args)
    assert (code, out) == (2, "")
    assert "hint: " in err
    assert "Traceback" not in err


SCHEMA_CALLS = [
    (('{"hash": "xyz"}',), "commit", 1, ["INVALID_COMMIT_HASH", "MISSING_COMMIT_FIELD"]),
    (('{\n "hash": \n}',), "commit", 1, ["line 3, column 1"]),
    (("",), "commit", 1, ["nothing is there"]),
    (("[1,",), "commit", 1, ["INVALID_JSON"]),
    ((b"\xff",), "commit", 1, ["not UTF-8"]),
    (('{"level": "strict"}\n', "\n", '{"levle": 1}\n'), "config", 1, ["f.json:3: error UNKNOWN_FIELD /levle"]),
    (
        ('{"level": "strict"}\n{"level": "basic"}\n{"',),
        "config",
        1,
        ["f.json:3: critical INVALID_JSON: line 3, column 2"],
    ),
    (('{"level": "strict"}\n',), "config", 0, []),
    (('{\n"level": "strict"\n}\n',), "config", 0, []),
]


@pytest.mark.parametrize(("parts", "kind", "code", "says"), SCHEMA_CALLS)
def test_schema_validate_judges_json_and_json_lines(
    tmp_path: Path, capfdbinary: Any, parts: tuple[str | bytes, ...], kind: str, code: int, says: list[str]
) -> None:
    raw = b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    (tmp_path / "f.json").write_bytes(raw)
    found, out, err = run(capfdbinary, "-C", str(tmp_path), "schema", "validate", "f.json", "--kind", kind)
    assert (found, "Traceback" in err) == (code, False)
    assert all(each in out for each in says), out
    assert bool(out) == bool(code)
    found, out, _ = run(capfdbinary, "-C", str(tmp_path), "schema", "validate", "f.json", "--kind", kind, "--json")
    assert all(json.loads(line)["severity"] for line in out.splitlines())


def test_schema_lists_and_prints(capfdbinary: Any) -> None:
    assert "record.strict" in run(capfdbinary, "schema")[1]
    assert (
        json.loads(run(capfdbinary, "schema", "record", "--level", "strict")[1])["$id"]
        == "urn:mgit-hooks:record.strict"
    )
    assert json.loads(run(capfdbinary, "schema", "record", "--json")[1])["$id"] == "urn:mgit-hooks:record.standard"
    assert json.loads(run(capfdbinary, "schema", "config")[1])["$id"] == "urn:mgit-hooks:config"
    code, _, err = run(capfdbinary, "schema", "recrd")
    assert (code, "did you mean 'record'?" in err) == (2, True)
    assert run(capfdbinary, "schema", "validate", "/nowhere.json")[0] == 128


def test_looking_at_the_configuration_leaves_private_files(repo: Repo, capfdbinary: Any) -> None:
    Path(repo.path, ".git/mgit").mkdir(mode=0o700)  # it keeps records
    run(capfdbinary, "-C", repo.path, "config")
    flag = Path(repo.path, ".git/mgit/gate/main-worktree")
    assert stat.S_IMODE(flag.stat().st_mode) == 0o600
    assert stat.S_IMODE(flag.parent.stat().st_mode) == 0o700


def test_a_slip_in_the_name_of_a_variable_is_told_where_somebody_looks(
    repo: Repo, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MGIT_LEVLE", "MGIT_SKIPS", "mgit_strategy", "MGITHUB_TOKEN", "MGIT_SERVER_PORT", "MGIT_LEVEL"):
        monkeypatch.setenv(name, "strict")
    assert cli.main(["-C", repo.path, "config", "level"]) == 0
    told = capfdbinary.readouterr()
    assert told.out == b"strict\n"
    assert told.err.decode().splitlines() == [
        "mgit-hooks: the environment has MGIT_LEVLE, which says nothing to mgit-hooks",
        "hint: did you mean MGIT_LEVEL?",
        "mgit-hooks: the environment has MGIT_SKIPS, which says nothing to mgit-hooks",
        "hint: did you mean MGIT_SKIP?",
        "mgit-hooks: the environment has mgit_strategy, which says nothing to mgit-hooks",
        "hint: did you mean MGIT_STRATEGY?",
    ]
    assert cli.main(["-C", repo.path, "config", "level", "-q"]) == 0
    assert capfdbinary.readouterr().err == b""
    (outcome,) = [each for each in diagnosis.diagnose(layout.locate(repo.path)) if each.check == "configuration"]
    assert [(finding.severity, finding.remedy) for finding in outcome.findings] == [
        ("remark", "did you mean MGIT_LEVEL?"),
        ("remark", "did you mean MGIT_SKIP?"),
        ("remark", "did you mean MGIT_STRATEGY?"),
    ]
