"""The log: JSON lines under ``.git/mgit/logs``, through loguru, which is loaded with the first line only."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from mgit_hooks import credentials

if TYPE_CHECKING:
    from loguru import Logger

_ROTATE = "1 MB"
_KEEP = 5

_loggers: dict[str, Logger] = {}


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
        return


def _open(mgit_dir: str) -> Logger:
    from loguru import logger

    from mgit_hooks.layout import make_private_dir

    make_private_dir(os.path.dirname(path(mgit_dir)))
    if not _loggers:
        logger.remove()  # loguru's own sink writes to standard error, which is the user's
    logger.add(
        path(mgit_dir),
        format=_line,
        filter=lambda record: record["extra"].get("mgit") == mgit_dir,
        rotation=_ROTATE,
        retention=_KEEP,
        opener=_private,
        catch=True,
        backtrace=False,
        diagnose=False,
    )
    _loggers[mgit_dir] = logger
    return logger


def _private(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)


def _line(record: Any) -> str:
    """The template loguru fills: one JSON object, made here so that nothing in it is taken for markup."""
    record["extra"]["line"] = json.dumps(
        {
            "time": record["time"].isoformat(),
            "level": record["level"].name,
            "message": credentials.strip(record["message"]),
            "pid": record["process"].id,
            **{name: _plain(field) for name, field in record["extra"]["fields"].items()},
        }
    )
    return "{extra[line]}\n"


def _plain(field: object) -> object:
    return credentials.strip(field) if isinstance(field, str) else field
