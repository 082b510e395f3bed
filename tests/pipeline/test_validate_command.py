"""``validate``: what is on file, judged as it is now, for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording

from mgit_hooks.encoding import encode
from mgit_hooks.journal import reader
from mgit_hooks.journal.format import HEADER_LENGTH
from mgit_hooks.record import Record
from mgit_hooks.recorder.intake import journal_of

CLEAN = {"info": 0, "warning": 0, "error": 0, "critical": 0}


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    made.commit("two")
    made.drain()
    return made


def appended(work: Recording, record: Record) -> None:
    """A record as it is, past every judgement."""
    with journal_of(work.location) as journal:
        journal.append([encode(record)])
        journal.sync()


def wrong(work: Recording, **changes: Any) -> Record:
    """The newest commit's record with something else in its commit, under a hash that is no commit's here."""
    record = work.of(work.head())
    assert record.commit is not None
    return record._replace(commit=record.commit._replace(**changes), refs=None)


def test_a_journal_that_is_in_order(work: Recording, mgit: Any) -> None:
    told = mgit("-C", work.path, "validate")
    assert (told.code, told.out) == (0, "3 records judged at level standard: valid\n")
    (value,) = mgit("-C", work.path, "validate", "--json").json
    assert value == {
        "journal": work.location.journal_dir,
        "validation_level": "standard",
        "issues": [],
        "is_valid": True,
        "issue_counts": CLEAN,
        "statistics": {"validated_records": 3, "invalid_records": 0, "validated_commits": 2, "validated_files": 2},
        "damaged": [],
    }


def test_what_is_wrong_is_told_by_record_and_place(work: Recording, mgit: Any) -> None:
    appended(work, wrong(work, hash="f" * 40, date="yester\x1bday"))
    told = mgit("-C", work.path, "validate")
    assert told.code == 1
    first, last = told.out.splitlines()
    assert first.startswith("record 4 (commit): error INVALID_DATE /commit/date: date is not an ISO 8601 date")
    assert last == "4 records judged at level standard: invalid; 1 error"
    assert "\x1b" not in told.out
    assert "hint: take the date from git" in mgit("-C", work.path, "validate", "-v").err
    (value,) = mgit("-C", work.path, "validate", "--json").json
    (issue,) = value["issues"]
    assert (issue["seq"], issue["event"], issue["code"], issue["field_path"]) == (
        4, "commit", "INVALID_DATE", "/commit/date",
    )  # fmt: skip
    assert (value["is_valid"], value["issue_counts"], value["statistics"]["invalid_records"]) == (
        False, {**CLEAN, "error": 1}, 1,
    )  # fmt: skip
    assert mgit("-C", work.path, "validate", "--validation-level", "basic").code == 0


def test_the_level_is_the_configured_one_unless_said(work: Recording, mgit: Any) -> None:
    for configured, given, level in (
        ("basic", (), "basic"),
        ("strict", (), "strict"),
        ("basic", ("--validation-level", "strict"), "strict"),
        ("basic", ("--level", "standard"), "standard"),
    ):
        work.git("config", "mgit.level", configured)
        assert f"judged at level {level}" in mgit("-C", work.path, "validate", *given).out
    refused = mgit("-C", work.path, "validate", "--validation-level", "lax")
    assert (refused.code, "invalid choice" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "changes", [{"tree": "e" * 40}, {"author_name": "Eve"}, {"message": "another\n"}, {"parents": ()}]
)
def test_at_level_strict_a_commit_that_git_does_not_have_so_is_found(
    work: Recording, mgit: Any, changes: dict[str, Any]
) -> None:
    told = mgit("-C", work.path, "validate", "--validation-level", "strict")
    assert (told.code, told.out) == (0, "3 records judged at level strict, 2 against git: valid\n")
    appended(work, wrong(work, **changes))
    assert mgit("-C", work.path, "validate", "--validation-level", "standard").code == 0
    (value,) = mgit("-C", work.path, "validate", "--validation-level", "strict", "--json").json
    (name,) = changes
    assert [(issue["code"], issue["field_path"]) for issue in value["issues"]] == [
        ("OBJECT_MISMATCH", f"/commit/{name}")
    ]


def test_a_record_that_another_stands_in_for_is_not_judged(work: Recording, mgit: Any) -> None:
    appended(work, wrong(work, hash="f" * 40, date="yesterday"))
    appended(work, wrong(work, hash="f" * 40)._replace(supersedes=4))  # type: ignore[arg-type]
    assert mgit("-C", work.path, "validate").out == "4 records judged at level standard: valid\n"


def test_a_minimal_record_is_not_held_against_git(work: Recording, mgit: Any) -> None:
    work.git("config", "mgit.strategy", "fallback")
    work.write(".git/rules.toml", '[[rules]]\nid = "r"\nschema = { properties = { commit = { properties = '
               '{ message = { maxLength = 3 } } } } }\n')  # fmt: skip
    work.git("config", "mgit.rules", str(Path(work.path, ".git/rules.toml")))
    work.commit("too long", "--allow-empty")
    assert work.records("commit", "snapshot")[-1].original is not None
    told = mgit("-C", work.path, "validate", "--validation-level", "strict")
    assert (told.code, told.out) == (0, "4 records judged at level strict, 2 against git: valid\n")


def test_what_cannot_be_read_is_no_verdict_of_order(work: Recording, mgit: Any) -> None:
    assert mgit("-C", work.path, "validate").code == 0  # and the index is made
    segment = Path(work.location.journal_dir, "00000001.seg")
    data = bytearray(segment.read_bytes())
    block = next(each for each in reader.blocks(work.location.journal_dir) if isinstance(each, reader.Block))
    data[block.offset + HEADER_LENGTH + 5] ^= 1
    segment.write_bytes(data)
    told = mgit("-C", work.path, "validate")
    assert (told.code, "not judged" in told.err, "mgit-hooks repair" in told.err) == (1, True, True)
    (value,) = mgit("-C", work.path, "validate", "--json").json
    assert len(value["damaged"]) == 1


def test_where_nothing_is_recorded(repo: Repo, mgit: Any) -> None:
    told = mgit("-C", repo.path, "validate")
    assert (told.code, told.out) == (128, "")
