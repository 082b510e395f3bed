"""A file's bytes kept as they are, before recovery replaces it: ``cp`` brings them back."""

from __future__ import annotations

import os

from mgit_hooks.changesets.names import escaped
from mgit_hooks.files import replacing
from mgit_hooks.layout import make_private_dir
from mgit_hooks.record import Action


def save(folder: str, name: str, content: bytes) -> Action:
    """Keep the bytes of a collection's file in ``folder``/checkpoints; the same bytes have the same file."""
    from hashlib import sha256

    place = os.path.join(folder, "checkpoints")
    path = os.path.join(place, f"{escaped(name)}-{sha256(content).hexdigest()[:16]}.mgitc")
    try:
        make_private_dir(place)
        with replacing(path, alone=False) as file:  # who recovers the same file at the same time keeps the same copy
            file.write(content)
    except OSError as error:
        return Action("checkpoint_failed", "no copy could be saved: nothing was changed", False, str(error))
    return Action("checkpoint_created", f"saved a copy of '{name}'", True, None, {"checkpoint_path": path})
