"""What a command prints: data to standard output, everything else to standard error."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import IO

from mgit_hooks.encoding import encode_json
from mgit_hooks.record import Json

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


# What JSON lets stand and a terminal acts on or turns the line by, in UTF-8: as in ``display``, but for C0.
_UNSAFE_IN_JSON = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")


def open_streams() -> None:
    """Open what of the standard streams the process was started without, on nothing.

    As git does: else the next file that is opened gets a stream's number, and is taken for it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
            setattr(sys, name, stream)


class Output:
    """One command's way to the user. ``z`` ends records with NUL in place of a newline."""

    def __init__(
        self,
        *,
        json: bool = False,
        z: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        color: str = "auto",
    ) -> None:
        self.as_json = json
        self.quiet = quiet
        self.verbose = verbose
        self._end = b"\0" if z else b"\n"
        self._out: IO[bytes] = sys.stdout.buffer
        self._is_seen = sys.stdout.isatty()
        self.color = color == "always" or (color == "auto" and self._is_seen and not os.environ.get("NO_COLOR"))

    def json(self, value: Json) -> None:
        self.encoded(encode_json(value))

    def encoded(self, value: bytes) -> None:
        """A value that is JSON already, in its compact form. On a terminal nothing in it is acted on."""
        if self._is_seen:
            value = _UNSAFE_IN_JSON.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), value)
        self._out.write(value + self._end)

    def lines(self, values: Iterable[str]) -> None:
        for value in values:
            self.line(value)

    def line(self, text: str = "") -> None:
        """A line of data; the caller has escaped what came from the repository."""
        self._out.write(text.encode("utf-8", "replace") + self._end)

    def part(self, text: str) -> None:
        """A piece of a line of data, which goes on."""
        self._out.write(text.encode("utf-8", "replace"))

    def note(self, text: str) -> None:
        """A word to the person: standard error, silent under -q."""
        if not self.quiet:
            self.flush()
            print(text, file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        if self.verbose:
            self.note(text)

    def style(self, text: str, *names: str) -> str:
        if not self.color:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"

    def redirect(self, stream: IO[bytes]) -> None:
        """Send data to ``stream`` (a pager's standard input) from here on."""
        self.flush()
        self._out = stream

    def restore(self) -> None:
        """Data goes to standard output again."""
        self._out = sys.stdout.buffer

    def flush(self) -> None:
        self._out.flush()
