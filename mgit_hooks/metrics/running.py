"""What goes on at this moment, for others to see: a file for each long operation, ``metrics/running.ID``.

Written at most once a second, by operations that tell how far they are. A process that is killed leaves its file: then
it is known that the operation was begun, and that it did not end by itself.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from mgit_hooks import meter, operation
from mgit_hooks.files import is_folder, open_to_read, replacing
from mgit_hooks.metrics import spooled
from mgit_hooks.metrics.spooled import Noted
from mgit_hooks.operation import Operation
from mgit_hooks.record import Json
from mgit_hooks.recorder.alive import is_alive, started
from mgit_hooks.recorder.event import Process

KILLED: Final = "Killed"
"""In the place of an error's class: of an operation that ended by nothing that it could tell of."""
EVERY: Final = 1.0  # s
_NAME: Final = re.compile(r"running\.[0-9a-f]{16}")


class Running(NamedTuple):
    """``total`` is how many items there are to do, 0 where nobody said."""

    id: str
    process: Process
    started: float
    type: str
    name: str
    items: int
    bytes: int
    total: int
    seconds: float
    """From the beginning to what was told last."""

    def to_json(self) -> Json:
        return {**self._asdict(), "process": self.process.pid}

    @property
    def killed(self) -> Noted:
        told = (self.id, self.started, self.type, self.name, self.seconds, 0.0, None, self.items, self.bytes)
        return Noted(*told, code=0, error=KILLED, phases={}, counts={})


class Beacon:
    """Tells how far ``of`` has come, as long as it is there to tell."""

    def __init__(self, of: Operation) -> None:
        self._of = of
        self._path: str | None = None
        self._next = of.began + EVERY  # what is over within a second nobody can watch

    def tell(self, total: int = 0) -> None:
        if time.perf_counter() < self._next:
            return
        self._next = time.perf_counter() + EVERY
        of = self._of
        folder = spooled.folder_of(of.folder or of.otherwise or "")
        told = {"id": of.id, "pid": os.getpid(), "began": started(os.getpid()), "t": of.started, "type": of.type}
        told |= {"name": of.name, "items": of.items, "bytes": of.bytes, "total": total, "s": meter.elapsed(of)}
        with suppress(OSError):
            if not is_folder(folder):
                os.mkdir(folder, 0o700)
            with replacing(os.path.join(folder, f"running.{of.id}"), sync=False) as file:
                file.write(json.dumps(told).encode())
            self._path = os.path.join(folder, f"running.{of.id}")

    def end(self) -> None:
        if self._path is not None:
            with suppress(OSError):
                os.unlink(self._path)


def listed(folder: str) -> Iterator[tuple[Running, bool]]:
    """Each with whether its process is alive."""
    place = spooled.folder_of(folder)
    try:
        names = sorted(os.listdir(place))
    except OSError:
        return
    for name in filter(_NAME.fullmatch, names):
        found = _read(os.path.join(place, name))
        if found is not None:
            yield found, is_alive(found.process)


def forget(folder: str, each: Running) -> None:
    with suppress(OSError):
        os.unlink(os.path.join(spooled.folder_of(folder), f"running.{each.id}"))


def _read(path: str) -> Running | None:
    try:
        with open_to_read(path) as file:
            return _running(json.loads(file.read(operation.LONGEST)), path)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


def _running(told: Any, path: str) -> Running:
    process = Process(int(told["pid"]), None if told["began"] is None else int(told["began"]))
    names = meter.word(str(told["type"])), meter.word(str(told["name"]))
    items, size, total = (min(max(int(told[key]), 0), 1 << 53) for key in ("items", "bytes", "total"))
    began, seconds = float(told["t"]), float(told["s"])
    if not path.endswith(f".{told['id']}") or not 0 <= began < 1e12 or not 0 <= seconds < 1e12:
        raise ValueError("not as it was written")
    return Running(told["id"], process, began, *names, items, size, total, seconds)
