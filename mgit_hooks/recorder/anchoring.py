"""The anchor that a drain writes after its records, where the configuration asks for it."""

from __future__ import annotations

from mgit_hooks import dates, log
from mgit_hooks.errors import MgitError, reason
from mgit_hooks.git import anchorref
from mgit_hooks.journal import anchors
from mgit_hooks.judging.config import Config
from mgit_hooks.layout import Location


def anchor(location: Location, config: Config) -> None:
    """Anchor what was just recorded. A failure is logged: what is recorded is recorded without it."""
    if config.anchor != "ref":
        return
    try:
        anchorref.write(location.common_dir, anchors.of_head(location.journal_dir, dates.now()))
    except (MgitError, OSError) as error:
        log.warning(location.mgit_dir, "the journal's head was not anchored", error=reason(error))
