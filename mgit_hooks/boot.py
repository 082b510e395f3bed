"""What a stub starts, by path: ``python -I boot.py gate STAGE PID.STARTED -- ARGS`` or ``... drain ARGS``.

It is compiled anew each time, being a script: so it is short, and what it calls is imported.
"""

import os
import sys

PATIENCE = 2.0
"""Seconds that a drain waits for a push to end before it loads anything: what comes of the push is then told at once,
and the push has the machine to itself."""


def main(arguments: list[str]) -> int:
    # -I leaves out the script's folder; an installed package is on the path already.
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if home not in sys.path:
        sys.path.insert(0, home)
    if arguments[0] == "gate":
        return _gate(arguments[1], arguments[2], arguments[4:])
    return _drain(arguments[1:])


def _gate(stage: str, git: str, arguments: list[str]) -> int:
    """A gate that fails must not pass for one that let through: where the policy may refuse, git stops."""
    try:
        from mgit_hooks.operation import HOOK, Operation

        with Operation(HOOK, f"gate.{stage}") as operation:
            operation.code = _judged(stage, git, arguments)
        return operation.code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        armed = os.environ.get("MGIT_GATE_WAS") == "a"
        effect = "git stops here" if armed else "git goes on"
        print(
            f"mgit-hooks: {stage} was not judged, {effect}: {_words(error)}\n"
            "hint: run 'mgit-hooks doctor'; once without the gate: MGIT=0 git ..., or git ... --no-verify",
            file=sys.stderr,
        )
        return 1 if armed else 0


def _judged(stage: str, git: str, arguments: list[str]) -> int:
    if _is_quickly_clean(stage, git, arguments):
        return 0
    from mgit_hooks.gatekeeper import gate

    return gate.main(stage, git, arguments)


def _is_quickly_clean(stage: str, git: str, arguments: list[str]) -> bool:
    try:
        from mgit_hooks.gatekeeper import quick

        return quick.main(stage, git, arguments) == 0
    except Exception:
        return False  # the gate's answer counts, and it can say what is wrong


def _drain(arguments: list[str]) -> int:
    """It runs where nobody reads what it prints, and writes its own log; the spool waits for the next one."""
    try:
        if hasattr(os, "nice"):
            os.nice(10)
        if "--after" in arguments:
            from mgit_hooks.recorder.alive import wait_for_end

            wait_for_end(arguments[arguments.index("--after") + 1], PATIENCE)
        from mgit_hooks.operation import DRAIN, Operation
        from mgit_hooks.recorder import drain

        with Operation(DRAIN, "drain") as operation:
            operation.code = drain.main(arguments)
        return operation.code
    except Exception:
        return 1


def _words(error: Exception) -> str:
    """The error on one line. What would make it fit for a terminal may be what failed to import."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    try:
        from mgit_hooks.credentials import strip
        from mgit_hooks.display import escape

        return escape(strip(text))
    except Exception:
        return ascii(text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
