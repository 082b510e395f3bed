"""The way into the journal that every record takes: judged, recovered where the policy says so, encoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mgit_hooks import dates, log
from mgit_hooks.capture.capturer import Capturer
from mgit_hooks.encoding import encode
from mgit_hooks.errors import ConfigError, JournalError
from mgit_hooks.files import exists, is_folder
from mgit_hooks.journal.writer import Appender, appender
from mgit_hooks.judging import config, gateflag, policy, schemas
from mgit_hooks.judging.config import Config
from mgit_hooks.judging.judge import judge
from mgit_hooks.judging.validate import validate
from mgit_hooks.layout import Location, make_private_dir
from mgit_hooks.record import Gate, Json, Record, Validation, is_valid
from mgit_hooks.recovery.recover import Context, recover_record


class Intake:
    """Judges records by the configuration of one worktree, as it is when this is made.

    A configuration that is broken never stops recording: the defaults judge, and the log says so.
    """

    def __init__(self, location: Location, overrides: Mapping[str, str] | None = None) -> None:
        self.config = _configuration(location, overrides)
        self.armed = policy.armed(self.config)
        self.capturer = Capturer(location.common_dir)
        self._schemas = schemas.load()
        self._context = Context(
            location.mgit_dir,
            location.repository_path,
            self.config.retries,
            self.config.rules,
            self.capturer.commit,
        )

    def judge(self, record: Record) -> Record:
        """``record`` with its validation and, where something fails, what recovery made of it."""
        if record.event in ("refused", "skipped") or (record.event == "push" and record.gate.status == "refused"):
            return record  # the gate's verdict is the judgement
        return self._judge(record, record.to_json())

    def judged(self, record: Record) -> bytes:
        """The payload of what ``judge`` makes of ``record``. The JSON that is judged is the one that is encoded,
        unless recovery made another record of it."""
        if record.event in ("refused", "skipped"):
            return encode(record)
        value = record.to_json()
        judged = self._judge(record, value)
        if judged._replace(validation=record.validation) != record:
            return encode(judged)
        del value["seq"], value["id"]
        value["validation"] = judged.validation.to_json()
        return encode(judged, value)

    def _judge(self, record: Record, value: Json) -> Record:
        level, rules = self.config.level, self.config.rules
        issues = validate("record", value, level, self._schemas)
        if rules:
            issues += judge(rules, value, self._schemas)
        decision = policy.decide(issues, self.config.strategy, self.config.enforce, can_refuse=False)
        if isinstance(decision, policy.Recover):
            return recover_record(record, issues, decision.strategy, level, self._schemas, self._context)
        return record._replace(validation=Validation(level, is_valid(issues), issues))


def _configuration(location: Location, overrides: Mapping[str, str] | None) -> Config:
    try:
        return gateflag.refresh(location, overrides)
    except ConfigError as error:
        log.error(location.mgit_dir, "the configuration is broken: judged by the defaults", error=error.message)
        return config.defaults()


@contextmanager
def journal_of(location: Location, journal_dir: str | None = None) -> Iterator[Appender]:
    """The repository's journal, for writing. In a copied repository it begins a life of its own.

    ``journal_dir``: the folder that is about to become it, where that is another one.
    """
    journal_dir = journal_dir or location.journal_dir

    def adopted(journal: str, last_seq: int, head: str) -> bytes:
        detail = {"journal": journal, "last_seq": last_seq, "head": head}
        return encode(plain_record(location, "adopted", detail))

    if not is_folder(journal_dir):
        _require_settled(journal_dir)
        make_private_dir(journal_dir)
    with appender(journal_dir, adopted) as journal:
        yield journal


def _require_settled(journal_dir: str) -> None:
    """Raise JournalError where there is no journal because a restore was killed as it put one in place."""
    from mgit_hooks.journal import exchange

    if exists(exchange.moving(journal_dir)):
        raise JournalError("a restore of the journal was cut off", "run it again, or 'mgit-hooks repair': it is ended")


def plain_record(location: Location, event: str, detail: dict[str, object]) -> Record:
    """A record about the journal itself: no commit, no ref, nothing to judge."""
    return Record(
        event=event,
        source="reconcile",
        recorded_at=dates.now(),
        occurred_at=None,
        occurred_from=None,
        repository_name=location.repository_name,
        worktree=None,
        branch=None,
        gate=Gate("none", "not a commit"),
        validation=Validation("standard", True),
        detail=detail,
    )
