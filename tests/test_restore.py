"""A copy put in the journal's place: what it holds keeps its numbers, and what came after it follows."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from kills import killed_at
from losses import as_it_was, brought_back, lived_in, lose_all, lose_blocks, lose_segments
from recording import Recording, faults, records
from reliability import Tally

from mgit_hooks import restoring
from mgit_hooks.errors import MgitError
from mgit_hooks.journal import bundle, exchange, generations, identity
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import locate
from mgit_hooks.record import Record
from mgit_hooks.recorder.drain import drain


@pytest.fixture
def work(repo: Repo, bare: Repo) -> Recording:
    made = lived_in(repo, bare)
    made.commit("after")
    made.git("push", "-q", "origin", "main")
    return made


def generation(work: Recording) -> str:
    return generations.listed(generations.folder(work.location.mgit_dir))[0].path


def goes_to(work: Recording, true: list[Record], last: int) -> None:
    """Up to ``last`` the journal is what it was, record for record; later ones are there under whatever number."""
    found = records(work.location.journal_dir)
    assert found[:last] == true[:last]
    back = brought_back(work.location.journal_dir)
    assert {seq: as_it_was(record) for seq, record in back.items()} == {seq: true[seq - 1] for seq in back}
    commits = {record.commit.hash for record in found if record.commit is not None}
    assert {record.commit.hash for record in true if record.commit is not None} <= commits
    assert [fault for fault in faults(work.location) if " was at " not in fault] == []
    assert verify(work.location.journal_dir).is_clean


def test_where_there_is_nothing_to_restore_it_says_so(repo: Repo, mgit: Any) -> None:
    told = mgit("-C", repo.path, "restore")
    assert (told.code, told.out) == (0, "")
    assert "'mgit-hooks checkpoint' writes one" in told.err


def test_without_a_name_it_says_what_there_is(work: Recording, mgit: Any) -> None:
    name = os.path.basename(generation(work))
    assert mgit("-C", work.path, "restore").out.startswith(f"{name}  up to record ")
    assert mgit("-C", work.path, "restore", "--json").json[0]["name"] == name


def test_a_journal_that_holds_it_all_is_left_alone_unless_forced(work: Recording, mgit: Any) -> None:
    true = records(work.location.journal_dir)
    name = os.path.basename(generation(work))
    refused = mgit("-C", work.path, "restore", "--from", name)
    assert (refused.code, "is clean and holds all of it" in refused.err) == (1, True)
    assert records(work.location.journal_dir) == true
    done = mgit("-C", work.path, "restore", "--from", name, "--force", "--json")
    (told,) = done.json
    assert (done.code, told["restored"], told["lost"]) == (0, len(true) - told["last_seq"], 0)
    assert records(told["moved_aside"]) == true
    goes_to(work, true, told["last_seq"])
    own = identity.read(work.location.journal_dir)
    assert own is not None
    assert own.at_home
    assert not {"adopted"} & {record.event for record in records(work.location.journal_dir)}


@pytest.mark.parametrize("wound", [lose_blocks(2), lose_segments(0, 1), lose_segments(-1), lose_all])
def test_what_was_damaged_comes_back_and_no_number_is_given_out_twice(work: Recording, wound: Any) -> None:
    true = records(work.location.journal_dir)
    wound(work.location.journal_dir)
    done = restoring.restore(work.location, generation(work))
    last = done.checked.manifest.last_seq
    goes_to(work, true, last)
    assert min(record.seq or 0 for record in records(work.location.journal_dir)[last:]) > len(true)
    report = verify(work.location.journal_dir)
    assert [(hole.first_seq, hole.last_seq) for hole in report.mended] == [(last + 1, len(true))]


@pytest.mark.parametrize("command", [("repair",), ("restore", "--from", "NAME")])
def test_a_journal_that_is_gone_altogether(work: Recording, mgit: Any, command: tuple[str, ...]) -> None:
    true = records(work.location.journal_dir)
    name = os.path.basename(generation(work))
    last = int(name.split("-")[1])
    shutil.rmtree(work.location.journal_dir)
    if command == ("repair",):
        dry = mgit("-C", work.path, "repair", "--dry-run", "--json")
        assert (dry.code, dry.json[0]["restored"]) == (1, last)
        assert not os.path.exists(work.location.journal_dir)
    told = mgit("-C", work.path, *(name if word == "NAME" else word for word in command))
    assert told.code == 0, told.err
    goes_to(work, true, last)
    # Nobody knows which numbers were given out after it: it goes on as another journal.
    assert "adopted" in {record.event for record in records(work.location.journal_dir)[last:]}


def test_a_bundle_of_another_journal_is_refused_unless_forced(work: Recording, mgit: Any, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", work.path, tmp_path / "other"], check=True)
    other = str(tmp_path / "other")
    assert mgit("-C", other, "init", "-q").code == 0
    before = records(locate(other).journal_dir)
    refused = mgit("-C", other, "restore", "--from", generation(work))
    assert (refused.code, "is of another journal" in refused.err) == (1, True)
    assert records(locate(other).journal_dir) == before
    (told,) = mgit("-C", other, "restore", "--from", generation(work), "--force", "--json").json
    assert records(told["moved_aside"]) == before
    assert verify(locate(other).journal_dir).is_clean


def test_a_copy_that_does_not_hold_changes_nothing(work: Recording, mgit: Any) -> None:
    path = Path(generation(work))
    data = path.read_bytes()
    path.write_bytes(data[:-80] + bytes((data[-80] ^ 4,)) + data[-79:])
    lose_blocks(2)(work.location.journal_dir)
    before = {
        name: Path(work.location.journal_dir, name).read_bytes() for name in os.listdir(work.location.journal_dir)
    }
    for name in (path.name, str(path), "no-such-file"):
        assert mgit("-C", work.path, "restore", "--from", name).code == 1
    now = {name: Path(work.location.journal_dir, name).read_bytes() for name in os.listdir(work.location.journal_dir)}
    assert now == before


def test_while_a_journal_is_put_in_place_nobody_begins_another(
    work: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where two names cannot be exchanged at once there is a moment without a journal; a kill may prolong it."""
    monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    step, seen = 0, 0
    lose_blocks(2)(work.location.journal_dir)
    while killed_at(step := step + 1, restoring.restore, work.location, generation(work)):
        if not os.path.isdir(work.location.journal_dir):
            seen += 1
            work.repo.commit("meanwhile")
            with pytest.raises(MgitError, match="cut off"):
                drain(work.location, wait=1.0)
            assert not os.path.isdir(work.location.journal_dir)
            break
    assert seen
    restoring.restore(work.location, generation(work))
    assert any(record.commit and record.commit.message == "meanwhile\n" for record in work.records())
    work_is_sound(work)


def work_is_sound(work: Recording) -> None:
    assert verify(work.location.journal_dir).is_clean
    assert sorted(name for name in os.listdir(work.location.mgit_dir) if ".new" in name or "moving" in name) == []
    assert exchange.mark(work.location.journal_dir) is None


@pytest.mark.parametrize("at_once", [True, False])
def test_killed_anywhere_the_old_one_or_the_new_one_is_there(
    work: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    assert kill_at_steps(work, tmp_path, every=4) > 8


@pytest.mark.full
@pytest.mark.parametrize("at_once", [True, False])
def test_killed_before_every_change(
    work: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool, tally: Tally
) -> None:
    if not at_once:
        monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    tally.cases = kill_at_steps(work, tmp_path, every=1)
    assert tally.cases > 60


def kill_at_steps(work: Recording, tmp_path: Path, every: int) -> int:
    """Each restore that is killed before a change, and what stands then judged; how many were."""
    journal = work.location.journal_dir
    true = records(journal)
    lose_segments(1)(journal)
    left = len(verify_records(journal))
    shutil.copytree(work.location.mgit_dir, tmp_path / "wounded", symlinks=True)
    last = bundle.read_manifest(generation(work)).last_seq
    step, killed, count = 1, True, 0
    while killed:
        killed = killed_at(step, restoring.restore, work.location, generation(work))
        if os.path.isdir(journal):
            held = verify_records(journal)
            assert len(held) >= left or held[:last] == true[:last]
        if killed:
            run_again(work)
        goes_to(work, true, last)
        work_is_sound(work)
        (folder,) = exchange.kept_aside(work.location.mgit_dir)
        assert len(verify_records(folder)) >= left
        shutil.rmtree(work.location.mgit_dir)
        shutil.copytree(tmp_path / "wounded", work.location.mgit_dir, symlinks=True)
        step += every
        count += killed
    return count


def run_again(work: Recording) -> None:
    """Killed after its very last change, a restore has nothing left to do, and says so."""
    if os.path.isdir(work.location.journal_dir) and exchange.mark(work.location.journal_dir) is None:
        report = verify(work.location.journal_dir)
        if report.is_clean and not os.path.exists(exchange.moving(work.location.journal_dir)):
            with pytest.raises(bundle.BundleError, match="holds all of it"):
                restoring.restore(work.location, generation(work))
            return
    restoring.restore(work.location, generation(work))


def verify_records(journal: str) -> list[Record]:
    from mgit_hooks.journal.sources import _whole_blocks

    return [record for block in _whole_blocks(journal) for stored in block.stored() if (record := stored.record())]
