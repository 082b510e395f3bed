"""Variables of the environment that look as if they were meant for us, and are none of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mgit_hooks.judging.configlayers import KEYS, variable

KNOWN = frozenset((*map(variable, KEYS), "MGIT_SKIP", "MGIT_SKIP_REASON", "MGIT_DATA_DIR", "MGIT_GATE_WAS"))
_ALIKE = 0.75


class Slip(NamedTuple):
    name: str
    meant: str

    @property
    def message(self) -> str:
        return f"the environment has {self.name}, which says nothing to mgit-hooks"

    @property
    def remedy(self) -> str:
        return f"did you mean {self.meant}?"


def slips(environ: Mapping[str, str]) -> Iterator[Slip]:
    """Those whose name is nearly one of ours. Others share the environment, and of their names nothing is said."""
    from difflib import get_close_matches

    for name in sorted(environ):
        if name.upper().startswith("MGIT_") and name not in KNOWN:
            near = get_close_matches(name.upper(), sorted(KNOWN), 1, _ALIKE)
            if near:
                yield Slip(name, near[0])
