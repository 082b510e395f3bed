"""What is recorded: the real operations, run in a process of their own as ``python -m power.acts NAME FOLDER``.

After each step that the product calls done, the process prints ``SEQ ID SHA256`` of the records that it reports.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from conftest import Repo
from journal.making import adopted, records

from mgit_hooks import mend
from mgit_hooks.changesets import ChangesetCollection, ChangesetStorage
from mgit_hooks.journal import compaction, swap, writer
from mgit_hooks.journal.format import Cursor
from mgit_hooks.layout import locate
from mgit_hooks.pipeline import ChangesetRecoveryManager
from mgit_hooks.recorder.drain import drain
from power import plants


def told(seq: int, id: bytes, payload: bytes | None) -> str:
    return f"{seq} {id.hex()} {hashlib.sha256(payload or b'').hexdigest()}"


def report(lines: Sequence[str]) -> None:
    os.write(1, "".join(f"{line}\n" for line in lines).encode())


def _append(journal_dir: str, payloads: Sequence[bytes], cursor: Cursor | None = None) -> None:
    with writer.appender(journal_dir, adopted) as journal:
        done = journal.append(payloads, cursor)
        journal.sync()
        report([told(item.seq, item.id, payload) for item, payload in zip(done, payloads, strict=True)])


def _noise(count: int, length: int) -> list[bytes]:
    """Payloads that do not compress: several sectors of them."""
    return [os.urandom(length).hex().encode()[:length] for _ in range(count)]


def append(journal_dir: str) -> None:
    for number in range(3):
        _append(journal_dir, _noise(3, 300), Cursor(1, 1000 + number))
    _append(journal_dir, [b"one more"])


def group(journal_dir: str) -> None:
    """An append of several blocks, the cursor in the last."""
    _append(journal_dir, _noise(150, 20), Cursor(2, 70))
    _append(journal_dir, _noise(2, 900))


def rotate(journal_dir: str) -> None:
    writer.SEGMENT_TARGET = 1000  # type: ignore[misc]
    for number in range(5):
        _append(journal_dir, _noise(2, 400), Cursor(3, number))


def compact(journal_dir: str) -> None:
    with swap.maintenance(journal_dir, wait=10.0):
        for name in compaction.waiting(journal_dir):
            compaction.compact(journal_dir, [name])
            report_all(journal_dir)
    _append(journal_dir, [b"one more"])


def report_all(journal_dir: str) -> None:
    report([told(stored.seq, stored.id, stored.payload) for stored in records(journal_dir)])


def record_day(path: str) -> None:
    """What a day brings."""
    _record(path, _commits, _pushes, _amends, _pushes_much, _commits)


def record_pushes(path: str) -> None:
    """What only hooks tell."""
    _record(path, _commits, _pushes, _pushes)


def _record(path: str, *steps: Callable[[Repo, int], None]) -> None:
    """A drain after each step; the stubs' lines in the spool are synced by nobody else."""
    repo = Repo(Path(path))
    location = locate(path)
    for number, does in enumerate(steps):
        does(repo, number)
        assert not drain(location, wait=10.0).busy
        report_all(location.journal_dir)


def _commits(repo: Repo, number: int) -> None:
    for each in range(2):
        repo.commit(f"{number} {each}", {f"{number}-{each}": "text"})


def _pushes(repo: Repo, number: int) -> None:
    repo.git("push", "-q", "origin", f"HEAD:refs/heads/b{number}")


def _amends(repo: Repo, number: int) -> None:
    repo.git("commit", "-q", "--amend", "-m", f"{number} better")


def _pushes_much(repo: Repo, number: int) -> None:
    """A standard input that is too long for a line of the spool."""
    repo.git("push", "-q", "origin", *(f"HEAD:refs/heads/much-{number}-{each}" for each in range(40)))


def mend_all(path: str) -> None:
    location = locate(path)
    assert mend.repair(location).clean
    report_all(location.journal_dir)


def save_collections(folder: str) -> None:
    """The first save makes the folder; each says what it saved once it is told as done."""
    for number in range(4):
        made = ChangesetCollection("work", "t", "t", {}, {"n": number, "noise": _noise(1, 700)[0].decode()})
        ChangesetStorage(os.path.join(folder, "deep", "kept")).save_changeset_collection(made)
        report([str(number)])


def recover_collection(folder: str) -> None:
    """Of two saves the second is damaged: what recovery puts in its place, it says when that is done."""
    storage = ChangesetStorage(os.path.join(folder, "kept"))
    for number in range(2):
        storage.save_changeset_collection(ChangesetCollection("work", NOW, NOW, {}, {"n": number}))
    path = Path(storage.path("work"))
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, b"damaged")
    os.fsync(descriptor)
    os.close(descriptor)
    report(["damaged"])
    manager = ChangesetRecoveryManager(storage, folder=os.path.join(folder, "recovery"))
    if manager.recover_storage_operation("work", "load", "checkpoint").recovery_successful:
        report(["recovered"])


NOW = "2024-01-02T03:04:05+00:00"
ACTS: dict[str, Callable[[str], None]] = {
    "append": append,
    "group": group,
    "rotate": rotate,
    "first": append,
    "adopt": append,
    "compact": compact,
    "record": record_day,
    "push": record_pushes,
    "repair": mend_all,
    "save": save_collections,
    "recover": recover_collection,
}


def main(name: str, folder: str, plant: str = "") -> None:
    if plant:
        plants.PLANTS[plant]()
    ACTS[name](folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
