"""A line of the spool, put together. ``event`` takes it apart."""

from __future__ import annotations

TYPE_CHECKING = False  # without typing: a gate that lets through loads none of it
if TYPE_CHECKING:
    from collections.abc import Iterable


def joined(hook: str, git: str, flag: str, worktree: str, head: str | None, fields: Iterable[str]) -> bytes:
    """``git`` is the process that the hook ran under: PID.STARTED."""
    text = "\t".join(("1", hook, git, flag, worktree, head or "-", *map(encode, fields))) + "\n"
    return text.encode("utf-8", "surrogateescape")


def encode(text: str) -> str:
    return text.replace("%", "%25").replace("\t", "%09").replace("\n", "%0A")
