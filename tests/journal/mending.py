"""Repair as ``mgit_hooks.mend`` runs it, of a journal without a repository: the files mended, the holes declared."""

from __future__ import annotations

import json
from pathlib import Path

from journal.making import adopted
from mgit_hooks.journal import repair, writer
from mgit_hooks.journal.verify import verify


def mended(journal: str) -> tuple[str, ...]:
    """What was done; nothing where nothing was wrong."""
    repair.restore_identity(journal)
    actions = repair.mend(journal, dry_run=False).actions
    report = verify(journal)
    if actions or report.holes or not report.chain_intact:
        with writer.appender(journal, adopted) as made:
            holes = [hole.to_json() for hole in verify(journal).holes]
            if holes or actions or not report.chain_intact:
                made.append(
                    [json.dumps({"event": "repair", "detail": {"holes": holes}}, separators=(",", ":")).encode()]
                )
            made.sync()
    return actions


def in_quarantine(journal: str) -> list[bytes]:
    folder = Path(journal).parent / "quarantine"
    return [path.read_bytes() for path in sorted(folder.glob("*.bin"))]
