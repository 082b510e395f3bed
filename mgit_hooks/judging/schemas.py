"""The schema files of ``schemas/``, each read when it is first asked for and kept for the process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping

from mgit_hooks.errors import ConfigError
from mgit_hooks.files import exists
from mgit_hooks.judging.validate import PREFIX, Schemas
from mgit_hooks.record import Json
from mgit_hooks.resources import schemas_dir

_REMEDY = "mend the schema file, or install mgit-hooks again"
_loaded: dict[str, Schemas] = {}


class _Folder(Mapping[str, Json]):
    """Schemas by ``$id``: ``urn:mgit-hooks:NAME`` is in the file ``NAME.json``."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._documents: dict[str, Json] = {}

    def __getitem__(self, uri: str) -> Json:
        if uri not in self._documents:
            name = uri.removeprefix(PREFIX)
            path = os.path.join(self._folder, f"{name}.json")
            if name == uri or os.sep in name or not exists(path):
                raise KeyError(uri)
            document = _read(path)
            if document.get("$id") != uri:
                raise ConfigError(f"{path}: its '$id' is not {uri}", _REMEDY)
            self._documents[uri] = document
        return self._documents[uri]

    def __iter__(self) -> Iterator[str]:
        try:
            files = sorted(os.listdir(self._folder))
        except OSError as error:
            raise ConfigError(f"{self._folder}: {error.strerror}", "install mgit-hooks again") from error
        return iter([PREFIX + file.removesuffix(".json") for file in files if file.endswith(".json")])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def load(folder: str | None = None) -> Schemas:
    """Our schemas, or those of ``folder``.

    Using one raises ConfigError, with file and line, where it is not JSON or not the one it should be.
    """
    folder = folder or schemas_dir()
    if folder not in _loaded:
        _loaded[folder] = Schemas(_Folder(folder))
    return _loaded[folder]


def path(uri: str) -> str:
    """The file of one of ours."""
    return os.path.join(schemas_dir(), f"{uri.removeprefix(PREFIX)}.json")


def names(folder: str | None = None) -> list[str]:
    """``commit.basic``, ``config`` and so on, as ``schema`` lists them."""
    return [uri.removeprefix(PREFIX) for uri in load(folder).documents]


def _read(path: str) -> Json:
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "install mgit-hooks again") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}:{error.colno}: {error.msg}", _REMEDY) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}", _REMEDY) from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not a schema", _REMEDY)
    return document
