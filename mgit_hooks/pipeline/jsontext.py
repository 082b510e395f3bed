"""JSON values as texts that give the very same value back."""

from __future__ import annotations

import json

from mgit_hooks.errors import CompressionError


def json_text(value: object) -> str:
    """Raises CompressionError where the text would not give the same value back."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if json.loads(text) == value:
            return text
        why = "JSON would give another value back (tuples, keys that are no texts)"
    except (TypeError, ValueError) as error:
        why = str(error)
    except RecursionError:
        why = "it is nested too deeply"
    raise CompressionError(f"this is not a JSON value: {why}", "give it texts, numbers, lists and objects", "refused")
