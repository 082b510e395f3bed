"""What a check of ``doctor`` finds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Finding(NamedTuple):
    """What a check found. A remark is no fault. ``mend`` is there where one thing is right."""

    severity: str  # fault | remark
    message: str
    remedy: str
    mend: Callable[[], object] | None = None
