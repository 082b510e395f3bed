"""What is lost comes back: from copies, proven by the chain, then from git; what does not is declared."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from journal.making import append
from kills import killed_at
from losses import (
    Wound,
    as_it_was,
    blocks,
    brought_back,
    cut,
    everywhere,
    flip,
    lived_in,
    lose_all,
    lose_blocks,
    lose_segments,
)
from recording import Recording, faults, records
from reliability import Tally

from mgit_hooks import mend
from mgit_hooks.encoding import encode
from mgit_hooks.journal import bundle, bundling, database, generations, sources
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.record import Record

LOSSES: dict[str, Wound] = {
    "the first block": lose_blocks(0),
    "one in the middle": lose_blocks(6),
    "the last block": lose_blocks(-1),
    "neighbours": lose_blocks(4, 5, 6),
    "several places": lose_blocks(1, 5, 9, -2),
    "every third": everywhere,
    "the first segment": lose_segments(0),
    "a segment in the middle": lose_segments(1),
    "a hole over two segments": lose_segments(1, 2),
    "the newest segment": lose_segments(-1),
    "the newest segment, in part": cut,
    "all segments but one": lambda journal: lose_segments(*range(1, len(segment_names(journal))))(journal),
    "every segment": lose_all,
}


@pytest.fixture
def work(repo: Repo, bare: Repo) -> Recording:
    return lived_in(repo, bare)


def repaired(work: Recording, **named: Any) -> mend.Outcome:
    """Repair after a dry run, which must say the same and change nothing."""
    mgit_dir = Path(work.location.mgit_dir)
    before = snapshot(mgit_dir)
    dry = mend.repair(work.location, dry_run=True, **named)
    assert snapshot(mgit_dir) == before
    done = mend.repair(work.location, **named)
    assert (dry.salvaged, dry.restored, dry.rebuilt, dry.lost) == (
        done.salvaged, done.restored, done.rebuilt, done.lost,
    )  # fmt: skip
    again = mend.repair(work.location)
    assert (again.actions, again.restored, again.rebuilt, again.lost) == ((), 0, 0, 0)
    return done


def snapshot(mgit_dir: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in mgit_dir.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_the_life_has_every_kind_of_record(work: Recording) -> None:
    assert {record.event for record in work.all()} >= {
        "snapshot", "commit", "amend", "merge", "push", "push-outcome", "checkout", "ref-update", "checkpoint",
    }  # fmt: skip
    assert len(segment_names(work.location.journal_dir)) >= 4


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_generation_holds_comes_back_field_by_field(work: Recording, loss: str) -> None:
    journal = work.location.journal_dir
    true = {record.seq: record for record in records(journal)}
    last = max(true, key=int)
    LOSSES[loss](journal)
    left = {record.seq: record for block in sources._whole_blocks(journal) for record in _records(block)}
    assert left.items() <= true.items()
    done = repaired(work)
    lost = true.keys() - left.keys()
    found = brought_back(journal)
    # The generation ends before the record that tells of it.
    assert lost - {last} == found.keys() - {last}
    assert {seq: as_it_was(record) for seq, record in found.items()} == {seq: true[seq] for seq in found}
    assert done.restored == len(found)
    assert done.lost + done.rebuilt == len(lost) - len(found) <= 1
    kept = {record.seq: record for record in records(journal)}
    assert {seq: kept[seq] for seq in left} == left
    assert done.clean
    report = verify(journal)
    assert {seq for hole in report.mended for seq in range(hole.first_seq, hole.last_seq + 1)} == lost
    nothing_happened_since(work)


def _records(block: Any) -> list[Record]:
    return [record for stored in block.stored() if (record := stored.record()) is not None]


def nothing_happened_since(work: Recording) -> None:
    """The drain records nothing again of what was brought back, with nothing but the journal to go by."""
    database.remove(work.location.mgit_dir)
    Path(work.location.mgit_dir, "state.json").unlink(missing_ok=True)
    assert work.drain() == 0
    assert [fault for fault in faults(work.location) if " was at " not in fault] == []


def test_a_lost_push_is_still_the_one_that_was_confirmed(work: Recording, mgit: Any) -> None:
    before = [value for value in mgit("-C", work.path, "log", "--json").json if value["event"] == "push"]
    for number, block in enumerate(blocks(work.location.journal_dir)):
        if number and block.frame.first_seq <= before[-1]["seq"] < block.frame.first_seq + block.frame.records:
            flip(work.location.journal_dir, block)
    mend.repair(work.location)
    after = [value for value in mgit("-C", work.path, "log", "--json").json if value["event"] == "push"]
    told = {"refs/heads/main": True, "refs/tags/v1": None}  # of a tag nothing tells: no ref here follows it
    assert [_confirmed(value) for value in before] == [told, {"refs/heads/main": True}]
    assert [_confirmed(value) for value in after if value["source"] != "rebuilt"] == [told]
    assert [_confirmed(value) for value in after if value["source"] == "rebuilt"] == [{"refs/heads/main": True}]


def _confirmed(value: Any) -> dict[str, bool | None]:
    return {ref["remote_ref"]: ref["confirmed"] for ref in value["push"]["refs"]}


def test_what_was_superseded_stays_so(work: Recording, mgit: Any) -> None:
    """The record that stands in for another is kept, the other one is lost, or both."""
    for lost in ("the first", "the second", "both"):
        path = f"{work.path}-{lost.replace(' ', '-')}"
        shutil.copytree(work.path, path, symlinks=True)
        copy = Recording.__new__(Recording)
        copy.repo, copy.path, copy.every = Repo(Path(path)), path, False
        old, new = superseding(copy)
        database.remove(copy.location.mgit_dir)
        for block in blocks(copy.location.journal_dir):
            held = range(block.frame.first_seq, block.frame.first_seq + block.frame.records)
            if (old in held and lost != "the second") or (new in held and lost != "the first"):
                flip(copy.location.journal_dir, block)
        done = mend.repair(copy.location)
        assert done.clean
        assert done.lost == 0
        shown = [value["commit"]["hash"] for value in mgit("-C", path, "log", "--json").json if "commit" in value]
        assert len(shown) == len(set(shown)), lost


def superseding(work: Recording) -> tuple[int, int]:
    """Records that one stands in for the other, with a generation of both."""
    from mgit_hooks.checkpoints import checkpoint

    work.repo.write(
        ".mgit-hooks.toml",
        '[[rules]]\nid = "short"\nseverity = "error"\nmessage = "Keep it short."\nevents = ["commit"]\n'
        "schema = { properties = { commit = { properties = { message = { maxLength = 6 } } } } }\n",
    )
    work.repo.git("config", "mgit.strategy", "ignore")
    work.repo.git("commit", "-q", "--allow-empty", "-m", "much too long")
    work.drain()
    Path(work.path, ".mgit-hooks.toml").unlink()
    assert mend.recover_records(work.location)[0] == 1
    checkpoint(work.location, generations.folder(work.location.mgit_dir))
    new = next(record for record in reversed(records(work.location.journal_dir)) if record.supersedes)
    assert new.supersedes is not None
    assert new.seq is not None
    return new.supersedes, new.seq


def test_without_a_copy_commits_come_back_from_git_and_the_rest_is_lost(work: Recording) -> None:
    journal = work.location.journal_dir
    true = {record.seq: record for record in records(journal)}
    shutil.rmtree(generations.folder(work.location.mgit_dir))
    database.remove(work.location.mgit_dir)
    everywhere(journal)
    lost = true.keys() - {record.seq for block in sources._whole_blocks(journal) for record in _records(block)}
    done = repaired(work)
    commits = [seq for seq in lost if true[seq].commit is not None]
    assert (done.restored, done.rebuilt, done.lost) == (0, len(commits), len(lost) - len(commits))
    assert commits
    assert done.clean


def test_a_copy_that_was_given_serves_as_well(work: Recording, mgit: Any, tmp_path: Path) -> None:
    path = tmp_path / "away.mgit"
    assert mgit("-C", work.path, "export", "--bundle", "-o", str(path)).code == 0
    shutil.rmtree(generations.folder(work.location.mgit_dir))
    lose_blocks(3)(work.location.journal_dir)
    told = mgit("-C", work.path, "repair", "--from", str(path), "--json")
    assert (told.code, told.json[0]["lost"], told.json[0]["restored"] > 0) == (0, 0, True)
    found = brought_back(work.location.journal_dir)
    digests = {(record.recovery[-1].data_context or {})["sha256"] for record in found.values()}
    assert digests == {bundle.check(str(path), str(tmp_path / "scratch")).sha256}
    for wrong in ("nothing.mgit", work.path):
        assert mgit("-C", work.path, "repair", "--from", wrong).code == 1


# Copies that are not to be trusted


def forked(work: Recording, tmp_path: Path) -> str:
    """A bundle of a journal that says it is this one, and went another way from some record on."""
    from mgit_hooks.recorder.intake import journal_of

    other = tmp_path / "fork" / "journal"
    with bundle.unpacked(
        generations.listed(generations.folder(work.location.mgit_dir))[0].path, str(tmp_path / "scratch")
    ) as (value, _, directory):
        shutil.copytree(directory, other)
    names = segment_names(str(other))
    for name in names[2:]:
        (other / name).unlink()
    from mgit_hooks.journal import identity

    identity.write(str(other), value.journal, value.lineage)
    with journal_of(work.location, str(other)) as journal:
        first = next(iter(records(str(other))))
        journal.append([encode(first._replace(repository_name=f"false {number}")) for number in range(60)])
        journal.sync()
    return bundling.write(str(other), str(tmp_path / "fork.mgit")).path


def test_a_copy_that_went_another_way_gives_nothing_back(work: Recording, tmp_path: Path) -> None:
    path = forked(work, tmp_path)
    shutil.rmtree(generations.folder(work.location.mgit_dir))
    everywhere(work.location.journal_dir)
    true = before_the_fork(work, path)
    mend.repair(work.location, given=[path])
    found = brought_back(work.location.journal_dir)
    assert not any(record.repository_name.startswith("false") for record in found.values())
    assert found.keys() <= true


def test_what_another_journal_says_of_its_own_numbers_is_not_believed(work: Recording, tmp_path: Path) -> None:
    stranger = str(tmp_path / "stranger" / "journal")
    append(stranger, [b'{"event":"erase","detail":{"erased":[{"seq":4,"commit":"' + b"a" * 40 + b'"}]}}'])
    known = sources.Survey({}, set(), set(), 0)
    assert sources.prove(sources.Copy("x", None, stranger, related=False), [], known) == ([], 1)
    assert (known.erased, known.commits) == (set(), set())
    sources.prove(sources.Copy("x", None, stranger, related=True), [], known)
    assert (known.erased, known.commits) == ({4}, {"a" * 40})


def before_the_fork(work: Recording, path: str) -> set[int]:
    with bundle.unpacked(path, f"{path}.scratch") as (_, _, directory):
        return {int(record.seq or 0) for record in records(directory) if not record.repository_name.startswith("false")}


def test_the_fork_finds_a_repair_that_asks_for_no_proof(
    work: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a copy is believed for its numbers."""
    path = forked(work, tmp_path)
    shutil.rmtree(generations.folder(work.location.mgit_dir))
    everywhere(work.location.journal_dir)

    def believe(_: object, holes: Any, known: object) -> tuple[list[sources.Proven], int]:
        return [sources.Proven(hole.first_seq, hole.last_seq, hole.last_seq) for hole in holes], 0

    monkeypatch.setattr(sources, "prove", believe)
    mend.repair(work.location, given=[path])
    found = brought_back(work.location.journal_dir)
    assert any(record.repository_name.startswith("false") for record in found.values())


def test_a_damaged_generation_is_passed_over_and_said_so(work: Recording) -> None:
    (newest,) = generations.listed(generations.folder(work.location.mgit_dir))
    data = Path(newest.path).read_bytes()
    Path(newest.path).write_bytes(data[:-50] + bytes((data[-50] ^ 1,)) + data[-49:])
    lose_blocks(3)(work.location.journal_dir)
    done = mend.repair(work.location)
    assert (done.restored, done.clean) == (0, True)
    assert any(action.startswith(f"passed over {newest.name}: ") for action in done.actions)


def test_what_was_erased_stays_erased_whatever_an_old_copy_holds(work: Recording, mgit: Any, tmp_path: Path) -> None:
    from mgit_hooks.recorder.intake import journal_of, plain_record

    journal = work.location.journal_dir
    true = {record.seq: record for record in records(journal)}
    secret = next(record for record in true.values() if record.commit and record.commit.message == "three\n")
    assert secret.commit is not None
    detail: dict[str, object] = {
        "erased": [{"seq": secret.seq, "id": secret.id, "commit": secret.commit.hash}], "by": "a", "reason": "b",
    }  # fmt: skip
    with journal_of(work.location) as writing:
        writing.append([encode(plain_record(work.location, "erase", detail))])
        writing.sync()
    for block in blocks(journal):
        if block.frame.first_seq <= (secret.seq or 0) < block.frame.first_seq + block.frame.records:
            flip(journal, block)
    done = mend.repair(work.location)
    assert secret.seq not in brought_back(journal)
    assert not any(record.commit and record.commit.hash == secret.commit.hash for record in records(journal)), (
        "git gave it back"
    )
    assert done.lost == 1


def test_erased_entries_that_no_record_explains_are_owned_up_to(tmp_path: Path, work: Recording) -> None:
    from mgit_hooks.journal import erasure

    journal = work.location.journal_dir
    name = segment_names(journal)[0]
    erasure.erase_segment(journal, name, frozenset({2}))
    assert verify(journal).undeclared == (2,)
    done = repaired(work)
    assert done.clean
    assert "declared 1 record as erased" in done.actions
    assert verify(journal).undeclared == ()
    (record,) = (record for record in records_but_erased(journal) if record.event == "repair")
    assert record.detail is not None
    assert record.detail["erased"] == [{"seq": 2}]


def records_but_erased(journal: str) -> list[Record]:
    return [record for block in sources._whole_blocks(journal) for record in _records(block)]


# Killed


KILLED_AFTER = ["several places", "the newest segment", "every third"]


@pytest.mark.parametrize("loss", KILLED_AFTER)
def test_killed_anywhere_and_run_again_nothing_is_doubled_or_missing(
    work: Recording, loss: str, tmp_path: Path
) -> None:
    assert kill_at_steps(work, loss, tmp_path, every=3) > 4


@pytest.mark.full
@pytest.mark.parametrize("loss", KILLED_AFTER)
def test_killed_before_every_change_of_a_repair(work: Recording, loss: str, tmp_path: Path, tally: Tally) -> None:
    tally.cases = kill_at_steps(work, loss, tmp_path, every=1)
    assert tally.cases > 15


def kill_at_steps(work: Recording, loss: str, tmp_path: Path, every: int) -> int:
    """Each repair that is killed before a change, then run again, and what stands then judged; how many were."""
    journal = work.location.journal_dir
    true = {record.seq: record for record in records(journal)}
    LOSSES[loss](journal)
    lost = true.keys() - {record.seq for record in records_but_erased(journal)}
    shutil.copytree(work.location.mgit_dir, tmp_path / "wounded")
    step, killed, count = 1, True, 0
    while killed:
        killed = killed_at(step, mend.repair, work.location)
        count += killed
        step += every
        done = mend.repair(work.location)
        assert done.clean
        found = brought_back(journal)
        assert lost - found.keys() <= {max(true, key=int)}
        assert {seq: as_it_was(record) for seq, record in found.items()} == {seq: true[seq] for seq in found}
        assert json.dumps(done.to_json())
        kept = {name for name in os.listdir(work.location.mgit_dir) if name.endswith(".new")}
        assert kept == set()
        shutil.rmtree(work.location.mgit_dir)
        shutil.copytree(tmp_path / "wounded", work.location.mgit_dir)
    return count
