"""What an open gate hangs on, once more as a folder of names: sh lists it at once.

A shell reads a file byte by byte, a call to the system each. In the folder stands an empty file for each one that the
flag names, ``=PATH``, ``+PATH`` or ``-PATH`` as there, with ``%`` for each ``/``. The folder's time is that of the
evaluation, as the flag's. It stands only where the flag says open; without it stubs read the flag.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from mgit_hooks.files import create, is_folder, is_link, remove_folder
from mgit_hooks.layout import make_private_dir

# Beside what stands for "/", what the shell would take for a pattern; and on Windows a name holds none of the others.
_UNFIT: Final = frozenset('%*?[]\\\n:"<>|')
_LONGEST: Final = 255  # bytes of a name


def put(folder: str, names: Sequence[str], dated: float) -> None:
    """``names``, as the lines of the flag are, into ``folder``, which is not there; dated ``dated`` (s since 1970).

    Nothing where one of them cannot be told so. Raises OSError.
    """
    if not all(map(_fits, names)):
        return
    made = f"{folder}.{os.getpid()}.new"
    make_private_dir(os.path.dirname(folder))
    remove_folder(made)  # a kill's
    os.mkdir(made, 0o700)
    try:
        for name in names:
            os.close(create(os.path.join(made, name.replace("/", "%"))))
        os.utime(made, (dated, dated))
        # Whole or not at all. Where another process has put its own meanwhile, that one stands: it has its own date.
        os.rename(made, folder)
    except OSError:
        remove_folder(made)
        raise


def take_away(folder: str) -> None:
    """Before the flag says anything else. Raises OSError.

    All at once: a stub that finds some of the names would take them for all.
    """
    going = f"{folder}.{os.getpid()}.old"
    with suppress(FileNotFoundError, NotADirectoryError):
        os.rename(folder, going)
        if is_folder(going) and not is_link(going):
            remove_folder(going)
        else:
            os.unlink(going)


def _fits(name: str) -> bool:
    return name[1:2] == "/" and name[-1] != "/" and _UNFIT.isdisjoint(name) and len(os.fsencode(name)) <= _LONGEST
