"""Paths as a command line gives them, which "-C DIR" reads as if the command had been started there."""

from __future__ import annotations

import os


def below(directory: str, path: str) -> str:
    return os.path.normpath(os.path.join(directory, path))
