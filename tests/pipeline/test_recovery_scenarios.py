"""Every failure scenario of the table, each injected from outside and compared with the original field by field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from mgit_hooks.changesets import ChangesetStorage, frames
from mgit_hooks.recovery import collection, filing, gathering, members, operation, passing, recover, repairs
from mgit_hooks.recovery.places import Fixed
from pipeline.scenarios import PAGE, ROWS, page
from pipeline.scene import Row, Scene, faults

BY_NAME = {row.name: row for row in ROWS}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scenarios"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_FIRST_PAUSE", 0.08)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.group}-{row.name}" for row in ROWS])
def test_a_scenario(scene: Scene, row: Row) -> None:
    assert faults(row, scene) == []


def test_at_least_nine_in_ten_of_more_than_forty_recover() -> None:
    assert len(ROWS) >= 50
    assert len(BY_NAME) == len(ROWS)
    whole = [row for row in ROWS if row.recovered and "minimal" not in row.outcome]  # the rest is beside these
    assert len(whole) / len(ROWS) >= 0.9


def test_the_page_is_what_ran() -> None:
    assert PAGE.read_text("utf-8") == page(), "write it anew: in tests, python -m pipeline.scenarios"
    good = sum(row.recovered for row in ROWS)
    for place in (PAGE.parent / "pipeline.md", PAGE.parents[1] / "CHANGELOG.md"):
        told = " ".join(place.read_text("utf-8").split())
        assert re.search(rf"\b{len(ROWS)} failure scenarios\b.*?\b{good} recover\b", told), place


# Planted bugs: what each of them breaks, the table tells


def _backups_are_never_found(patch: pytest.MonkeyPatch) -> None:
    """The original looked for them under another name."""
    real = gathering.kept

    def kept(storage: ChangesetStorage, name: str, generation: str) -> Any:
        return real(storage, name if generation == "mgitc" else f"{name}.{generation}", generation)

    patch.setattr(gathering, "kept", kept)


def _storage_repair_is_a_placeholder(patch: pytest.MonkeyPatch) -> None:
    real = collection._put
    patch.setattr(collection, "_put", lambda s, wanted, v, f: real(s, wanted._replace(dry_run=True), v, f))


def _a_damaged_piece_is_taken_for_true(patch: pytest.MonkeyPatch) -> None:
    real = frames._pieces_in
    patch.setattr(frames, "_pieces_in", lambda text, known, believed: real(text, known, believed=True))


def _the_damaged_file_is_thrown_away(patch: pytest.MonkeyPatch) -> None:
    import os

    real = ChangesetStorage.replace_json

    def replace_json(self: ChangesetStorage, *given: Any) -> Any:
        stored, aside = real(self, *given)
        if aside is not None:
            os.unlink(aside)
        return stored, aside

    patch.setattr(ChangesetStorage, "replace_json", replace_json)


def _contents_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """The original saved a collection without what was in it."""
    real = members.mended

    def mended(*given: Any) -> Any:
        value, minimal = real(*given)
        return {**value, "repositories": {}}, minimal

    patch.setattr(members, "mended", mended)


def _an_empty_collection_counts_as_recovered(patch: pytest.MonkeyPatch) -> None:
    real = collection._nothing
    patch.setattr(collection, "_nothing", lambda *given: real(*given)._replace(recovery_successful=True))


def _abort_runs_the_operation(patch: pytest.MonkeyPatch) -> None:
    real = operation._made_ready
    patch.setattr(operation, "_made_ready", lambda *given: real(*given)._replace(stopped=False))


def _a_repaired_status_is_not_judged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(repairs, "_status", None)
    rows = [
        row._replace(mend=lambda *_: Fixed("fixed", "so")) if "git_status" in row.place.pattern else row
        for row in repairs._TABLES["changeset"]
    ]
    patch.setitem(repairs._TABLES, "changeset", tuple(rows))
    patch.setattr(recover, "_kept_or_taken_back", lambda value, steps, left: [step.action for step in steps])


def _the_newer_of_two_is_dropped(patch: pytest.MonkeyPatch) -> None:
    real = filing.moment_of
    patch.setattr(filing, "moment_of", lambda changeset: -real(changeset).timestamp())


def _a_path_is_believed_against_its_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(members, "with_its_path", lambda key, changeset, older, actions: changeset)


def _the_backup_is_taken_however_old(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(collection, "newest_first", lambda found: found)


def _everything_is_tried_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(operation, "may_pass", lambda error: False)
    assert passing.may_pass(BlockingIOError(11, "x"))


def _the_copy_is_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    from mgit_hooks.record import Action

    patch.setattr(collection.rawcopies, "save", lambda *_: Action("checkpoint_created", "", True))


PLANTED: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (_backups_are_never_found, "the file is empty"),
    (_storage_repair_is_a_placeholder, "the file is zeros"),
    (_a_damaged_piece_is_taken_for_true, "a letter of a changeset that is not compressed"),
    (_the_damaged_file_is_thrown_away, "the tail is torn off"),
    (_contents_are_dropped, "git_status is no status"),
    (_an_empty_collection_counts_as_recovered, "all generations are noise: strategy fallback"),
    (_abort_runs_the_operation, "an invalid changeset: strategy abort"),
    (_a_repaired_status_is_not_judged, "git_status is missing"),
    (_the_newer_of_two_is_dropped, "a changeset is there twice, under two keys"),
    (_a_path_is_believed_against_its_key, "a newer changeset's path is an older one's"),
    (_the_backup_is_taken_however_old, ".checkpoint is newer than .backup, and the file is gone"),
    (_everything_is_tried_again, "git's own lock on its index"),
    (_the_copy_is_not_waited_for, "the copy of strategy checkpoint cannot be saved"),
]


@pytest.mark.parametrize(("plant", "name"), PLANTED, ids=[plant.__name__.strip("_") for plant, _ in PLANTED])
def test_a_planted_bug_is_caught(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], name: str
) -> None:
    with monkeypatch.context() as patch:
        plant(patch)
        assert faults(BY_NAME[name], scene)
    assert faults(BY_NAME[name], scene) == []
