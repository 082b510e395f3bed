"""What ``install`` and ``uninstall`` have done, as they tell it."""

from __future__ import annotations

from typing import NamedTuple

from mgit_hooks.record import Json


class Change(NamedTuple):
    """What was done about one hook, and what its owner should know of it."""

    hook: str
    action: str  # written | renewed | unchanged | removed | restored | left
    chained: bool
    note: str | None = None

    def to_json(self) -> Json:
        return self._asdict()


class Report(NamedTuple):
    hooks_dir: str
    hooks: tuple[Change, ...]
    behind: str | None = None  # the folder that the hooks go on to, where ours stands before it

    def to_json(self) -> Json:
        hooks = [change.to_json() for change in self.hooks]
        return {"hooks_dir": self.hooks_dir, "behind": self.behind, "hooks": hooks}

    @property
    def notes(self) -> list[str]:
        return [f"{change.hook}: {change.note}" for change in self.hooks if change.note]
