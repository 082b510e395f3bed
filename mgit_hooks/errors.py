"""The errors a user can meet. Each carries its exit code and the way out; only the entry layer exits.

Exit codes follow git's own habit: 0 clean, 1 findings, 2 usage or configuration, 128 not a
repository or fatal.
"""

from __future__ import annotations


class MgitError(Exception):
    """What went wrong, in one line, and what to do about it, in another."""

    exit_code = 128
    may_pass = False
    """Whether the same may go well in a moment."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(MgitError):
    """The command line does not make sense."""

    exit_code = 2


class ConfigError(MgitError):
    """A configuration, rule or schema file does not make sense."""

    exit_code = 2


class RepositoryError(MgitError):
    """There is no repository here that can be read."""


class ObjectError(MgitError):
    """git's object database does not hold, or will not give, an object that is needed."""


class JournalError(MgitError):
    """The journal cannot be read or written."""


class JournalBusyError(JournalError):
    """Another process holds what is needed."""

    may_pass = True


class LaterFormatError(JournalError):
    """A later version of the program wrote the journal: nothing of it can be read."""


class DamageError(JournalError):
    """Bytes that are not what was written: located, never guessed at.

    ``segment`` is the file's name, ``offset`` and ``length`` are bytes in it, ``kind`` is one of the
    kinds listed in docs/format.md.
    """

    exit_code = 1

    def __init__(self, segment: str, offset: int, length: int, kind: str) -> None:
        super().__init__(f"{segment}: {kind} at byte {offset}", "run 'mgit-hooks repair'")
        self.segment = segment
        self.offset = offset
        self.length = length
        self.kind = kind


class ChangesetStorageError(MgitError):
    """A collection of changesets cannot be read or written."""


class ChangesetMissingError(ChangesetStorageError):
    """There is no collection of that name, or no such generation of it."""

    exit_code = 2


class ChangesetBusyError(ChangesetStorageError):
    """Another process holds the collection."""

    may_pass = True


class ChangesetDamageError(ChangesetStorageError):
    """The file of a collection, ``path``, is not what was written."""

    exit_code = 1

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}", "nothing of it was taken for true; load an earlier generation")
        self.path = path
        self.why = why


class ChangesetValidationError(MgitError):
    """A value has not the shape of a changeset, or of a collection of them."""

    exit_code = 1


class CompressionError(MgitError):
    """Data that could not be compressed, or compressed data that is not what it should be.

    ``kind`` is one of ``truncated``, ``damaged``, ``foreign`` (of another kind, or of none that we know), ``trailing``
    (more after its end), ``oversized`` (more than the caller allows), ``mislabelled`` (not what is said about it) and
    ``refused`` (a value or a file that cannot be packed at all).
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str, kind: str) -> None:
        super().__init__(message, remedy)
        self.kind = kind


def reason(error: MgitError | OSError) -> str:
    """What went wrong, in one line: of the system's errors, on which file."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
