"""The detectors of the extra ``secrets`` over contents that are about to be embedded, where it is installed.

They are 60 microseconds a line: only lines that hold a token's length of anything are given to them.
"""

from __future__ import annotations

import re
from typing import Final

_LIKELY: Final = re.compile(r"[A-Za-z0-9_+/=-]{16}|://|-----BEGIN")
_missing: list[bool] = []


def secret_in(text: str) -> str | None:
    """The kind of the first secret that detect-secrets finds; None where it finds none, or is not installed."""
    if _missing:
        return None
    from mgit_hooks.errors import ConfigError
    from mgit_hooks.gatekeeper.secrets import secrets

    lines = ((number, line.encode()) for number, line in enumerate(text.split("\n"), 1) if _LIKELY.search(line))
    try:
        found = next(secrets(lines), None)
    except ConfigError:
        _missing.append(True)
        return None
    return None if found is None else found.kind
