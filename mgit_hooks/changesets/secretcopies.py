"""What files with a secret's name hold: another file with the same bytes is a copy of one, or what it is called now.

git tells of no rename that is not in the index: after `mv .env notes` it says that one file is gone and another one is
untracked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import sha256

from mgit_hooks.changesets import contents, secretforms
from mgit_hooks.errors import MgitError
from mgit_hooks.git.backend import Backend
from mgit_hooks.git.porcelain import Entry

_GITLINK = 0o160000


def secret_contents(entries: Iterable[Entry], top: str, git: Backend) -> dict[str, bytes]:
    """The SHA-256 of what each entry with a secret's name has in HEAD, index and worktree, with that name.

    Nothing of what is empty, or larger than what is searched for secrets at all. Never raises for what a file is.
    """
    found: dict[str, bytes] = {}
    for entry in entries:
        for name in filter(None, (entry.path, entry.old_path)):
            if secretforms.by_name(os.fsdecode(name)) is not None:
                found.update((sha256(data).hexdigest(), name) for data in _held(entry, top, git) if data.strip())
    return found


def _held(entry: Entry, top: str, git: Backend) -> Iterator[bytes]:
    for oid, mode in ((entry.head_oid, entry.head_mode), (entry.index_oid, entry.index_mode)):
        if oid is not None and mode != _GITLINK:
            try:
                if git.size(oid) <= contents.READ_WHOLE:
                    yield bytes(memoryview(git.blob(oid)))
            except MgitError:  # it is not here: whoever reads the repository says so
                pass
    try:
        with contents.beneath(top, entry.path) as file:
            yield file.read(contents.READ_WHOLE)
    except OSError:
        pass
