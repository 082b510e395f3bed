"""The log: one JSON object a line, private, rotated, and never a reason for anything else to fail."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mgit_hooks import log


@pytest.fixture
def mgit(tmp_path: Path) -> str:
    return str(tmp_path / "mgit")


def lines(mgit: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(log.path(mgit)).read_text().splitlines()]


def test_a_line_is_one_json_object(mgit: str) -> None:
    log.warning(mgit, "a {line} with <red>markup</red>\nand a {0!r} newline", spool="1\tx", count=3)
    (line,) = lines(mgit)
    assert line["level"] == "WARNING"
    assert line["message"] == "a {line} with <red>markup</red>\nand a {0!r} newline"
    assert (line["spool"], line["count"], line["pid"]) == ("1\tx", 3, os.getpid())
    assert "T" in str(line["time"])


def test_levels_and_repositories_are_kept_apart(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    log.info(one, "first")
    log.error(two, "second")
    log.info(one, "third")
    assert [(line["level"], line["message"]) for line in lines(one)] == [("INFO", "first"), ("INFO", "third")]
    assert [line["level"] for line in lines(two)] == ["ERROR"]


def test_no_credential_reaches_the_log(mgit: str) -> None:
    url = "https://user:hunter2@example.org/a?token=hunter2"
    log.error(mgit, f"push to {url}", url=url, several=[url, {"deep": (url,)}], key={url: url})
    try:
        raise RuntimeError(f"cannot reach {url}")
    except RuntimeError as error:
        log.exception(mgit, "failed", error)
    assert "cannot reach https://example.org/a" in str(lines(mgit)[1]["traceback"])
    assert "hunter2" not in Path(log.path(mgit)).read_text()


def test_what_is_no_json_is_told_all_the_same(mgit: str) -> None:
    log.info(mgit, "odd", raw=b"\xff", path=Path("/x"), lone="\udc80")
    (line,) = lines(mgit)
    assert (line["raw"], line["path"], line["lone"]) == ("b'\\xff'", "/x", "\udc80")


def test_the_log_is_for_the_owner_alone(mgit: str) -> None:
    before = os.umask(0)
    try:
        log.info(mgit, "private")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(log.path(mgit)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(log.path(mgit))).st_mode) == 0o700


def test_the_log_is_rotated_and_old_ones_go(mgit: str) -> None:
    for _ in range(90):
        log.info(mgit, "x" * 100_000)
    files = list(Path(log.path(mgit)).parent.iterdir())
    assert 2 < len(files) <= 6
    assert all(file.stat().st_size < 1_200_000 for file in files)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_a_log_that_cannot_be_written_says_nothing_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "mgit").write_text("a file where the folder should be")
    full = tmp_path / "full" / "logs"
    full.mkdir(parents=True)
    (full / "mgit.log").symlink_to("/dev/full")
    code = """if True:
        import sys
        from mgit_hooks import log
        for folder in sys.argv[1:]:
            log.error(folder, "lost")
            log.error(folder, "lost again")
    """
    command = [sys.executable, "-c", code, str(tmp_path / "mgit"), str(tmp_path / "full")]
    done = subprocess.run(command, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_loguru_is_not_loaded_before_the_first_line() -> None:
    code = "import sys, mgit_hooks.log; sys.exit('loguru' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
