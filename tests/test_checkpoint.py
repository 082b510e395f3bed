"""Generations: written, read back and verified before anyone hears of them; older ones go only after that."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from kills import killed_at
from recording import Recording, records

from mgit_hooks.checkpoints import checkpoint
from mgit_hooks.errors import MgitError
from mgit_hooks.journal import bundle, bundling, generations
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    made.commit("two")
    made.drain()
    return made


def folder(work: Recording) -> Path:
    return Path(generations.folder(work.location.mgit_dir))


def names(work: Recording) -> list[str]:
    return [each.name for each in generations.listed(str(folder(work)))]


def test_a_generation_holds_the_journal_and_the_journal_says_so(work: Recording, mgit: Any, tmp_path: Path) -> None:
    true = records(work.location.journal_dir)
    (told,) = mgit("-C", work.path, "checkpoint", "--json").json
    value = bundle.unpack(told["file"], str(tmp_path / "out"))
    assert records(str(tmp_path / "out")) == true
    (record,) = work.records("checkpoint")
    assert record.detail == {
        "generation": os.path.basename(told["file"]),
        "last_seq": 3,
        "id": true[-1].id,
        "sha256": told["sha256"],
    }
    assert (record.seq, value.last_seq, told["pruned"]) == (told["seq"], 3, [])
    assert os.stat(told["file"]).st_mode & 0o777 == 0o600
    work.check()
    assert "generation journal-0000000003-" in mgit("-C", work.path, "log", "--event", "checkpoint").out


def test_as_many_are_kept_as_is_configured(work: Recording, mgit: Any) -> None:
    for _ in range(5):
        assert mgit("-C", work.path, "checkpoint").code == 0
    assert [int(name.split("-")[1]) for name in names(work)] == [7, 6, 5]
    work.git("config", "mgit.keepCheckpoints", "2")
    assert "removed 2 older generations" in mgit("-C", work.path, "checkpoint").out
    assert [int(name.split("-")[1]) for name in names(work)] == [8, 7]
    assert len(mgit("-C", work.path, "checkpoint", "--keep", "1", "--json").json[0]["pruned"]) == 2
    for wrong in ("0", "-1", "many", "1001"):
        told = mgit("-C", work.path, "checkpoint", f"--keep={wrong}")
        assert (told.code, "keep_checkpoints" in told.err) == (2, True)
    assert len(names(work)) == 1


def test_what_is_none_or_goes_further_is_never_removed(work: Recording, mgit: Any) -> None:
    folder(work).mkdir()
    others = [
        "record-0123456789abcdef0123456789abcdef.json.gz",
        "journal-0000000900-20200101T000000.000000Z.mgit",
        "journal-1.mgit",
        "journal-0000000001-20200101T000000.000000Z.mgit.bak",
    ]
    for name in others:
        (folder(work) / name).write_text("mine")
    (folder(work) / "journal-0000000001-20200101T000000.000000Z.mgit").write_text("older, and nobody can tell whose")
    assert mgit("-C", work.path, "checkpoint", "--keep", "1").code == 0
    left = {path.name for path in folder(work).iterdir()}
    assert len(left) == 6
    assert left > set(others)


def test_list(work: Recording, mgit: Any, tmp_path: Path) -> None:
    assert mgit("-C", work.path, "checkpoint", "--list").out == ""
    mgit("-C", work.path, "checkpoint", "--to", "../elsewhere")
    assert not folder(work).exists()
    elsewhere = ("--to", str(tmp_path / "elsewhere"))
    (shown,) = mgit("-C", work.path, "checkpoint", "--list", *elsewhere, "--json").json
    assert (shown["last_seq"], shown["first_seq"], shown["fault"]) == (3, 1, None)
    assert "up to record 3" in mgit("-C", work.path, "checkpoint", "--list", *elsewhere).out
    Path(shown["file"]).write_bytes(Path(shown["file"]).read_bytes()[:-1])
    told = mgit("-C", work.path, "checkpoint", "--list", *elsewhere)
    assert (told.code, "unusable: " in told.out, "cut short" in told.out) == (1, True, True)


def rot(journal_dir: str) -> None:
    name = segment_names(journal_dir)[0]
    data = Path(journal_dir, name).read_bytes()
    Path(journal_dir, name).write_bytes(data[:400] + bytes((data[400] ^ 1,)) + data[401:])


def test_no_generation_is_made_of_a_damaged_journal(work: Recording, mgit: Any) -> None:
    mgit("-C", work.path, "checkpoint")
    before = names(work)
    rot(work.location.journal_dir)
    told = mgit("-C", work.path, "checkpoint", "--keep", "1")
    assert (told.code, told.err.count("\n")) == (1, 2)
    assert names(work) == before
    assert sorted(os.listdir(folder(work))) == before


def lie(work: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that keeps other bytes than it was given."""
    real = bundling._write

    def bad(journal_dir: str, path: str, *rest: Any) -> None:
        real(journal_dir, path, *rest)
        data = Path(path).read_bytes()
        Path(path).write_bytes(data[:-100] + bytes((data[-100] ^ 1,)) + data[-99:])

    monkeypatch.setattr(bundling, "_write", bad)


def test_what_the_disk_did_not_keep_is_not_reported_and_nothing_older_goes(
    work: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(work.location, str(folder(work)))
    before = names(work)
    lie(work, monkeypatch)
    with pytest.raises(MgitError):
        checkpoint(work.location, str(folder(work)), {"keep_checkpoints": "1"})
    assert names(work) == before
    assert len(work.records("checkpoint")) == 1


def test_the_bad_disk_finds_a_checkpoint_that_does_not_read_back(
    work: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: what was written is believed."""
    lie(work, monkeypatch)

    def believe(path: str, _: str) -> bundle.Checked:
        return bundle.Checked(path, bundle.read_manifest(path), verify(work.location.journal_dir), "")

    with monkeypatch.context() as patch:
        patch.setattr(bundle, "check", believe)
        done = checkpoint(work.location, str(folder(work)))
    with pytest.raises(MgitError):
        bundle.check(done.checked.path, str(folder(work) / "scratch"))


def kills(work: Recording, check: Callable[[], None]) -> int:
    step, killed = 0, True
    while killed:
        step += 1
        killed = killed_at(step, checkpoint, work.location, str(folder(work)), {"keep_checkpoints": "2"})
        check()
    return step


def test_killed_anywhere_each_generation_is_whole(work: Recording) -> None:
    checkpoint(work.location, str(folder(work)))

    def check() -> None:
        found = generations.listed(str(folder(work)))
        assert found
        for each in found:
            bundle.check(each.path, str(folder(work).parent / "scratch"))
        named = {record.detail["generation"] for record in work.records("checkpoint") if record.detail}
        assert found[0].name in named or len(found) > 1
        work.check()

    assert kills(work, check) > 20
    checkpoint(work.location, str(folder(work)))
    assert [name for name in os.listdir(folder(work)) if not name.endswith(".mgit")] == []


def test_generations_of_another_journal_beside_it_are_not_removed(work: Recording, mgit: Any, tmp_path: Path) -> None:
    shared = str(tmp_path / "shared")
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "other"], check=True)
    assert mgit("-C", str(tmp_path / "other"), "init", "-q").code == 0
    (theirs,) = mgit("-C", str(tmp_path / "other"), "checkpoint", "--to", shared, "--json").json
    for _ in range(4):
        assert mgit("-C", work.path, "checkpoint", "--to", shared, "--keep", "2").code == 0
    assert os.path.exists(theirs["file"])
    assert len(os.listdir(shared)) == 3
