"""Whether what operations cost is within the thresholds that the user has set (docs/monitoring.md)."""

from __future__ import annotations

from collections.abc import Iterator

from mgit_hooks.installer.findings import Finding
from mgit_hooks.layout import Location


def check(location: Location) -> Iterator[Finding]:
    from mgit_hooks.metrics import alerts

    # The check of the journal has read all of it: damage is told there.
    given = [each for each in alerts.thresholds(location.git_dir) if each.name != alerts.DAMAGE]
    if given:
        from mgit_hooks.metrics import figures, folded

        with folded.opened(location.mgit_dir) as store:
            found = [] if store is None else figures.of(store.noted())
        for alert in alerts.beyond(given, found, location):
            yield Finding("remark", alert.message, "see 'mgit-hooks stats --detailed'")
