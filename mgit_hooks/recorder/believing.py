"""What of post-rewrite's map can be true: git before 2.43 gets the skipped commits of a rebase wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from mgit_hooks.record import Oid, Record, RefMovement
from mgit_hooks.recorder import classify
from mgit_hooks.recorder.evidence import Rewrite
from mgit_hooks.recorder.movements import Movement

_PICKED: Final = re.compile(r"[^:]*\(pick\): ")


def believed(
    rewrites: Mapping[Oid, Rewrite], movements: Iterable[Movement], recorded: Callable[[Oid], Record | None]
) -> dict[Oid, Rewrite]:
    """``rewrites`` as far as they can be true of the movements that made the new commits.

    ``recorded`` gives the record of a commit that an earlier drain has made.
    """
    makers: dict[Oid | None, Movement] = {}
    for movement in movements if rewrites else ():
        if movement.new_oid in rewrites and classify.made_by(movement.message) is not None:
            makers.setdefault(movement.new_oid, movement)
    found = {}
    for oid, rewrite in rewrites.items():
        record = recorded(oid)
        refs = record.refs if record is not None else makers[oid].refs if oid in makers else None
        kept = _kept(rewrite, refs or ())
        if kept is not None:
            found[oid] = kept
    return found


def _kept(rewrite: Rewrite, refs: Sequence[RefMovement]) -> Rewrite | None:
    """``git rebase --skip`` named HEAD as what replaced the skipped commit: the one that is rebased onto, or the one
    picked before (sequencer.c, "fix adding failed command to rewritten list"). But a rebase makes its commits on a
    detached HEAD, and a plain pick makes one commit of one, which stands first in the map.
    """
    if rewrite.command != "rebase":
        return rewrite
    if any(moved.name.startswith("refs/heads/") for moved in refs):
        return None
    picked = any(moved.name == "HEAD" and _PICKED.match(moved.reason or "") for moved in refs)
    return Rewrite(rewrite.command, rewrite.old[:1]) if picked else rewrite
