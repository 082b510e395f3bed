"""An answer to somebody who asks by a hook manager: ``pre-commit run --from-ref A --to-ref B``, as CI does.

Nothing is about to happen that could be refused, and no hook of git's will speak of it later: nothing is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator

from mgit_hooks import report
from mgit_hooks.gatekeeper.candidate import Candidate
from mgit_hooks.gatekeeper.judgement import Facts, Settings, gather
from mgit_hooks.gatekeeper.words import answered
from mgit_hooks.git.gitfiles import shallow_boundary
from mgit_hooks.judging import schemas
from mgit_hooks.layout import Location
from mgit_hooks.record import Oid


def commits(oids: tuple[Oid, ...], location: Location, stage: str) -> Iterator[Candidate]:
    """Commits that are there, with their files, as ``check`` judges them. Raises ObjectError."""
    from mgit_hooks.gatekeeper import pushed

    return pushed.candidates(oids, location, stage, whole=True)


def cut_off(oids: tuple[Oid, ...], location: Location) -> Iterator[str]:
    """What to say of those at the edge of a shallow clone."""
    return report.cut_off(len(shallow_boundary(location.common_dir).intersection(oids)))


def answer(
    candidates: Iterable[Candidate],
    unknown: frozenset[str],
    config: Settings,
    location: Location,
    skip: Collection[str],
) -> tuple[int, list[str]]:
    """The exit status, and lines for standard error; a manager shows those of a hook that passes only when asked.

    Raises ObjectError.
    """
    facts = Facts(folder=os.path.join(location.common_dir, "objects"))
    try:
        taken = (each._replace(unknown=each.unknown | unknown) if "push" in each.value else each for each in candidates)
        found = gather(taken, config, schemas.load(), skip, facts)
    finally:
        facts.close()
    return (1 if found.refused else 0), answered(found)
