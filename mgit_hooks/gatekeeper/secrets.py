"""Keys and tokens in lines of text, by the detectors of detect-secrets: the extra ``secrets``.

Only its detectors of what has a form of its own; not those that guess by entropy, by a variable's name or by an
address. Its checks against the services that issued a token are never run: nothing leaves this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from mgit_hooks.errors import ConfigError

_GUESSING: Final = frozenset(("Secret Keyword", "Public IP (ipv4)"))
_LONGEST: Final = 10_000
"""Characters of one line that are looked at: a minified file is one line of megabytes."""


class Secret(NamedTuple):
    kind: str  # "AWS Access Key", as the detector calls it
    line: int  # from 1


def secrets(lines: Iterable[tuple[int, bytes]]) -> Iterator[Secret]:
    """Those in numbered lines; never the secret itself. Raises ConfigError where detect-secrets is not installed."""
    detectors, allowed = _detectors()
    for number, raw in lines:
        line = raw[:_LONGEST].decode("utf-8", "replace").rstrip("\r\n")
        for kind, found in detectors:
            if next(iter(found(line)), None) is not None and not allowed(line):
                yield Secret(kind, number)


_loaded: list[tuple[list[tuple[str, Callable[[str], Iterable[str]]]], Callable[[str], bool]]] = []


def _detectors() -> tuple[list[tuple[str, Callable[[str], Iterable[str]]]], Callable[[str], bool]]:
    if not _loaded:
        try:
            from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
            from detect_secrets.filters.allowlist import is_line_allowlisted
            from detect_secrets.plugins.base import RegexBasedDetector
            from detect_secrets.util.code_snippet import get_code_snippet
        except ImportError as error:
            raise ConfigError(
                f"a rule asks for secrets, and detect-secrets cannot be loaded: {error}",
                "pip install 'mgit-hooks[secrets]', or take the rule out",
            ) from error
        known: dict[str, Any] = get_mapping_from_secret_type_to_class()
        made = [
            (kind, detector().analyze_string)
            for kind, detector in sorted(known.items())
            if issubclass(detector, RegexBasedDetector) and kind not in _GUESSING
        ]

        def allowed(line: str) -> bool:
            return bool(is_line_allowlisted("-", line, get_code_snippet([line], 1)))

        _loaded.append((made, allowed))
    return _loaded[0]
