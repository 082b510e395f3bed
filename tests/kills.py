"""A piece of work in a process of its own that is killed before its n-th change to the disk."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

# What changes files, or makes a change last.
STEPS = ("mkdir", "rmdir", "link", "rename", "replace", "unlink", "truncate", "fsync", "fchmod", "write", "pwrite")


def killed_at(step: int, work: Callable[..., object], *arguments: Any, **named: Any) -> bool:
    """Run ``work``; was it killed before its ``step``-th change? Fails where it ends in an error of its own."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **given: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **given)

            return call

        try:
            for name in STEPS:
                setattr(os, name, counted(getattr(os, name)))
            work(*arguments, **named)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(3)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), f"it ended with {code}"
    return code == -signal.SIGKILL
