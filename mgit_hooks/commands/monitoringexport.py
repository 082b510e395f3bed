"""``monitoring export``: operations as spans of OpenTelemetry, each sent once."""

from __future__ import annotations

import argparse

from mgit_hooks.commands.stats import remark
from mgit_hooks.errors import MgitError
from mgit_hooks.metrics import places
from mgit_hooks.output import Output
from mgit_hooks.report import counted


class NotTakenError(MgitError):
    """Whoever the operations were sent to has not taken them."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--console", action="store_true", help="print the spans (default: OTLP over HTTP, as OTEL_EXPORTER_OTLP_… say)"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    from mgit_hooks.metrics import traces

    sent = 0
    with places.opened(args.directory) as found:
        remark(found, out)
        to = traces.exporter(console=args.console)
        try:
            for place in found:
                done = traces.send(place.store, to)
                sent += done.sent
                if done.left:
                    raise NotTakenError(
                        f"{counted(done.left, 'operation')} could not be sent, {sent} could",
                        "see that OTEL_EXPORTER_OTLP_ENDPOINT names a collector that runs, and send them again",
                    )
        finally:
            to.shutdown()
    if out.as_json and not args.console:
        out.json({"sent": sent})
    else:
        out.note(f"mgit-hooks: {counted(sent, 'operation')} sent")
    return 0
