"""Recovery: every failure scenario is a row; at least nine in ten recover, and nothing intact is lost."""

from __future__ import annotations

import copy
import gzip
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from samples import CHANGES, COMMIT, HASH, PUSH, RECORDS, changeset, record

from mgit_hooks.encoding import encode
from mgit_hooks.errors import JournalError, ObjectError
from mgit_hooks.judging import schemas
from mgit_hooks.judging.judge import judge
from mgit_hooks.judging.rules import Rule
from mgit_hooks.judging.validate import validate
from mgit_hooks.record import Commit, Issue, Json, Oid, Record
from mgit_hooks.recovery import checkpoints
from mgit_hooks.recovery.recover import Context, recover_changeset, recover_record

S = schemas.load()
NOW = "2024-05-06T07:08:09+00:00"


def from_git(oid: Oid) -> Commit:
    if oid != HASH:
        raise ObjectError(f"no object {oid}")
    return COMMIT


def context(tmp_path: Path, **fields: Any) -> Context:
    return Context(str(tmp_path / "mgit"), "/src/repo", 3, (), from_git, lambda: NOW)._replace(**fields)


def judged(value: Record | Json, level: str = "strict", rules: tuple[Rule, ...] = ()) -> tuple[Issue, ...]:
    if isinstance(value, Record):
        plain = value.to_json()
        return validate("record", plain, level, S) + judge(rules, plain, S)
    return validate("changeset", value, level, S)


def change(index: int, **fields: Any) -> Commit:
    files = list(CHANGES)
    files[index] = files[index]._replace(**fields)
    return COMMIT._replace(files=tuple(files))


def commit_record(**fields: Any) -> Record:
    return record(commit=COMMIT._replace(**fields))


# scenario: what is broken, and whether strategy repair makes it valid again
RECORD_SCENARIOS: list[tuple[str, Record, bool]] = [
    ("repository_name empty", record(commit=COMMIT, repository_name=""), True),
    ("recorded_at empty", record(commit=COMMIT, recorded_at=""), True),
    ("recorded_at no date", record(commit=COMMIT, recorded_at="soon"), True),
    ("occurred_at no date", record(commit=COMMIT, occurred_at="soon"), True),
    ("occurred_at no date, from the commit", record(commit=COMMIT, occurred_at="x", occurred_from="commit"), True),
    ("date empty", commit_record(date=""), True),
    ("committer_date empty", commit_record(committer_date="yesterday"), True),
    ("date absent", commit_record(date=None), True),
    ("message absent", commit_record(message=None), True),
    ("author absent", commit_record(author_name=None, author_email=None), True),
    ("tree no id", commit_record(tree=Oid("HEAD^{tree}")), True),
    ("a parent cut short", commit_record(parents=(Oid("abc"),)), True),
    ("missing is no list of ids", commit_record(missing=(Oid("x"),)), False),
    ("hash cut short", commit_record(hash=Oid("abcdef1")), False),
    ("change type unknown to us", record(commit=change(0, change_type="new")), True),
    ("change type null", record(commit=change(1, change_type=None)), True),
    ("change type against the letter", record(commit=change(2, change_type="modified")), True),
    ("worktree status in a commit", record(commit=change(1, worktree_status="M")), True),
    ("file name empty", record(commit=change(1, filename="")), True),
    ("rename without a source", record(commit=change(3, old_filename=None)), True),
    ("size below zero", record(commit=change(1, size_bytes=-4)), True),
    ("mode cut short", record(commit=change(0, new_mode="644")), True),
    ("file id no id", record(commit=change(0, new_oid=Oid("x"))), True),
    ("lines of a binary file", record(commit=change(4, additions=3, deletions=1)), True),
    ("added file with an old id", record(commit=change(0, old_oid=HASH)), True),
    (
        "many at once",
        record(
            repository_name="", recorded_at="", commit=change(0, change_type="new", new_mode="1")._replace(date="x")
        ),
        True,
    ),
]


@pytest.mark.parametrize(("name", "broken", "recovered"), RECORD_SCENARIOS)
def test_repair_of_records(tmp_path: Path, name: str, broken: Record, recovered: bool) -> None:
    issues = judged(broken)
    assert issues, "the scenario breaks nothing"
    mended = recover_record(broken, issues, "repair", "strict", S, context(tmp_path))
    assert mended.validation.is_valid is recovered
    assert mended.validation.issues == judged(mended)
    assert mended.recovery
    last = mended.recovery[-1]
    assert (last.action_type, last.success) == (
        ("validation_repair_success", True) if recovered else ("repair_failed", False)
    )
    lost = [place for place in intact(broken, issues) if place not in intact(mended, ())]
    assert lost == []


def intact(value: Record, issues: tuple[Issue, ...]) -> list[tuple[str, str]]:
    """Every leaf of a record that no issue is about."""
    broken = {issue.field_path for issue in issues}
    payload = {name: item for name, item in value.payload().items() if name not in ("validation", "recovery")}

    def leaves(item: Any, path: str) -> Any:
        pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else None
        if path in broken:
            return
        if pairs is None:
            yield path, json.dumps(item)
        for name, inner in pairs or ():
            yield from leaves(inner, f"{path}/{name}")

    # the change type is judged by the letter beside it, which may then be what is at fault
    return [(path, text) for path, text in leaves(payload, "") if not path.endswith("/change_type")]


DROP = object()
CHANGESET_SCENARIOS: list[tuple[str, dict[str, Any], bool]] = [
    ("path absent", {"repository_path": DROP}, True),
    ("path relative", {"repository_path": "repo"}, True),
    ("path of elsewhere, relative", {"repository_path": "elsewhere", "git_status": "x"}, True),
    ("name absent", {"repository_name": DROP}, True),
    ("name empty", {"repository_name": ""}, True),
    ("name too long", {"repository_name": "n" * 300}, True),
    ("timestamp absent", {"timestamp": DROP}, True),
    ("timestamp absent, no commits", {"timestamp": None, "recent_commits": []}, True),
    ("timestamp no date", {"timestamp": "noon"}, True),
    ("flag absent", {"has_uncommitted_changes": DROP}, True),
    ("flag absent, no list", {"has_uncommitted_changes": DROP, "uncommitted_files": None}, True),
    ("flag against the list", {"has_uncommitted_changes": False}, True),
    (
        "flag and status undecided",
        {"has_uncommitted_changes": None, "uncommitted_files": None, "git_status": "?"},
        False,
    ),
    ("status absent", {"git_status": DROP}, True),
    ("status no status", {"git_status": "tidy"}, True),
    ("clean, yet files", {"git_status": "clean"}, True),
    ("clean, yet files and no flag", {"git_status": "clean", "has_uncommitted_changes": DROP}, True),
    ("status no status, with an error", {"git_status": "tidy", "error": "it broke"}, True),
    ("hash of the content wrong", {"/uncommitted_files/0/content_hash": "0" * 64}, True),
    ("embedded hash wrong", {"/uncommitted_files/0/embedded_content/content_hash": "0" * 64}, True),
    ("embedded hash no hash", {"/uncommitted_files/0/embedded_content/content_hash": "0"}, True),
    ("its key another one's", {"repository_key": "0" * 16}, True),
    ("content not that of its hashes", {"/uncommitted_files/0/embedded_content/content": "abd"}, False),
    ("size below zero", {"/uncommitted_files/0/size_bytes": -1}, True),
    ("counts of lines no numbers", {"/uncommitted_files/0/additions": "1", "/uncommitted_files/0/deletions": -1}, True),
    ("branch no text", {"current_branch": 5}, True),
    ("metadata no object", {"metadata": [1]}, True),
    ("change type no type", {"/uncommitted_files/0/change_type": "touched"}, True),
    ("commit's message absent", {"/recent_commits/1/message": None}, True),
    ("commit's file size", {"/recent_commits/1/files/0/size_bytes": -1}, True),
    ("commit's file type", {"/recent_commits/1/files/0/change_type": "?"}, True),
    ("commit's hash no hash", {"/recent_commits/0/hash": "zzz"}, False),
]


def broken_changeset(changes: dict[str, Any]) -> Json:
    value = changeset()
    for name, new in changes.items():
        holder: Any = value
        *parts, last = name.strip("/").split("/")
        for part in parts:
            holder = holder[int(part) if isinstance(holder, list) else part]
        if new is DROP:
            del holder[last]
        else:
            holder[last] = new
    return value


@pytest.mark.parametrize(("name", "changes", "recovered"), CHANGESET_SCENARIOS)
def test_repair_of_changesets(tmp_path: Path, name: str, changes: dict[str, Any], recovered: bool) -> None:
    broken = broken_changeset(changes)
    before = copy.deepcopy(broken)
    issues = judged(broken)
    assert issues, "the scenario breaks nothing"
    mended, actions = recover_changeset(broken, issues, "repair", "strict", S, context(tmp_path))
    assert mended is not None
    assert broken == before
    assert actions[-1].success is recovered
    left = [issue for issue in judged(mended) if issue.severity in ("error", "critical")]
    assert bool(left) is not recovered
    assert all(action.action_type != "repair_failed" for action in actions) is recovered


def test_at_least_nine_scenarios_in_ten_recover() -> None:
    outcomes = [recovered for *_, recovered in (*RECORD_SCENARIOS, *CHANGESET_SCENARIOS)]
    assert sum(outcomes) / len(outcomes) >= 0.9


@pytest.mark.parametrize(
    ("changes", "field", "value", "reason"),
    [
        ({"timestamp": DROP}, "timestamp", "2024-01-02T03:04:05+02:00", "the date of the newest commit"),
        (
            {"timestamp": DROP, "recent_commits": None},
            "timestamp",
            NOW,
            "the time of this repair, the true one being unknown",
        ),
        ({"git_status": "x"}, "git_status", "dirty", "1 uncommitted files are listed"),
        ({"git_status": "x", "uncommitted_files": []}, "git_status", "dirty", "0 uncommitted files are listed"),
        ({"git_status": "x", "uncommitted_files": None}, "git_status", "dirty", "from has_uncommitted_changes"),
        (
            {"git_status": "x", "uncommitted_files": None, "has_uncommitted_changes": 1},
            "git_status",
            "unknown",
            "nothing in the changeset decides it",
        ),
        ({"repository_name": None}, "repository_name", "repo", "from the repository's path"),
    ],
)
def test_each_repair_says_what_it_went_by(
    tmp_path: Path, changes: dict[str, Any], field: str, value: str, reason: str
) -> None:
    broken = broken_changeset(changes)
    mended, actions = recover_changeset(broken, judged(broken, "standard"), "repair", "standard", S, context(tmp_path))
    assert mended is not None
    assert mended[field] == value
    (action,) = [action for action in actions if (action.data_context or {}).get("field") == f"/{field}"]
    assert action.success
    assert action.action_type == ("status_repair" if field == "git_status" else "field_repair")
    assert action.description.endswith(reason)
    assert (action.data_context or {})["after"] == value


def test_a_repair_whose_value_is_not_valid_itself_is_taken_back(tmp_path: Path) -> None:
    broken = commit_record(date="")

    def damaged(oid: Oid) -> Commit:
        return COMMIT._replace(date="nor is this a date")

    mended = recover_record(broken, judged(broken), "repair", "strict", S, context(tmp_path, commit_of=damaged))
    assert mended.commit == broken.commit
    assert not mended.validation.is_valid
    assert [(action.action_type, action.success) for action in mended.recovery] == [("repair_failed", False)] * 2
    assert "is not an ISO 8601 date" in str(mended.recovery[0].error)


def test_only_what_can_change_is_tried_again_and_no_more_often_than_configured(tmp_path: Path) -> None:
    broken = commit_record(date="")
    calls: list[Oid] = []

    def busy(oid: Oid) -> Commit:
        calls.append(oid)
        if len(calls) < 3:
            raise OSError(11, "try again")
        return COMMIT

    mended = recover_record(broken, judged(broken), "repair", "strict", S, context(tmp_path, commit_of=busy))
    assert (mended.validation.is_valid, len(calls)) == (True, 3)
    calls.clear()
    mended = recover_record(broken, judged(broken), "repair", "strict", S, context(tmp_path, commit_of=busy, retries=2))
    assert (mended.validation.is_valid, len(calls)) == (False, 2)

    def gone(oid: Oid) -> Commit:
        calls.append(oid)
        raise ObjectError("no such object")

    calls.clear()
    recover_record(broken, judged(broken), "repair", "strict", S, context(tmp_path, commit_of=gone))
    assert len(calls) == 1


def test_without_retries_nothing_is_repaired_and_it_says_so(tmp_path: Path) -> None:
    broken = commit_record(date="")
    kept = recover_record(broken, judged(broken), "repair", "strict", S, context(tmp_path, retries=0))
    assert kept.commit == broken.commit
    assert kept.recovery[-1].action_type == "repair_failed"


RULE = Rule("r", ("commit",), "error", None, "way out", {"properties": {"branch": {"const": "x"}}}, "f")


def test_a_broken_rule_is_not_repaired_by_changing_what_happened(tmp_path: Path) -> None:
    sound = RECORDS["commit"]
    kept = recover_record(sound, judged(sound, rules=(RULE,)), "repair", "strict", S, context(tmp_path, rules=(RULE,)))
    assert kept._replace(validation=sound.validation, recovery=()) == sound
    assert [issue.code for issue in kept.validation.issues] == ["RULE_VIOLATED"]
    assert kept.recovery[-1].error == "RULE_VIOLATED"


def test_ignore_keeps_it_as_it_is_with_its_issues(tmp_path: Path) -> None:
    broken = commit_record(date="")
    kept = recover_record(broken, judged(broken), "ignore", "strict", S, context(tmp_path))
    assert kept.commit == broken.commit
    assert (kept.validation.is_valid, kept.validation.issues) == (False, judged(broken))
    assert [(action.action_type, action.error) for action in kept.recovery] == [("ignore_error", "INVALID_DATE")]


def test_abort_is_too_late_for_a_record_and_stops_a_changeset(tmp_path: Path) -> None:
    broken = commit_record(date="")
    kept = recover_record(broken, judged(broken), "abort", "strict", S, context(tmp_path))
    assert kept.commit == broken.commit
    assert [(action.action_type, action.success) for action in kept.recovery] == [("refusal_too_late", False)]
    value = broken_changeset({"git_status": "x"})
    stopped, actions = recover_changeset(value, judged(value), "abort", "strict", S, context(tmp_path))
    assert stopped is None
    assert [(action.action_type, action.error) for action in actions] == [("operation_failed", "INVALID_GIT_STATUS")]


FALLBACKS = [
    (commit_record(hash=Oid("zzz")), "snapshot"),
    (commit_record(date="", message=None), "commit"),
    (record(commit=change(0, filename="")), "commit"),
    (record("merge", commit=COMMIT, repository_name="n" * 300), "merge"),
    (record("push", push=PUSH._replace(remote_name=None)), "snapshot"),
    (record("push", push=PUSH, worktree="nowhere"), "push"),
    (record("what", commit=COMMIT), "snapshot"),
    (record("ref-update"), "snapshot"),
]


@pytest.mark.parametrize(("broken", "event"), FALLBACKS)
def test_fallback_is_minimal_valid_and_keeps_the_original(tmp_path: Path, broken: Record, event: str) -> None:
    made = recover_record(broken, judged(broken), "fallback", "strict", S, context(tmp_path))
    assert (made.validation.is_valid, judged(made), made.event) == (True, (), event)
    assert made.original == broken.payload()
    assert [action.action_type for action in made.recovery] == ["fallback_changeset_created"]
    if made.commit is not None and broken.commit is not None:
        assert (made.commit.hash, made.commit.files) == (broken.commit.hash, None)
    assert Record.from_json(made.to_json()) == made


def test_fallback_of_a_changeset_says_that_it_is_one(tmp_path: Path) -> None:
    broken = broken_changeset({"git_status": "x", "repository_name": None, "timestamp": ""})
    made, actions = recover_changeset(broken, judged(broken), "fallback", "strict", S, context(tmp_path))
    assert made is not None
    assert judged(made) == ()
    assert (made["repository_path"], made["repository_name"]) == ("/src/repo", "repo")
    assert made["metadata"] == {"fallback": True, "original": broken}
    assert [action.action_type for action in actions] == ["fallback_changeset_created"]


def test_fallback_that_would_be_no_more_valid_keeps_it_as_it_is(tmp_path: Path) -> None:
    never = RULE._replace(schema=False, events=("commit", "snapshot"))
    sound = RECORDS["commit"]
    kept = recover_record(
        sound, judged(sound, rules=(never,)), "fallback", "strict", S, context(tmp_path, rules=(never,))
    )
    assert (kept.commit, kept.original) == (sound.commit, None)
    assert [(action.action_type, action.success) for action in kept.recovery] == [("fallback_failed", False)]


def test_checkpoint_saves_a_private_copy_first_and_then_repairs(tmp_path: Path) -> None:
    broken = commit_record(date="")
    mended = recover_record(broken, judged(broken), "checkpoint", "strict", S, context(tmp_path))
    assert mended.validation.is_valid
    assert [action.action_type for action in mended.recovery] == [
        "checkpoint_created",
        "field_repair",
        "validation_repair_success",
    ]
    path = (mended.recovery[0].data_context or {})["checkpoint_path"]
    assert os.path.dirname(path) == str(tmp_path / "mgit/checkpoints")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    saved = checkpoints.read(path)
    assert (saved["kind"], saved["made_at"]) == ("record", NOW)
    assert Record.from_json(saved["value"]) == broken
    assert [issue["code"] for issue in saved["issues"]] == ["INVALID_DATE"]
    with gzip.open(path) as file:
        assert json.load(file) == saved
    recover_record(broken, judged(broken), "checkpoint", "strict", S, context(tmp_path))
    assert len(os.listdir(os.path.dirname(path))) == 1


def test_without_the_copy_nothing_is_repaired(tmp_path: Path) -> None:
    (tmp_path / "mgit").write_text("in the way")
    broken = commit_record(date="")
    kept = recover_record(broken, judged(broken), "checkpoint", "strict", S, context(tmp_path))
    assert kept.commit == broken.commit
    assert [(action.action_type, action.success) for action in kept.recovery] == [("checkpoint_failed", False)]
    assert kept.validation.issues == judged(broken)


@pytest.mark.parametrize(
    "damage", [b"", b"\x1f\x8bnot gzip", gzip.compress(b"{", mtime=0), gzip.compress(b'{"checkpoint": 2}', mtime=0)]
)
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "c.json.gz"
    path.write_bytes(damage)
    with pytest.raises(JournalError, match=r"c\.json\.gz"):
        checkpoints.read(str(path))


@pytest.mark.parametrize("strategy", ["ignore", "repair", "fallback", "checkpoint", "abort"])
def test_whatever_is_invalid_stays_a_record_and_keeps_earlier_actions(tmp_path: Path, strategy: str) -> None:
    for _, broken, _ in RECORD_SCENARIOS:
        earlier = RECORDS["history"].recovery
        broken = broken._replace(recovery=earlier)
        after = recover_record(broken, judged(broken), strategy, "strict", S, context(tmp_path))
        assert isinstance(after, Record)
        assert after.recovery[: len(earlier)] == earlier
        assert len(after.recovery) > len(earlier)
        assert encode(after)


def test_git_itself_is_what_repairs_go_by(tmp_path: Path, repo: Any) -> None:
    from mgit_hooks.capture.capturer import Capturer

    name = Oid(repo.commit("One", {"a.txt": "one\n", "b.bin": b"\0"}))
    captured = Capturer(f"{repo.path}/.git").commit(name)
    assert captured.files is not None
    damaged = captured._replace(
        date="", files=(captured.files[0]._replace(size_bytes=-1, new_mode="x"), *captured.files[1:])
    )
    broken = record(commit=damaged)
    here = context(tmp_path, commit_of=Capturer(f"{repo.path}/.git").commit)
    mended = recover_record(broken, judged(broken), "repair", "strict", S, here)
    assert mended.commit == captured
    assert mended.validation.is_valid
