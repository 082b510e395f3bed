"""The index's tables. ``VERSION`` changes with them: an index of another version is made anew."""

from __future__ import annotations

import sys
from sqlite3 import Connection, DatabaseError
from typing import Final

# Numbers in chunks are in the machine's own byte order: on another one they mean nothing.
VERSION: Final = 11 if sys.byteorder == "little" else -11

_TABLES: Final = """
CREATE TABLE meta (version INTEGER, next_seq INTEGER, head BLOB, segment INTEGER, offset INTEGER);
CREATE TABLE segment (
    number INTEGER PRIMARY KEY, size INTEGER, mtime INTEGER, inode INTEGER, first_seq INTEGER, next_seq INTEGER,
    head BLOB
);
CREATE TABLE block (first_seq INTEGER PRIMARY KEY, records INTEGER, segment INTEGER, offset INTEGER);
CREATE TABLE record (
    seq INTEGER PRIMARY KEY, event INTEGER, hash BLOB, moment INTEGER, superseded_by INTEGER, erased_by INTEGER
);
CREATE TABLE term (id INTEGER PRIMARY KEY, kind INTEGER, name, last INTEGER);
CREATE TABLE posting (key INTEGER, first INTEGER, seqs BLOB, PRIMARY KEY (key, first));
CREATE TABLE zone (number INTEGER PRIMARY KEY, low INTEGER, high INTEGER);
CREATE TABLE movement (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE ref (name TEXT PRIMARY KEY, oid TEXT, seq INTEGER) WITHOUT ROWID;
CREATE TABLE baseline (oid TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE beginning (seq INTEGER PRIMARY KEY, occurred_at TEXT);
CREATE TABLE outcome (push INTEGER, record INTEGER, PRIMARY KEY (push, record)) WITHOUT ROWID;
CREATE TABLE archived (hash BLOB, seq INTEGER, PRIMARY KEY (hash, seq)) WITHOUT ROWID;
CREATE TABLE erased (seq INTEGER PRIMARY KEY, erased_by INTEGER);
CREATE TABLE place (key BLOB, seq INTEGER, PRIMARY KEY (key, seq)) WITHOUT ROWID;
CREATE TABLE standin (seq INTEGER PRIMARY KEY, origin INTEGER);
CREATE TABLE succession (old INTEGER, by INTEGER, PRIMARY KEY (old, by)) WITHOUT ROWID;
CREATE TABLE replacement (old BLOB, new BLOB, seq INTEGER, PRIMARY KEY (old, new, seq)) WITHOUT ROWID;
CREATE INDEX standin_origin ON standin (origin);
CREATE UNIQUE INDEX term_name ON term (kind, name);
"""
INDEXES: Final = (
    "CREATE INDEX IF NOT EXISTS record_hash ON record (hash) WHERE hash IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS record_moment ON record (moment) WHERE moment IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS replacement_new ON replacement (new)",
)


def are_there(database: Connection) -> bool:
    """Raises sqlite3.DatabaseError where there are those of another version."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchall():
        return False
    version = database.execute("SELECT version FROM meta").fetchone()
    if version is not None and version[0] != VERSION:
        raise DatabaseError("another version of the index")
    return True


def make_tables(database: Connection) -> None:
    """Within a transaction, and so that a kill leaves all of them or none."""
    if not are_there(database):
        for statement in _TABLES.split(";\n"):
            database.execute(statement)
