"""Contents of files in changesets: what is held, what is said of it, what is never held, and in how much memory."""

from __future__ import annotations

import os
import pickle
import socket
import threading
import tracemalloc
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgit_hooks.changesets import contents, detector, embedding, secretforms
from mgit_hooks.changesets.embedding import SECRET, STRATEGIES, Embedder, file_in
from mgit_hooks.changesets.shapes import EmbeddedContent, FileChange
from mgit_hooks.judging.checks import run

MIB = 1024 * 1024
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3
PRIVATE_KEY = (
    "-----BEGIN OPENSSH "
    + "PRIVATE KEY-----\n"
    + "b3BlbnNzaC1rZXktdjEA\n" * 90
    + "-----END OPENSSH "
    + "PRIVATE KEY-----\n"
)
TEXT = "".join(f"line {number}\n" for number in range(20_000)).encode()
Put = Callable[[str, bytes], None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(name: str, data: bytes) -> None:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    return write


def embedded(tmp_path: Path, name: str | bytes, strategy: str = "sample", **given: int) -> EmbeddedContent:
    return Embedder(strategy, **given).embed(name, file_in(str(tmp_path), name))


def of(data: bytes, strategy: str = "full", name: str = "a", budget: int = 0.9 * MIB) -> EmbeddedContent:
    return Embedder(strategy, budget).embed(name, lambda: data)


def given_back(content: EmbeddedContent) -> bytes:
    assert content.content is not None
    return b64decode(content.content) if content.encoding == "base64" else content.content.encode()


def issues(content: EmbeddedContent, whole: bytes | None = None) -> list[str]:
    change = FileChange("a", "modified", ".", "M", embedded_content=content)
    if whole is not None:
        change = change._replace(content_hash=sha256(whole).hexdigest())
    return [found.code for found in run("file-change", "strict", change.to_json())]


# What is held


@pytest.mark.parametrize(
    ("strategy", "data", "becomes", "encoding"),
    [
        ("none", b"abc\n", "none", None),
        ("summary", b"abc\n", "summary", "utf-8"),
        ("sample", b"", "full", "utf-8"),
        ("sample", b"abc\n", "full", "utf-8"),
        ("sample", b"\0\1\2", "full", "base64"),
        ("sample", TEXT, "sample", "utf-8"),
        ("sample", bytes(range(256)) * 100, "sample", "hex"),
        ("full", TEXT, "full", "utf-8"),
        ("full", bytes(range(256)) * 100, "full", "base64"),
        ("full", b"PK\3\4" + b"x" * 100, "summary", "utf-8"),
        ("sample", b"\x1f\x8b" + b"x" * 100, "summary", "utf-8"),
    ],
)
def test_what_a_file_becomes(strategy: str, data: bytes, becomes: str, encoding: str | None) -> None:
    found = of(data, strategy, budget=200 * MIB)
    assert (found.strategy, found.encoding, found.original_size) == (becomes, encoding, len(data))
    assert found.truncated is (None if becomes == "none" else becomes != "full")
    assert found.content_hash == (None if becomes == "none" else sha256(data).hexdigest())
    assert found.hash_covers == (None if becomes == "none" else "file")
    assert issues(found, data) == []


@settings(deadline=None)
@given(st.binary(max_size=3000) | st.text(max_size=3000).map(lambda text: text.encode("utf-8", "replace")))
def test_what_is_full_is_the_file_to_the_byte(data: bytes) -> None:
    found = of(data)
    if found.strategy == "full":
        assert given_back(found) == data
        assert found.embedded_size == len(data)
    assert issues(found, data) == []


@settings(deadline=None, max_examples=30)
@given(
    st.text(min_size=1, max_size=40),
    st.sampled_from(("utf-8", "utf-16", "utf-16-be", "utf-32", "latin-1")),
    st.integers(0, 3),
)
def test_a_sample_of_any_text_is_sound_and_never_a_mismatch(text: str, charset: str, odd: int) -> None:
    data = b"x" * odd + (text.encode(charset, "replace") * (40_000 // len(text.encode(charset, "replace")) + 1))
    for strategy in STRATEGIES:
        found = of(data, strategy)
        assert issues(found, data) == []
        assert (found.content or "").encode() is not None  # no half of a character


def test_a_sample_shows_both_ends_by_whole_lines_and_says_what_is_left_out() -> None:
    found = of(TEXT, "sample")
    assert found.content is not None
    assert found.embedded_size is not None
    before, _, rest = found.content.partition("[... ")
    left_out, _, after = rest.partition(" bytes left out ...]\n")
    assert before.endswith("\n")
    assert TEXT.startswith(before.encode()[:-1])
    assert TEXT.endswith(after.encode())
    assert after.startswith("line 1")
    assert int(left_out) + found.embedded_size == len(TEXT)
    assert found.content_hash != sha256(found.content.encode()).hexdigest()


def test_a_text_without_line_ends_is_cut_between_characters() -> None:
    data = "é€😀".encode() * 9000
    found = of(data, "sample")
    assert found.content is not None
    head, _, tail = found.content.partition("\n[... ")
    assert data.startswith(head.encode())
    assert len(head.encode()) > 8000
    assert data.endswith(tail.partition("]\n")[2].encode())


def test_a_picture_of_bytes_is_a_hex_dump() -> None:
    found = of(b"\0" + b"Hello, world" * 3000, "sample")
    assert found.content is not None
    assert found.content.startswith("00000000: 0048 656c 6c6f 2c20 776f 726c 6448 656c  .Hello, worldHel\n")
    assert found.content.count("\n") == 16
    assert found.embedded_size == 256


@pytest.mark.parametrize("text", ["x^2 + y^2 = 1\n", "MGIT is a tool\n", "BZhang was here\n", "Rar! said he\n"])
def test_a_text_that_begins_as_something_packed_is_a_text(text: str) -> None:
    found = of(text.encode(), "sample")
    assert (found.strategy, found.content, found.reason) == ("full", text, None)


@pytest.mark.parametrize("text", ["%PDF-1.4\n", "age-encryption.org/v1\n", "# v2 git bundle\n", "Salted__1"])
def test_what_can_be_packed_and_a_text_is_not_shown(text: str) -> None:
    found = of(text.encode(), "full")
    assert (found.strategy, found.content) == ("summary", f"{len(text)} bytes, packed")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\n\n  one\r\ntwo\r\nthree", "19 bytes, 5 lines (LF and CRLF), utf-8\none"),
        (b"a\n", "2 bytes, 1 line (LF), utf-8\na"),
        (b"", "0 bytes, 0 lines (no line ends), utf-8"),
        (b"\0", "1 bytes, binary"),
        (b"\x1f\x8bx", "3 bytes, packed"),
        ("hé\n".encode("latin-1"), "3 bytes, 1 line (LF), unknown-8bit\nh\\xe9"),
        ("hé\n".encode("utf-16"), "8 bytes, utf-16-le\nhé"),
    ],
)
def test_a_summary_says_what_it_is(data: bytes, says: str) -> None:
    assert of(data, "summary").content == says


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.py", b"x = 1\n", "text/x-python"),
        ("a.md", b"# x\n", "text/markdown"),
        ("a.json", b"{}", "application/json"),
        ("a.svg", b"<svg/>", "image/svg+xml"),
        ("a.png", b"no picture\n", "text/plain"),
        ("a.txt", b"\0\1\2", "application/octet-stream"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\0", "image/png"),
        ("a.ts", b"let x\n", "text/x-typescript"),
        ("a.txt", "é".encode("utf-16"), "text/plain; charset=utf-16-le"),
        ("a.txt", "é".encode("latin-1"), "text/plain; charset=unknown-8bit"),
        ("A.TAR.GZ", b"\x1f\x8b\0", "application/gzip"),
        ("a", b"", "text/plain"),
    ],
)
def test_the_mime_type_is_the_contents(name: str, data: bytes, kind: str) -> None:
    assert of(data, name=name).mime_type == kind


# What is never held


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        (".env", b"PIN=1234\n"),
        ("deploy/ID_RSA", b"x"),
        ("a.txt", TOKEN.encode()),
        ("a.txt", b"x" * 70_000 + b"\n" + TOKEN.encode() + b"\n" + b"x" * 70_000),
        ("a.txt", ("b" * 65_530 + "\n" + TOKEN).encode()),  # over the edge of a piece
        ("a.txt", (TOKEN + "\n").encode("utf-16")),
        ("a.bin", b"\0\xff" + TOKEN.encode() + b"\0"),
        ("notes", (PRIVATE_KEY * 9).encode()),
    ],
)
def test_a_secret_is_named_and_nothing_else_is_told(strategy: str, name: str, data: bytes) -> None:
    if strategy == "none" and name.startswith("a."):
        return  # nothing is read, so nothing is known
    found = of(data, strategy, name)
    if strategy == "none" and name == "notes":
        assert found.content is found.content_hash is None
        return
    assert found == EmbeddedContent("none", reason=found.reason)
    assert found.reason is not None
    assert found.reason.startswith(SECRET)
    assert TOKEN not in repr(found)


def test_what_was_renamed_from_a_secret_is_one() -> None:
    assert Embedder().embed("settings.txt", lambda: b"PIN=1", former=".env").reason == f"{SECRET}environment file"


def test_the_end_of_a_key_whose_beginning_was_left_out_is_none_to_hold(tmp_path: Path, put: Put) -> None:
    """The end of a large file may begin inside a key."""
    size = contents.READ_WHOLE + 9
    put("log", b"x\n" * 10 + b"\n" * (size - 2000) + PRIVATE_KEY.encode()[-1980:])
    assert embedded(tmp_path, "log").reason == f"{SECRET}private key"


@pytest.mark.parametrize("whole", [True, False])
def test_a_detector_that_is_switched_off_is_told_by_these_tests(monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    """A planted bug."""
    monkeypatch.setattr(contents, "by_content", lambda data: None)
    monkeypatch.setattr(detector, "secret_in", lambda text: None)
    data = TOKEN.encode() if whole else TOKEN.encode() + TEXT
    assert TOKEN in (of(data, "sample").content or "")


def test_the_extra_detectors_are_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("detect_secrets")
    monkeypatch.setattr(contents, "by_content", lambda data: None)
    assert of(TOKEN.encode()).reason == f"{SECRET}GitHub Token"


def test_without_the_extra_our_own_forms_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from mgit_hooks.errors import ConfigError
    from mgit_hooks.gatekeeper import secrets

    def missing() -> None:
        raise ConfigError("not installed")

    monkeypatch.setattr(secrets, "_detectors", missing)
    monkeypatch.setattr(detector, "_missing", [])
    assert of(b"token = 0123456789abcdef0123").strategy == "full"
    assert detector._missing
    assert of(TOKEN.encode()).reason == f"{SECRET}GitHub token"


def test_lines_that_are_kept_from_the_extra_hold_no_secret_of_its(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every form of ours that the extra knows too passes the sieve in front of it."""
    pytest.importorskip("detect_secrets")
    from mgit_hooks.gatekeeper.secrets import secrets

    from .test_secret_forms import TOKENS

    for _, token in TOKENS:
        known = list(secrets(enumerate(token.encode().split(b"\n"))))
        assert bool(known) == (detector.secret_in(token) is not None), token


# What is no file


def test_nothing_but_regular_files_is_opened_and_no_link_is_followed(tmp_path: Path, put: Put) -> None:
    outside = tmp_path / "outside"
    top = tmp_path / "top"
    put("outside/private", b"private\n")
    put("top/folder/x", b"x")
    os.symlink(outside / "private", top / "link")
    os.symlink(outside, top / "away")
    os.symlink("nowhere", top / "dangling")
    os.symlink("loop", top / "loop")
    os.mkfifo(top / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(top)
        try:
            listening.bind("socket")
        finally:
            os.chdir(here)
    expected = {
        "link": "a symbolic link",
        "away": "a symbolic link",
        "away/private": "behind a symbolic link",
        "away/missing": "behind a symbolic link",
        "dangling": "a symbolic link",
        "loop": "a symbolic link",
        "pipe": "a pipe",
        "socket": "a socket",
        "folder": "a folder",
        "gone": "it is gone",
        "gone/x": "it is gone",
        "../outside/private": "'../outside/private' is no path in a worktree",
        "/etc/hostname": "'/etc/hostname' is no path in a worktree",
        "folder//x": "'folder//x' is no path in a worktree",
        "folder/x/y": "behind a symbolic link",
    }
    for strategy in STRATEGIES:
        found = {name: embedded(top, name, strategy) for name in expected}
        assert {name: content.reason for name, content in found.items()} == expected
        assert all(content == EmbeddedContent("none", reason=content.reason) for content in found.values())


def test_a_device_is_not_opened() -> None:
    assert embedded(Path("/dev"), "null").reason == "a device"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_what_may_not_be_read_is_said(tmp_path: Path, put: Put) -> None:
    put("a", b"x")
    os.chmod(tmp_path / "a", 0)
    assert embedded(tmp_path, "a").reason == "cannot be read: Permission denied"


def test_an_error_while_reading_is_no_error_of_ours() -> None:
    def read() -> bytes:
        raise PermissionError(13, "Permission denied")

    embedder = Embedder()
    assert embedder.embed("a", read).reason == "cannot be read: Permission denied"
    assert embedder.stats()["unreadable"] == 1


def test_a_sparse_file_of_ten_gigabytes_takes_a_moment_and_no_memory(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(10 * 1022 * MIB)
    for strategy in STRATEGIES:
        tracemalloc.start()
        found = embedded(tmp_path, "sparse", strategy)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.original_size == 10 * 1022 * MIB
        assert found.hash_covers in (None, "content")
        assert peak < 2 * MIB
        assert issues(found) == []


def test_both_ends_of_a_file_that_is_not_read_whole_are_shown(tmp_path: Path, put: Put) -> None:
    with open(tmp_path / "log", "wb") as file:
        file.write(b"the first line\n")
        for _ in range(17):
            file.write(b"x" * (MIB - 1) + b"\n")
        file.write("the last line é\n".encode())
    found = embedded(tmp_path, "log")
    assert found.content is not None
    assert found.content_hash is not None
    assert found.content.startswith("the first line\n")
    assert found.content.endswith("the last line é\n")
    assert (found.hash_covers, found.content_hash) == ("content", sha256(found.content.encode()).hexdigest())
    assert issues(found) == []
    assert issues(found._replace(content=found.content + "x")) == ["CONTENT_HASH_MISMATCH"]


@pytest.mark.parametrize("strategy", ["sample", "full"])
@pytest.mark.parametrize("size", [10, 70_000])
@pytest.mark.parametrize("by", [+7, -7])
def test_a_file_that_changes_meanwhile_has_no_hash_of_a_file(
    tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch, strategy: str, size: int, by: int
) -> None:
    put("a", b"x" * size)
    taken = contents._Seen.take

    def take(self: contents._Seen, offset: int, piece: bytes) -> None:
        os.truncate(tmp_path / "a", size + by)
        taken(self, offset, piece)

    monkeypatch.setattr(contents._Seen, "take", take)
    found = embedded(tmp_path, "a", strategy)
    assert (found.strategy, found.hash_covers) == ("sample", "content")
    assert found.reason == "it changed while it was read"
    assert issues(found) == []


def test_a_log_that_grows_all_the_time_ends(tmp_path: Path, put: Put) -> None:
    put("log", b"x\n" * 100_000)
    stop = threading.Event()

    def grow() -> None:
        with open(tmp_path / "log", "ab") as file:
            while not stop.is_set():
                file.write(b"more\n" * 1000)
                file.flush()
                stop.wait(0.001)

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        for _ in range(5):
            assert issues(embedded(tmp_path, "log")) == []
    finally:
        stop.set()
        growing.join()


# The budget


def tree(folder: Path, files: int) -> None:
    for number in range(files):
        kind = number % 4
        body = TEXT[: 900 * (number % 40)] if kind else os.urandom(700 * (number % 30))
        (folder / f"f{number}").write_bytes("é😀 ".encode() * 3000 if kind == 3 else body)


def peak_of(folder: Path, files: int, embedder: Embedder) -> tuple[int, list[EmbeddedContent]]:
    embedder.embed("warm", lambda: b"0123456789abcdef0\xff")
    tracemalloc.start()
    kept = [embedder.embed(f"f{number}", file_in(str(folder), f"f{number}")) for number in range(files)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, kept


@pytest.mark.parametrize("strategy", ["sample", "full", "summary"])
def test_many_files_stay_inside_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    monkeypatch.setattr(detector, "secret_in", lambda text: None)  # 60 us a line, and no subject of this test
    tree(tmp_path, 200)
    embedder = Embedder(strategy, 2 * MIB)
    peak, kept = peak_of(tmp_path, 200, embedder)
    assert peak <= 2 * MIB
    stats = embedder.stats()
    assert stats["files"] == 201
    assert sum(stats["by_strategy"].values()) == 201
    assert stats["used_bytes"] <= 2 * MIB
    if strategy != "summary":
        assert stats["reduced_by_budget"] > 50
        assert stats["used_bytes"] > 0.9 * MIB
    assert all(content.reason == "the memory budget is used up" for content in kept if content.strategy == "none")


def test_a_budget_that_is_not_looked_at_is_told_by_the_test_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug."""
    monkeypatch.setattr(detector, "secret_in", lambda text: None)
    monkeypatch.setattr(embedding, "_cost", lambda content: 0)
    tree(tmp_path, 200)
    assert peak_of(tmp_path, 200, Embedder("sample", 2 * MIB))[0] > 2 * MIB


def test_making_text_of_one_large_file_keeps_inside_it(tmp_path: Path) -> None:
    """One character of four bytes makes four of each byte."""
    (tmp_path / "a").write_bytes("😀".encode() + b"x" * (3 * MIB))
    embedder = Embedder("full", 40 * MIB)
    tracemalloc.start()
    found = embedder.embed("a", file_in(str(tmp_path), "a"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.strategy == "full"
    assert 24 * MIB < peak < 40 * MIB
    nearly_used_up = Embedder("full", 32 * MIB)
    assert nearly_used_up.embed("b", lambda: b"x" * (3 * MIB)).strategy == "full"
    less = nearly_used_up.embed("a", file_in(str(tmp_path), "a"))
    assert (less.strategy, less.reason) == ("sample", "the memory budget is used up")


def test_no_file_takes_more_than_a_tenth() -> None:
    embedder = Embedder("full", 10 * MIB)
    found = embedder.embed("a", lambda: b"a" * (MIB + 1))
    assert (found.strategy, found.reason) == ("sample", "too large to be embedded whole")


def test_shares_are_equal_and_go_to_other_processes() -> None:
    whole = Embedder("full", 80 * MIB)
    share = pickle.loads(pickle.dumps(whole.share(8)))  # noqa: S301
    assert (share.strategy, share.budget, share.stats()["files"]) == ("full", 10 * MIB, 0)
    share.embed("a", lambda: b"a")
    assert whole.stats()["files"] == 0
    assert Embedder("full", 0).embed("a", lambda: b"a").reason == "the memory budget is used up"


def test_an_unknown_strategy_is_an_error_that_lists_the_four() -> None:
    with pytest.raises(ValueError, match="none, summary, sample, full"):
        Embedder("all")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(min_size=1, max_size=40).filter(
        lambda name: b"\0" not in name and b"/" not in name and name not in (b".", b"..")
    )
)
def test_any_name_of_a_file_can_be_read(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"any", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"abc")
    found = embedded(tmp_path / "any", name)
    assert found.content == "abc" or (found.reason or "").startswith(SECRET)
    os.unlink(path)


def test_the_forms_overlap_less_than_is_kept_of_a_piece() -> None:
    assert secretforms.LONGEST_FORM <= contents.END <= contents.PIECE
