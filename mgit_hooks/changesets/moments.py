"""When something was, by a date as changesets have it: to the microsecond, to be compared."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)
"""Of what is no date."""
# git's own form has a blank before the offset, which ISO 8601 has not.
_BLANK: Final = re.compile(r" (?=(?:Z|[+-][0-9:]+)\Z)")


def moment(date: object) -> datetime:
    """The moment of an ISO 8601 date, or of one in git's own form of it; without an offset, of UTC."""
    try:
        found = datetime.fromisoformat(_BLANK.sub("", date)) if isinstance(date, str) else BEFORE_ALL
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return BEFORE_ALL
