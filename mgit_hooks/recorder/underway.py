"""Pushes whose git process has not ended: told later, or told and without their outcome yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mgit_hooks.record import Record
from mgit_hooks.recorder.event import HookEvent
from mgit_hooks.recorder.gathering import Found
from mgit_hooks.recorder.held import Waiting
from mgit_hooks.recorder.receiving import Receptions


class Underway(NamedTuple):
    """``sent`` are the lines of pushes from here that an earlier drain told of and that had not ended then.

    ``is_over`` says whether a line's git process had ended before the spool was read. ``still`` are the lines of pushes
    of which a later drain is to tell; ``going`` these, and those of which this one is about to.
    """

    sent: tuple[HookEvent, ...]
    is_over: Callable[[HookEvent], bool]
    receptions: Receptions
    still: tuple[HookEvent, ...]
    going: tuple[HookEvent, ...]


def pushes_of(found: Found, waiting: Waiting, finished: Sequence[Record], *, armed: bool) -> Underway:
    """The pushes of one drain. ``finished``: as ``interrupted.pushes`` gives them."""
    events, alive = found.evidence.events, found.alive

    def is_over(said: HookEvent) -> bool:
        return said.process not in alive

    receptions = Receptions(waiting.underway, events, is_over, armed, finished)
    sent = [said for said in (*waiting.underway, *events) if said.hook == "pre-push" and not is_over(said)]
    still = (*sent, *receptions.waiting(events))
    return Underway(
        tuple(said for said in waiting.underway if said.hook == "pre-push"),
        is_over,
        receptions,
        still,
        (*waiting.underway, *(said for said in still if said not in waiting.underway)),
    )
