"""Recovery around operations on changesets: the five strategies, what is tried again, and what is counted."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from kills import killed_at
from samples import changeset

from mgit_hooks import pipeline
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.changesets import ChangesetCollection, ChangesetStorage, RepositoryChangeset
from mgit_hooks.errors import (
    ChangesetBusyError,
    ChangesetDamageError,
    ChangesetStorageError,
    ConfigError,
    JournalBusyError,
    UsageError,
)
from mgit_hooks.pipeline import ChangesetRecoveryManager, RecoveryAction, RecoveryResult, RecoveryStrategy
from mgit_hooks.pipeline.recovery import recover_changeset_operation, recover_storage_operation
from mgit_hooks.pipeline.validation import validate_changeset
from mgit_hooks.record import Json, Oid
from mgit_hooks.recovery import checkpoints, operation, rawcopies, statistics
from mgit_hooks.recovery.passing import may_pass
from mgit_hooks.recovery.statistics import Counts


@pytest.fixture
def manager(tmp_path: Path) -> ChangesetRecoveryManager:
    return ChangesetRecoveryManager(ChangesetStorage(tmp_path / "kept"), folder=tmp_path / "recovery")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_FIRST_PAUSE", 0.0)


def sound() -> RepositoryChangeset:
    return RepositoryChangeset.from_json(changeset())


def broken(**fields: Any) -> Json:
    return {**changeset(), "git_status": "tidy", **fields}


class Seen:
    """An operation that remembers what it was given, and fails with ``errors`` first."""

    def __init__(self, *errors: Exception) -> None:
        self.given: list[Any] = []
        self._errors = list(errors)

    def __call__(self, given: Any, /, **more: Any) -> Any:
        self.given.append(given)
        if self._errors:
            raise self._errors.pop(0)
        return ("done", more)


def kinds(result: RecoveryResult) -> list[tuple[str, bool]]:
    return [(action.action_type, action.success) for action in result.actions_taken]


# Names


@pytest.mark.parametrize(
    "name",
    [
        "RecoveryStrategy",
        "RecoveryAction",
        "RecoveryResult",
        "ChangesetRecoveryManager",
        "recover_changeset_operation",
        "recover_storage_operation",
    ],
)
def test_a_name_is_there_in_both_places(name: str) -> None:
    from mgit_hooks.pipeline import recovery

    assert getattr(pipeline, name) is getattr(recovery, name)
    assert name in pipeline.__all__


def test_fields_and_defaults_are_as_they_were_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MGIT_DATA_DIR", str(tmp_path))
    assert [each.value for each in RecoveryStrategy] == ["ignore", "repair", "fallback", "abort", "checkpoint"]
    assert RecoveryAction._fields == ("action_type", "description", "success", "error", "data_context")
    assert RecoveryResult._fields[:4] == ("recovery_successful", "actions_taken", "recovered_data", "fallback_used")
    made = ChangesetRecoveryManager()
    assert (made.strategy, made.max_recovery_attempts) == (RecoveryStrategy.REPAIR, 3)
    assert made.storage.storage_dir == str(tmp_path / "collections")
    assert made.folder == str(tmp_path / "recovery")
    fails = RecoveryAction("x", "d", False)
    works = RecoveryAction("y", "d", True)
    assert RecoveryResult(True, (works, fails, works)).action_summary == "2/3 recovery actions successful"
    assert RecoveryResult(True, (works,)).to_json() == {
        "recovery_successful": True,
        "fallback_used": False,
        "action_summary": "1/1 recovery actions successful",
        "actions_taken": [works.to_json()],
    }


@pytest.mark.parametrize("given", [{"strategy": "hope"}, {"level": "none"}, {"max_recovery_attempts": 0},
                                   {"max_recovery_attempts": "not 0"}, {"max_recovery_attempts": 0.5}])  # fmt: skip
def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"hope|none|not '?(not )?0"):
        ChangesetRecoveryManager(**given)
    with pytest.raises(ValueError, match="hope"):
        ChangesetRecoveryManager().recover_changeset_operation(Seen(), sound(), strategy="hope")


# An operation and its changeset


def test_a_valid_changeset_goes_through_as_it_is(manager: ChangesetRecoveryManager) -> None:
    run = Seen()
    result = manager.recover_changeset_operation(run, sound(), depth=3)
    assert (run.given, result.recovered_data) == ([sound()], ("done", {"depth": 3}))
    assert (kinds(result), result.recovery_successful) == ([("operation_success", True)], True)
    assert result.changeset == sound()


def test_an_operation_may_take_any_names(manager: ChangesetRecoveryManager) -> None:
    result = manager.recover_changeset_operation(Seen(), sound(), manner=1, value=2, given=3)
    assert result.recovered_data == ("done", {"manner": 1, "value": 2, "given": 3})


def test_repair_mends_it_first_and_the_operation_gets_what_is_valid(manager: ChangesetRecoveryManager) -> None:
    run = Seen()
    result = manager.recover_changeset_operation(run, broken())
    assert run.given == [sound()]
    assert kinds(result) == [
        ("status_repair", True),
        ("validation_repair_success", True),
        ("operation_success", True),
    ]
    assert result.action_summary == "3/3 recovery actions successful"


@pytest.mark.parametrize("flag", [None, True, False])
@pytest.mark.parametrize("files", [None, [], changeset()["uncommitted_files"]])
@pytest.mark.parametrize("level", ["basic", "standard", "strict"])
def test_no_repair_writes_a_status_that_its_own_validation_refuses(
    manager: ChangesetRecoveryManager, level: str, files: Any, flag: bool | None
) -> None:
    """The original's repair of git_status wrote what its validator then refused."""
    value = broken(uncommitted_files=files, has_uncommitted_changes=flag)
    run = Seen()
    made = ChangesetRecoveryManager(manager.storage, folder=manager.folder, level=level)
    result = made.recover_changeset_operation(run, value)
    if run.given:
        assert validate_changeset(run.given[0], level).is_valid
    else:
        assert (result.recovery_successful, files, flag) == (False, None, None)


def test_what_cannot_be_repaired_does_not_reach_the_operation(manager: ChangesetRecoveryManager) -> None:
    run = Seen()
    result = manager.recover_changeset_operation(run, broken(uncommitted_files=None, has_uncommitted_changes=None))
    assert run.given == []
    assert not result.recovery_successful
    assert kinds(result)[-2:] == [("repair_failed", False), ("operation_failed", False)]
    assert "not run" in result.actions_taken[-1].description


def test_ignore_runs_it_with_what_came(manager: ChangesetRecoveryManager) -> None:
    run = Seen()
    result = manager.recover_changeset_operation(run, broken(), strategy="ignore")
    assert run.given == [RepositoryChangeset.from_json(broken())]
    assert kinds(result) == [("ignore_error", True), ("operation_success", True)]
    assert result.actions_taken[0].error == "INVALID_GIT_STATUS"
    failed = manager.recover_changeset_operation(Seen(ValueError("no")), sound(), strategy="ignore")
    assert kinds(failed) == [("operation_failed", False), ("ignore_error", True)]
    assert (failed.recovery_successful, failed.changeset) == (False, sound())


def test_abort_never_runs_the_operation_of_an_invalid_changeset(manager: ChangesetRecoveryManager) -> None:
    """The original ran it all the same."""
    run = Seen()
    result = manager.recover_changeset_operation(run, broken(), strategy=RecoveryStrategy.ABORT)
    assert run.given == []
    assert (result.recovery_successful, result.recovered_data) == (False, None)
    assert result.changeset == RepositoryChangeset.from_json(broken())
    assert [(action.action_type, action.error) for action in result.actions_taken] == [
        ("operation_failed", "INVALID_GIT_STATUS")
    ]


def test_abort_runs_what_is_valid_once(manager: ChangesetRecoveryManager) -> None:
    run = Seen(BlockingIOError(errno.EAGAIN, "busy"))
    result = manager.recover_changeset_operation(run, sound(), strategy="abort")
    assert (len(run.given), kinds(result)) == (1, [("operation_failed", False)])
    assert manager.recover_changeset_operation(Seen(), sound(), strategy="abort").recovery_successful


def test_fallback_keeps_the_original_beside_the_minimal_one(manager: ChangesetRecoveryManager) -> None:
    run = Seen()
    result = manager.recover_changeset_operation(run, broken(repository_name=None), strategy="fallback")
    (given,) = run.given
    assert given.metadata == {"fallback": True, "original": broken(repository_name=None)}
    assert validate_changeset(given, "strict").is_valid
    assert (result.fallback_used, result.recovery_successful) == (True, True)
    assert kinds(result) == [("fallback_changeset_created", True), ("operation_success", True)]


def test_fallback_where_the_operation_could_not_take_the_value(manager: ChangesetRecoveryManager) -> None:
    run = Seen(KeyError("no such thing"))
    result = manager.recover_changeset_operation(run, sound(), strategy="fallback")
    assert [each.metadata.get("fallback") for each in run.given] == [None, True]
    assert run.given[1].metadata["original"] == sound().to_json()
    assert "no such thing" in run.given[1].error
    assert (result.recovery_successful, result.fallback_used) == (True, True)


def test_fallback_is_no_success_where_the_operation_failed_for_another_reason(
    manager: ChangesetRecoveryManager,
) -> None:
    run = Seen(OSError(errno.ENOSPC, "full"))
    result = manager.recover_changeset_operation(run, sound(), strategy="fallback")
    assert len(run.given) == 1
    assert (result.recovery_successful, result.fallback_used) == (False, True)
    assert result.recovered_data.metadata["original"] == sound().to_json()


@pytest.mark.parametrize("value", [broken(), changeset()], ids=["invalid", "valid"])
def test_checkpoint_saves_a_restorable_copy_before_anything_else(
    manager: ChangesetRecoveryManager, value: Json
) -> None:
    class Looking(Seen):
        def __call__(self, given: Any, /, **more: Any) -> Any:
            assert len(os.listdir(os.path.join(manager.folder, "checkpoints"))) == 1
            return super().__call__(given, **more)

    run = Looking()
    result = manager.recover_changeset_operation(run, value, strategy="checkpoint")
    assert validate_changeset(run.given[0]).is_valid
    first = result.actions_taken[0]
    assert (first.action_type, first.success) == ("checkpoint_created", True)
    assert checkpoints.read((first.data_context or {})["checkpoint_path"])["value"] == value
    assert manager.get_recovery_statistics()["checkpoints_created"] == 1


@pytest.mark.parametrize("value", [broken(), changeset()], ids=["invalid", "valid"])
def test_without_the_copy_the_operation_does_not_run(tmp_path: Path, value: Json) -> None:
    (tmp_path / "in the way").write_text("")
    manager = ChangesetRecoveryManager(ChangesetStorage(tmp_path), folder=tmp_path / "in the way")
    run = Seen()
    result = manager.recover_changeset_operation(run, value, strategy="checkpoint")
    assert (run.given, result.recovery_successful) == ([], False)
    assert kinds(result)[0] == ("checkpoint_failed", False)
    assert manager.get_recovery_statistics()["failures"] == 1


@pytest.mark.parametrize("value", [None, 5, [], RepositoryChangeset("", "", "", True, "", others={"error": 1})])
def test_what_is_no_changeset_is_said_to_be_none(manager: ChangesetRecoveryManager, value: Any) -> None:
    run = Seen()
    result = manager.recover_changeset_operation(run, value)
    assert (run.given, result.recovery_successful) == ([], False)
    assert "this is no changeset" in result.actions_taken[0].description


class Hostile(dict[str, Any]):
    def keys(self) -> Any:
        raise RuntimeError("no keys")

    def __iter__(self) -> Any:
        raise RuntimeError("no keys")


def _nested(depth: int) -> Any:
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


def _of_itself() -> Json:
    made = broken()
    made["metadata"] = {"itself": made}
    return made


@pytest.mark.parametrize("strategy", RecoveryStrategy)
@pytest.mark.parametrize(
    "value",
    [
        Hostile(a=1),
        broken(metadata={"a": _nested(5000)}),
        broken(metadata={"a": iter([])}),
        broken(repository_path="/a\ud800b"),
        broken(repository_path="/" + "a" * 5000),
        _of_itself(),
    ],
    ids=["mapping", "deep", "uncopied", "surrogate", "long", "itself"],
)
def test_nothing_that_a_value_raises_gets_out(tmp_path: Path, value: Any, strategy: RecoveryStrategy) -> None:
    """At the level that asks git, too. What cannot be copied is not mended, and its operation does not run."""
    manager = ChangesetRecoveryManager(
        ChangesetStorage(tmp_path), strategy, level="strict", folder=tmp_path / "recovery"
    )
    seen = Seen()
    result = manager.recover_changeset_operation(seen, value)
    assert result.recovery_successful is (seen.given != [])
    assert result.recovery_successful or any(not action.success for action in result.actions_taken)
    assert manager.get_recovery_statistics()["attempts"] == 1
    assert manager.create_recovery_checkpoint("x", value).action_type in ("checkpoint_created", "checkpoint_failed")


def test_git_is_what_repairs_go_by(manager: ChangesetRecoveryManager, repo: Repo) -> None:
    """At level strict what git says against a changeset is found, and mended from git."""
    commit = Capturer(f"{repo.path}/.git").commit(Oid(repo.commit("One", {"a.txt": "one\n"}))).to_json()
    right = {**changeset(), "repository_path": str(repo.path), "recent_commits": [commit]}
    wrong = {**right, "recent_commits": [{**commit, "message": "Another", "author_name": None, "files": []}]}
    strict = ChangesetRecoveryManager(manager.storage, folder=manager.folder, level="strict")
    run = Seen()
    assert strict.recover_changeset_operation(run, wrong).recovery_successful
    assert run.given == [RepositoryChangeset.from_json(right)]
    assert validate_changeset(run.given[0], "strict").issues == ()


def test_the_hash_of_a_sample_is_not_taken_for_that_of_the_file(manager: ChangesetRecoveryManager) -> None:
    """The original compared a sample with the hash of the whole file, which never fits; a repair from it would lie."""
    value = changeset()
    (change,) = value["uncommitted_files"]
    content = {"strategy": "sample", "truncated": True, "hash_covers": "file", "content_hash": "0" * 64}
    change["embedded_content"].update(content)
    assert validate_changeset(value).is_valid
    change["content_hash"] = "no hash"
    run = Seen()
    result = manager.recover_changeset_operation(run, value)
    assert (run.given, result.recovery_successful) == ([], False)
    assert result.changeset.uncommitted_files[0].content_hash == "no hash"


# What is tried again


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (BlockingIOError(errno.EAGAIN, "x"), True),
        (OSError(errno.EBUSY, "x"), True),
        (FileNotFoundError(errno.ENOENT, "gone", "/src/a"), True),
        (FileExistsError(errno.EEXIST, "there", "/src/.git/index.lock"), True),
        (FileExistsError(errno.EEXIST, "there", "/src/a"), False),
        (ChangesetBusyError("in use"), True),
        (JournalBusyError("in use"), True),
        (sqlite3.OperationalError("database is locked"), True),
        (sqlite3.OperationalError("no such table"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (PermissionError(errno.EACCES, "no"), False),
        (ValueError("no"), False),
        (UsageError("no"), False),
        (ChangesetStorageError("no"), False),
        (ChangesetDamageError("p", "why"), False),
        (RuntimeError("no"), False),
    ],
)
def test_only_what_can_change_is_tried_again(manager: ChangesetRecoveryManager, error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes
    run = Seen(error, error)
    result = manager.recover_changeset_operation(run, sound())
    assert len(run.given) == (3 if passes else 1)
    assert result.recovery_successful is passes
    wrapped = ConfigError("cannot")
    wrapped.__cause__ = error
    assert may_pass(wrapped) is passes


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_it_is_tried_no_more_often_than_allowed(tmp_path: Path, attempts: int) -> None:
    manager = ChangesetRecoveryManager(ChangesetStorage(tmp_path), "repair", attempts, folder=tmp_path / "r")
    run = Seen(*[BlockingIOError(errno.EAGAIN, "busy")] * 9)
    result = manager.recover_changeset_operation(run, sound())
    assert (len(run.given), result.recovery_successful) == (attempts, False)
    assert result.actions_taken[-1].description == f"attempt {attempts} of {attempts} failed: BlockingIOError"


def test_a_keyboard_interrupt_is_not_held_up(manager: ChangesetRecoveryManager) -> None:
    def stop(given: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        manager.recover_changeset_operation(stop, sound())


# Checkpoints that are asked for


def test_a_collections_checkpoint_is_its_generation(manager: ChangesetRecoveryManager) -> None:
    one = sound()
    work = ChangesetCollection("work", one.timestamp, one.timestamp, {}).with_repository(one)
    action = manager.create_recovery_checkpoint("work", work)
    assert action.data_context == {"checkpoint_path": manager.storage.path("work", "checkpoint")}
    assert manager.storage.load_changeset_collection("work", "checkpoint") == work
    other = manager.create_recovery_checkpoint("other", work)
    assert (other.action_type, other.success) == ("checkpoint_failed", False)


@pytest.mark.parametrize("data", [sound(), {"any": ["JSON"]}, broken()])
def test_any_other_value_has_a_file_of_its_own(manager: ChangesetRecoveryManager, data: Any) -> None:
    action = manager.create_recovery_checkpoint("work", data)
    assert (action.action_type, action.success) == ("checkpoint_created", True)
    plain = data.to_json() if isinstance(data, RepositoryChangeset) else data
    kept = checkpoints.read((action.data_context or {})["checkpoint_path"])
    assert kept["value"] == {"collection_name": "work", "data": plain}


@pytest.mark.parametrize("data", [object(), {1, 2}])
def test_what_is_no_json_is_no_checkpoint(manager: ChangesetRecoveryManager, data: Any) -> None:
    action = manager.create_recovery_checkpoint("work", data)
    assert (action.action_type, action.success) == ("checkpoint_failed", False)
    assert manager.get_recovery_statistics()["checkpoints_created"] == 0


# Statistics


def test_statistics_are_kept_across_runs(manager: ChangesetRecoveryManager) -> None:
    manager.recover_changeset_operation(Seen(), sound())
    manager.recover_changeset_operation(Seen(), broken(repository_name=""))
    manager.recover_changeset_operation(Seen(), broken(), strategy="abort")
    manager.recover_changeset_operation(Seen(), broken(), strategy="fallback")
    later = ChangesetRecoveryManager(manager.storage, "abort", 7, folder=manager.folder)
    assert later.get_recovery_statistics() == {
        "attempts": 4,
        "successes": 3,
        "failures": 1,
        "repairs_made": 2,
        "fallbacks_used": 1,
        "checkpoints_created": 0,
        "success_rate_percent": 75.0,
        "strategy": "abort",
        "max_attempts": 7,
    }


def test_nothing_counted_is_nought(manager: ChangesetRecoveryManager) -> None:
    said = manager.get_recovery_statistics()
    assert (said["attempts"], said["success_rate_percent"]) == (0, 0.0)


def _count(folder: str) -> None:
    for _ in range(20):
        statistics.add(folder, Counts(1, 1), durable=False)


def test_eight_that_count_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_count, args=(str(tmp_path / "r"),)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert statistics.counted(str(tmp_path / "r")) == Counts(160, 160)


def test_copies_of_the_same_bytes_that_are_made_at_once_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is written, another one comes and goes."""
    real, folder, inside = os.fsync, str(tmp_path), [False]
    found: list[Any] = []

    def both() -> None:
        found.append(rawcopies.save(folder, "work", b"bytes"))
        found.append(checkpoints.write(folder, "data", {"a": 1}, (), "now"))

    def fsync(handle: int) -> None:
        if not inside[0]:
            inside[0] = True
            both()
            inside[0] = False
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    both()
    copies = [each for each in found if isinstance(each, RecoveryAction)]
    assert len(copies) > 2
    assert all(each.success for each in copies)
    assert Path((copies[0].data_context or {})["checkpoint_path"]).read_bytes() == b"bytes"
    (path,) = {each for each in found if isinstance(each, str)}
    assert checkpoints.read(path)["value"] == {"a": 1}
    assert len(os.listdir(tmp_path / "checkpoints")) == 2


def test_killed_anywhere_the_counts_of_before_are_there(tmp_path: Path) -> None:
    folder = str(tmp_path / "r")
    statistics.add(folder, Counts(5), durable=True)
    step = 1
    while killed_at(step, statistics.add, folder, Counts(1), durable=True):
        assert statistics.counted(folder).attempts in (5, 6)
        os.unlink(statistics.path_in(folder))
        statistics.add(folder, Counts(5), durable=True)
        step += 1
    assert step > 3
    assert statistics.counted(folder).attempts == 6


@pytest.mark.parametrize("change", [b"", b"{", b"[]", b'{"counts": 5, "sha256": ""}', None])
def test_counts_that_are_not_what_was_written_are_set_aside(tmp_path: Path, change: bytes | None) -> None:
    folder = str(tmp_path / "r")
    statistics.add(folder, Counts(5), durable=True)
    path = Path(statistics.path_in(folder))
    damaged = change if change is not None else path.read_bytes().replace(b'"attempts":5', b'"attempts":7')
    assert json.loads(path.read_bytes())["counts"]["attempts"] == 5
    path.write_bytes(damaged)
    assert statistics.counted(folder) == Counts()
    statistics.add(folder, Counts(1), durable=True)
    assert statistics.counted(folder) == Counts(1)
    (aside,) = [name for name in os.listdir(folder) if "damaged" in name]
    assert Path(folder, aside).read_bytes() == damaged


def test_counts_that_are_longer_than_they_can_be_are_set_aside(tmp_path: Path) -> None:
    path = Path(statistics.path_in(str(tmp_path)))
    path.write_bytes(b" " * 70_000)
    assert statistics.counted(str(tmp_path)) == Counts()
    statistics.add(str(tmp_path), Counts(1), durable=False)
    assert statistics.counted(str(tmp_path)) == Counts(1)
    (kept,) = tmp_path.glob("statistics.damaged-*.json")
    assert kept.stat().st_size == 70_000


def test_what_could_not_be_counted_is_counted_later(tmp_path: Path) -> None:
    way = tmp_path / "way"
    way.write_text("")
    manager = ChangesetRecoveryManager(ChangesetStorage(tmp_path), folder=way)
    assert manager.recover_changeset_operation(Seen(), sound()).recovery_successful
    way.unlink()
    manager.recover_changeset_operation(Seen(), sound())
    assert ChangesetRecoveryManager(ChangesetStorage(tmp_path), folder=way).get_recovery_statistics()["attempts"] == 2


def test_the_plain_function_is_the_managers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MGIT_DATA_DIR", str(tmp_path))
    assert recover_changeset_operation(Seen(), broken()).recovered_data == ("done", {})
    assert not recover_changeset_operation(Seen(), broken(), "abort").recovery_successful
    assert ChangesetRecoveryManager().get_recovery_statistics()["attempts"] == 2


# Collections; pipeline/test_recovery_scenarios.py has what befalls them


def saved(manager: ChangesetRecoveryManager, *paths: str) -> ChangesetCollection:
    """Saved twice, so that there is a backup; then the file is damaged."""
    made = ChangesetCollection("work", sound().timestamp, sound().timestamp, {})
    for path in paths or ("/src/a", "/src/b"):
        made = made.with_repository(sound()._replace(repository_path=path))
    for _ in range(2):
        manager.storage.save_changeset_collection(made)
    Path(manager.storage.path("work")).write_bytes(b"damaged")
    return made


def test_a_storage_operation_gives_the_collection_and_is_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MGIT_DATA_DIR", str(tmp_path))
    manager = ChangesetRecoveryManager()
    made = saved(manager)
    result = recover_storage_operation("work", "load")
    assert (result.recovery_successful, result.recovered_data) == (True, made)
    assert manager.storage.load_changeset_collection("work") == made
    assert [kind for kind, _ in kinds(result)] == [
        "file_damaged",
        "backup_recovery_success",
        "storage_repair",
        "validation_repair_success",
    ]
    assert (result.actions_taken[2].data_context or {})["operation"] == "load"
    assert recover_storage_operation("work", "load").actions_taken[0].action_type == "file_intact"
    assert manager.get_recovery_statistics()["attempts"] == 2


def test_what_is_not_there_is_not_made_up(manager: ChangesetRecoveryManager) -> None:
    result = manager.recover_storage_operation("work", "load")
    assert kinds(result) == [
        ("no_file_found", False),
        ("no_backup_found", False),
        ("no_checkpoint_found", False),
        ("storage_recovery_failed", False),
    ]
    assert not os.path.lexists(manager.storage.storage_dir)
    for name in ("", "x" * 300):
        assert not manager.recover_storage_operation(name, "load").recovery_successful
    with pytest.raises(ValueError, match="unknown source"):
        manager.recover_storage_operation("work", "load", source="elsewhere")


def test_a_damaged_backup_is_told_of(manager: ChangesetRecoveryManager) -> None:
    made = saved(manager)
    manager.storage.save_changeset_collection(made)
    for generation in ("backup", "checkpoint"):
        Path(manager.storage.path("work", generation)).write_bytes(b"damaged")
    result = manager.recover_storage_operation("work", "load")
    assert (result.recovery_successful, result.recovered_data) == (True, made)
    assert kinds(result) == [
        ("file_intact", True),
        ("backup_recovery_failed", False),
        ("checkpoint_recovery_failed", False),
    ]


@pytest.mark.parametrize("source", [None, "backup"])
def test_a_field_that_a_generation_has_not_does_not_come_from_another_one(
    manager: ChangesetRecoveryManager, source: str | None
) -> None:
    kept = ChangesetCollection("work", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", {})
    kept = kept.with_repository(sound())
    invalid = kept.with_repository(sound()._replace(git_status="tidy"))
    other = kept._replace(others={"of the other one": 1})
    for each in (kept, other) if source else (other, invalid):
        manager.storage.save_changeset_collection(each)
    result = manager.recover_storage_operation("work", "load", source=source)
    assert result.recovery_successful
    assert manager.storage.load_changeset_collection("work") == kept


def test_what_was_taken_out_on_purpose_does_not_come_back(manager: ChangesetRecoveryManager) -> None:
    """The header says which repositories there were: the backup's others are not missed."""
    saved(manager, "/src/a", "/src/b", "/src/c")
    smaller = ChangesetCollection("work", sound().timestamp, sound().timestamp, {})
    for path in ("/src/a", "/src/b"):
        smaller = smaller.with_repository(sound()._replace(repository_path=path))
    Path(manager.storage.path("work")).write_bytes(manager.storage.content("work", "backup") or b"")
    path = Path(manager.storage.save_changeset_collection(smaller).path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) - 30])
    assert manager.recover_storage_operation("work", "load").recovered_data == smaller
    assert len(manager.storage.load_changeset_collection("work", "backup").repositories) == 3


def _recover(folder: str) -> None:
    manager = ChangesetRecoveryManager(ChangesetStorage(os.path.join(folder, "kept")), folder=folder)
    os._exit(0 if manager.recover_storage_operation("work", "load").recovery_successful else 1)


def _add(folder: str, number: int) -> None:
    """Adds its repository as soon as the collection can be loaded."""
    storage = ChangesetStorage(os.path.join(folder, "kept"))
    one = sound()._replace(repository_path=f"/added/{number}")

    def change(before: ChangesetCollection | None) -> ChangesetCollection:
        assert before is not None
        return before.with_repository(one)

    for _ in range(1000):
        try:
            storage.update_changeset_collection("work", change)
            os._exit(0)
        except ChangesetDamageError:
            time.sleep(0.01)
    os._exit(1)


def test_eight_at_once_that_recover_and_add_lose_nothing(tmp_path: Path) -> None:
    manager = ChangesetRecoveryManager(ChangesetStorage(tmp_path / "kept"), folder=tmp_path)
    made = saved(manager)
    context = multiprocessing.get_context("fork")
    work = [context.Process(target=_recover, args=(str(tmp_path),)) for _ in range(4)]
    work += [context.Process(target=_add, args=(str(tmp_path), number)) for number in range(4)]
    for process in work:
        process.start()
    for process in work:
        process.join()
    assert [process.exitcode for process in work] == [0] * 8
    paths = {each.repository_path for each in manager.storage.load_changeset_collection("work").repositories.values()}
    assert paths == {each.repository_path for each in made.repositories.values()} | {f"/added/{n}" for n in range(4)}
    assert sum("damaged" in name for name in os.listdir(tmp_path / "kept")) == 1
