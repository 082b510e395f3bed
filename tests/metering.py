"""Operations that have ended, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from mgit_hooks.operation import COMMAND, Operation


def ended(name: str = "log", type: str = COMMAND, **given: Any) -> Operation:
    made = Operation(type, name)
    made.end()
    for key, value in given.items():
        setattr(made, key, value)
    return made
