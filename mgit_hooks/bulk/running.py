"""A run of many items: as a loop, and for an event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Any

from mgit_hooks.bulk.outcomes import Outcome, Plan
from mgit_hooks.bulk.supervising import Supervisor


def run(
    items: Iterable[Any], function: Callable[[Any], Any], plan: Plan, *, how: str | None = None
) -> Generator[Outcome]:
    """What comes of ``function`` for each item, in the order of the items, as soon as it is there.

    The function is one at the top of a module, or a functools.partial of one; it runs in other processes, which end
    with the plan's ceilings, with this process, and when the generator is closed. It may be a coroutine function. Items
    are taken as they are needed. Time-outs are looked at while the caller waits for the next outcome, not while it
    holds one. Raises MgitError where the function cannot be run there at all, ValueError on a plan that makes no
    sense, and what pickle raises of the function. ``how`` is ``fork`` or ``spawn``, where the choice is not to be made
    here.
    """
    supervisor = Supervisor(items, function, plan, how)
    try:
        while not supervisor.is_finished:
            supervisor.step(wait=True)
            yield from supervisor.due()
    finally:
        supervisor.close()


async def arun(
    items: Iterable[Any], function: Callable[[Any], Any], plan: Plan, *, how: str | None = None
) -> AsyncGenerator[Outcome]:
    """As ``run``, on the same workers; the event loop goes on while they work."""
    import asyncio

    supervisor = Supervisor(items, function, plan, how)
    try:
        supervisor.step(wait=False)
        while not supervisor.is_finished:
            handed_on = False
            for outcome in supervisor.due():
                yield outcome
                handed_on = True
            if supervisor.is_finished:
                break
            if handed_on:  # which made room: where all that was begun is done, nothing happens before more is begun
                await asyncio.sleep(0)
            else:
                await _something(supervisor)
            supervisor.step(wait=False)
    finally:
        supervisor.close()


async def _something(supervisor: Supervisor) -> None:
    """Wait until ``step`` has something to do, in the loop that runs now: one may begin in one and go on in another."""
    from asyncio import Event, get_running_loop

    loop, happened = get_running_loop(), Event()
    watched, patience = supervisor.fileno(), supervisor.patience()
    loop.add_reader(watched, happened.set)
    # Not wait_for: before Python 3.12 it loses a cancellation that comes at the moment of what it waits for.
    alarm = None if patience is None else loop.call_later(patience, happened.set)
    try:
        await happened.wait()
    finally:
        loop.remove_reader(watched)
        if alarm is not None:
            alarm.cancel()
