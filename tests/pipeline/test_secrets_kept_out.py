"""No part of a secret is ever held, whichever it is and wherever in a file it stands."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from reliability import Tally

from mgit_hooks.changesets import contents, detector
from mgit_hooks.changesets.embedding import SECRET, Embedder
from mgit_hooks.changesets.shapes import EmbeddedContent

from .test_secret_forms import TOKENS

Place = Callable[[bytes], bytes]
LINE = b"a line of text, and nothing else in it\n"


def amid(before: int, after: int, token: bytes) -> bytes:
    """``token`` as a line of its own, with so many bytes of text before and after."""
    head = (LINE * (before // len(LINE) + 1))[: max(0, before - 1)] + (b"\n" if before else b"")
    return head + token + b"\n" + LINE * (after // len(LINE))


def utf16(codec: str, mark: bytes, token: bytes) -> bytes:
    return mark + amid(300, 300, token).decode("latin-1").encode(codec)


def places() -> Iterator[tuple[str, Place]]:
    yield "alone", lambda token: token
    yield "first", partial(amid, 0, 100)
    yield "last", lambda token: amid(100, 0, token).rstrip(b"\n")
    yield "after a byte order mark", lambda token: b"\xef\xbb\xbf" + amid(0, 100, token)
    yield "in lines that end as on Windows", lambda token: amid(200, 200, token).replace(b"\n", b"\r\n")
    yield "in one long line", lambda token: b"x=1; " * 30_000 + token + b" y=2;" * 100
    yield "UTF-16 LE", partial(utf16, "utf-16-le", b"\xff\xfe")
    yield "UTF-16 BE", partial(utf16, "utf-16-be", b"\xfe\xff")
    yield "UTF-16 without a mark", partial(utf16, "utf-16-le", b"")
    yield "in bytes", lambda token: b"\0\1\2\xff" * 20 + b"\n" + token + b"\n" + b"\0\xfe" * 20
    yield "in a text of an unknown charset", lambda token: "é\n".encode("latin-1") * 20 + token + b"\n"
    for edge in (contents.END, contents.PIECE, 2 * contents.PIECE, 16 * 1024):
        for over in (1, 5, 12, 30):
            yield f"{over} bytes before byte {edge}", partial(amid, edge - over, 20_000)
    for over in (5, 30):
        yield (
            f"over where the end of a sample begins, by {over}",
            lambda token, over=over: (amid(40_000, 4096 - 8 * len(LINE), token) + LINE * 8)[: -over or None],
        )


PLACES = tuple(places())


def shown(found: EmbeddedContent) -> bytes:
    if found.content is None:
        return b""
    if found.encoding == "base64":
        return b64decode(found.content)
    if found.encoding == "hex":
        return b"".join(bytes.fromhex(row[10:49].replace(" ", "")) for row in found.content.splitlines())
    return found.content.encode()


def leaks(token: bytes, found: EmbeddedContent) -> bool:
    """Whether a run of twelve of the token's letters is in what is held."""
    held = shown(found).replace(b"\0", b"")
    pieces = re.findall(rb"[A-Za-z0-9+/_=-]{12}", token)
    return any(piece in held for piece in pieces) or found != EmbeddedContent("none", reason=found.reason)


def family(tally: Tally, tokens: list[tuple[str, str]], strategies: tuple[str, ...]) -> None:
    for _, text in tokens:
        token = text.encode()
        for name, place in PLACES:
            data = place(token)
            for strategy in strategies:
                tally.cases += 1
                found = Embedder(strategy).embed("a.txt", lambda data=data: data)
                if leaks(token, found) or not (found.reason or "").startswith(SECRET):
                    tally.silent.append(f"{token[:12]!r}... {name}, {strategy}")


@pytest.fixture(autouse=True)
def by_our_own_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "secret_in", lambda text: None)


def test_some_secrets_in_every_place(tally: Tally) -> None:
    family(tally, TOKENS[::17], ("full",))
    tally.check()
    assert tally.cases > 100


@pytest.mark.full
def test_every_secret_in_every_place(tally: Tally) -> None:
    family(tally, TOKENS, ("summary", "sample", "full"))
    tally.check()


@pytest.mark.parametrize("bug", ["no overlap", "only the first piece", "no UTF-16"])
def test_a_planted_bug_is_told(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    by_content, take = contents.by_content, contents._Seen.take
    if bug == "no overlap":
        monkeypatch.setattr(contents, "LONGEST_FORM", 1)
    elif bug == "only the first piece":

        def first(self: contents._Seen, offset: int, piece: bytes) -> None:
            monkeypatch.setattr(contents, "by_content", by_content if not offset else lambda data: None)
            take(self, offset, piece)

        monkeypatch.setattr(contents._Seen, "take", first)
    else:
        monkeypatch.setattr(contents, "by_content", lambda data: None if b"\0" in data else by_content(data))
    tally = Tally()
    family(tally, [each for each in TOKENS if each[0] == "GitHub token"][:1], ("full",))
    assert tally.silent
