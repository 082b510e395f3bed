"""A command of ours on a terminal, as a person has it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def on_a_terminal(path: str, *args: str, **env: str) -> bytes:
    """What ``mgit-hooks -C path args`` draws. ``cat`` is the pager where ``env`` names no other."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "GIT_PAGER": "cat", **env}
    program = [sys.executable, "-m", "mgit_hooks", "-C", path, *args]
    process = subprocess.Popen(program, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    told = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        told += part
    process.wait()
    os.close(master)
    return told
