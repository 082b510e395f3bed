"""What a run is bounded by, and what comes of each item."""

from __future__ import annotations

from typing import Any, NamedTuple

from mgit_hooks.errors import MgitError


class Plan(NamedTuple):
    """The numbers of one run. ``pipeline.planning`` makes them for a strategy, a workload and a machine.

    ``prefetch`` counts items that are handed out, or done and not handed on yet. ``timeout`` is seconds of one item,
    with all of its tries. ``memory`` is bytes that a worker may take beyond those that it begins with. ``processors``
    is how many all workers share, with what they start; None: any. ``cache`` is bytes of git objects that a worker
    keeps. ``codec`` and ``quality`` are for what the caller stores. ``gradual``: the workers beyond the first
    start when the first outcome is there, or is long in coming. ``reasons`` are for people, by number.
    """

    workers: int = 1
    batch: int = 1  # items that a worker is handed at once, at most
    prefetch: int = 4
    timeout: float | None = None
    memory: int | None = None
    attempts: int = 3
    niceness: int = 0
    processors: int | None = None
    cache: int | None = None
    codec: str = "zstd"
    quality: str = "balanced"
    gradual: bool = False
    reasons: tuple[tuple[str, str], ...] = ()


class Outcome(NamedTuple):
    """``error`` is what the function raised, or an ItemError; then ``value`` is None. ``seconds`` are of work."""

    item: Any
    value: Any
    error: Exception | None
    attempts: int
    seconds: float


class ItemError(MgitError):
    """Why an item has no value, where that is not just an error that its function raised.

    ``kind`` is one of ``timeout``, ``memory`` (the ceiling), ``died`` (its process did), ``exit`` (the function wanted
    to end the process), ``raised`` (an error that cannot be brought over as it is: the message names it) and
    ``pickling`` (the item or its value cannot be brought over).
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str, kind: str) -> None:
        super().__init__(message, remedy)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return ItemError, (self.message, self.remedy, self.kind)


def require(plan: Plan) -> Plan:
    """Raises ValueError where a number makes no sense."""
    for name in ("workers", "batch", "prefetch", "attempts"):
        if getattr(plan, name) < 1:
            raise ValueError(f"{name} is {getattr(plan, name)}, and must be 1 or more")
    for name in ("timeout", "memory"):
        value = getattr(plan, name)
        if value is not None and value <= 0:
            raise ValueError(f"{name} is {value}, and must be more than 0, or None")
    if not 0 <= plan.niceness <= 19:
        raise ValueError(f"niceness is {plan.niceness}, and must be 0 to 19")
    return plan
