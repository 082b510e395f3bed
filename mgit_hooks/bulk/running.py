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
    loop = asyncio.get_running_loop()
    happened = asyncio.Event()
    watched = supervisor.fileno()
    try:
        supervisor.step(wait=False)
        while not supervisor.is_finished:
            for outcome in supervisor.due():
                yield outcome
            if supervisor.is_finished:
                break
            happened.clear()
            loop.add_reader(watched, happened.set)
            # Not wait_for: before Python 3.12 it loses a cancellation that comes at the moment of what it waits for.
            patience = supervisor.patience()
            alarm = None if patience is None else loop.call_later(patience, happened.set)
            try:
                await happened.wait()
            finally:
                loop.remove_reader(watched)
                if alarm is not None:
                    alarm.cancel()
            supervisor.step(wait=False)
    finally:
        supervisor.close()
