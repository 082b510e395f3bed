"""What ``verify`` finds: holes in the journal, and its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mgit_hooks.journal.segment import Damage
from mgit_hooks.record import Json


class Hole(NamedTuple):
    """Records that are not there: ``before`` is the chain id at its near side, ``after`` at its far side."""

    first_seq: int
    last_seq: int
    before: str
    after: str

    @property
    def words(self) -> str:
        if self.first_seq == self.last_seq:
            return f"record {self.first_seq}"
        return f"records {self.first_seq} to {self.last_seq}"

    def to_json(self) -> Json:
        return self._asdict()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Hole:
        return cls._make(value[name] for name in cls._fields)


class Report(NamedTuple):
    """What ``verify`` found. ``damaged``, ``holes`` and a broken chain are findings; ``mended`` holes are not."""

    journal: str | None
    records: int
    segments: int
    damaged: tuple[Damage, ...]
    holes: tuple[Hole, ...]
    mended: tuple[Hole, ...]
    chain_intact: bool
    head_seq: int
    head_id: str
    torn_tail: Damage | None  # an append that was cut off before it was reported: an ordinary end
    erased: int
    archived: tuple[Hole, ...]  # records that were moved to an archive, and a checkpoint record says so
    unerased: tuple[int, ...]  # an erase record names them, and their payload is still there, or a copy of it may be
    undeclared: tuple[int, ...]  # their payload is gone, and no record says who erased it
    watched: dict[int, str]  # the chain ids of the seqs that were asked for, as far as the journal can tell

    @property
    def is_clean(self) -> bool:
        return not (self.damaged or self.holes or self.unerased or self.undeclared) and self.chain_intact

    def to_json(self) -> Json:
        return {
            "journal": self.journal,
            "records": self.records,
            "segments": self.segments,
            "damaged": [_damage_json(damage) for damage in self.damaged],
            "missing_seq": [[hole.first_seq, hole.last_seq] for hole in self.holes],
            "mended": [hole.to_json() for hole in self.mended],
            "chain_intact": self.chain_intact,
            "head": {"seq": self.head_seq, "id": self.head_id},
            "torn_tail": _damage_json(self.torn_tail) if self.torn_tail else None,
            "erased": self.erased,
            "archived": [hole.to_json() for hole in self.archived],
            "unerased": list(self.unerased),
            "undeclared": list(self.undeclared),
        }


def _damage_json(damage: Damage) -> Json:
    return {"segment": damage.segment, "offset": damage.offset, "length": damage.length, "kind": damage.kind}
