"""Pushes with the real git, over every transport, and what is on record of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import Repo
from recording import Recording

from mgit_hooks.record import Push, Record
from mgit_hooks.recorder import pushing

# What GIT_SSH_COMMAND runs in the place of ssh: its last argument is the command for the other side.
SSH = '#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n'
DYING = "#!/bin/sh\nexit 255\n"


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def hook(repo: Repo, name: str, text: str) -> Path:
    folder = Path(repo.git("rev-parse", "--path-format=absolute", "--git-path", "hooks"))
    folder.mkdir(exist_ok=True)
    return Path(script(folder / name, f"#!/bin/sh\n{text}\n"))


def told(work: Recording) -> list[Push]:
    """Every push on record, oldest first, with what its outcome records say."""
    found = work.records()
    return [
        pushing.folded(record.push, [said.push for said in found if said.push and _of(said) == record.seq])
        for record in found
        if record.event == "push" and record.push is not None
    ]


def _of(record: Record) -> object:
    return (record.detail or {}).get("push") if record.event == "push-outcome" else None


def outcomes(work: Recording) -> list[dict[str, bool | None]]:
    """Of every push, oldest first: each remote ref and whether it is confirmed."""
    return [{ref.remote_ref: ref.confirmed for ref in push.refs} for push in told(work)]


def second_clone(bare: Repo, path: Path) -> Repo:
    subprocess.run(["git", "clone", "-q", bare.path, str(path)], check=True, capture_output=True)
    return Repo(path)


def serve_http(folder: str) -> subprocess.Popen[bytes]:
    """git http-backend behind Python's own server; its port is the first line that it prints."""
    server = Path(__file__).parent / "httpserver.py"
    return subprocess.Popen(
        [sys.executable, str(server), folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
