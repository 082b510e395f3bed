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
        from mgit_hooks.metrics import folded
        from mgit_hooks.metrics.figures import of

        with folded.opened(location.mgit_dir) as store:
            found = [] if store is None else of(store.noted())
        counted = {figures.name for figures in found}
        for each in given:
            if found and each.operation is not None and each.operation not in counted:
                message = f"{each.key} is for '{each.operation}', which never ran here"
                yield Finding("remark", message, "see 'mgit-hooks stats' for the names of what has run")
        for alert in alerts.beyond(given, found, location):
            yield Finding("remark", alert.message, "see 'mgit-hooks stats --detailed'")
