"""A recorded repository with the real gate, armed, and no drain but those that a test asks for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from recording import Recording

from mgit_hooks.installer.install import boot_path, install
from mgit_hooks.layout import locate

RULES = """
[[rules]]
id = "short"
strategy = "abort"
message = "Keep it short."
schema.properties.commit.properties.message.maxLength = 12
"""


class Gated(Recording):
    """With the real gate, armed; the stubs start no drain."""

    def install(self, path: str) -> None:
        install(locate(path), python=sys.executable, boot=boot_path())
        Path(path, ".git", "rules.toml").write_text(RULES)
        self.repo.git("config", "mgit.rules", str(Path(path, ".git", "rules.toml")))
        self.mark(path)

    def mark(self, path: str) -> None:
        Path(path, ".git", "mgit", "draining").write_text(str(os.getpid()))

    def drain(self) -> int:
        done = super().drain()
        self.mark(self.path)
        return done
