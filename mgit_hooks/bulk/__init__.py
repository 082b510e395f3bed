"""Many items, bounded: each is worked on in a process that can be ended, and their results come in their order.

A time-out, a memory ceiling or a process that dies costs one item; the others are done. What is bounded, and by how
much, is in the Plan. Names are loaded when they are asked for: who only makes a plan needs nothing that runs one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mgit_hooks.bulk.outcomes import ItemError, Outcome, Plan
    from mgit_hooks.bulk.running import arun, run

_MODULES = {"ItemError": "outcomes", "Outcome": "outcomes", "Plan": "outcomes", "arun": "running", "run": "running"}
__all__ = ("ItemError", "Outcome", "Plan", "arun", "run")


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
