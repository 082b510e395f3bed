"""Anchors: what the journal's head was, kept where whoever changes the journal does not reach.

An anchor names a journal, a record of it and that record's chain id. As the id covers all that comes before, one
anchor speaks for every record up to its own. What each of them can show is in docs/limits.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any, Final, NamedTuple

from mgit_hooks.errors import JournalError
from mgit_hooks.journal import identity, reader
from mgit_hooks.journal.findings import Report
from mgit_hooks.journal.format import SEGMENT, segment_info
from mgit_hooks.journal.segment import Located, scan, segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.record import Json

TRAILER: Final = "Mgit-Anchor"
_TEXT: Final = re.compile(r"([0-9a-f]{32}):([1-9][0-9]{0,18}):([0-9a-f]{64})")

HOLDS: Final = "holds"
ROLLED_BACK: Final = "rolled-back"
REWRITTEN: Final = "rewritten"
BRANCHED: Final = "branched"
FOREIGN: Final = "foreign"
MALFORMED: Final = "malformed"
UNKNOWN: Final = "unknown"


class Anchor(NamedTuple):
    """``journal`` and ``id`` in hexadecimal; ``made_at`` (ISO 8601, UTC) where whoever kept it says so."""

    journal: str
    seq: int
    id: str
    made_at: str | None = None

    @property
    def text(self) -> str:
        return f"{self.journal}:{self.seq}:{self.id}"

    def names_same(self, other: Anchor | None) -> bool:
        """Whether both are of the same record; when they were made does not count."""
        return other is not None and self[:3] == other[:3]

    def to_json(self) -> Json:
        return self._asdict()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Anchor:
        """Raises ValueError, KeyError or TypeError where this is no anchor."""
        made_at = value.get("made_at")
        anchor = parse(f"{value['journal']}:{value['seq']}:{value['id']}")
        return anchor._replace(made_at=made_at if isinstance(made_at, str) else None)


class Given(NamedTuple):
    """One anchor as it was found; ``anchor`` is None where ``text`` is not one."""

    text: str
    anchor: Anchor | None


class Place(NamedTuple):
    """Where anchors were looked for. ``shared``: other journals' anchors are to be expected there.

    So it is with the trailers of a team's commits: each of its members has a journal.
    """

    name: str
    given: tuple[Given, ...]
    shared: bool = False


class Checked(NamedTuple):
    """What the journal says to one anchor. ``is_finding``: it is not the journal that was anchored."""

    where: str
    given: Given
    status: str
    is_finding: bool

    def to_json(self) -> Json:
        anchor = self.given.anchor
        told: Json = anchor.to_json() if anchor else dict.fromkeys(Anchor._fields)
        return {"where": self.where, **told, "status": self.status}


def parse(text: str) -> Anchor:
    """The anchor that ``JOURNAL:SEQ:ID`` names; ValueError where it is none."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError("not an anchor")
    return Anchor(match[1], int(match[2]), match[3])


def given(text: str) -> Given:
    """A line of a file, or a trailer's value: the anchor, and after a space when it was made."""
    words = text.strip().removeprefix(f"{TRAILER}:").split()
    try:
        anchor = parse(words[0] if words else "")
    except ValueError:
        return Given(text.strip(), None)
    return Given(text.strip(), anchor._replace(made_at=words[1] if len(words) > 1 else None))


def of_lines(lines: Iterable[str]) -> tuple[Given, ...]:
    """The anchors of a file: one a line; empty lines and those that begin with ``#`` say nothing."""
    return tuple(given(line) for line in lines if line.strip() and not line.lstrip().startswith("#"))


def of_head(journal_dir: str, made_at: str) -> Anchor:
    """The anchor of the last record that was reported. Raises JournalError where there is none to speak of."""
    hint = identity.read_head(journal_dir)
    if hint is not None:
        seq, id = hint.seq, hint.id.hex()
    else:
        report = verify(journal_dir)
        seq, id = report.head_seq, report.head_id
    own = identity.read(journal_dir)
    names = [own.journal] if own else reader.journal_ids(journal_dir)[-1:]
    if not seq or not names:
        raise JournalError("the journal has no record to anchor", "run 'mgit-hooks verify' to see why")
    return Anchor(names[0].hex(), seq, id, made_at)


def watched(places: Iterable[Place]) -> frozenset[int]:
    """The numbers whose chain ids ``verify`` is to give for ``check``."""
    return frozenset(each.anchor.seq for place in places for each in place.given if each.anchor is not None)


def check(journal_dir: str, report: Report, places: Iterable[Place]) -> list[Checked]:
    """Hold every anchor against the journal; ``report`` is verify's, with ``watched(places)``."""
    own = identity.read(journal_dir)
    lineage = {journal.hex() for journal in (*reader.journal_ids(journal_dir), *(own.lineage if own else ()))}
    starts = _starts(journal_dir)
    checked = []
    for place in places:
        for each in place.given:
            status = _status(each.anchor, report, lineage, starts)
            harmless = {HOLDS, UNKNOWN} | ({FOREIGN, MALFORMED} if place.shared else set())
            checked.append(Checked(place.name, each, status, status not in harmless))
    return checked


def unchecked(places: Iterable[Place], checked: Iterable[Checked]) -> list[str]:
    """The places that gave nothing to check against. To have asked for that and be told "clean" would deceive."""
    told = {each.where for each in checked if each.is_finding or each.status == HOLDS}
    return [place.name for place in places if place.name not in told]


def _status(anchor: Anchor | None, report: Report, lineage: set[str], starts: list[tuple[int, str]]) -> str:
    if anchor is None:
        return MALFORMED
    if anchor.journal not in lineage:
        return FOREIGN
    id = report.watched.get(anchor.seq)
    if id == anchor.id:
        return HOLDS
    if id is None and anchor.seq <= report.head_seq:
        return UNKNOWN  # its record is in a hole or in an archive, and no id tells what stood there
    # A copy goes on under an id of its own: what the original has recorded since is not in it.
    under = [journal for first_seq, journal in starts if first_seq <= anchor.seq]
    if under and under[-1] != anchor.journal and anchor.journal in under:
        return BRANCHED
    return ROLLED_BACK if id is None else REWRITTEN


def _starts(journal_dir: str) -> list[tuple[int, str]]:
    """The first seq of each segment, and the journal whose segment it is."""
    journals = reader.journal_ids(journal_dir)
    found = []
    for name in segment_names(journal_dir):
        with closing(scan(journal_dir, name, journals)) as items:
            first = next(items, None)
        if isinstance(first, Located) and first.frame.kind == SEGMENT:
            found.append((int(first.frame.first_seq), segment_info(first.frame).journal.hex()))
    return found
