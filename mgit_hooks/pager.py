"""git's own pager, where the output goes to a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mgit_hooks.output import Output


@contextmanager
def paged(out: Output, *, disabled: bool) -> Iterator[None]:
    """Send the data of ``out`` through the pager that git would use; nothing happens off a terminal."""
    command = None if disabled or not sys.stdout.isatty() else _pager()
    if command is None:
        yield
        return
    import subprocess

    # -F: leave at once when it fits; -R: our colors; -X: leave it on the screen. As git sets them.
    env = {"LESS": "FRX", "LV": "-c", **os.environ}
    process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=env)  # noqa: S602
    try:
        if process.stdin is not None:
            out.redirect(process.stdin)
        yield
        out.flush()
    except BrokenPipeError:
        pass
    finally:
        try:
            process.communicate()
        finally:
            out.restore()


def _pager() -> str | None:
    from mgit_hooks.git import plumbing

    found = os.fsdecode(plumbing.run(("var", "GIT_PAGER")).stdout).strip()
    return None if found in ("", "cat") else found
