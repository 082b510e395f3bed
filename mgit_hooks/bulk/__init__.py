"""Many items, bounded: each is worked on in a process that can be ended, and their results come in their order.

A time-out, a memory ceiling or a process that dies costs one item; the others are done. What is bounded, and by how
much, is in the Plan.
"""

from mgit_hooks.bulk.outcomes import ItemError, Outcome, Plan
from mgit_hooks.bulk.running import arun, run

__all__ = ("ItemError", "Outcome", "Plan", "arun", "run")
