"""Is it true that a rebase made a commit, where nothing but a reflog's message says so?

Anybody can have git log ``rebase (pick)`` (GIT_REFLOG_ACTION). A rebase logs where it starts, before its first pick,
and where it ends; and while it goes on there is a folder.
"""

from __future__ import annotations

import os
import re
from typing import Final

from mgit_hooks.files import open_to_read
from mgit_hooks.git import reflog
from mgit_hooks.record import Oid
from mgit_hooks.recorder import classify
from mgit_hooks.recorder.rebasing import is_rebasing

# sequencer.c, builtin/rebase.c: "%s (start): checkout %s", where the first words are GIT_REFLOG_ACTION's, which may be
# others at each --continue. Before git 2.26 the patches' rebase said "rebase: checkout" and "rebase finished".
_STARTS: Final = re.compile(rb".* \(start\): checkout |rebase: checkout ")
_ENDS: Final = re.compile(rb".* \((?:finish|abort)\): returning to |rebase finished: |rebase: aborting$")
# A few thousand lines of a reflog.
_LAST_BYTES: Final = 1024 * 1024


class Claims:
    """Answers of one drain: each worktree's reflog of HEAD is read once."""

    def __init__(self, common_dir: str) -> None:
        self._common_dir = common_dir
        self._lines: dict[str, list[bytes]] = {}

    def in_rebase(self, worktree: str, oid: Oid) -> bool:
        """Whether HEAD of ``worktree`` came to a commit between a rebase's start and its end, for all that is known."""
        if is_rebasing(os.path.join(self._common_dir, *reflog.worktree_folders(worktree))):
            return True
        if worktree not in self._lines:
            self._lines[worktree] = self._read(worktree)
        lines = self._lines[worktree]
        at = next((n for n in range(len(lines) - 1, -1, -1) if _is_pick(lines[n], oid)), None)
        if at is None:
            return True  # its line has gone, with what was before it
        for line in reversed(lines[:at]):
            message = line.partition(b"\t")[2]
            if _STARTS.match(message):
                return True
            if _ENDS.match(message):
                return False
        # From its first line on, which has no old commit, a reflog is whole.
        return not lines[0].startswith(b"00000000")

    def _read(self, worktree: str) -> list[bytes]:
        path = os.path.join(self._common_dir, *reflog.head_key(worktree).split("/"))
        try:
            with open_to_read(path) as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(size - _LAST_BYTES, 0))
                return file.read().splitlines()[1 if size > _LAST_BYTES else 0 :]
        except OSError:
            return []


def _is_pick(line: bytes, oid: Oid) -> bool:
    said = line.split(b" ", 2)
    if len(said) < 3 or said[1] != oid.encode():
        return False
    return classify.made_by(os.fsdecode(line.partition(b"\t")[2])) == "rebase"
