"""``export --bundle`` and ``import``: a journal goes from one repository to another, whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from kills import killed_at
from recording import Recording, records

from mgit_hooks import copies
from mgit_hooks.journal.reader import last_cursor
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import locate
from mgit_hooks.recorder import spool


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    made.commit("two")
    made.drain()
    return made


@pytest.fixture
def bundle_file(work: Recording, mgit: Any, tmp_path: Path) -> Path:
    path = tmp_path / "all.mgit"
    assert mgit("-C", work.path, "export", "--bundle", "-o", str(path)).code == 0
    return path


@pytest.fixture
def clone(work: Recording, tmp_path: Path) -> Repo:
    subprocess.run(["git", "clone", "-q", work.path, tmp_path / "clone"], check=True)
    return Repo(tmp_path / "clone")


def test_a_bundle_goes_where_it_was_told_to(
    work: Recording,
    mgit: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    told = mgit("-C", work.path, "export", "--bundle", "-o", "all.mgit", "--json")
    path = Path(work.path, "all.mgit")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    (value,) = told.json
    assert (told.code, value["sha256"], value["records"], value["last_seq"]) == (0, digest, 3, 3)
    before = path.read_bytes()
    again = mgit("-C", work.path, "export", "--bundle", "-o", "all.mgit")
    assert (again.code, "is there already" in again.err) == (2, True)
    assert path.read_bytes() == before
    assert mgit("-C", work.path, "export", "--bundle").code == 2


def test_import_takes_all_of_it_and_goes_on_as_a_copy(
    work: Recording,
    bundle_file: Path,
    clone: Repo,
    mgit: Any,
) -> None:
    true = records(work.location.journal_dir)
    dry = mgit("-C", clone.path, "import", "--dry-run", str(bundle_file), "--json")
    assert (dry.code, dry.json[0]["records"], dry.json[0]["imported"]) == (0, 3, False)
    assert not Path(clone.path, ".git/mgit").exists()
    done = mgit("-C", clone.path, "import", str(bundle_file))
    assert (done.code, "imported" in done.err) == (0, True)
    journal = locate(clone.path).journal_dir
    found = records(journal)
    assert found[:3] == true
    assert [record.event for record in found[3:]] == ["adopted"]
    assert found[3].detail == {"journal": dry.json[0]["journal"], "last_seq": 3, "head": dry.json[0]["head"]}
    assert verify(journal).is_clean
    assert {stat.S_IMODE(os.stat(os.path.join(journal, name)).st_mode) for name in os.listdir(journal)} == {0o600}
    assert mgit("-C", clone.path, "backfill").out.startswith("0 commits recorded")


def test_after_an_import_every_line_of_the_own_spool_counts(
    work: Recording,
    bundle_file: Path,
    clone: Repo,
    mgit: Any,
) -> None:
    """The cursor in the bundle is about another spool, in which as many bytes were read."""
    location = locate(clone.path)
    lines = b"".join(b"1\tpost-commit\t%d\to\t.git\t\n" % number for number in range(9))
    for path, said in ((work.location.spool_dir, lines), (location.spool_dir, lines * 2)):
        os.makedirs(path, exist_ok=True)
        Path(path, "now").write_bytes(said)
    work.drain()
    bundle_file.unlink()
    assert mgit("-C", work.path, "export", "--bundle", "-o", str(bundle_file)).code == 0
    waiting = spool.waiting(location.spool_dir, last_cursor(work.location.journal_dir))
    assert waiting == 9
    assert mgit("-C", clone.path, "import", str(bundle_file)).code == 0
    assert spool.waiting(location.spool_dir, last_cursor(location.journal_dir)) == 18


def test_two_journals_are_never_mixed(
    work: Recording,
    bundle_file: Path,
    clone: Repo,
    mgit: Any,
) -> None:
    same = mgit("-C", work.path, "import", str(bundle_file))
    assert (same.code, "repair --from" in same.err, "restore --from" in same.err) == (1, True, True)
    assert mgit("-C", clone.path, "init").code == 0
    before = records(locate(clone.path).journal_dir)
    other = mgit("-C", clone.path, "import", str(bundle_file))
    assert (other.code, "never mixed" in other.err) == (1, True)
    assert records(locate(clone.path).journal_dir) == before


def test_what_is_no_bundle_changes_nothing(
    bundle_file: Path,
    clone: Repo,
    mgit: Any,
) -> None:
    data = bundle_file.read_bytes()
    bundle_file.write_bytes(data[:-200] + bytes(200))
    for arguments in ((), ("--dry-run",)):
        told = mgit("-C", clone.path, "import", *arguments, str(bundle_file))
        assert (told.code, told.err.count("\n")) == (1, 2)
    assert not Path(clone.path, ".git/mgit/journal").exists()
    assert mgit("-C", clone.path, "import", "no-such-file").code == 1


def test_an_import_that_is_killed_anywhere_is_done_or_not_begun(
    work: Recording,
    bundle_file: Path,
    clone: Repo,
) -> None:
    location = locate(clone.path)
    true = records(work.location.journal_dir)
    step, killed = 0, True
    while killed:
        step += 1
        killed = killed_at(step, copies.take_in, location, str(bundle_file))
        if not os.path.isdir(location.journal_dir):
            copies.take_in(location, str(bundle_file))
        assert records(location.journal_dir)[:3] == true
        assert verify(location.journal_dir).is_clean
        assert sorted(os.listdir(location.mgit_dir)) == ["drain.lock", "journal", "maintenance.lock"]
        subprocess.run(["rm", "-r", location.mgit_dir], check=True)
    assert step > 15
