"""How far the spool has been read, apart from the format: the gate spools, and has no time to load the rest."""

from __future__ import annotations

from typing import NamedTuple


class Cursor(NamedTuple):
    """How much of the spool stands in the journal: ``offset`` bytes of the spool file ``generation``."""

    generation: int
    offset: int
