"""The mark of an erasure that has not come to its end, in the journal or in any other place that it goes to.

``.git/mgit/journal.erasing`` is there from after the ``erase`` record is synced until nothing is left to do; verify
counts what it names as ``unerased``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from mgit_hooks.files import create, open_to_read
from mgit_hooks.journal.segment import sync_directory


def pending(journal_dir: str) -> dict[int, str]:
    """The records whose erasure has begun and was not ended, in some place: not only in the journal. Seq and chain id.

    By its id a record is told from another that has its number since (after a restore, say): that one is to stay.
    """
    try:
        with open_to_read(_mark(journal_dir)) as file:
            return {int(seq): str(id) for seq, id in json.load(file)["records"].items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def begin(journal_dir: str, records: Mapping[int, str]) -> None:
    """Name them; synced on return. Raises OSError."""
    path = _mark(journal_dir)
    with open(create(f"{path}.new"), "wb") as file:
        file.write(json.dumps({"records": records}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)
    sync_directory(os.path.dirname(path))


def end(journal_dir: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(_mark(journal_dir))
    sync_directory(os.path.dirname(journal_dir))


def _mark(journal_dir: str) -> str:
    return f"{journal_dir}.erasing"
