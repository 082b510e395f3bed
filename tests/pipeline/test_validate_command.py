"""``validate``: what is on file, judged as it is now, for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording
from samples import changeset

from mgit_hooks.changesets import ChangesetCollection, ChangesetStorage, RepositoryChangeset, repository_key
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


# A collection


def saved(name: str = "work", **changes: Any) -> ChangesetCollection:
    """Two repositories, in the user's data folder; ``changes`` are to one of them."""
    one = RepositoryChangeset.from_json({**changeset(), **changes})
    other = RepositoryChangeset.from_json({**changeset(), "repository_path": "/src/other", "repository_name": "other"})
    made = ChangesetCollection(name, one.timestamp, one.timestamp, {}).with_repository(one).with_repository(other)
    ChangesetStorage().save_changeset_collection(made)
    return made


VALIDATE = ("pipeline", "validate", "--collection-name", "work")


def test_a_collection_that_is_in_order(mgit: Any, tmp_path: Path) -> None:
    """Anywhere: a collection belongs to no repository."""
    saved()
    told = mgit("-C", str(tmp_path), *VALIDATE, "--validation-level", "strict")
    summed = "2 repositories, 4 commits, 12 files judged at level strict, 0 against git: valid\n"
    assert (told.code, told.out, told.err) == (0, summed, "")
    (value,) = mgit(*VALIDATE, "--validation-level", "strict", "--json").json
    assert value == {
        "collection": "work", "is_valid": True, "validation_level": "strict", "issues": [], "issue_counts": CLEAN,
        "statistics": {
            "validated_collections": 1, "validated_repositories": 2, "total_files": 12, "total_commits": 4,
            "checked_against_git": 0,
        },
    }  # fmt: skip


def test_the_level_of_a_collection_is_standard_unless_said(mgit: Any) -> None:
    saved(git_status="clean")
    for given, level, code in (
        ((), "standard", 0),
        (("--validation-level", "basic"), "basic", 0),
        (("--validation-level", "strict"), "strict", 1),
        (("--level", "strict"), "strict", 1),
    ):
        told = mgit(*VALIDATE, *given)
        assert (told.code, f"judged at level {level}" in told.out) == (code, True)
    assert mgit(*VALIDATE, "--validation-level", "lax").code == 2


def test_what_is_wrong_is_told_by_repository_and_place(mgit: Any) -> None:
    saved(git_status="clean", repository_name="re\x1bpo")
    told = mgit(*VALIDATE, "--validation-level", "strict")
    says = "error STATUS_CONSISTENCY_ERROR /git_status: git_status is clean, yet there are uncommitted changes"
    assert told.out.splitlines() == [
        f"work: re\\x1bpo: {says}",
        "2 repositories, 4 commits, 12 files judged at level strict, 0 against git: invalid; 1 error",
    ]
    assert (told.code, told.err) == (1, "")
    assert "hint: set git_status to dirty" in mgit(*VALIDATE, "--validation-level", "strict", "-v").err
    ended = mgit(*VALIDATE, "--validation-level", "strict", "-z").raw
    assert (ended.count(b"\n"), ended.count(b"\0")) == (0, 2)
    assert "\x1b[31m" in mgit(*VALIDATE, "--validation-level", "strict", "--color", "always").out
    (value,) = mgit(*VALIDATE, "--validation-level", "strict", "--json").json
    key = repository_key("/src/repo")
    assert [(issue["code"], issue["field_path"]) for issue in value["issues"]] == [
        ("STATUS_CONSISTENCY_ERROR", f"/repositories/{key}/git_status")
    ]


def test_a_warning_is_told_and_is_no_fault(mgit: Any) -> None:
    saved(repository_path="src/repo")
    told = mgit(*VALIDATE)
    assert (told.code, told.out.count("\n")) == (0, 2)
    assert told.out.endswith(": valid; 1 warning\n")


def test_what_no_value_could_hold_is_judged_as_it_lies_there(mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection whose contents are gone is read and told, not refused: to be recovered."""
    made = saved()
    lost = {key: value for key, value in made.to_json().items() if key != "repositories"}
    monkeypatch.setattr(ChangesetCollection, "to_json", lambda self: lost)
    ChangesetStorage().save_changeset_collection(made)
    told = mgit(*VALIDATE)
    assert told.code == 1
    assert told.out.splitlines()[0] == "work: error MISSING_REQUIRED_FIELD /repositories: repositories is missing"


def test_a_collection_that_is_damaged_missing_or_none(mgit: Any) -> None:
    saved()
    path = Path(ChangesetStorage().path("work"))
    path.write_bytes(path.read_bytes()[:-1])
    told = mgit(*VALIDATE)
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 2)
    assert "work.mgitc is damaged: its checksum" in told.err
    told = mgit("pipeline", "validate", "--collection-name", "wrok")
    assert (told.code, "did you mean 'work'?" in told.err) == (2, True)
    told = mgit("pipeline", "validate", "--collection-name", "")
    assert (told.code, "--collection-name" in told.err) == (2, True)
    told = mgit("pipeline", "validate", "--collection-name", "../\x1b[31m")
    assert (told.code, "\x1b" in told.err) == (2, False)


def test_without_a_collection_it_is_validate(work: Recording, mgit: Any) -> None:
    appended(work, wrong(work, hash="f" * 40, date="yesterday"))
    for options in ((), ("--validation-level", "strict"), ("--json",), ("-z",)):
        plain = mgit("-C", work.path, "validate", *options)
        told = mgit("-C", work.path, "pipeline", "validate", *options)
        assert (told.code, told.raw) == (plain.code, plain.raw)
