"""What ran and what was refused, skipped, repaired or recovered; what is passed on to OpenTelemetry; a profile."""

from __future__ import annotations

import fcntl
import os
import pstats
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from metering import ended
from recording import Recording

from mgit_hooks import operation
from mgit_hooks.metrics import audit, folded
from mgit_hooks.record import Action, Gate, Record, Repaired, Validation
from mgit_hooks.recorder.drain import drain

NOW = "2026-01-02T03:04:05+00:00"


def record(event: str = "commit", **given: Any) -> Record:
    values: dict[str, Any] = {"gate": Gate("passed"), "validation": Validation("standard", True, ()), **given}
    return Record(event, "hook", NOW, None, None, "repo", "main-worktree", "main", **values)


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (record(), []),
        (record("refused", gate=Gate("refused", "refused by short")), [("refused", "refused by short")]),
        (record("skipped", gate=Gate("skipped", "MGIT=0")), [("skipped", "MGIT=0")]),
        (record(gate=Gate("skipped", "MGIT_SKIP=short")), [("skipped", "MGIT_SKIP=short")]),
        (record(gate=Gate("bypassed")), [("bypassed", None)]),
        (
            record(gate=Gate("passed", None, (Repaired("wrap", "wrap", "lines"), Repaired("wrap", "wrap", "more")))),
            [("repaired", "wrap")],
        ),
        (record(recovery=(Action("field_repair", "", True),)), [("recovered", "field_repair")]),
        (record("repair", detail={"holes": []}), [("repair", None)]),
        (record("erase", detail={"by": "Ada", "reason": "a secret"}), [("erase", "a secret")]),
    ],
)
def test_what_a_record_says_of_a_policy(of: Record, told: list[tuple[str, str | None]]) -> None:
    found = list(audit.of_record(of._replace(seq=7)))  # type: ignore[arg-type]
    assert [(each.kind, each.by) for each in found] == told
    assert all((each.seq, each.what, each.to_json()["time"]) == (7, of.event, NOW) for each in found)


@pytest.fixture
def work(repo: Repo) -> Recording:
    made = Recording(repo)
    made.commit("one")
    return made


def kinds(told: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["what"]) for each in told.json]


def test_the_trail_is_of_operations_and_records_newest_first(work: Recording, mgit: Any) -> None:
    work.git("commit", "-q", "--allow-empty", "-m", "skipped", MGIT="0")
    rules = Path(work.path, ".git", "rules.toml")
    rules.write_text(
        '[[rules]]\nid = "short"\nseverity = "error"\nmessage = "Keep it short."\n'
        'schema.properties.commit.properties.message.pattern = "^.{1,9}(\\\\n|$)"\n'
    )
    work.repo.git("config", "mgit.rules", str(rules))
    work.commit("much too long for that rule")
    time.sleep(1.1)  # records are by the second
    assert mgit("-C", work.path, "show", "nothing").code == 2
    told = kinds(mgit("-C", work.path, "monitoring", "audit", "--json"))
    assert any(kind == "failed" and what.startswith("show") for kind, what in told)
    assert ("invalid", "commit") in told or ("recovered", "commit") in told
    times = [each["time"] for each in mgit("-C", work.path, "monitoring", "audit", "--json").json]
    assert times == sorted(times, reverse=True)
    text = mgit("-C", work.path, "monitoring", "audit").out
    assert "failed     show" in text
    assert "(UsageError)" in text
    assert "record " in text


def test_a_trail_is_within_the_flags(work: Recording, mgit: Any) -> None:
    for number in range(3):
        operation.note(work.location.mgit_dir, ended("log", started=time.time() - 100 - number))
    operation.note(work.location.mgit_dir, ended("show", error="OSError"))
    operation.note(work.location.mgit_dir, ended("old", started=time.time() - 40 * 86400))
    words = ("-C", work.path, "monitoring", "audit", "--json")
    names = [name for kind, name in kinds(mgit(*words, "--kind", "failed", "--kind", "ran")) if kind != "rebuilt"]
    assert names[0] == "show"
    assert names.count("log") == 3
    assert "old" not in names
    assert "old" in [name for _, name in kinds(mgit(*words, "--since", "2000-01-01", "-n", "0"))]
    assert kinds(mgit(*words, "--kind", "failed")) == [("failed", "show")]
    assert len(mgit(*words, "-n", "2").json) == 2
    assert mgit(*words, "-n", "-1").code == 2
    assert mgit(*words, "--kind", "odd").code == 2


def test_a_trail_where_nothing_is(repo: Repo, mgit: Any) -> None:
    told = mgit("-C", repo.path, "monitoring", "audit")
    assert (told.code, told.out) == (0, "")


# OpenTelemetry


@pytest.fixture
def otel() -> Any:
    return pytest.importorskip("opentelemetry.sdk.trace.export", reason="the extra otel is not installed")


def test_operations_as_spans_each_sent_once(tmp_path: Path, otel: Any) -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from mgit_hooks.metrics import traces

    first = ended("log", started=1000.5, seconds=0.25, items=3, phases={"drain": 0.125}, counts={"records": 2})
    second = ended("verify", error="OSError", code=128)
    for each in (first, second):
        operation.note(str(tmp_path), each)
    to = InMemorySpanExporter()
    for expected in (2, 0):
        with folded.opened(str(tmp_path)) as store:
            assert store is not None
            assert traces.send(store, to) == (expected, 0)
    log, verify = to.get_finished_spans()
    assert (log.name, log.start_time, log.end_time) == ("log", 1_000_500_000_000, 1_000_750_000_000)
    assert f"{log.context.span_id:016x}" == first.id
    assert dict(log.attributes) | {"mgit.memory_peak_bytes": 0} == {
        "mgit.type": "command", "mgit.items": 3, "mgit.bytes": 0, "mgit.cpu_seconds": pytest.approx(0, abs=0.1),
        "process.exit.code": 0, "mgit.memory_peak_bytes": 0, "mgit.phase.drain": 0.125, "mgit.count.records": 2,
    }  # fmt: skip
    assert (log.status.status_code.name, verify.status.status_code.name) == ("OK", "ERROR")
    assert verify.attributes["error.type"] == "OSError"
    assert log.resource.attributes["service.name"] == "mgit-hooks"


def test_what_is_not_taken_is_sent_again(tmp_path: Path, otel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from mgit_hooks.metrics import traces

    monkeypatch.setattr(traces, "_AT_ONCE", 2)
    for _ in range(5):
        operation.note(str(tmp_path), ended())
    taken: list[int] = []

    class Failing(otel.SpanExporter):  # type: ignore[misc]
        def export(self, spans: Sequence[Any]) -> Any:
            if len(taken) == 1:
                return otel.SpanExportResult.FAILURE
            taken.append(len(spans))
            return otel.SpanExportResult.SUCCESS

    with folded.opened(str(tmp_path)) as store:
        assert store is not None
        assert traces.send(store, Failing()) == (2, 3)
        taken.clear()
        taken.extend((0, 0))
        assert traces.send(store, Failing()) == (3, 0)
    assert taken == [0, 0, 2, 1]


def test_export_by_the_command(work: Recording, mgit: Any, otel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    operation.note(work.location.mgit_dir, ended("far off", started=1e15, seconds=1e15))  # by a clock that was
    mgit("-C", work.path, "verify")
    told = mgit("-C", work.path, "monitoring", "export", "--console")
    assert (told.code, '"name": "verify"' in told.out, "2 operations sent" in told.err) == (0, True, True)
    assert '"start_time": "9999-12-31T23:59:59' in told.out
    assert '"name": "verify"' not in mgit("-C", work.path, "monitoring", "export", "--console", "-q").out
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    told = mgit("-C", work.path, "monitoring", "export")
    assert (told.code, told.err.count("\n")) == (128, 2)
    assert "could not be sent, 0 could" in told.err


def test_export_without_the_extra_says_what_to_install(
    work: Recording, mgit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    told = mgit("-C", work.path, "monitoring", "export", "--console")
    assert (told.code, told.err.splitlines()[0]) == (2, "mgit-hooks: OpenTelemetry is not installed")


def test_an_extra_that_does_not_start_is_no_internal_error(
    work: Recording, mgit: Any, otel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise TypeError("unexpected keyword")

    monkeypatch.setattr(otel, "ConsoleSpanExporter", broken)
    told = mgit("-C", work.path, "monitoring", "export", "--console")
    assert (told.code, told.err.splitlines()[0]) == (
        2,
        "mgit-hooks: OpenTelemetry does not start: TypeError: unexpected keyword",
    )


# The profile of one command


@pytest.mark.parametrize("before", [True, False])
def test_profile(work: Recording, mgit: Any, tmp_path: Path, before: bool) -> None:
    target = str(tmp_path / "log.prof")
    words = ("--profile", target, "log") if before else ("log", "--profile", target)
    told = mgit("-C", work.path, *words)
    assert (told.code, told.out) == (0, mgit("-C", work.path, "log").out)
    names = {name for _, _, name in pstats.Stats(target).stats}  # type: ignore[attr-defined]
    assert {"newest", "one_line"} <= names
    assert "shows it" in mgit("-C", work.path, "-v", *words).err


def test_a_profile_is_written_where_the_command_works(work: Recording, mgit: Any) -> None:
    assert mgit("-C", work.path, "log", "--profile", "log.prof").code == 0
    assert Path(work.path, "log.prof").stat().st_size > 1000


def test_profile_of_a_command_that_fails(work: Recording, mgit: Any, tmp_path: Path) -> None:
    target = str(tmp_path / "show.prof")
    assert mgit("-C", work.path, "show", "nothing", "--profile", target).code == 2
    assert pstats.Stats(target).total_calls > 0  # type: ignore[attr-defined]
    told = mgit("-C", work.path, "log", "--profile", str(tmp_path / "no" / "where"))
    assert (told.code, told.out, told.err.count("\n")) == (128, "", 2)
    assert os.listdir(tmp_path) == ["repo", "boot.py", "show.prof"] or "show.prof.new" not in os.listdir(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("stats", "--textfile"),
        ("log", "--profile"),
        ("check", "--format", "sarif", "-o"),
        ("check", "--write-baseline"),
    ],
)
def test_what_is_no_file_stays_what_it_is_and_a_file_of_another_name_too(
    work: Recording, mgit: Any, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """A device's name went over to a file, where the user may do that."""
    pipe, plain = tmp_path / "pipe", tmp_path / "plain"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(reader, 1031, 1 << 20)  # F_SETPIPE_SZ: all of it, before we read
    (tmp_path / "plain.new").write_text("theirs")
    try:
        assert mgit("-C", work.path, *words, str(pipe)).code == 0
        piped = os.read(reader, 1 << 16)
    finally:
        os.close(reader)
    assert (pipe.is_fifo(), bool(piped)) == (True, True)
    assert mgit("-C", work.path, *words, str(plain)).code == 0
    assert plain.stat().st_size > 0
    assert mgit("-C", work.path, *words, str(tmp_path)).code == 128
    assert (tmp_path / "plain.new").read_text() == "theirs"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".mgit")] == []


def test_the_log_names_the_operation(work: Recording, mgit: Any) -> None:
    with open(Path(work.location.spool_dir, "now"), "ab") as file:
        file.write(b"9\tof no form\n")
    with operation.Operation("command", "mine", work.location.mgit_dir) as mine:
        drain(work.location, wait=5.0)
    log = Path(work.location.mgit_dir, "logs", "mgit.log").read_text()
    assert f'"operation": "{mine.id}"' in log
