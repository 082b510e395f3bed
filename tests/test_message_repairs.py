"""The repairs of messages as functions of texts: what each does, that twice is once, and what none may touch."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from conftest import Repo
from hypothesis import given, settings
from hypothesis import strategies as st

from mgit_hooks.gatekeeper import draft as drafts
from mgit_hooks.gatekeeper import mending
from mgit_hooks.gatekeeper.commitmessage import Style, clean, strip_space
from mgit_hooks.gatekeeper.draft import LARGEST, Unclear
from mgit_hooks.gatekeeper.mending import Around, Mended
from mgit_hooks.judging import repairs
from mgit_hooks.judging.repairs import KNOWN, Wrong
from mgit_hooks.judging.trailers import trailers

ADA = "Ada Lovelace <ada@example.org>"
SOB = f"Signed-off-by: {ADA}"
AROUND = Around(None, "feature/PROJ-12-parser", ADA)
WORDS = "word word word word word word word word word"  # 44 characters


def mend(name: str, text: str, around: Around = AROUND, **options: Any) -> Mended | str:
    repair = repairs.read({"name": name, **options})
    assert repair is not None
    return mending.mend(repair, text, around)


def made(name: str, text: str, around: Around = AROUND, **options: Any) -> str:
    found = mend(name, text, around, **options)
    return found.text if isinstance(found, Mended) else text


WRAPPED: dict[str, tuple[str, str]] = {
    "a long line": (f"S\n\n{WORDS}\n", "S\n\nword word word word\nword word word word\nword\n"),
    "flows into the next": (f"S\n\n{WORDS}\nmore\n", "S\n\nword word word word\nword word word word\nword more\n"),
    "not over an empty line": (f"S\n\n{WORDS}\n\nb\n", "S\n\nword word word word\nword word word word\nword\n\nb\n"),
    "the subject": (f"{WORDS}\n", f"{WORDS}\n"),
    "all of the first paragraph": (f"S\n{WORDS}\n", f"S\n{WORDS}\n"),
    "indented": (f"S\n\n    {WORDS}\n", f"S\n\n    {WORDS}\n"),
    "quoted": (f"S\n\n> {WORDS}\n", f"S\n\n> {WORDS}\n"),
    "a table": (f"S\n\n| {WORDS} |\n", f"S\n\n| {WORDS} |\n"),
    "in a fence": (f"S\n\n```\n{WORDS}\n~~~\n{WORDS}\n```\n", f"S\n\n```\n{WORDS}\n~~~\n{WORDS}\n```\n"),
    "in a fence that does not end": (f"S\n\n~~~ c\n{WORDS}\n", f"S\n\n~~~ c\n{WORDS}\n"),
    "a link": (f"S\n\nsee https://example.org/ {WORDS}\n", f"S\n\nsee https://example.org/ {WORDS}\n"),
    "a word longer than a line": (f"S\n\nx {'y' * 30} z\n", f"S\n\nx\n{'y' * 30}\nz\n"),
    "trailers": (f"S\n\nReviewed-by: {WORDS}\n {WORDS}\n{SOB}\n", f"S\n\nReviewed-by: {WORDS}\n {WORDS}\n{SOB}\n"),
    "what looks like one": (f"S\n\nNote: {WORDS}\n\nb\n", f"S\n\nNote: {WORDS}\n\nb\n"),
    "a list": (f"S\n\n- {WORDS}\n  x\n- y\n", "S\n\n- word word word\n  word word word\n  word word word\n  x\n- y\n"),
    "a numbered one": (f"S\n\n10. {WORDS}\n", "S\n\n10. word word word\n    word word word\n    word word word\n"),
    "no list is made": ("S\n\nseven and eight are - then ten\n", "S\n\nseven and eight\nare - then ten\n"),
    "no number of one": ("S\n\nthe version is now 2. and so on\n", "S\n\nthe version is\nnow 2. and so on\n"),
    "no comment": ("S\n\nthe issue that is #12 was here\n", "S\n\nthe issue that\nis #12 was here\n"),
    "no trailer": ("S\n\nseven words and a Note: this is it\n", "S\n\nseven words and\na Note: this is it\n"),
    "no quote": ("S\n\nthe number that isa > b\n", "S\n\nthe number that\nisa > b\n"),
    "a revert": (f"Revert S\n\nThis reverts commit {'0' * 40}.\n", f"Revert S\n\nThis reverts commit {'0' * 40}.\n"),
    "another commit's message": (f"amend! S\n\n{WORDS}\n\nb\n", f"amend! S\n\n{WORDS}\n\nb\n"),
    "a title keeps its rule": (f"S\n\n{WORDS}\n=====\n", f"S\n\n{WORDS}\n=====\n"),
    "a break that was meant": (f"S\n\n{WORDS}\\\nb\n", "S\n\nword word word word\nword word word word\nword\\\nb\n"),
    "blanks within": ("S\n\nOne.  Two three.  Four five.\n", "S\n\nOne.  Two three.\nFour five.\n"),
    "characters, not bytes": ("S\n\n" + "ä" * 20 + "\n", "S\n\n" + "ä" * 20 + "\n"),
    "a blank that holds together": ("S\n\nso many words as 10\u00a0km\n", "S\n\nso many words as\n10\u00a0km\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRAPPED)
def test_wrap_breaks_prose_and_nothing_else(case: str) -> None:
    before, after = WRAPPED[case]
    assert made("wrap", before, width=20) == after


OTHERS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "blanks at the ends of lines": ("whitespace", "S \n\nb\t\n", "S\n\nb\n", {}),
    "empty lines": ("whitespace", "\n\nS\n\n\n\nb\n\n\n", "S\n\nb\n", {}),
    "before the subject": ("whitespace", "  S\n\n  b\n", "S\n\n  b\n", {}),
    "no newline": ("whitespace", "S", "S\n", {}),
    "no empty line": ("blank-line", "S\nb\n", "S\n\nb\n", {}),
    "one is there": ("blank-line", "S\n \nb\n", "S\n \nb\n", {}),
    "a subject alone": ("blank-line", "S\n", "S\n", {}),
    "a sign-off": ("sign-off", "S\n", f"S\n\n{SOB}\n", {}),
    "behind others": ("sign-off", "S\n\nAcked-by: x\n", f"S\n\nAcked-by: x\n{SOB}\n", {}),
    "behind text": ("sign-off", "S\n\nNot a trailer\n", f"S\n\nNot a trailer\n\n{SOB}\n", {}),
    "signed already": ("sign-off", f"S\n\n{SOB}\n", f"S\n\n{SOB}\n", {}),
    "signed by another one last": ("sign-off", f"S\n\n{SOB}\nSigned-off-by: B <b>\n",
                                   f"S\n\n{SOB}\nSigned-off-by: B <b>\n{SOB}\n", {}),
    "an issue": ("issue-from-branch", "S\n", "S\n\nRefs: PROJ-12\n", {}),
    "an issue among trailers": ("issue-from-branch", f"S\n\n{SOB}\n", f"S\n\n{SOB}\nRefs: PROJ-12\n", {}),
    "in the subject": ("issue-from-branch", "\nS\n\nb\n", "\nPROJ-12: S\n\nb\n", {"put": "{id}: {subject}"}),
    "there already": ("issue-from-branch", "[PROJ-12] S\n", "[PROJ-12] S\n", {"put": "{id}: {subject}"}),
    "another of the same beginning": ("issue-from-branch", "PROJ-123 S\n", "PROJ-12: PROJ-123 S\n",
                                      {"put": "{id}: {subject}"}),
    "by a group": ("issue-from-branch", "S\n", "S\n\nFixes: #12\n", {"ids": "PROJ-([0-9]+)", "put": "Fixes: #{id}"}),
    "not before a fixup": ("issue-from-branch", "fixup! S\n", "fixup! S\n", {"put": "{id}: {subject}"}),
    "sign-offs last": ("trailer-order", f"S\n\n{SOB}\nAcked-by: x\n", f"S\n\nAcked-by: x\n{SOB}\n", {}),
    "with what continues them": ("trailer-order", f"S\n\n{SOB}\nAcked-by: x\n  y\nCc: z\n",
                                 f"S\n\nAcked-by: x\n  y\nCc: z\n{SOB}\n", {}),
    "twice, in their order": ("trailer-order", "S\n\nSigned-off-by: b\nsigned-off-by: a\nCc: x\nSigned-off-by: b\n",
                              "S\n\nCc: x\nSigned-off-by: b\nsigned-off-by: a\nSigned-off-by: b\n", {}),
    "several": ("trailer-order", "S\n\nLink: 1\nFixes: 2\nX: 3\nLink: 4\n", "S\n\nX: 3\nFixes: 2\nLink: 1\nLink: 4\n",
                {"order": ["fixes", "link"]}),
    "a pair stays": ("trailer-order", "S\n\nCo-developed-by: A <a>\nSigned-off-by: A <a>\nCc: x\nSigned-off-by: B\n",
                     "S\n\nCc: x\nCo-developed-by: A <a>\nSigned-off-by: A <a>\nSigned-off-by: B\n", {}),
    "other lines among them": ("trailer-order", f"S\n\n{SOB}\n(cherry picked from commit 1)\nAcked-by: x\n",
                               f"S\n\n{SOB}\n(cherry picked from commit 1)\nAcked-by: x\n", {}),
    "no trailers": ("trailer-order", "S\n\nb\n", "S\n\nb\n", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_a_repair_does_what_it_says(case: str) -> None:
    name, before, after, options = OTHERS[case]
    assert made(name, before, **options) == after


@pytest.mark.parametrize(
    ("branch", "why"),
    [
        (None, "there is no branch to read an issue's id from"),
        ("main", "the name of branch main holds no issue ids"),
        ("ABC-1-and-ABC-2", "the name of branch ABC-1-and-ABC-2 holds 2 issue ids"),
    ],
)
def test_an_issue_needs_exactly_one_id(branch: str | None, why: str) -> None:
    assert mend("issue-from-branch", "S\n", Around(None, branch, None)) == why
    assert made("issue-from-branch", "S\n", Around(None, "ABC-1/ABC-1", None)) == "S\n\nRefs: ABC-1\n"


@pytest.mark.parametrize("name", KNOWN)
def test_an_empty_message_stays_empty(name: str) -> None:
    assert mend(name, " \n\n") == "the message is empty"


def test_a_heading_of_conflicts_is_no_trailer_to_put_before_others() -> None:
    text = f"Subject\n\n{SOB}\nConflicts:"
    assert faults("trailer-order", text, "#") == []


# What must hold of each repair, whatever the text.

LINES = st.one_of(
    st.sampled_from(
        ["", "", " ", "Subject", WORDS, f"{WORDS} {WORDS}", f"- {WORDS}", f"1. {WORDS}", f"  {WORDS}", f"> {WORDS}",
         "# a comment", f"# {WORDS}", "; semi", "//x", "```", "~~~", f"{WORDS} # {WORDS} - {WORDS}", "Note: a note",
         SOB, "Acked-by: Bo <bo@example.org>", " continued", "(cherry picked from commit 12)", "====", "x  ",
         f"{WORDS} Note : {WORDS} 1. {WORDS}", f"{WORDS} ``` {WORDS}", "fixup! Subject", "Conflicts:", "\tfile",
         "Co-developed-by: A <a>", "Signed-off-by: A <a>", f"{'x' * 30} {WORDS}", "Signed-off-by: ", "\r", "\x0c",
         "y\u2028z"]
    ),
    st.text(st.sampled_from("ab1.:-#>;/ \t`~*()[]\\é\u00a0"), max_size=60),
)  # fmt: skip
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, st.lists(LINES, max_size=12), st.sampled_from(["", "\n"]))
COMMENTS = st.sampled_from([None, "#", ";", "//", "# a"])
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "wrap": {"width": 20},
    "trailer-order": {"order": ["Acked-by", "Signed-off-by"]},
}


def faults(name: str, text: str, comment: str | None) -> list[str]:
    """What is wrong with what a repair makes of a text."""
    around = AROUND._replace(comment=comment, reading=comment or "#")
    options = OPTIONS.get(name, {})
    once = made(name, text, around, **options)
    wrong = []
    if made(name, once, around, **options) != once:
        wrong.append("twice is not once")
    if comment is not None and _comments(once, comment) != _comments(text, comment):
        wrong.append("a comment line is not as it was")
    if name in ("whitespace", "blank-line", "wrap") and _solid(once) != _solid(text):
        wrong.append("something else than white space has changed")
    before, after = trailers(_stored(text, comment)), trailers(_stored(once, comment))
    if name == "trailer-order" and (sorted(after) != sorted(before) or len(once) != len(text)):
        wrong.append("a trailer is lost")
    if name == "wrap" and (before != after or _first_paragraph(once) != _first_paragraph(text)):
        wrong.append("wrapping has changed what is no prose")
    return wrong


def _comments(text: str, comment: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith(comment)]


def _first_paragraph(text: str) -> str:
    return re.split(r"\n[ \t\r]*\n", text.lstrip(" \t\r\n"))[0]


def _solid(text: str) -> str:
    return re.sub(r"[ \t\r\n]", "", text)


def _stored(text: str, comment: str | None) -> str:
    return strip_space(text.encode(), None if comment is None else comment.encode()).decode()


@pytest.mark.parametrize("name", KNOWN)
@given(text=TEXTS, comment=COMMENTS)
@settings(max_examples=200, deadline=None)
def test_twice_is_once_and_nothing_is_lost(name: str, text: str, comment: str | None) -> None:
    assert faults(name, text, comment) == []


def _dropping(text: str, around: Around, options: Mapping[str, Any]) -> Mended:
    """What a careless hand would write: all that git strips goes."""
    return Mended("".join(f"{line}\n" for line in text.split("\n") if not line.startswith("#")), "")


def _growing(text: str, around: Around, options: Mapping[str, Any]) -> Mended:
    return Mended(f"{text.rstrip()}\n\n{SOB}\n", "")


def _breaking(text: str, around: Around, options: Mapping[str, Any]) -> Mended:
    """Breaks wherever there is room, be it before a "#"."""
    return Mended(re.sub(r"(.{8,20}) ", r"\1\n", text), "")


PLANTED: dict[str, tuple[str, Callable[..., Mended], str, set[str]]] = {
    "drops comments": ("whitespace", _dropping, "S\n# mine\nb\n",
                       {"a comment line is not as it was", "something else than white space has changed"}),
    "is not idempotent": ("sign-off", _growing, "S\n", {"twice is not once"}),
    "makes a comment": ("wrap", _breaking, "S\n\nthe issue that is #12 was here\n",
                        {"a comment line is not as it was"}),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, planted, text, found = PLANTED[bug]
    assert faults(name, text, "#") == []
    monkeypatch.setitem(mending.MENDS, name, planted)  # type: ignore[arg-type]
    assert set(faults(name, text, "#")) >= found


# Against git itself.

SIGNED = [
    "S", "S\n\nb", "S\n\nb\n\nc", "S\n\nAcked-by: x", f"S\n\n{SOB}", f"S\n\n{SOB}\nAcked-by: x", "S\n\nNote: a\nplain",
    "S\n\nb\n(cherry picked from commit 1)", "S\n\n(cherry picked from commit 1)", f"S\n\nb\n{SOB}\nc\nd",
    "S\n\nAcked-by: x\n  more", "S\n\nx: 1\ny\n\n", "Acked-by: x", "S\nAcked-by: x", "S\n\nConflicts:\n\tfile",
    "S\n\nb\n\nConflicts:\n\tfile", "S\n\n# kept", "S\n\nAcked-by: x\n# kept\n", "# kept\n\nS", "S\n\n---\nAcked-by: x",
    "#", "#\n#\nAcked-by: x", "S\n\nSigned-off-by: \n", f"S\n\nb\n\n{SOB} ", f"S\n\n{SOB.lower()}",
]  # fmt: skip


def test_a_sign_off_is_gits(repo: Repo) -> None:
    """Byte for byte that of ``git commit -s``."""
    env = {"GIT_COMMITTER_NAME": "Ada Lovelace", "GIT_COMMITTER_EMAIL": "ada@example.org"}
    for cleanup, comment in (("whitespace", "#"), ("verbatim", "#"), ("whitespace", ";")):
        repo.git("config", "core.commentChar", comment)
        signed = ("commit", "-q", "--allow-empty", "-s", f"--cleanup={cleanup}", "-F", "-")
        for text in (*SIGNED, "S\n\n; x", "S\n\nAcked-by: x\n; x"):
            repo.run(*signed, stdin=text.encode(), **env)
            told = repo.run("cat-file", "commit", "HEAD").stdout.partition(b"\n\n")[2].decode()
            before = text if cleanup == "verbatim" else strip_space(text.encode(), None).decode()
            around = AROUND._replace(reading=comment)
            assert made("sign-off", before, around) == told, (cleanup, comment, text)


@pytest.mark.full
@given(text=TEXTS)
@settings(max_examples=500, deadline=None)
def test_a_sign_off_of_any_text_is_gits(text: str) -> None:
    env = {**os.environ, "GIT_COMMITTER_NAME": "Ada Lovelace", "GIT_COMMITTER_EMAIL": "ada@example.org"}
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", folder]
        subprocess.run([*git, "init", "-q"], check=True)
        commit = [*git, "commit", "-q", "--allow-empty", "--allow-empty-message", "-s", "-F", "-"]
        made_one = (
            subprocess.run(commit, input=text.encode(), env=env, check=False, capture_output=True).returncode == 0
        )
        before = strip_space(text.encode(), None).decode()
        if made_one and before.strip():
            raw = subprocess.run([*git, "cat-file", "commit", "HEAD"], check=True, capture_output=True).stdout
            assert made("sign-off", before) == raw.partition(b"\n\n")[2].decode()


def test_a_trailer_is_put_where_git_puts_it(repo: Repo) -> None:
    for text in SIGNED:
        if not text.endswith(("S", "#")) and " \n" not in text and ": \n" not in text:
            before = strip_space(text.encode(), None)
            told = repo.run("interpret-trailers", "--no-divider", "--trailer", "Refs: PROJ-12", stdin=before).stdout
            assert made("issue-from-branch", before.decode()) == told.decode(), text


def test_the_order_is_of_what_git_parses(repo: Repo) -> None:
    for case in OTHERS:
        name, before, after, _ = OTHERS[case]
        if name == "trailer-order":
            was, now = (
                repo.run("interpret-trailers", "--parse", "--no-divider", stdin=text.encode()).stdout.split(b"\n")
                for text in (before, after)
            )
            assert sorted(was) == sorted(now)


# The file around the text.

SCISSORS = b"# ------------------------ >8 ------------------------\n"
FILES: dict[str, tuple[bytes, Style, str, bytes]] = {
    "plain": (b"S\n", Style(), "S\n", b""),
    "git's remarks": (b"S\n\n# Please enter\n#\n", Style(), "S\n", b"\n# Please enter\n#\n"),
    "one's own": (b"# mine\n\nS\n# more\nb\n", Style(), "S\n# more\nb\n", b""),
    "scissors": (b"S\n" + SCISSORS + b"diff\n", Style("scissors"), "S\n", SCISSORS + b"diff\n"),
    "a diff": (b"S\n\n# x\n" + SCISSORS + b"diff\n", Style(verbose=True), "S\n", b"\n# x\n" + SCISSORS + b"diff\n"),
    "kept": (b"# S\n", Style("whitespace"), "# S\n", b""),
    "another character": (b"# S\n; x\n", Style(comment=b";"), "# S\n", b"; x\n"),
    "several": (b"S\n// x\n", Style(comment=b"//"), "S\n", b"// x\n"),
    "auto": (b"# S\n\n; x\n", Style(comment=b"auto"), "# S\n", b"\n; x\n"),
    "CRLF": (b"S\r\n\r\nb\r\n# x\n", Style(), "S\n\nb\n", b"# x\n"),
    "all of it comments": (b"# x\n", Style(), "", b""),
}


@pytest.mark.parametrize("case", FILES)
def test_what_git_strips_is_no_part_of_the_text(case: str) -> None:
    raw, style, text, tail = FILES[case]
    draft = drafts.take(raw, style, None)
    assert (draft.text, draft.tail) == (text, tail)
    assert drafts.put(draft, draft.text) == raw
    assert raw.startswith(draft.head)


def test_a_new_text_takes_the_lines_ends_and_the_encoding_of_the_old() -> None:
    crlf = drafts.take(b"S\r\n# x\n", Style(), None)
    assert drafts.put(crlf, "S\n\nb\n") == b"S\r\n\r\nb\r\n# x\n"
    latin = drafts.take(b"caf\xe9\n", Style(), "ISO-8859-1")
    assert (latin.text, drafts.put(latin, "th\xe9\n")) == ("café\n", b"th\xe9\n")
    with pytest.raises(Unclear, match="ISO-8859-1 cannot say that"):
        drafts.put(latin, "\u20ac\n")


@pytest.mark.parametrize(
    ("raw", "style", "encoding", "why"),
    [
        (b"S\0\n", Style(), None, "NUL"),
        (b"\xef\xbb\xbfS\n", Style(), None, "byte order mark"),
        (b"\xff\xfeS\n", Style(), None, "byte order mark"),
        (b"caf\xe9\n", Style(), None, "not in utf-8"),
        (b"S\n", Style(), "no-such-code", "not in no-such-code"),
        ("S\n".encode("cp037"), Style(), "cp037", "not plain cp037"),
        (b"+AGE-\n", Style(), "utf-7", "not plain utf-7"),
        (b"S\r\n\nb\n", Style(), None, "end in more than one way"),
        (b"S\rb\n", Style(), None, "end in more than one way"),
        (b"x" * (LARGEST + 1), Style(), None, "longer than"),
        (b"S\n", Style(comment=b"auto"), None, "auto"),
        (b"S\n" + SCISSORS + b"diff\n", Style(), None, "scissors"),
    ],
)
def test_in_doubt_nothing_is_repaired(raw: bytes, style: Style, encoding: str | None, why: str) -> None:
    with pytest.raises(Unclear, match=why):
        drafts.take(raw, style, encoding)


@given(st.binary(max_size=80), st.sampled_from([None, "utf-8", "ISO-8859-1", "shift_jis"]), st.sampled_from(
    [Style(), Style("verbatim"), Style("scissors"), Style(comment=b";"), Style(edited=False), Style(comment=b"auto")]
))  # fmt: skip
def test_a_file_is_put_together_as_it_was(raw: bytes, encoding: str | None, style: Style) -> None:
    try:
        draft = drafts.take(raw, style, encoding)
    except Unclear:
        return
    assert drafts.put(draft, draft.text) == raw
    assert clean(raw, style) == clean(drafts.put(draft, draft.text), style)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("wrapping", "unknown repair 'wrapping'"),
        ({"width": 3}, "unknown repair 'None'"),
        ({"name": "sign-off", "width": 3}, "has no option 'width'"),
        ({"name": "wrap", "width": 0}, "option 'width' of repair 'wrap' is not a number"),
        ({"name": "wrap", "width": True}, "is not a number"),
        ({"name": "issue-from-branch", "ids": "("}, "is a bad pattern"),
        ({"name": "issue-from-branch", "ids": "(a+)+"}, "may never end"),
        ({"name": "issue-from-branch", "put": "Refs:"}, "with {id} in it"),
        ({"name": "issue-from-branch", "put": "see {id}"}, "neither a trailer"),
        ({"name": "issue-from-branch", "put": "Refs: {id}\nX: y"}, "with {id} in it"),
        ({"name": "issue-from-branch", "put": "signed-off-by: A {id} <a>"}, "is a trailer that a person gives"),
        ({"name": "trailer-order", "order": []}, "not a list of trailers' keys"),
        ({"name": "trailer-order", "order": ["a", "A"]}, "names a key twice"),
        ({"name": "trailer-order", "order": ["a b"]}, "not a list of trailers' keys"),
    ],
)
def test_a_repair_that_makes_no_sense_is_none(said: Any, what: str) -> None:
    with pytest.raises(Wrong, match=re.escape(what)):
        repairs.read(said)


def test_none_takes_a_repair_off() -> None:
    assert repairs.read("none") is None
    assert repairs.read("wrap") == ("wrap", {"width": 72})


def test_a_long_message_takes_little_time() -> None:
    """As long as one may be: every repair within a second."""
    text = "S\n\n" + f"{WORDS} " * 3000 + "\n" + f"{WORDS}\n" * 2000
    assert len(text) < LARGEST
    before = os.times()
    for name in KNOWN:
        mend(name, text)
    after = os.times()
    assert after.user - before.user < 4
