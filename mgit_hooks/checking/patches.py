"""Patches and mails of patches, read by git as ``git am`` would, and never applied."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.checking import diffheaders, given
from mgit_hooks.checking.diffheaders import Header
from mgit_hooks.checking.findings import Subject
from mgit_hooks.errors import UsageError
from mgit_hooks.gatekeeper.candidate import CHECK, LATER, Candidate, envelope
from mgit_hooks.gatekeeper.commitmessage import strip_space
from mgit_hooks.gatekeeper.existing import MADE
from mgit_hooks.git import plumbing
from mgit_hooks.layout import Location
from mgit_hooks.record import FileChange, Json, readable

_TYPES: Final = {"A": "added", "M": "modified", "D": "deleted", "R": "renamed", "C": "copied", "T": "typechange"}
# What apply.c says where there is no patch at all: since 2.35, and before.
_NONE: Final = ("No valid patches", "unrecognized input")
_GITLINK: Final = "160000"
_HEADER: Final = re.compile(rb"[!-9;-~]+:|[ \t]")
_OF_MAIL: Final = re.compile(rb"(?i:from|subject|date):")
_ALWAYS_UNKNOWN: Final = frozenset(
    f"/commit/{name}" for name in ("parents/0", "tree", "committer_name", "committer_email", "committer_date")
)
# A patch stands on one commit, and does not say on which: of any id it is true that there is no other.
_PARENT: Final = "0" * 40


class Told(NamedTuple):
    """One patch, judged or not: ``skipped`` says why it is not."""

    subject: Subject
    candidate: Candidate | None
    notes: tuple[str, ...]


class _Mail(NamedTuple):
    """What ``git mailinfo`` makes of one; of a plain diff nothing but the patch is known."""

    author_name: str | None
    author_email: str | None
    date: str | None
    message: bytes | None
    patch: bytes


def read(name: str, path: str, location: Location, *, several: bool) -> Iterator[Told]:
    """The patches in a file, in its order. ``several``: it is an mbox, else the output of git format-patch or a diff.

    Raises UsageError where git cannot read one of them.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mgit-hooks-") as folder:
        whole = os.path.join(folder, "given")
        first = given.copy(name, path, whole, given.LARGEST_MBOX if several else given.LARGEST_PATCH)
        shown = given.shown(name)
        if not first.strip():
            raise UsageError(f"{shown} is empty", "git format-patch --stdout RANGE writes one")
        if not several and not _is_mail(first):
            with open(whole, "rb") as file:
                yield _told(shown, _Mail(None, None, None, None, file.read()), location)
            return
        if not _is_mail(first):
            raise UsageError(f"{shown} is no mbox", "git format-patch --stdout RANGE writes one; a diff: --patch FILE")
        count = _split(shown, whole, folder, location)
        judged = False
        for number in range(1, count + 1):
            one = os.path.join(folder, f"{number:09d}")
            label = shown if count == 1 else f"{shown}#{number}"
            told = _told(label, _mail(label, one, folder, location), location)
            judged = judged or told.candidate is not None
            yield told
            os.remove(one)
        if not judged:
            raise UsageError(f"{shown}: no mail in it has a patch", "git format-patch --stdout RANGE writes some")


def _is_mail(first: bytes) -> bool:
    if first.startswith(b"From "):
        return True
    head = re.split(rb"\r?\n\r?\n", first.lstrip(b"\r\n"), maxsplit=1)[0].splitlines()
    return all(map(_HEADER.match, head)) and any(map(_OF_MAIL.match, head))


def _split(shown: str, whole: str, folder: str, location: Location) -> int:
    told = plumbing.run(("mailsplit", "-b", "-d9", f"-o{folder}", whole), directory=location.root or location.git_dir)
    if told.status or not told.stdout.strip().isdigit():
        raise UsageError(
            f"{shown} is no mbox that git can read{_said(told.stderr)}", "git format-patch --stdout writes one"
        )
    return int(told.stdout)


def _mail(label: str, path: str, folder: str, location: Location) -> _Mail:
    if os.path.getsize(path) > given.LARGEST_PATCH:
        raise UsageError(f"{label} is larger than {given.LARGEST_PATCH >> 20} MiB", "take it out of the mbox")
    message, patch = os.path.join(folder, "message"), os.path.join(folder, "patch")
    with open(path, "rb") as file:
        told = plumbing.run(
            ("mailinfo", "--encoding=UTF-8", message, patch),
            directory=location.root or location.git_dir,
            stdin=file.read(),
        )
    if told.status:
        raise UsageError(
            f"{label}: git cannot read this mail{_said(told.stderr)}", "see what 'git mailinfo' says of it"
        )
    said: dict[bytes, bytes] = {}
    for line in told.stdout.split(b"\n"):
        key, colon, value = line.partition(b": ")
        if colon:
            said.setdefault(key, value)
    with open(message, "rb") as file:
        body = file.read()
    with open(patch, "rb") as file:
        diff = file.read()
    # as builtin/am.c puts the two together
    whole = strip_space(b"\n\n".join(part for part in (said.get(b"Subject", b""), body) if part), None)
    return _Mail(_text(said.get(b"Author")), _text(said.get(b"Email")), _date(said.get(b"Date")), whole, diff)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else readable(raw)[0]


def _date(raw: bytes | None) -> str | None:
    """A mail's date as records have it; None where it is none."""
    from email.utils import mktime_tz, parsedate_tz

    try:
        parsed = parsedate_tz((raw or b"").decode("ascii", "replace"))
        if parsed is None:
            return None
        return dates.from_git(int(mktime_tz(parsed)), (parsed[9] or 0) // 60)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _told(label: str, mail: _Mail, location: Location) -> Told:
    message = None if mail.message is None else readable(mail.message)
    title = None if message is None else message[0].partition("\n")[0]
    author = None if mail.author_name is None else f"{mail.author_name} <{mail.author_email or ''}>"
    subject = Subject("patch", label, title, author, mail.date)
    files = _files(label, mail.patch, location, may_be_none=mail.message is not None)
    if files is None:
        return Told(subject, None, (f"{label} has no patch in it: not judged",))
    notes = (
        (f"{label}: its date cannot be read, and is not judged",) if mail.message is not None and not mail.date else ()
    )
    commit: Json = {
        "hash": None,
        "parents": [_PARENT],
        "tree": None,
        "author_name": mail.author_name,
        "author_email": mail.author_email,
        "date": mail.date,
        "committer_name": None,
        "committer_email": None,
        "committer_date": None,
        "message": None if message is None else message[0],
        "files": [change.to_json() for change in files],
    }
    if message is not None and message[1] is not None:
        commit["message_bytes"] = message[1]
    value = envelope(MADE[0], location, None, commit=commit, replaces=None)
    unknown = LATER | _ALWAYS_UNKNOWN | {"/branch"} | set(_of_files(files))
    unknown |= {
        f"/commit/{name}" for name in ("author_name", "author_email", "date", "message") if commit[name] is None
    }
    return Told(subject, Candidate(CHECK, MADE, value, frozenset(unknown), location.worktree, None), notes)


def _of_files(files: list[FileChange]) -> Iterator[str]:
    for number, change in enumerate(files):
        gone, new = change.index_status == "D", change.index_status == "A"
        for name, told in (
            ("old_oid", new), ("old_mode", new or change.old_mode is not None),
            ("new_oid", gone), ("new_mode", gone or change.new_mode is not None),
            ("size_bytes", gone or change.new_mode == _GITLINK),
        ):  # fmt: skip
            if not told:
                yield f"/commit/files/{number}/{name}"


def _files(label: str, patch: bytes, location: Location, *, may_be_none: bool) -> list[FileChange] | None:
    """None where there is no patch at all: a series' cover letter, an answer to a mail."""
    told = plumbing.run(("apply", "--numstat", "-z"), directory=location.root or location.git_dir, stdin=patch)
    try:
        headers = diffheaders.headers(patch)
    except UsageError as error:
        raise UsageError(f"{label}: {error.message}", error.remedy) from None
    if told.status and not headers and may_be_none and any(words in told.stderr for words in _NONE):
        return None
    if told.status:
        raise UsageError(f"{label}: git cannot read its patch{_said(told.stderr)}", "make it anew: git format-patch")
    counted = told.stdout.split(b"\0")[:-1]
    if len(counted) != len(headers):
        raise _doubtful(label, f"{len(counted)} files by one reading and {len(headers)} by another")
    return [_change(label, line, header) for line, header in zip(counted, headers, strict=True)]


def _change(label: str, line: bytes, header: Header) -> FileChange:
    added, deleted, path = line.split(b"\t", 2)
    said = header.old_name if header.letter == "D" else header.new_name
    if header.by_git and said is not None and said != path:
        raise _doubtful(label, f"{readable(path)[0]!r} by one reading and {readable(said)[0]!r} by another")
    name, name_bytes = readable(path)
    renamed = header.letter in "RC" and header.old_name is not None
    old, old_bytes = readable(header.old_name or b"") if renamed else (None, None)
    binary = added == b"-"
    return FileChange(
        filename=name,
        old_filename=old,
        change_type=_TYPES[header.letter],
        index_status=header.letter,
        worktree_status=".",
        old_mode=header.old_mode,
        new_mode=header.new_mode,
        old_oid=None,
        new_oid=None,
        size_bytes=None,
        additions=None if binary else int(added),
        deletions=None if binary else int(deleted),
        binary=binary,
        filename_bytes=name_bytes,
        old_filename_bytes=old_bytes,
    )


def _doubtful(label: str, what: str) -> UsageError:
    """A rule must not be got round by what reads in two ways."""
    return UsageError(f"{label}: its patch can be read in two ways: {what}", "make it anew: git format-patch")


def _said(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if line]
    if not lines:
        return ""
    return ": " + lines[0].removeprefix("fatal: ").removeprefix("error: ")[:200]
