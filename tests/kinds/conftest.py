"""One repository of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Repo

from kinds.gits import second_git
from kinds.making import KINDS, Kind


class Made:
    """``name`` and ``kind`` as in KINDS."""

    def __init__(self, name: str, repo: Repo) -> None:
        self.name = name
        self.kind: Kind = KINDS[name]
        self.repo = repo

    @property
    def git_dir(self) -> str:
        return self.repo.git("rev-parse", "--path-format=absolute", "--git-common-dir")


@pytest.fixture(params=list(KINDS))
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    name: str = request.param
    if KINDS[name].second_git:
        second_git().use(monkeypatch, tmp_path)
    return Made(name, KINDS[name].make(tmp_path))
