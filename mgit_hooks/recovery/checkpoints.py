"""Restorable copies that strategy ``checkpoint`` writes before anything else happens to a value."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable
from contextlib import suppress

from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import JournalError
from mgit_hooks.files import open_to_read
from mgit_hooks.layout import make_private_dir
from mgit_hooks.record import Issue, Json

_VERSION = 1


def write(mgit_dir: str, kind: str, value: Json, issues: Iterable[Issue], made_at: str) -> str:
    """The path of a gzip'd JSON file that holds ``value``; on disk, with its folder, when this returns.

    The same value has the same file. Raises OSError.
    """
    from hashlib import sha256

    folder = os.path.join(mgit_dir, "checkpoints")
    make_private_dir(folder)
    path = os.path.join(folder, f"{kind}-{sha256(encode_json(value)).hexdigest()[:32]}.json.gz")
    content = {
        "checkpoint": _VERSION,
        "kind": kind,
        "made_at": made_at,
        "issues": [issue.to_json() for issue in issues],
        "value": value,
    }
    made = f"{path}.{os.urandom(6).hex()}.new"  # others may write the same one, threads of this process among them
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, 0o600)
            file.write(gzip.compress(encode_json(content), 6, mtime=0))
            file.flush()
            os.fsync(handle)
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(made)
        raise
    _sync_folder(folder)
    return path


def read(path: str) -> Json:
    """The checkpoint's content; its ``value`` is what was saved. Raises JournalError where it is damaged."""
    try:
        with open_to_read(path) as packed, gzip.open(packed, "rb") as file:
            content = json.load(file)
    except (OSError, EOFError, ValueError) as error:
        raise JournalError(f"{path}: not a checkpoint that can be read: {error}", "choose another one") from error
    if not isinstance(content, dict) or content.get("checkpoint") != _VERSION:
        raise JournalError(f"{path}: not a checkpoint of version {_VERSION}", "read it with a newer mgit-hooks")
    return content


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
