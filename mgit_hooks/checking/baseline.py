"""Known findings, which are not told again: a file that two branches can both change.

One entry a line, sorted by fingerprint, with how often it occurs; a last line that never changes, so that an entry put
last changes no other one's.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final, NamedTuple

from mgit_hooks import files
from mgit_hooks.checking.findings import Checked, Finding, Subject
from mgit_hooks.checking.plainjson import dumped
from mgit_hooks.credentials import strip
from mgit_hooks.errors import UsageError
from mgit_hooks.record import Json

LARGEST: Final = 256 * 1024 * 1024
_VERSION: Final = 1
_FIX: Final = "write it anew: mgit-hooks check --write-baseline FILE"


class Known(NamedTuple):
    rule: str
    file: str | None
    subject: str | None
    times: int


class Baseline:
    """What may be left out, and how often still."""

    def __init__(self, entries: dict[str, Known]) -> None:
        self._left = {mark: known.times for mark, known in entries.items()}
        self._entries = entries

    def without_known(self, checked: Checked) -> Checked:
        kept = tuple(finding for finding in checked.findings if not self._hides(finding))
        return checked if len(kept) == len(checked.findings) else checked._replace(findings=kept)

    def gone(self) -> list[Known]:
        """Entries of which none was found again."""
        return [known for mark, known in self._entries.items() if self._left[mark] == known.times]

    def _hides(self, finding: Finding) -> bool:
        left = self._left.get(finding.fingerprint, 0)
        if left:
            self._left[finding.fingerprint] = left - 1
        return left > 0


class Collected:
    """The findings of a check, for a baseline of them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._about: dict[str, tuple[Finding, Subject]] = {}

    def add(self, checked: Checked) -> None:
        for finding in checked.findings:
            self._counts[finding.fingerprint] += 1
            self._about.setdefault(finding.fingerprint, (finding, checked.subject))

    def known(self) -> Baseline:
        """These are told no more."""
        return Baseline(
            {
                mark: Known(finding.rule, finding.file, subject.title, self._counts[mark])
                for mark, (finding, subject) in self._about.items()
            }
        )

    def write(self, path: str) -> int:
        """How many entries. Raises OSError; killed anywhere, the old file or the new one is there."""
        with files.named_by_user(path) as file:
            file.write(b'{"version":%d,"findings":[\n' % _VERSION)
            for mark in sorted(self._about):
                file.write(f"{dumped(self._entry(mark))},\n".encode())
            file.write(b"null]}\n")
        return len(self._about)

    def _entry(self, mark: str) -> Json:
        finding, subject = self._about[mark]
        title = None if subject.title is None else strip(subject.title)
        return {
            "fingerprint": mark,
            "rule": finding.rule,
            "file": finding.file,
            "subject": title,
            "count": self._counts[mark],
        }


def read(name: str, path: str) -> Baseline:
    """Raises UsageError where the file is none that a check wrote."""
    try:
        value = json.loads(files.read(path, LARGEST).decode("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no baseline {name}", _FIX) from None
    except files.TooLarge:
        raise UsageError(f"{name} is larger than {LARGEST >> 20} MiB", _FIX) from None
    except (ValueError, RecursionError) as error:
        at = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{name}{at}: not the JSON of a baseline", _FIX) from None
    if not isinstance(value, dict) or value.get("version") != _VERSION or not isinstance(value.get("findings"), list):
        raise UsageError(f"{name}: not a baseline of this version", _FIX)
    entries: dict[str, Known] = {}
    for number, entry in enumerate(value["findings"]):
        if entry is None:
            continue
        mark, known = _entry(name, number, entry)
        # Two branches may each have counted: what both know is known.
        entries[mark] = max(known, entries.get(mark, known), key=lambda each: each.times)
    return Baseline(entries)


def _entry(name: str, number: int, entry: Any) -> tuple[str, Known]:
    if isinstance(entry, dict):
        mark, rule, count = entry.get("fingerprint"), entry.get("rule"), entry.get("count", 1)
        file, subject = entry.get("file"), entry.get("subject")
        if (
            isinstance(mark, str)
            and isinstance(rule, str)
            and isinstance(count, int)
            and count > 0
            and all(each is None or isinstance(each, str) for each in (file, subject))
        ):
            return mark, Known(rule, file, subject, count)
    raise UsageError(f"{name}: entry {number + 1} is none of a baseline's", _FIX)
