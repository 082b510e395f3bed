"""The Python that the stubs start: does it start, and does it find us?"""

from __future__ import annotations

import os

from mgit_hooks.git import plumbing


def trouble(python: str, boot: str) -> str | None:
    """Why the stubs cannot start Python; None where they can."""
    for path, able in ((python, os.X_OK), (boot, os.R_OK)):
        if not os.access(path, able):
            return f"the hooks start {path}, which is gone"
    import subprocess

    home = os.path.dirname(os.path.dirname(boot))
    code = "import sys; sys.path.insert(0, sys.argv[1]); import mgit_hooks.gatekeeper.gate, mgit_hooks.recorder.drain"
    env = plumbing.without_local(os.environ)
    done = subprocess.run([python, "-I", "-c", code, home], env=env, capture_output=True, check=False)
    if done.returncode == 0:
        return None
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"{python} cannot load mgit-hooks: {said[-1] if said else f'it ends with {done.returncode}'}"
