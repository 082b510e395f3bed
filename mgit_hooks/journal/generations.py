"""Generations: bundles of the journal that ``checkpoint`` keeps, each of one moment, so that it can be brought back.

They lie in ``.git/mgit/checkpoints/``, beside what strategy ``checkpoint`` keeps there, which is not looked at here.
"""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.errors import MgitError
from mgit_hooks.files import sync_directory
from mgit_hooks.journal import bundle, bundling
from mgit_hooks.journal.manifest import Manifest
from mgit_hooks.layout import make_private_dir
from mgit_hooks.record import Json

_NAME: Final = re.compile(r"journal-([0-9]{10,})-([0-9]{8}T[0-9]{6}\.[0-9]{6}Z)\.mgit")
_LEFT: Final = re.compile(r"journal-.*\.mgit\.[0-9]+\.new")


class Generation(NamedTuple):
    """A file by a generation's name. ``manifest`` is None where it cannot be read, and ``fault`` says why."""

    path: str
    last_seq: int
    manifest: Manifest | None
    fault: str | None

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    def to_json(self) -> Json:
        value: Json = {"name": self.name, "file": self.path, "last_seq": self.last_seq, "fault": self.fault}
        if self.manifest is not None:
            value |= {
                "journal": self.manifest.journal.hex(),
                "first_seq": self.manifest.first_seq,
                "head": self.manifest.head.hex(),
                "made_at": self.manifest.made_at,
                "bytes": os.path.getsize(self.path),
            }
        return value


def folder(mgit_dir: str) -> str:
    return os.path.join(mgit_dir, "checkpoints")


def listed(directory: str) -> list[Generation]:
    """The generations in a folder, newest first. Their manifests are read, their segments are not."""
    found = []
    for name in _names(directory):
        path = os.path.join(directory, name)
        last_seq = int(name.split("-")[1])
        try:
            value = bundle.read_manifest(path)
        except MgitError as error:
            found.append(Generation(path, last_seq, None, error.message))
        else:
            fault = None if value.last_seq == last_seq else "its name and its manifest differ"
            found.append(Generation(path, last_seq, value, fault))
    return found


def make(journal_dir: str, directory: str) -> bundle.Checked:
    """Write a generation into ``directory``, read back and verified. Call it under ``bundling.still``."""
    make_private_dir(directory)
    _sweep(directory)
    found = bundling.extent(journal_dir)
    made_at = dates.now()
    compact = made_at[:26].replace("-", "").replace(":", "")
    name = f"journal-{found.last_seq:010d}-{compact}Z.mgit"
    return bundling.write(journal_dir, os.path.join(directory, name), found)


def prune(directory: str, newest: str, keep: int) -> list[str]:
    """Remove what is older than the generation ``newest``, but for the ``keep`` - 1 newest of them; what went.

    Call it once that one was verified: of two generations the older is all there is, until the newer holds. Several
    repositories may share a folder: nothing goes but generations of the same journal, and none that cannot be read.
    """
    every = listed(directory)
    own = next((each.manifest.journal for each in every if each.name == newest and each.manifest is not None), None)
    ours = [each.name for each in every if each.manifest is not None and each.manifest.journal == own]
    gone = [name for name in ours if _order(name) < _order(newest)][max(keep - 1, 0) :]
    for name in gone:
        os.unlink(os.path.join(directory, name))
    if gone:
        sync_directory(directory)
    return gone


def _names(directory: str) -> list[str]:
    try:
        names = [name for name in os.listdir(directory) if _NAME.fullmatch(name)]
    except FileNotFoundError:
        return []
    return sorted(names, key=_order, reverse=True)


def _order(name: str) -> tuple[int, str]:
    """By how far it goes: a clock may have been set back."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), match[2]) if match else (0, "")


def _sweep(directory: str) -> None:
    """What a kill left of a generation that was being written: it never got its name, so it is none."""
    for name in os.listdir(directory):
        if _LEFT.fullmatch(name):
            os.unlink(os.path.join(directory, name))
