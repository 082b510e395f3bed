"""Where reconcile left off. A hint: without it every reflog is read again, and the index knows what is new."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from mgit_hooks.files import open_to_read, replacing
from mgit_hooks.git.reflog import Place
from mgit_hooks.layout import make_private_dir


class State(NamedTuple):
    """``reflogs``: how far each was read, by its path. ``stamps``: the files' size and time then.

    ``refs``: a fingerprint of all refs; where it is unchanged there is nothing to list. ``next_seq`` and
    ``cursor`` are the journal's after that drain: where the next one finds records past the one and not
    the other, a drain was killed between its blocks.
    """

    reflogs: dict[str, Place]
    stamps: dict[str, list[int]]
    refs: str | None
    next_seq: int | None = None
    cursor: tuple[int, int] | None = None


EMPTY = State({}, {}, None)


def read(mgit_dir: str) -> State:
    try:
        with open_to_read(os.path.join(mgit_dir, "state.json")) as file:
            value = json.load(file)
        places = {path: Place(size, tuple(tail)) for path, (size, tail) in value["reflogs"].items()}
        cursor = value["cursor"]
        return State(places, value["stamps"], value["refs"], value["next_seq"], tuple(cursor) if cursor else None)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return EMPTY


def write(mgit_dir: str, state: State) -> None:
    write_json(os.path.join(mgit_dir, "state.json"), state._asdict())


def write_json(path: str, value: object) -> None:
    """Replace a small file of ours; a crash leaves the old one or the new one."""
    make_private_dir(os.path.dirname(path))
    with replacing(path, sync=False) as file:
        file.write(json.dumps(value).encode())


def fingerprint(common_dir: str) -> str:
    """What all refs are, without listing them: packed-refs by its stat, loose refs by their content."""
    from hashlib import sha256

    digest = sha256()
    for name in ("packed-refs", os.path.join("reftable", "tables.list")):
        digest.update(repr(stamp(os.path.join(common_dir, name))).encode())
    top = os.path.join(common_dir, "refs")
    for folder, folders, files in os.walk(top):
        # Our own refs are never recorded: the anchor that a drain writes is no news to the next one.
        folders[:] = sorted(name for name in folders if folder != top or name != "mgit")
        for name in sorted(files):
            path = os.path.join(folder, name)
            try:
                with open_to_read(path) as file:
                    digest.update(os.fsencode(path) + b"\0" + file.read(256) + b"\0")
            except FileNotFoundError:
                continue
    return digest.hexdigest()


def stamp(path: str) -> list[int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ino]
