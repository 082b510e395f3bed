"""Which failures may pass by themselves: those alone are worth a second try."""

from __future__ import annotations

import errno
from typing import Final

from mgit_hooks.errors import MgitError

# A file that a listing has named and that is gone when it is opened; a lock; what the system says of both.
_PASSING: Final = frozenset(
    getattr(errno, name)
    for name in ("EAGAIN", "EBUSY", "EINTR", "ENOENT", "ESTALE", "ETXTBSY", "EDEADLK", "ENOLCK")
    if hasattr(errno, name)
)
_CAUSES: Final = 8


def may_pass(error: BaseException) -> bool:
    """Whether what raised ``error`` may do so no more in a moment. A refusal and a wrong value stay what they are.

    Of an error that was raised from another one, that other one decides.
    """
    found: BaseException | None = error
    for _ in range(_CAUSES):
        if found is None:
            return False
        if isinstance(found, OSError):
            return found.errno in _PASSING or (found.errno == errno.EEXIST and str(found.filename).endswith(".lock"))
        if isinstance(found, MgitError) and found.may_pass:
            return True
        if type(found).__module__ == "sqlite3" and "locked" in str(found):
            return True
        found = found.__cause__
    return False
