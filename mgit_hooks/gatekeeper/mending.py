"""Repairs by name: a text and what is known around it in, the text as it should be out. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from mgit_hooks.gatekeeper import tidying, trailing, wrapping
from mgit_hooks.judging.repairs import Repair


class Around(NamedTuple):
    """What repairs may go by."""

    comment: str | None  # lines that begin with it are stripped by git
    branch: str | None
    identity: str | None  # the committer's, as git writes it into a sign-off
    reading: str = "#"  # what git takes for the beginning of a comment when it looks for trailers


class Mended(NamedTuple):
    text: str
    what: str  # was done, in the words of a report


Mend = Callable[[str, Around, Mapping[str, Any]], Mended | str]
"""The text, or why there is no one right answer."""
NOTHING: Final = "there is nothing that it could change"


def mend(repair: Repair, text: str, around: Around) -> Mended | str:
    """What ``repair`` makes of ``text``, or why it makes nothing of it. Doing it twice is doing it once."""
    if not text.strip():
        return "the message is empty"
    made = MENDS[repair.name](text, around, repair.options)
    return NOTHING if isinstance(made, Mended) and made.text == text else made


def _whitespace(text: str, around: Around, options: Mapping[str, Any]) -> Mended | str:
    made = tidying.clean_space(text, around.comment)
    return Mended(made, f"white space cleaned ({_lines(tidying.changed_lines(text, made))})")


def _blank_line(text: str, around: Around, options: Mapping[str, Any]) -> Mended | str:
    return Mended(tidying.part_subject(text, around.comment), "an empty line put after the subject")


def _wrap(text: str, around: Around, options: Mapping[str, Any]) -> Mended | str:
    if tidying.subject(text, around.comment).startswith("amend! "):
        return "its body is the message of another commit, subject and all"  # git-commit(1), --fixup=amend:
    width = options["width"]
    made = wrapping.wrap(text, width, around.comment, around.reading)
    if made is None:
        return "wrapped, its trailers would be others"
    return Mended(made.text, f"{_lines(made.lines)} wrapped at {width} characters")


def _issue(text: str, around: Around, options: Mapping[str, Any]) -> Mended | str:
    if around.branch is None:
        return "there is no branch to read an issue's id from"
    found = trailing.ids_in(around.branch, options["ids"])
    if len(found) != 1:
        return f"the name of branch {around.branch} holds {len(found) or 'no'} issue id{'s' * (len(found) != 1)}"
    issue, line = found[0], options["put"].replace("{id}", found[0])
    what = f"{issue} put in, from the name of branch {around.branch}"
    if "{subject}" not in line:
        return Mended(text if line in text.split("\n") else trailing.trailer(text, line, around.reading), what)
    if re.search(rf"(?<!\w){re.escape(issue)}(?!\w)", tidying.subject(text, around.comment)):
        return NOTHING
    made = trailing.subject(text, line, around.comment)
    return "its subject is for an autosquash to find" if made is None else Mended(made, what)


def _sign_off(text: str, around: Around, options: Mapping[str, Any]) -> Mended | str:
    if around.identity is None:
        return "git does not know who commits"
    return Mended(trailing.sign_off(text, around.identity, around.reading), f"signed off as {around.identity}")


def _trailer_order(text: str, around: Around, options: Mapping[str, Any]) -> Mended | str:
    made = trailing.ordered(text, options["order"], around.reading)
    if made is None:
        return "other lines stand among its trailers"
    return Mended(made, f"trailers put in order ({', '.join(options['order'])} last)")


def _lines(count: int) -> str:
    return f"{count} line{'s' * (count != 1)}"


MENDS: Final[Mapping[str, Mend]] = {
    "whitespace": _whitespace,
    "blank-line": _blank_line,
    "wrap": _wrap,
    "issue-from-branch": _issue,
    "sign-off": _sign_off,
    "trailer-order": _trailer_order,
}
