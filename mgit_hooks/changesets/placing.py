"""How a collection's file is written, and what is said where it cannot be, or is not what was written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mgit_hooks.changesets import container
from mgit_hooks.changesets.shapes import ChangesetCollection
from mgit_hooks.errors import ChangesetDamageError, ChangesetStorageError, ChangesetValidationError, reason
from mgit_hooks.files import create, write_all


def unpacked(path: str, data: bytes) -> tuple[container.Header, bytes]:
    try:
        return container.unpack(data)
    except container.Later as error:
        raise ChangesetStorageError(f"{path}: {error}", "read it with a newer mgit-hooks") from error
    except ValueError as error:
        raise ChangesetDamageError(path, str(error)) from error


def require_name(path: str, found: str, wanted: str) -> None:
    """Where a file system takes two names for one, and where a file was renamed by hand."""
    if found != wanted:
        raise ChangesetStorageError(
            f"{path} holds the collection '{found}', not '{wanted}'", "choose another name, or rename the file"
        )


def require_collection(value: object) -> None:
    if not isinstance(value, ChangesetCollection):
        raise ChangesetValidationError(f"this is a {type(value).__name__}, not a ChangesetCollection", "give it one")


@contextmanager
def written(path: str, data: bytes) -> Iterator[str]:
    """A file with ``data`` beside ``path``, on the disk; it is gone after the block unless it was renamed."""
    new = f"{path}.new"
    try:
        descriptor = create(new)
        try:
            os.fchmod(descriptor, 0o600)
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield new
    finally:
        with suppress(OSError):
            os.unlink(new)


@contextmanager
def failing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = reason(error) if error.filename else error.strerror
        raise ChangesetStorageError(f"{what}: {why}", "mend that and try again") from error


def unreadable(error: OSError) -> ChangesetStorageError:
    return ChangesetStorageError(reason(error), "see that it can be read, and try again")
