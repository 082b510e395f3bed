"""The log: JSON lines under ``.git/mgit/logs``, through loguru, which is loaded with the first line only."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from mgit_hooks import credentials, operation
from mgit_hooks.files import open_to_append

if TYPE_CHECKING:
    from loguru import Logger

_ROTATE = "1 MB"
_KEEP = 5

_loggers: dict[str, Logger] = {}
_descriptors: dict[str, int] = {}


def info(mgit_dir: str, message: str, **fields: object) -> None:
    _write(mgit_dir, "INFO", message, fields)


def warning(mgit_dir: str, message: str, **fields: object) -> None:
    _write(mgit_dir, "WARNING", message, fields)


def error(mgit_dir: str, message: str, **fields: object) -> None:
    _write(mgit_dir, "ERROR", message, fields)


def exception(mgit_dir: str, message: str, raised: BaseException) -> None:
    """An error nobody foresaw: the traceback goes to the log, never to a user's terminal."""
    import traceback

    _write(mgit_dir, "ERROR", message, {"traceback": "".join(traceback.format_exception(raised))})


def path(mgit_dir: str) -> str:
    return os.path.join(mgit_dir, "logs", "mgit.log")


def _write(mgit_dir: str, level: str, message: str, fields: dict[str, object]) -> None:
    """A log that cannot be written never fails what it tells of."""
    try:
        logger = _loggers.get(mgit_dir) or _open(mgit_dir)
        logger.bind(mgit=mgit_dir, fields=fields).log(level, "{}", message)
    except OSError:
        _let_go(mgit_dir)


def _let_go(mgit_dir: str) -> None:
    """What could not be written stands in a buffer still, and would fail again, aloud, as the process ends."""
    descriptor = _descriptors.pop(mgit_dir, None)
    if descriptor is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, descriptor, inheritable=False)
        os.close(nowhere)


def _open(mgit_dir: str) -> Logger:
    from loguru import logger

    from mgit_hooks.layout import make_private_dir

    def private(file: str, flags: int) -> int:
        _descriptors[mgit_dir] = open_to_append(file)
        return _descriptors[mgit_dir]

    make_private_dir(os.path.dirname(path(mgit_dir)))
    if not _loggers:
        logger.remove()  # loguru's own sink writes to standard error, which is the user's
    logger.add(
        path(mgit_dir),
        format=_line,
        filter=lambda record: record["extra"].get("mgit") == mgit_dir,
        rotation=_ROTATE,
        retention=_KEEP,
        opener=private,
        catch=False,  # loguru would print what went wrong on the user's terminal
        backtrace=False,
        diagnose=False,
    )
    _loggers[mgit_dir] = logger
    return logger


def _line(record: Any) -> str:
    """The template loguru fills: one JSON object, made here so that nothing in it is taken for markup."""
    record["extra"]["line"] = json.dumps(
        {
            "time": record["time"].isoformat(),
            "level": record["level"].name,
            "message": credentials.strip(record["message"]),
            "pid": record["process"].id,
            "operation": None if (of := operation.under_way()) is None else of.id,
            **_plain(record["extra"]["fields"]),
        },
        default=str,
    )
    return "{extra[line]}\n"


def _plain(field: Any) -> Any:
    """``field`` without a credential in any text of it, however deep."""
    if isinstance(field, str):
        return credentials.strip(field)
    if isinstance(field, dict):
        return {credentials.strip(str(name)): _plain(value) for name, value in field.items()}
    if isinstance(field, (list, tuple)):
        return [_plain(value) for value in field]
    return field
