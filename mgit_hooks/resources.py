"""Where the sh stubs and the JSON Schemas are: inside the installed package, or at the top of the checkout."""

from __future__ import annotations

import os

from mgit_hooks.files import is_folder

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def hooks_dir() -> str:
    return _find("hooks")


def schemas_dir() -> str:
    return _find("schemas")


def _find(name: str) -> str:
    packaged = os.path.join(_PACKAGE, f"_{name}")
    if is_folder(packaged):
        return packaged
    # An editable install runs from the checkout, where both stand beside the package (see setup.cfg).
    return os.path.join(os.path.dirname(_PACKAGE), name)
