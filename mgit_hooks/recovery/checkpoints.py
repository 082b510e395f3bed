"""Restorable copies that strategy ``checkpoint`` writes before anything else happens to a value."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable

from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import JournalError
from mgit_hooks.files import open_to_read, replacing
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
    with replacing(path, alone=False) as file:
        file.write(gzip.compress(encode_json(content), 6, mtime=0))
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
