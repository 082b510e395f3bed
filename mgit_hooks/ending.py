"""An end by a signal that leaves nothing behind: no half of a file, no git that nobody waits for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Ended(BaseException):
    """The process has been told to end. No error, so that nobody takes it for what went wrong with a file."""


@contextmanager
def cleaning_up() -> Iterator[None]:
    """SIGTERM and SIGHUP leave the block as ^C does, by way of all that it cleans up; then the process ends by the
    signal, as whoever sent it expects. Those that are ignored (nohup) or handled already stay so, and in another
    thread than the main one all do."""

    def ring(number: int, frame: FrameType | None) -> NoReturn:
        for each in taken:
            signal.signal(each, signal.SIG_IGN)  # a second one would end the cleaning up
        raise Ended(number)

    taken: list[signal.Signals] = []
    told = None
    try:
        for each in _SIGNALS:
            if signal.getsignal(each) == signal.SIG_DFL:
                signal.signal(each, ring)
                taken.append(each)
    except ValueError:  # another thread
        pass
    try:
        yield
    except Ended as ended:
        told = ended.args[0]
    finally:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)
    if told is not None:
        os.kill(os.getpid(), told)
