"""Places in a JSON value, and what the repairs of them may go by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from mgit_hooks.record import Json

NOTHING: Final = object()
"""No such place in a value: not the same as null."""


class Facts(NamedTuple):
    """What repairs may go by. ``commit`` gives git's own JSON of a commit, or None; ``content`` the bytes of a changed
    file of the worktree from its JSON, where git still has them, or None."""

    repository_path: str
    commit: Callable[[str], Json | None]
    now: Callable[[], str]
    content: Callable[[Json], bytes | None] = lambda change: None


class Fixed(NamedTuple):
    value: Any
    reason: str


Mend = Callable[[Json, list[str], Facts], Fixed | None]


def at(value: Any, path: list[str], default: Any = None) -> Any:
    """What is at ``path`` in a JSON value."""
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return default
    return value


def put(value: Any, path: list[str], new: Any) -> bool:
    """Set what is at ``path``; False where there is no such place. NOTHING takes a field out."""
    holder = at(value, path[:-1])
    if isinstance(holder, dict):
        if new is NOTHING:
            holder.pop(path[-1], None)
        else:
            holder[path[-1]] = new
        return True
    if isinstance(holder, list) and path[-1].isdigit() and int(path[-1]) < len(holder) and new is not NOTHING:
        holder[int(path[-1])] = new
        return True
    return False
