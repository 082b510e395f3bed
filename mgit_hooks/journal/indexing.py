"""From records to the rows of the index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any, Final

from mgit_hooks import restored
from mgit_hooks.journal import postings
from mgit_hooks.journal.contents import (
    AUTHOR,
    BRANCH,
    EVENT,
    PATH,
    TRAIT,
    Name,
    bytes_of,
    hash_in,
    moment_of,
    movement_key,
    paths_in,
    reflog_time,
    told_by,
    traits,
    value_of,
    with_folders,
)
from mgit_hooks.record import Json, RefMovement

# So many rows are written at once.
_BATCH: Final = 4096
# So many names are remembered with the numbers of their terms; it bounds the memory.
_NAMES: Final = 50_000
_MISSHAPEN: Final = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


class Taker:
    """Takes records in, oldest first. Nothing of the last of them is in the tables before ``flush``."""

    def __init__(self, database: Connection) -> None:
        self._db = database
        self._postings = postings.Writer(database)
        self._terms: dict[tuple[int, Any], int] = {}
        self._paths: dict[Name, tuple[int, ...]] = {}
        self._people: dict[tuple[str, str], int] = {}
        self._next_term = 1 + int(database.execute("SELECT coalesce(max(id), 0) FROM term").fetchone()[0])
        self._rows: list[tuple[Any, ...]] = []
        self._movements: list[tuple[bytes]] = []
        self._refs: list[tuple[str, str | None, int]] = []
        self._superseded: list[tuple[int, int]] = []
        self._standins: list[tuple[int, int]] = []
        self._replacements: list[tuple[bytes, bytes, int]] = []
        self.archived = False  # a record says so of the journal's beginning

    def take(self, first_seq: int, payloads: Sequence[bytes | None]) -> None:
        for seq, payload in enumerate(payloads, first_seq):
            value = value_of(payload)
            try:
                row = (seq, None, None, None) if value is None else self._taken(seq, value)
            except _MISSHAPEN:  # JSON, and no record of ours: just that it is there
                row = (seq, None, None, None)
            self._rows.append(row)
            if value is not None and "detail" in value:
                self._declared(seq, value)
        if len(self._rows) >= _BATCH:
            self._write()

    def flush(self) -> None:
        self._write()
        self._postings.flush()

    def _taken(self, seq: int, value: Json) -> tuple[Any, ...]:
        told = told_by(value)
        hash = hash_in(told)
        raw = bytes.fromhex(hash) if hash else None
        event = self._term(EVENT, str(value["event"]))
        keys = {event}
        origin = restored.origin(value)
        supersedes = value.get("supersedes") if origin is None else origin.supersedes
        # What stands in for an earlier record has that one's place among the others: the refs have gone on since.
        at = origin.seq if origin is not None else int(supersedes or seq)
        if told.get("refs"):
            self._moved(told, at)
        if raw is not None:
            self._replaced(raw, told.get("replaces") or (), seq)
        if supersedes:
            self._superseded.append((int(supersedes), seq))
        if origin is not None:
            self._standins.append((seq, origin.seq))
        if told["event"] == "push-outcome" and told["detail"]["push"] is not None:
            self._db.execute("INSERT OR REPLACE INTO outcome VALUES (?,?)", (int(told["detail"]["push"]), seq))
        elif told["event"] == "snapshot":
            self._snapshot(at, told, stands_for_commit=raw is not None)
        try:
            self._add_terms(keys, value, told)
        except _MISSHAPEN:  # strategy fallback keeps what was of no known form
            pass
        moment = moment_of(told.get("occurred_at") or told.get("recorded_at") or "")
        self._postings.add(seq, keys)
        return seq, event, raw, moment

    def _add_terms(self, keys: set[int], value: Json, told: Json) -> None:
        branch = told.get("branch")
        if branch is not None:
            keys.add(self._term(BRANCH, branch))
        for trait in traits(value):
            keys.add(self._term(TRAIT, trait))
        commit = told.get("commit")
        if commit:
            person = (commit["author_name"], commit["author_email"])
            keys.add(self._people.get(person) or self._new_person(person))
            for path in paths_in(commit):
                keys.update(self._paths.get(path) or self._new_path(path))

    def _new_person(self, person: tuple[str, str]) -> int:
        if len(self._people) > _NAMES:
            self._people.clear()
        key = self._people[person] = self._term(AUTHOR, f"{person[0]} <{person[1]}>")
        return key

    def _new_path(self, path: Name) -> tuple[int, ...]:
        if len(self._paths) > _NAMES:
            self._paths.clear()
        keys = self._paths[path] = tuple(self._term(PATH, each) for each in with_folders(bytes_of(path)))
        return keys

    def _term(self, kind: int, name: str | bytes) -> int:
        key = self._terms.get((kind, name))
        return self._new_term(kind, name) if key is None else key

    def _new_term(self, kind: int, name: str | bytes) -> int:
        if isinstance(name, str):
            text: str | bytes = name.encode("utf-8", "replace").decode()  # a lone surrogate cannot be stored
        else:
            text = name
        row = self._db.execute("SELECT id FROM term WHERE kind = ? AND name = ?", (kind, text)).fetchone()
        if row is None:
            row = (self._next_term,)
            self._next_term += 1
            self._db.execute("INSERT INTO term VALUES (?,?,?,0)", (row[0], kind, text))
        if len(self._terms) > _NAMES:
            self._terms.clear()
        self._terms[kind, name] = int(row[0])
        return int(row[0])

    def _moved(self, told: Json, seq: int) -> None:
        at = reflog_time(told)
        for movement in map(RefMovement.from_json, told["refs"]):
            self._movements.append((movement_key(told["worktree"], movement, at),))
            if movement.name.startswith("refs/"):
                self._refs.append((movement.name, movement.new_oid, seq))

    def _replaced(self, new: bytes, olds: Iterable[Any], seq: int) -> None:
        try:
            self._replacements += [(old, new, seq) for old in sorted(set(map(bytes.fromhex, olds)))]
        except _MISSHAPEN:  # as of terms: the commit is known all the same
            pass

    def _snapshot(self, seq: int, told: Json, *, stands_for_commit: bool) -> None:
        if not stands_for_commit:
            self._db.execute("INSERT OR REPLACE INTO beginning VALUES (?,?)", (seq, told.get("occurred_at")))
        refs, heads = told["detail"]["refs"], told["detail"]["heads"]
        self._refs += [(name, oid, seq) for name, oid in refs.items()]
        self._db.executemany("INSERT OR IGNORE INTO baseline VALUES (?)", {(oid,) for oid in (*refs.values(), *heads)})

    def _write(self) -> None:
        self._db.executemany("INSERT OR REPLACE INTO record VALUES (?,?,?,?,NULL,NULL)", self._rows)
        self._db.executemany("INSERT OR IGNORE INTO movement VALUES (?)", self._movements)
        self._db.executemany(
            "INSERT INTO ref VALUES (?,?,?) ON CONFLICT (name) DO UPDATE"
            " SET oid = excluded.oid, seq = excluded.seq WHERE excluded.seq >= ref.seq",
            self._refs,
        )
        self._db.executemany("INSERT OR IGNORE INTO replacement VALUES (?,?,?)", self._replacements)
        self._succeed()
        if self._rows:
            zones = (postings.ZONE, self._rows[0][0], self._rows[-1][0])
            self._db.execute(
                "INSERT INTO zone SELECT seq / ?, min(moment), max(moment) FROM record"
                " WHERE seq BETWEEN ? AND ? AND moment IS NOT NULL GROUP BY 1"
                " ON CONFLICT (number) DO UPDATE SET low = min(low, excluded.low), high = max(high, excluded.high)",
                zones,
            )
        for waiting in (
            self._rows, self._movements, self._refs, self._superseded, self._standins, self._replacements,
        ):  # fmt: skip
            waiting.clear()

    def _succeed(self) -> None:
        """Who stands in for whom: a number may be named that is lost, and whose record has another one by now."""
        self._db.executemany("INSERT OR IGNORE INTO standin VALUES (?,?)", self._standins)
        self._db.executemany("INSERT OR IGNORE INTO succession VALUES (?,?)", self._superseded)
        self._db.executemany(
            "UPDATE record SET superseded_by = ?2"
            " WHERE (seq = ?1 OR seq IN (SELECT seq FROM standin WHERE origin = ?1)) AND seq != ?2",
            self._superseded,
        )
        self._db.executemany(
            "UPDATE record SET superseded_by = (SELECT max(by) FROM succession WHERE old = ?2 AND by != ?1)"
            " WHERE seq = ?1",
            self._standins,
        )

    # Erasure

    def _declared(self, seq: int, value: Json) -> None:
        """What an ``erase`` or ``repair`` record says was erased: its text leaves the index, its commit stays known."""
        if value["event"] == "checkpoint" and isinstance(value["detail"], dict):
            self.archived |= bool(value["detail"].get("archived"))
        if value["event"] not in ("erase", "repair") or not isinstance(value["detail"], dict):
            return
        erased = value["detail"].get("erased") or ()
        if not erased or not isinstance(erased, Iterable):
            return
        self.flush()
        self._unlist(erased)
        for each in erased:
            try:
                self._erase(int(each["seq"]), each.get("commit"), seq)
                # Else a reflog that is read again would tell of them once more, with what was erased.
                self._movements += [(bytes.fromhex(key),) for key in each.get("movements") or ()]
                places = [(bytes.fromhex(key), int(each["seq"])) for key in each.get("places") or ()]
                self._db.executemany("INSERT OR IGNORE INTO place VALUES (?,?)", places)
            except _MISSHAPEN:
                continue

    def _unlist(self, erased: Iterable[Any]) -> None:
        """Take those that were read with their payload still there out of all lists, in one pass."""
        there: set[int] = set()
        for each in erased:
            try:
                seq = int(each["seq"])
                row = self._db.execute("SELECT event FROM record WHERE seq = ?", (seq,)).fetchone()
            except _MISSHAPEN:
                continue
            if row is not None and row[0] is not None:
                there.add(seq)
        if there:
            postings.remove(self._db, there)
            self._terms.clear()
            self._paths.clear()
            self._people.clear()

    def _erase(self, seq: int, commit: str | None, by: int) -> None:
        row = self._db.execute("SELECT hash FROM record WHERE seq = ?", (seq,)).fetchone()
        hash = bytes.fromhex(commit) if commit else None
        if row is None:  # it is in an archive, which may be the only other place that tells of its commit
            self._db.execute("INSERT OR IGNORE INTO erased VALUES (?,?)", (seq, by))
            if hash is not None:
                self._db.execute("INSERT OR IGNORE INTO archived VALUES (?,?)", (hash, seq))
            return
        self._db.execute("DELETE FROM replacement WHERE new = ? AND seq = ?", (row[0], seq))
        self._db.execute(
            "UPDATE record SET event = NULL, hash = ?, moment = NULL, erased_by = coalesce(erased_by, ?) WHERE seq = ?",
            (hash or row[0], by, seq),
        )
