"""``compact`` as a command, and the drain that compacts by itself in the background."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from recording import Recording

from mgit_hooks import log
from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.journal import compaction, reader, swap, writer
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import locate
from mgit_hooks.lock import exclusive
from mgit_hooks.recorder import drain, upkeep


@pytest.fixture
def work(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Six commits in a journal of several segments, nothing compacted."""
    made = Recording(repo)
    monkeypatch.setattr(writer, "SEGMENT_TARGET", 1000)
    for number in range(6):
        made.commit(f"commit {number}")
        made.drain()
    assert len(segment_names(made.location.journal_dir)) > 3
    return made


def journal_of(work: Recording) -> str:
    return work.location.journal_dir


def waiting(work: Recording) -> list[str]:
    return compaction.waiting(journal_of(work))


def state(work: Recording) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(journal_of(work)).iterdir()}


def background(work: Recording) -> None:
    """What a stub starts, to its end."""
    program = [sys.executable, "-I", boot_path(), "drain", "--background", "--git-dir", f"{work.path}/.git"]
    assert subprocess.run(program, cwd=work.path, check=False).returncode == 0


def log_of(work: Recording) -> list[dict[str, Any]]:
    path = Path(log.path(work.location.mgit_dir))
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# The command


def test_compact_says_what_it_saved_and_a_second_run_does_nothing(work: Recording, mgit: Any) -> None:
    before = mgit("-C", work.path, "export").raw
    sizes = {name: len(data) for name, data in state(work).items() if name.endswith(".seg")}
    *sealed, _ = sorted(sizes)
    (told,) = mgit("-C", work.path, "compact", "--json").json
    assert list(told) == ["segments", "records", "before", "after", "refused"]
    assert (told["segments"], told["before"]) == (len(sealed), sum(sizes[name] for name in sealed))
    after = state(work)
    assert told["after"] == sum(len(after[name]) for name in sealed) < told["before"]
    assert mgit("-C", work.path, "export").raw == before
    again = mgit("-C", work.path, "compact")
    assert (again.code, again.out) == (0, "nothing to compact\n")
    assert mgit("-C", work.path, "compact", "--json").json[0]["segments"] == 0
    assert state(work) == after


def test_compact_in_words(work: Recording, mgit: Any) -> None:
    *sealed, _ = segment_names(journal_of(work))
    dry = mgit("-C", work.path, "compact", "--dry-run").out.splitlines()
    told = mgit("-C", work.path, "compact").out.splitlines()
    assert [line.split()[0] for line in told[:-1]] == sealed
    assert f"{len(sealed)} segments packed: " in told[-1]
    assert told[-1].endswith("% saved")
    assert [*told[:-1], told[-1].replace("packed", "would be packed")] == dry


def test_compact_dry_run_changes_nothing_and_tells_the_same(work: Recording, mgit: Any) -> None:
    before = state(work)
    dry = mgit("-C", work.path, "compact", "--dry-run", "--json")
    assert (dry.code, state(work)) == (0, before)
    assert dry.json == mgit("-C", work.path, "compact", "--json").json


def test_compact_all_ends_the_newest_segment_too(work: Recording, mgit: Any) -> None:
    work.commit("waits")
    newest = segment_names(journal_of(work))[-1]
    remark = mgit("-C", work.path, "compact", "--all", "--dry-run")
    assert (segment_names(journal_of(work))[-1], "newest segment" in remark.err) == (newest, True)
    mgit("-C", work.path, "compact")
    assert newest not in {error.segment for error in mgit("-C", work.path, "compact", "--json").json[0]["refused"]}
    assert mgit("-C", work.path, "compact", "--all", "--json").json[0]["records"] > 0
    assert newest < segment_names(journal_of(work))[-1]
    assert waiting(work) == []
    held = list(reader.records(journal_of(work)))
    assert b"waits" in (held[-1].payload or b"") + (held[-2].payload or b"")
    once = state(work)
    assert mgit("-C", work.path, "compact", "--all").out == "nothing to compact\n"
    assert state(work) == once
    work.commit("after")
    work.drain()
    assert verify(journal_of(work)).is_clean


def test_compact_leaves_a_damaged_segment_and_repair_makes_it_fit(work: Recording, mgit: Any) -> None:
    name = segment_names(journal_of(work))[1]
    path = Path(journal_of(work), name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    told = mgit("-C", work.path, "compact")
    assert told.code == 1
    assert f"{name}: bad-checksum at byte" in told.err
    assert "hint: run 'mgit-hooks repair', then compact again" in told.err
    assert path.read_bytes() == data
    assert waiting(work) == [name]
    (again,) = mgit("-C", work.path, "compact", "--json").json
    assert [error["segment"] for error in again["refused"]] == [name]
    assert (again["segments"], list(again["refused"][0])) == (0, ["segment", "offset", "length", "kind"])
    assert mgit("-C", work.path, "repair").code == 0
    assert mgit("-C", work.path, "compact").code == 0
    assert waiting(work) == []
    assert mgit("-C", work.path, "verify").code == 0


def test_compact_waits_for_who_rewrites_the_journal(
    work: Recording,
    mgit: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mgit_hooks.commands.compact._PATIENCE", 0.05)
    before = state(work)
    with exclusive(os.path.join(work.location.mgit_dir, "maintenance.lock"), wait=0.0):
        told = mgit("-C", work.path, "compact")
    assert (told.code, "another process is rewriting the journal" in told.err) == (128, True)
    assert state(work) == before


def test_commands_read_what_was_compacted_between(work: Recording, mgit: Any) -> None:
    """The index was made before: it points where nothing is any more, or something else."""
    asked = [("log", "--json"), ("show", "HEAD", "--json"), ("show", "HEAD~3", "--json"), ("verify",), ("export",)]
    before = [mgit("-C", work.path, *args).raw for args in asked]
    assert mgit("-C", work.path, "compact", "--all").code == 0
    after = [mgit("-C", work.path, *args) for args in asked]
    assert [told.code for told in after] == [0] * len(asked)
    for args, old, told in zip(asked, before, after, strict=True):
        if args != ("verify",):
            assert told.raw == old, args
    assert work.drain() == 0
    work.commit("after")
    assert work.drain() > 0
    work.check()


# By itself


def test_the_background_drain_compacts_what_was_sealed(work: Recording) -> None:
    work.commit("more")
    before = [stored.payload for stored in reader.records(journal_of(work))]
    background(work)
    assert waiting(work) == []
    assert [stored.payload for stored in reader.records(journal_of(work))][: len(before)] == before
    assert [line["message"] for line in log_of(work)] == ["compacted"]
    once = state(work)
    background(work)
    assert state(work) == once
    assert len(log_of(work)) == 1


def test_reading_commands_and_the_drain_in_the_foreground_do_not(work: Recording, mgit: Any) -> None:
    before = waiting(work)
    work.commit("more")
    for command in ("log", "verify", "drain", "status", "backfill"):
        mgit("-C", work.path, command)
    assert waiting(work)[: len(before)] == before


@pytest.mark.parametrize("how", ["git config", "environment", "worktree"])
def test_the_configuration_switches_it_off(
    work: Recording,
    mgit: Any,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    before = waiting(work)
    if how == "git config":
        work.git("config", "mgit.compact", "false")
    elif how == "environment":
        monkeypatch.setenv("MGIT_COMPACT", "false")
    else:
        work.write(".mgit-hooks.toml", "compact = false\n")
    background(work)
    assert waiting(work) == before
    assert mgit("-C", work.path, "compact").code == 0
    assert waiting(work) == []


def test_a_configuration_that_is_broken_keeps_it_from_compacting(work: Recording) -> None:
    before = waiting(work)
    work.git("config", "mgit.compact", "perhaps")
    background(work)
    assert waiting(work) == before


def test_it_does_not_wait_for_who_rewrites_the_journal(work: Recording) -> None:
    before = waiting(work)
    with exclusive(os.path.join(work.location.mgit_dir, "maintenance.lock"), wait=0.0):
        background(work)
        assert waiting(work) == before
    background(work)
    assert waiting(work) == []


def test_it_holds_nothing_that_recording_waits_for(work: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the drain's lock nor its mark, under which a stub would start no drain."""
    mgit_dir = work.location.mgit_dir
    seen: list[bool] = []
    real = compaction.compact

    def watched(*args: Any, **options: Any) -> compaction.Outcome:
        with exclusive(os.path.join(mgit_dir, "drain.lock"), wait=0.0) as free:
            seen.append(free)
        with exclusive(os.path.join(journal_of(work), "lock"), wait=0.0) as free:
            seen.append(free)
        seen.append(not os.path.exists(os.path.join(mgit_dir, "draining")))
        with swap.maintenance(journal_of(work), wait=0.0) as free:
            seen.append(not free)
        return real(*args, **options)

    monkeypatch.setattr(compaction, "compact", watched)
    monkeypatch.setattr(os, "nice", lambda _: 0)
    before = os.getcwd()
    monkeypatch.chdir(before)
    assert drain.main(["--background", "--git-dir", f"{work.path}/.git"]) == 0
    assert seen == [True] * 4
    assert waiting(work) == []


def test_a_drain_that_found_another_at_work_leaves_it_to_that_one(work: Recording) -> None:
    before = waiting(work)
    with exclusive(os.path.join(work.location.mgit_dir, "drain.lock"), wait=0.0):
        background(work)
    assert waiting(work) == before


def test_it_ends_when_its_time_is_up_and_the_next_one_goes_on(work: Recording) -> None:
    before = waiting(work)
    upkeep.compact_sealed(work.location, seconds=0.0)
    assert waiting(work) == before
    upkeep.compact_sealed(work.location)
    assert waiting(work) == []


def test_what_is_damaged_is_tried_once_and_again_when_it_was_mended(
    work: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = segment_names(journal_of(work))[1]
    path = Path(journal_of(work), name)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
    tried: list[str] = []
    real = compaction.compact_segment
    monkeypatch.setattr(
        compaction, "compact_segment", lambda d, n, *args, **options: (tried.append(n), real(d, n, *args, **options))[1]
    )
    upkeep.compact_sealed(work.location)
    assert (tried.count(name), waiting(work)) == (1, [name])
    upkeep.compact_sealed(work.location)
    assert tried.count(name) == 1
    path.write_bytes(whole)
    upkeep.compact_sealed(work.location)
    assert (tried.count(name), waiting(work)) == (2, [])


@pytest.mark.parametrize("garbage", [b"", b"[]", b"{", b'{"00000002.seg": "x"}', b"\xff"])
def test_what_it_remembers_of_damage_may_be_lost(work: Recording, garbage: bytes) -> None:
    Path(work.location.mgit_dir, "compact.json").write_bytes(garbage)
    upkeep.compact_sealed(work.location)
    assert waiting(work) == []


def test_a_disk_that_takes_nothing_is_told_in_the_log_alone(work: Recording) -> None:
    before = waiting(work)
    for name in before:
        Path(journal_of(work), f"{name}.new").mkdir()
    background(work)
    assert waiting(work) == before
    assert [line["message"] for line in log_of(work)] == ["compaction failed; the journal is as it was"]
    assert verify(journal_of(work)).is_clean


def test_commits_meanwhile_are_all_recorded(work: Recording) -> None:
    """With the stubs' own drains, each of which compacts."""
    install(locate(work.path))
    for number in range(12):
        work.commit(f"meanwhile {number}")
    work.check()
    assert [made for made in work.made() if "meanwhile" in made] == [f"commit meanwhile {n}" for n in range(12)]
    deadline = time.monotonic() + 60
    while waiting(work) and time.monotonic() < deadline:
        background(work)  # leaves it to another that is still at it
    assert waiting(work) == []
    work.check()


def test_a_copied_journal_is_compacted_as_well(work: Recording, tmp_path: Path) -> None:
    shutil.copytree(work.path, tmp_path / "copy", symlinks=True)
    copy = Recording(Repo(tmp_path / "copy"))
    copy.commit("in the copy")
    background(copy)
    assert waiting(copy) == []
    assert verify(journal_of(copy)).is_clean
    assert waiting(work) != []


# With the rest


def test_what_is_compacted_can_be_erased_from_copied_and_brought_back(work: Recording, mgit: Any, bare: Repo) -> None:
    assert mgit("-C", work.path, "compact", "--all").code == 0
    once = state(work)
    gone = work.head("HEAD~2")
    assert mgit("-C", work.path, "erase", gone, "--reason", "a secret").code == 0
    sealed = [name for name in once if name.endswith(".seg")][:-1]
    assert [name for name in sealed if state(work)[name] != once[name]] != []
    assert waiting(work) == []
    (told,) = mgit("-C", work.path, "verify", "--json").json
    assert (told["erased"], told["damaged"], told["chain_intact"]) == (1, [], True)
    bundle = os.path.join(os.path.dirname(work.path), "all.mgit")
    assert mgit("-C", work.path, "export", "--bundle", "-o", bundle).code == 0
    assert mgit("-C", bare.path, "import", bundle).code == 0
    there = bare.path + "/mgit/journal"
    assert [stored.id for stored in reader.records(there)][: told["records"]] == [
        stored.id for stored in reader.records(journal_of(work))
    ]
    assert verify(there).is_clean
