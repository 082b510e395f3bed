"""Short writes: the kernel may take a part of what it is given, and says how much."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

HOW: Final[dict[str, Callable[[int], int]]] = {
    "one byte": lambda length: 1,
    "half": lambda length: (length + 1) // 2,
    "all but one": lambda length: max(length - 1, 1),
}


def shorten(how: tuple[str, int, bool] | None, root: str) -> None:
    """From now on ``os.write`` really writes only a part: ``how`` much, at which call on our files, and whether
    at all later ones too. A line on standard error says that it was so.
    """
    if how is None:
        return
    part, nth, for_good = HOW[how[0]], how[1], how[2]
    whole = os.write
    calls = 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal calls
        if not os.readlink(f"/proc/self/fd/{descriptor}").startswith(root + "/"):
            return whole(descriptor, data)
        calls += 1
        if calls == nth or (for_good and calls > nth):
            if calls == nth:
                whole(2, b"SHORT\n")
            return whole(descriptor, bytes(data)[: part(len(data))])
        return whole(descriptor, data)

    os.write = write  # type: ignore[assignment]
