"""Thresholds of git's configuration: what is beyond them is told, with exit status 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from metering import ended
from recording import Recording

from mgit_hooks import operation
from mgit_hooks.metrics import alerts
from mgit_hooks.metrics.alerts import Threshold


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    made.drain()
    for seconds, error in ((0.1, None), (0.2, None), (3.0, "OSError"), (0.1, None)):
        operation.note(made.location.mgit_dir, ended("verify", seconds=seconds, error=error))
    operation.note(made.location.mgit_dir, ended("log", seconds=5.0))
    return made


def told(work: Recording, mgit: Any, *config: tuple[str, str]) -> tuple[int, list[str]]:
    for key, value in config:
        work.repo.git("config", f"mgit.alert.{key}", value)
    done = mgit("-C", work.path, "stats")
    return done.code, [line[6:] for line in done.out.splitlines() if line.startswith("ALERT ")]


SLOW = "verify: p95 is 3.00 s, more than 2.00 s"
BAD = "verify: 75.0 % of 4 succeeded, less than 90 %"


@pytest.mark.parametrize(
    ("config", "messages"),
    [
        ([], []),
        ([("p95", "2s")], [SLOW, "log: p95 is 5.00 s, more than 2.00 s"]),
        ([("p95", "2s"), ("log.p95", "1m")], [SLOW]),
        ([("verify.p95", "2000ms")], [SLOW]),
        ([("verify.p95", "3")], []),
        ([("successRate", "90%")], [BAD]),
        ([("successrate", "75")], []),
        ([("log.successRate", "100")], []),
        ([("journalSize", "10")], ["the journal has "]),
        ([("journalSize", "1m")], []),
        ([("journalSize", "1G")], []),
        ([("damage", "0")], []),
    ],
)
def test_what_is_beyond_a_threshold(
    work: Recording, mgit: Any, config: list[tuple[str, str]], messages: list[str]
) -> None:
    code, found = told(work, mgit, *config)
    assert code == bool(messages)
    assert len(found) == len(messages)
    for message in messages:
        assert any(each.startswith(message) for each in found), found


def test_damage(work: Recording, mgit: Any) -> None:
    segment = next(Path(work.location.journal_dir).glob("*.seg"))
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    assert told(work, mgit) == (0, [])
    code, (message,) = told(work, mgit, ("damage", "0"))
    assert (code, "the journal is damaged in " in message) == (1, True)
    assert told(work, mgit, ("damage", "1000")) == (0, [])


def test_they_are_in_json_and_beside_what_goes_to_programs(work: Recording, mgit: Any) -> None:
    work.repo.git("config", "mgit.alert.verify.p95", "2s")
    for words in (("--json",), ("--prometheus",), ("--textfile", str(Path(work.path, "x.prom")))):
        done = mgit("-C", work.path, "stats", *words)
        assert (done.code, SLOW in done.err, "ALERT" in done.out) == (1, True, False)
    (json,) = mgit("-C", work.path, "stats", "--json").json
    assert json["alerts"] == [{"name": "p95", "operation": "verify", "value": 3.0, "limit": 2.0, "message": SLOW}]


def test_they_are_held_against_what_is_asked_for(work: Recording, mgit: Any) -> None:
    work.repo.git("config", "mgit.alert.p95", "2s")
    assert mgit("-C", work.path, "stats", "--since", "now").code == 0


def test_doctor_tells_of_a_threshold_for_what_never_ran(work: Recording, mgit: Any) -> None:
    work.repo.git("config", "mgit.alert.drian.p95", "2s")
    work.repo.git("config", "mgit.alert.verify.p95", "9s")
    told = mgit("-C", work.path, "doctor")
    assert "mgit.alert.drian.p95 is for 'drian', which never ran here" in told.out
    assert "verify.p95" not in told.out


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("p59", "1s", "did you mean 'mgit.alert.p95'?"),
        ("log.damage", "1", "unknown key 'mgit.alert.log.damage'"),
        ("p95", "fast", "it is a time, as 500ms, 2s or 1.5m"),
        ("successRate", "-1", "it is a percentage"),
        ("log.successRate", "100.1", "'100.1' is more than all"),
        ("journalSize", "1.5g", "it is a size"),
        ("damage", "some", "damaged places"),
    ],
)
def test_what_is_no_threshold_is_a_clear_error(work: Recording, mgit: Any, key: str, value: str, says: str) -> None:
    work.repo.git("config", f"mgit.alert.{key}", value)
    done = mgit("-C", work.path, "stats")
    assert (done.code, done.out, says in done.err) == (2, "", True)


def test_the_last_of_a_key_holds_and_global_configuration_counts(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.git("config", "--global", "mgit.alert.p95", "1s")
    monkeypatch.chdir(tmp_path)
    assert alerts.thresholds(".") == [Threshold("p95", None, 1.0)]
    repo.git("config", "mgit.alert.P95", "500ms")
    assert [each.limit for each in alerts.thresholds(repo.path)] == [0.5]


def test_the_policy_does_not_take_them_for_its_own(work: Recording, mgit: Any) -> None:
    work.repo.git("config", "mgit.alert.p95", "1s")
    work.repo.git("config", "mgit.alert.drain.p95", "1s")
    assert mgit("-C", work.path, "config").code == 0
    work.repo.git("config", "mgit.alerts", "1s")
    assert mgit("-C", work.path, "config").code == 2


def test_doctor_tells_of_them_as_a_remark(work: Recording, mgit: Any) -> None:
    before = {each["check"]: each["status"] for each in mgit("-C", work.path, "doctor", "--json").json[0]["checks"]}
    assert before["alerts"] == "ok"
    work.repo.git("config", "mgit.alert.verify.p95", "2s")
    work.repo.git("config", "mgit.alert.damage", "0")
    (found,) = [
        each for each in mgit("-C", work.path, "doctor", "--json").json[0]["checks"] if each["check"] == "alerts"
    ]
    assert (found["status"], [each["message"] for each in found["findings"]]) == ("remark", [SLOW])
