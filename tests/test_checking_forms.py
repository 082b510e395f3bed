"""The forms of ``check``: each is what its readers take, whatever the history holds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import jsonschema
import pytest
from conftest import Repo

from mgit_hooks.checking import provenance
from mgit_hooks.checking.findings import Checked, Finding, Subject, Totals
from mgit_hooks.checking.forms import FORMS, About
from mgit_hooks.layout import locate

SCHEMA = Path(__file__).parent / "sarif" / "sarif-2.1.0.json"
RULES = """
[[rules]]
id = "subject"
severity = "critical"
message = "Keep it: short, 100 % short."
schema.properties.commit.properties.message.maxLength = 4

[[rules]]
id = "size"
severity = "warning"
message = "Keep it small."
schema.properties.commit.properties.files.items.properties.size_bytes.maximum = 10

[[rules]]
id = "no-bots"
severity = "info"
schema.properties.commit.properties.author_name.pattern = "^[A-Z]"
"""
OURS = ["subject", "size", "no-bots"]
# Whatever ends a line, a command, an attribute or a document elsewhere.
HOSTILE = "::error::x\r%0A ]]> <a b='\"&\x07\x1b[31m\u202e\ufffe, c: d % \U0001f600"
NAMES = ("a b:c,d%e", "größe", "new\nline", "x]]>", os.fsdecode(b"\xff\xfe"), "a\x1b[31m", "d/#?&")


@pytest.fixture
def hostile(repo: Repo) -> Repo:
    repo.write(".git/rules.toml", RULES)
    repo.git("config", "mgit.rules", os.path.join(repo.path, ".git/rules.toml"))
    repo.commit("ok")
    repo.commit(f"{HOSTILE}\n\nBody {HOSTILE}\n", dict.fromkeys(NAMES, "x" * 20), GIT_AUTHOR_NAME="a bot <&>")
    return repo


def checked(mgit: Any, repo: Repo, form: str) -> str:
    told = mgit("-C", repo.path, "check", "HEAD", "--format", form)
    assert told.code == 1
    assert "\x1b" not in told.out
    out: str = told.out
    return out


def test_text_has_colors_where_they_are_wanted(hostile: Repo, mgit: Any) -> None:
    told = mgit("-C", hostile.path, "check", "--color", "always")
    assert "\x1b[31mcritical\x1b[0m: rule subject" in told.out
    lines = checked(mgit, hostile, "text").splitlines()
    assert [line.strip() for line in lines if "where: new" in line] == ["where: new\\nline (size_bytes)"]
    assert len(lines) == 1 + 3 + 2 + 3 * len(NAMES)  # no-bots has no way out


# SARIF


def test_sarif_is_valid_by_the_schema(hostile: Repo, mgit: Any) -> None:
    log = json.loads(checked(mgit, hostile, "sarif"))
    schema = json.loads(SCHEMA.read_text())
    jsonschema.validate(log, schema, cls=jsonschema.Draft202012Validator)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    ours = {rule["id"]: rule for rule in rules if rule["id"] in OURS}
    assert {name: rule["defaultConfiguration"]["level"] for name, rule in ours.items()} == {
        "subject": "error",
        "size": "warning",
        "no-bots": "note",
    }
    assert (
        ours["subject"]["shortDescription"]["text"] == ours["subject"]["help"]["text"] == "Keep it: short, 100 % short."
    )
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert [result["level"] for result in run["results"]] == ["error", "note"] + ["warning"] * len(NAMES)
    oid = hostile.git("rev-parse", "HEAD")
    for result in run["results"]:
        (where,) = result["locations"]
        (commit,) = where["logicalLocations"]
        assert (commit["fullyQualifiedName"], commit["kind"]) == (oid, "commit")
    places = [each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"][2:]]
    assert sorted(os.fsdecode(unquote_to_bytes(uri)) for uri in places) == sorted(NAMES)
    assert all(re.fullmatch(r"[A-Za-z0-9%/._~!$&'()*+,;=@-]+", uri) for uri in places)
    broken = {**log, "runs": [{**run, "results": [{**run["results"][0], "level": "fatal"}]}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema, cls=jsonschema.Draft202012Validator)


def test_sarif_fingerprints_outlive_a_rebase_and_hold_no_object_id(hostile: Repo, mgit: Any) -> None:
    before = [each["partialFingerprints"] for each in json.loads(checked(mgit, hostile, "sarif"))["runs"][0]["results"]]
    old = hostile.git("rev-parse", "HEAD")
    hostile.git("rebase", "-q", "--force-rebase", "--root", GIT_COMMITTER_DATE="2001-01-01T00:00:00Z")
    hostile.git(
        "commit", "-q", "--amend", "--no-edit", "--reset-author", GIT_AUTHOR_NAME="a bot", GIT_AUTHOR_DATE="@9 +0000"
    )
    assert hostile.git("rev-parse", "HEAD") != old
    after = [each["partialFingerprints"] for each in json.loads(checked(mgit, hostile, "sarif"))["runs"][0]["results"]]
    assert after == before
    assert len({json.dumps(each) for each in before}) == len(before)


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("https://user:s3cret@example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://s3cret@example.org/a b?token=s3cret#x", "https://example.org/a%20b"),
        ("git@example.org:a/b.git", "ssh://example.org/a/b.git"),
        ("ssh://user:s3cret@example.org:22/a", "ssh://example.org:22/a"),
        ("../elsewhere", None),
        ("/srv/a", None),
        ("file:///srv/a", None),
    ],
)
def test_provenance_is_a_uri_without_credentials(repo: Repo, url: str, uri: str | None) -> None:
    oid = repo.commit("one")
    repo.git("config", "remote.origin.url", url)
    found = provenance.of(locate(repo.path), repo.path)
    assert (None if found is None else found.uri) == uri
    if found is not None:
        assert (found.revision, found.branch) == (oid, "main")


def test_sarif_tells_of_provenance(hostile: Repo, mgit: Any) -> None:
    hostile.git("remote", "add", "origin", "https://user:s3cret@example.org/a.git")
    told = checked(mgit, hostile, "sarif")
    assert "s3cret" not in told
    (said,) = json.loads(told)["runs"][0]["versionControlProvenance"]
    assert said["repositoryUri"] == "https://example.org/a.git"
    assert said["revisionId"] == hostile.git("rev-parse", "HEAD")


@pytest.mark.managers
def test_the_sarif_multitool_takes_it(hostile: Repo, mgit: Any, tmp_path: Path) -> None:
    """Microsoft's own validator: no error, and its converter reads every result."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm is not here")
    tools = tmp_path / "tools"
    tools.mkdir()
    home = {**os.environ, "HOME": str(tmp_path), "npm_config_cache": str(tmp_path / "cache")}
    asked = [
        npm,
        "install",
        "--fetch-retries=0",
        "--no-audit",
        "--no-fund",
        "--prefix",
        tools,
        "@microsoft/sarif-multitool@5",
    ]
    done = subprocess.run(asked, capture_output=True, text=True, env=home, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"the registry does not answer: {done.stderr[-200:]}")
    hostile.git("remote", "add", "origin", "https://example.org/a.git")
    assert mgit("-C", hostile.path, "check", "HEAD", "--format", "sarif", "-o", "../out.sarif").code == 1
    report = tmp_path / "out.sarif"
    tool = tools / "node_modules" / ".bin" / "sarif-multitool"
    broken = tmp_path / "broken.sarif"
    broken.write_text(re.sub(r'"ruleIndex":\d+', '"ruleIndex":77', report.read_text()))
    told = multitool(tool, home, "validate", report, broken).stdout
    assert "2 files scanned" in told
    wrong = [line for line in told.splitlines() if ": error " in line]
    assert wrong
    assert all("broken.sarif" in line for line in wrong), told


def multitool(tool: Path, env: dict[str, str], *args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool, *args], capture_output=True, text=True, env=env, check=False, timeout=120)


# JUnit: what junit-10.xsd of Jenkins' xUnit plugin lets stand where

CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testsuite", "properties", "testcase", "system-out", "system-err"},
    "testcase": {"skipped", "error", "failure", "system-out", "system-err"},
    "failure": set(),
    "system-out": set(),
}
ATTRIBUTES = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package",
         "file", "log", "url"},
        {"name", "tests", "failures", "errors"},
    ),
    "testcase": ({"name", "time", "classname", "group"}, {"name"}),
    "failure": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}  # fmt: skip


def parsed_xml(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.encode())  # noqa: S314 - our own


def misplaced(element: ElementTree.Element) -> list[str]:
    allowed, required = ATTRIBUTES[element.tag]
    wrong = [f"{element.tag}.{name}" for name in element.attrib if name not in allowed]
    wrong += [f"{element.tag}.{name} is missing" for name in required if name not in element.attrib]
    for child in element:
        if child.tag not in CHILDREN[element.tag]:
            wrong.append(f"{child.tag} in {element.tag}")
        else:
            wrong += misplaced(child)
    return wrong


def test_junit_has_a_suite_for_each_commit_and_a_case_for_each_rule(hostile: Repo, mgit: Any) -> None:
    top = parsed_xml(checked(mgit, hostile, "junit"))
    assert top.tag == "testsuites"
    assert misplaced(top) == []
    assert misplaced(parsed_xml("<testsuite name='a'><failure/></testsuite>")) != []
    clean, sinful = top
    cases = {case.get("name"): case for case in sinful}
    assert [case.get("name") for case in clean] == list(cases)
    assert next(iter(cases)) == "schemas.standard"
    assert list(cases)[-3:] == OURS
    assert [name for name, case in cases.items() if case.find("failure") is not None] == ["subject"]
    assert (clean.get("tests"), clean.get("failures"), sinful.get("failures")) == (str(len(cases)), "0", "1")
    failure = cases["subject"].find("failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("rule subject: message has ")
    assert "Keep it: short, 100 % short." in (failure.text or "")
    others = cases["size"].find("system-out")
    assert others is not None
    assert (others.text or "").count("warning: rule size") == len(NAMES)
    assert "\\x1b" in "".join(top.itertext())


# What CI systems annotate


def test_github_commands_are_one_line_each_and_none_is_made_up(hostile: Repo, mgit: Any) -> None:
    lines = checked(mgit, hostile, "github").removesuffix("\n").split("\n")
    assert len(lines) == 2 + len(NAMES)
    parsed = [workflow_command(line) for line in lines]
    assert [level for level, _, _ in parsed] == ["error", "notice"] + ["warning"] * len(NAMES)
    assert [properties["title"] for _, properties, _ in parsed] == ["subject", "no-bots"] + ["size"] * len(NAMES)
    files = {properties.get("file") for _, properties, _ in parsed[2:]}
    assert {"a b:c,d%e", "größe", "new\nline", "d/#?&"} <= files
    assert parsed[0][2].endswith("\nKeep it: short, 100 % short.")
    assert "\r" not in "".join(lines)


def workflow_command(line: str) -> tuple[str, dict[str, str], str]:
    """As the runner reads it (ActionCommand.cs): up to the first ``::`` after the command's own."""
    match = re.fullmatch(r"::([a-z]+) ([^:]*)::(.*)", line)
    assert match is not None, line
    properties = dict(each.split("=", 1) for each in match[2].split(","))
    return match[1], {name: unescaped(value) for name, value in properties.items()}, unescaped(match[3])


def unescaped(text: str) -> str:
    for code, char in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_gitlab_entries_have_what_it_asks_for_and_a_fingerprint_each(hostile: Repo, mgit: Any) -> None:
    hostile.git("commit", "-q", "--allow-empty", "-C", "HEAD")  # one more with the same subject
    entries = json.loads(checked(mgit, hostile, "gitlab"))
    assert len(entries) == 4 + len(NAMES)
    for entry in entries:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert entry["location"]["path"]
        assert entry["location"]["lines"]["begin"] >= 1
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)


# All of them


@pytest.mark.parametrize("form", FORMS)
def test_a_report_takes_its_files_place_once_it_is_whole(hostile: Repo, mgit: Any, form: str) -> None:
    plain = mgit("-C", hostile.path, "check", "HEAD", "--format", form)
    told = mgit("-C", hostile.path, "check", "HEAD", "--format", form, "--output", "report")
    report = Path(hostile.path, "report")
    assert (told.code, told.out, report.read_bytes()) == (1, "", plain.raw)
    broken = mgit("-C", hostile.path, "check", "--patch", "report.none", "--format", form, "-o", "report")
    assert (broken.code, report.read_bytes()) == (2, plain.raw)
    assert sorted(os.listdir(hostile.path)) == sorted({".git", "report", "d", *(n for n in NAMES if "/" not in n)})


@pytest.mark.parametrize("form", FORMS)
def test_a_clean_check_is_a_whole_document_too(repo: Repo, mgit: Any, form: str) -> None:
    repo.commit("one")
    told = mgit("-C", repo.path, "check", "--format", form)
    assert told.code == 0
    if form in ("json", "sarif", "gitlab"):
        json.loads(told.out)
    elif form == "junit":
        parsed_xml(told.out)
    else:
        assert told.out == ""


@pytest.mark.parametrize("form", FORMS)
def test_no_credential_is_told(form: str) -> None:
    """Of a URL with a token, in a message or a way out."""
    said: list[str] = []
    secret = "see https://user:hunter2@example.org/x?token=hunter2 "
    subject = Subject("commit", "0" * 40, secret, "a <b>", "2020-01-01T00:00:00+00:00")
    finding = Finding(
        "r", "RULE_VIOLATED", "error", f"rule r: {secret}", "/commit/message", secret, None, None, None, "f", True
    )
    about = About("standard", True, (), ("error",), None)
    made = FORMS[form](Kept(said), about)
    made.add(Checked(subject, (finding,), ("r",)))
    made.end(Totals(1, 0, {"error": 1}, 1))
    assert "example.org" in "".join(said)
    assert "hunter2" not in "".join(said)


class Kept:
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def part(self, text: str) -> None:
        self._said.append(text)

    line = part

    def style(self, text: str, *names: str) -> str:
        return text


def test_a_line_is_told_where_a_fact_knows_one() -> None:
    from mgit_hooks.checking.findings import sorted_findings
    from mgit_hooks.record import Issue

    subject = Subject("commit", "0" * 40, "s", None, None)
    file = {"filename": "f", "facts": {"conflict_markers": [7, 9], "secrets": [{"kind": "aws", "line": 3}]}}
    value = {"commit": {"files": [file, {"filename": "g"}]}}
    for path, line in (
        ("/commit/files/0/facts/conflict_markers", 7),
        ("/commit/files/0/facts/conflict_markers/1", 9),
        ("/commit/files/0/facts/secrets", 3),
        ("/commit/files/0/facts/secrets/0", 3),
        ("/commit/files/0/facts/secrets/0/kind", 3),
        ("/commit/files/0/size_bytes", None),
        ("/commit/files/0/facts/nothing", None),
        ("/commit/files/1/facts/secrets", None),
        ("/commit/message", None),
    ):
        (finding,) = sorted_findings([Issue("error", "X", "x", path)], value, subject, ())
        assert finding.line == line, path
        assert finding.file == ({"0": "f", "1": "g"}[path.split("/")[3]] if "/files/" in path else None)
