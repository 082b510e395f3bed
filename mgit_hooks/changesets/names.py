"""Names of collections as parts of file names: ``../x`` is a name, and no way out of the folder. Pure."""

from __future__ import annotations

import re
from typing import Final

from mgit_hooks.errors import ChangesetValidationError

# Windows allows the fewest characters; a point at the beginning would hide the file, one at the end be dropped there.
_ESCAPED: Final = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|%\ud800-\udfff]|\A\.|[ .]\Z')
_LONGEST: Final = 200  # bytes, escaped: an ending with a time in it must fit into the 255 of a file system


def escaped(name: str) -> str:
    """The name as a part of a file name. Raises ChangesetValidationError where it can be none."""
    if not isinstance(name, str) or not name:
        raise ChangesetValidationError("a collection needs a name", "give it one")
    try:
        made = _ESCAPED.sub(_percent, name)
        length = len(made.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise ChangesetValidationError(f"no file can have the name {name!r:.80}", "choose another one") from error
    if length > _LONGEST:
        raise ChangesetValidationError(
            f"the collection's name has {length} bytes as a file name, more than {_LONGEST}",
            "choose a shorter one",
        )
    return made


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))


def unescaped(stem: str) -> str | None:
    """The name whose file this is; None where it is nobody's."""
    raw = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes((int(match[1], 16),)), stem.encode("utf-8", "surrogateescape"))
    name = raw.decode("utf-8", "surrogateescape")
    try:
        return name if escaped(name) == stem else None
    except ChangesetValidationError:
        return None
