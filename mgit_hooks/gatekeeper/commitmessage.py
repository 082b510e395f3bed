"""The message that git will store, from the file that commit-msg is given: git cleans it up only later.

The rules are those of git's sequencer.c (cleanup_message), wt-status.c (wt_status_locate_end) and
builtin/stripspace.c, as git-commit(1) tells them under ``--cleanup``.
"""

from __future__ import annotations

from _codecs import register_error

from mgit_hooks.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MESSAGE_KEYS = ("commit.cleanup", "core.commentchar", "core.commentstring", "commit.verbose", "i18n.commitencoding")
NO_EDITOR = ":"
"""git's own sign that there is no editor: it sets GIT_EDITOR so for the hooks (builtin/commit.c)."""
_SCISSORS = b" ------------------------ >8 ------------------------\n"
SPACE = b" \t\r\n"
"""What git takes for white space."""
# What core.commentChar=auto chooses from (builtin/commit.c, adjust_comment_line_char).
_AUTO = b"#;@!$%^&|:"


class Style(NamedTuple):
    """How one commit cleans its message. ``edited``: the user has had an editor for it."""

    cleanup: str = "default"  # default | strip | whitespace | verbatim | scissors
    comment: bytes = b"#"  # core.commentChar or core.commentString; "auto" is one too
    edited: bool = True
    verbose: bool = False  # the diff stands below the scissors


class Parts(NamedTuple):
    """A message file as git takes it apart."""

    text: bytes
    below: bytes  # from the scissors on
    comment: bytes | None  # lines that begin with it are left out; None: none are
    verbatim: bool  # no white space is cleaned


def clean(raw: bytes, style: Style) -> bytes:
    """``raw`` as git will store it."""
    found = parts(raw, style)
    return found.text if found.verbatim else strip_space(found.text, found.comment)


def parts(raw: bytes, style: Style) -> Parts:
    mode = _mode(style)
    comment = style.comment
    if comment == b"auto":
        comment = _auto(raw) if style.edited else _unused(raw)
    end = cut_at(raw, comment) if mode == "scissors" or style.verbose else len(raw)
    return Parts(raw[:end], raw[end:], comment if mode == "strip" else None, mode == "verbatim")


def strip_space(raw: bytes, comment: bytes | None) -> bytes:
    """As ``git stripspace``; with ``comment`` lines that begin with it are left out (``-s``)."""
    kept: list[bytes] = []
    for line in raw.split(b"\n"):
        if comment and line.startswith(comment):
            continue
        line = line.rstrip(SPACE)
        if line or (kept and kept[-1]):
            kept.append(line)
    if kept and not kept[-1]:
        kept.pop()
    return b"".join(line + b"\n" for line in kept)


def as_utf8(raw: bytes) -> bytes:
    """``raw`` as git writes it into a commit without an encoding header: what is no UTF-8 is taken for Latin-1.

    commit.c, verify_utf8: byte by byte, and only the first byte of what is wrong. It knows no noncharacters either,
    of which each byte is wrong.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", _AS_LATIN_1)
    else:
        if text.isascii():
            return raw
    return text.translate(_NONCHARACTERS).encode("utf-8")


_AS_LATIN_1 = "mgit-hooks-latin-1"
_NONCHARACTERS = {
    code: chr(code).encode("utf-8").decode("latin-1")
    for code in (*range(0xFDD0, 0xFDF0), *(plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)))
}


def _first_byte(error: UnicodeError) -> tuple[str, int]:
    """An error handler: in one pass, however many bytes are wrong."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return chr(error.object[error.start]), error.start + 1


register_error(_AS_LATIN_1, _first_byte)


def _mode(style: Style) -> str:
    """What ``default`` and ``scissors`` mean hangs on whether there was an editor."""
    if style.cleanup == "scissors" and not style.edited:
        return "whitespace"
    if style.cleanup == "default":
        return "strip" if style.edited else "whitespace"
    return style.cleanup


def cut_at(raw: bytes, comment: bytes) -> int:
    """Where the scissors line begins; the end where there is none."""
    line = comment + _SCISSORS
    if raw.startswith(line):
        return 0
    found = raw.find(b"\n" + line)
    return len(raw) if found < 0 else found + 1


def _auto(raw: bytes) -> bytes:
    """The character that git chose: its own remarks, begun with it, come last (above a diff, if any)."""
    for char in _AUTO:
        if (end := cut_at(raw, bytes((char,)))) < len(raw):
            raw = raw[:end]
            break
    lines = [line for line in raw.split(b"\n") if line]
    last = lines[-1][:1] if lines else b""
    return last if last and last in _AUTO else b"#"


def _unused(raw: bytes) -> bytes:
    """The same without an editor, and so without remarks: one that no line begins with (adjust_comment_line_char)."""
    if b"#" not in raw:
        return b"#"
    begun = {raw[at : at + 1] for at in (0, *(n + 1 for n, char in enumerate(raw) if char in b"\r\n"))}
    return next((bytes((char,)) for char in _AUTO if bytes((char,)) not in begun), b"#")


def amends(process: Sequence[str]) -> bool:
    """Whether this ``git commit`` has ``--amend``, which git also takes shortened to ``--am``."""
    found = False
    for name, _ in options(process):
        if name in ("--amend", "--no-amend"):
            found = name == "--amend"
    return found


_WITH_VALUE = frozenset(
    ("--author", "--cleanup", "--date", "--file", "--fixup", "--message", "--pathspec-from-file", "--reedit-message",
     "--reuse-message", "--squash", "--template", "--trailer", "-C", "-F", "-c", "-m", "-t")
)  # fmt: skip
_WITH_VALUE_AT_ONCE = "Su"
_LONG = ("--amend", "--no-amend", "--verbose", "--no-verbose", *_WITH_VALUE)


def options(process: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options in a command line of ``git commit``, each with its value: shortened ones in full, short ones singly.

    What is another option's value is none: ``-m --amend`` is a message.
    """
    words = iter(process[1:])
    for word in words:
        if word == "--":
            return
        if word[:2] == "--":
            begun, given, value = word.partition("=")
            meant = [each for each in _LONG if each.startswith(begun)]
            # Of a word that begins several options git itself makes nothing.
            name = meant[0] if len(meant) == 1 and begun not in _LONG else begun
            yield name, value if given or name not in _WITH_VALUE else next(words, "")
        elif word[:1] == "-":
            for at, letter in enumerate(word[1:], 2):
                if f"-{letter}" in _WITH_VALUE:
                    yield f"-{letter}", word[at:] or next(words, "")
                    break
                yield f"-{letter}", ""
                if letter in _WITH_VALUE_AT_ONCE:
                    break


def style(told: Mapping[str, str], process: Sequence[str], *, edited: bool) -> Style:
    """By what git's configuration says of MESSAGE_KEYS, and by the words that started it."""
    cleanup = told.get("commit.cleanup", "default")
    level = told.get("commit.verbose", "").lower()
    # It may be a number, 00 and 0k too, or nothing.
    verbose = level not in ("false", "no", "off") and level.strip("+-0xkmg") != ""
    for name, value in options(process):
        if name == "--cleanup":
            cleanup = value
        elif name in ("-v", "--verbose", "--no-verbose"):
            verbose = name != "--no-verbose"
    comment = told.get("core.commentstring") or told.get("core.commentchar") or "#"
    return Style(cleanup, comment.encode("utf-8", "surrogateescape"), edited, verbose)


def sha256(raw: bytes) -> str:
    """By the interpreter's own module where it has one: hashlib loads OpenSSL, for 3 ms."""
    try:
        from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        try:
            from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            from hashlib import sha256
    return str(sha256(raw).hexdigest())
