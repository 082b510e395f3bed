"""No false finding: changesets made of whole histories, each commit with its files and some with their contents."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import histories
import pytest
from reliability import Tally
from test_histories import replayed

from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.changesets import ChangesetCollection, ChangesetStorage, RepositoryChangeset
from mgit_hooks.git.opening import open_backend
from mgit_hooks.judging.validate import LEVELS
from mgit_hooks.pipeline import ChangesetValidator
from mgit_hooks.record import Oid

NOW = "2024-01-02T03:04:05+00:00"
_EACH = 10  # commits of a changeset
_LARGEST = 20_000  # bytes of a file whose content is embedded


def changesets(path: str) -> Iterator[RepositoryChangeset]:
    """The commits of all refs, ten to a changeset, in the order in which git lists them."""
    git_dir = subprocess.check_output(("git", "-C", path, "rev-parse", "--absolute-git-dir"), text=True).strip()
    backend = open_backend(git_dir)
    capturer = Capturer(git_dir, lambda _: backend)
    oids = subprocess.check_output(("git", "-C", path, "rev-list", "--all"), text=True).split()
    for start in range(0, len(oids), _EACH):
        commits = [capturer.commit(Oid(oid)).to_json() for oid in oids[start : start + _EACH]]
        for change in commits[0]["files"] or ():
            if change["new_oid"] and change["size_bytes"] is not None and change["size_bytes"] < _LARGEST:
                embed(change, bytes(memoryview(backend.blob(change["new_oid"]))))
        value = {"repository_path": path, "repository_name": Path(path).name, "timestamp": NOW, "git_status": "clean"}
        yield RepositoryChangeset.from_json(
            {**value, "has_uncommitted_changes": False, "uncommitted_files": [], "recent_commits": commits}
        )


def embed(change: dict[str, Any], raw: bytes) -> None:
    digest = sha256(raw).hexdigest()
    change["content_hash"] = digest
    change["embedded_content"] = {
        "strategy": "full", "content": b64encode(raw).decode(), "encoding": "base64", "content_hash": digest,
        "hash_covers": "file", "original_size": len(raw), "embedded_size": len(raw), "truncated": False,
    }  # fmt: skip


def judge(path: str, folder: Path, tally: Tally) -> int:
    """Every level finds nothing, before a save and after it; how many commits git was asked about."""
    asked = 0
    for number, changeset in enumerate(changesets(path)):
        saved = ChangesetCollection(f"part {number}", NOW, NOW, {}).with_repository(changeset)
        store = ChangesetStorage(folder)
        store.save_changeset_collection(saved)
        loaded = store.load_changeset_collection(saved.name)
        assert loaded == saved
        for level in LEVELS:
            tally.cases += 1
            result = ChangesetValidator(level).validate_changeset_collection(loaded)
            tally.false.extend(f"{saved.name}: {issue.code} {issue.field_path}" for issue in result.issues[:3])
            asked += result.statistics.get("checked_against_git", 0)
    return asked


def test_a_history_of_every_kind_of_change_has_no_finding(tmp_path: Path, tally: Tally) -> None:
    path = tmp_path / "kinds.git"
    subprocess.run(("git", "init", "-q", "--bare", str(path)), check=True)
    histories.every_kind().write(str(path))
    assert judge(str(path), tmp_path / "kept", tally) > 45
    tally.check()


@pytest.mark.full
@pytest.mark.parametrize("name", ["small", "medium"])
def test_a_replayed_history_has_no_finding(
    name: str, pytestconfig: pytest.Config, tmp_path: Path, tally: Tally
) -> None:
    assert judge(replayed(name, pytestconfig), tmp_path, tally) > 2000
    tally.check()
