"""What a bundle says of itself: the two lines that it begins with. Pure; bundle.py reads and writes the files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from mgit_hooks.journal import checked
from mgit_hooks.journal.format import MAX_BODY, ChainId, JournalId
from mgit_hooks.record import Json, Seq

VERSION: Final = 1
# The same limits when writing and when reading. 65,536 segments of 4 MiB are 256 GiB.
MAX_LINE: Final = 16 * 1024 * 1024
MAX_SEGMENTS: Final = 65_536
# Bytes. One is sealed by the block that comes after 4 MiB, and the last block in it has at most 256 MiB.
MAX_SEGMENT: Final = 2 * MAX_BODY

_SIGNATURE: Final = b"# mgit-hooks bundle "
_FORM: Final = re.compile(re.escape(_SIGNATURE) + rb"([1-9][0-9]{0,8})\n")
# The longest first line that this version or a later one can have.
FORM_LENGTH: Final = len(_SIGNATURE) + 10
_SEGMENT: Final = re.compile(r"[0-9]{8}\.seg")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


class Part(NamedTuple):
    """A segment in a bundle: its name, how many bytes, and the SHA-256 of them in hexadecimal."""

    name: str
    length: int
    sha256: str


class Gap(NamedTuple):
    """Records that the journal did not have when the bundle was made, as ``findings.Hole``."""

    first_seq: int
    last_seq: int
    before: str
    after: str


class Manifest(NamedTuple):
    """``before`` is the chain id before ``first_seq``, ``head`` that of ``last_seq``.

    ``holes`` and ``erased`` are what is missing in these segments and is declared in others: an archive has
    not the records that say so. ``beginning`` is the sidecar of an archived beginning, where there is one.
    """

    journal: JournalId
    lineage: tuple[JournalId, ...]
    first_seq: Seq
    last_seq: Seq
    before: ChainId
    head: ChainId
    made_at: str
    segments: tuple[Part, ...]
    holes: tuple[Gap, ...] = ()
    erased: tuple[int, ...] = ()
    beginning: Part | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that follows the manifest, in its order."""
        return (*((self.beginning,) if self.beginning else ()), *self.segments)

    def to_json(self) -> Json:
        return {
            "journal": self.journal.hex(),
            "lineage": [id.hex() for id in self.lineage],
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "before": self.before.hex(),
            "head": self.head.hex(),
            "made_at": self.made_at,
            "segments": [part._asdict() for part in self.segments],
            "holes": [gap._asdict() for gap in self.holes],
            "erased": list(self.erased),
            "beginning": self.beginning._asdict() if self.beginning else None,
        }


BEGINNING: Final = "beginning"
BEGINNING_FORM: Final = b"# mgit-hooks beginning 1\n"


def form(line: bytes) -> int | None:
    """The version that a bundle's first line names; None where the file is no bundle."""
    match = _FORM.fullmatch(line)
    return int(match[1]) if match else None


def encode(manifest: Manifest) -> bytes:
    """Both lines. Raises ValueError where the manifest is more than a reader takes."""
    value = manifest.to_json()
    line = checked.encode(value)
    if len(line) > MAX_LINE or len(manifest.segments) > MAX_SEGMENTS:
        raise ValueError("more segments than a bundle can hold")
    if any(part.length > MAX_SEGMENT for part in manifest.segments):
        raise ValueError("a segment larger than one can become")
    return _SIGNATURE + b"%d\n" % VERSION + line


def decode(line: bytes) -> Manifest:
    """The manifest of a bundle's second line. Raises ValueError, with what is wrong, where it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("its manifest is not JSON") from None
    if not isinstance(value, dict) or value.pop("check", None) != checked.check(value):
        raise ValueError("the checksum of its manifest does not hold")
    try:
        manifest = _manifest(value)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError("its manifest is not of the form of this version") from None
    if encode(manifest)[-len(line) :] != line:
        raise ValueError("its manifest is not written as this version writes it")
    return manifest


def _manifest(value: Mapping[str, Any]) -> Manifest:
    made = Manifest(
        journal=JournalId(_bytes(value["journal"], 16)),
        lineage=tuple(JournalId(_bytes(each, 16)) for each in value["lineage"]),
        first_seq=Seq(_number(value["first_seq"], 1)),
        last_seq=Seq(_number(value["last_seq"], 1)),
        before=ChainId(_bytes(value["before"], 32)),
        head=ChainId(_bytes(value["head"], 32)),
        made_at=_text(value["made_at"]),
        segments=tuple(map(_part, value["segments"])),
        holes=tuple(map(_gap, value["holes"])),
        erased=tuple(_number(each, 1) for each in value["erased"]),
        beginning=_part(value["beginning"]) if value["beginning"] is not None else None,
    )
    names = [part.name for part in made.segments]
    # A name becomes a path: nothing but a segment's own form may.
    if not names or len(names) > MAX_SEGMENTS or not all(map(_SEGMENT.fullmatch, names)):
        raise ValueError("segments")
    if any(part.length > MAX_SEGMENT for part in made.segments):
        raise ValueError("length")
    if names != sorted(set(names)) or made.journal not in made.lineage or made.last_seq < made.first_seq - 1:
        raise ValueError("order")
    if made.beginning is not None and made.beginning.name != BEGINNING:
        raise ValueError("beginning")
    return made


def _part(value: Mapping[str, Any]) -> Part:
    _bytes(value["sha256"], 32)
    return Part(_text(value["name"]), _number(value["length"], 1), value["sha256"])


def _gap(value: Mapping[str, Any]) -> Gap:
    _bytes(value["before"], 32)
    _bytes(value["after"], 32)
    return Gap(_number(value["first_seq"], 1), _number(value["last_seq"], 1), value["before"], value["after"])


def _bytes(text: object, length: int) -> bytes:
    if not isinstance(text, str) or not _HEX.fullmatch(text) or len(text) != 2 * length:
        raise ValueError("not so many bytes in hexadecimal")
    return bytes.fromhex(text)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 100 or not value.isascii() or not value.isprintable():
        raise ValueError("not a short text")
    return value


def _number(value: object, least: int) -> int:
    if type(value) is not int or not least <= value < 1 << 63:
        raise ValueError("not such a number")
    return value
