"""Side by side with the hook managers of a team, in any order, and after any of them has gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Repo
from gated import RULES, Gated
from neighbours import MANAGERS, Team, team_of

from mgit_hooks.installer import front, hookfiles
from mgit_hooks.installer.diagnosis import diagnose
from mgit_hooks.installer.install import install, uninstall
from mgit_hooks.recorder import spool


class Side(Gated):
    """A team's repository, in which one person has our hooks as well: armed, with a drain when the test says so."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.repo = team.repo
        self.path = team.repo.path
        self.every = False
        Path(self.path, ".git", "rules.toml").write_text(RULES)
        self.repo.git("config", "mgit.rules", str(Path(self.path, ".git", "rules.toml")))

    def ours(self) -> None:
        """As their README says: the plain command, and where that is refused, the one that it names."""
        location = self.location
        install(location, in_front=self.team.manager.name == "husky")
        self.mark(self.path)

    def theirs(self) -> None:
        self.team.install()

    def mend(self) -> None:
        """What a person does who has seen what ``status`` says."""
        for outcome in diagnose(self.location):
            for finding in outcome.findings:
                if outcome.check == "hooks" and finding.severity == "fault":
                    assert finding.mend is not None, finding
                    finding.mend()

    def state(self, hook: str) -> str:
        return hookfiles.inspect(hookfiles.hooks_dir(self.location), hook).state


def ours_left(side: Side) -> list[str]:
    """What of ours is still in the repository, but for what was recorded."""
    git_dir = Path(side.path, ".git")
    config = (git_dir / "config").read_text().replace(f"rules = {git_dir}/rules.toml", "")
    left = [path.name for path in (git_dir / "hooks").iterdir() if "mgit" in path.name or b"mgit" in path.read_bytes()]
    return left + ["config"] * ("mgit-hooks" in config) + ["folder"] * Path(front.folder(side.location)).exists()


COMMITTED = ["pre-commit", "commit-msg", "post-commit"]


def both_work(side: Side) -> None:
    """Each job of theirs runs exactly once, and so does each hook of ours; what either says counts."""
    team, git = side.team, side.git
    before = side.all()
    team.ran()

    def judged(subject: str, *options: str) -> list[str]:
        side.write("file", f"{subject}\n")
        git("add", "file")
        git("commit", "-m", subject, *options)
        return team.ran()

    assert judged("one") == COMMITTED
    assert judged("uno", "--amend") == COMMITTED
    head = side.head()
    side.write("bad")
    git("add", "bad")
    side.fails("commit", "-m", "theirs")
    assert team.ran() == ["pre-commit"]
    git("rm", "-q", "-f", "bad")
    side.write("file", "more\n")
    git("add", "file")
    assert "Keep it short." in side.fails("commit", "-m", "a subject that is too long")
    assert team.ran() == ["pre-commit", "commit-msg"]
    assert side.head() == head
    assert judged("around", "-n") == ["post-commit"]
    git("push", "-q", "remote", "HEAD:refs/heads/main", "--force")
    assert team.ran() == ["pre-push"]
    new = side.all()[len(before) :]
    told = [f"{r.event} {r.commit.message.strip() if r.commit else ''} {r.gate.status}" for r in new]
    assert sorted(line for line in told if "skipped" not in line) == sorted(
        ("commit one passed", "amend uno passed", "refused  refused", "commit around bypassed", "push  passed",
         "push-outcome  none")
    )  # fmt: skip
    side.check()


def ours_alone(side: Side) -> None:
    side.team.ran()
    before = len(side.all())
    side.write("file", "alone\n")
    side.git("add", "file")
    side.git("commit", "-m", "alone")
    side.write("bad")
    side.git("add", "bad")
    side.git("commit", "-m", "with bad")
    side.fails("commit", "--allow-empty", "-m", "a subject that is too long")
    side.git("rm", "-q", "bad")
    assert side.team.ran() == []
    told = [f"{r.event} {r.gate.status}" for r in side.all()[before:]]
    assert told == ["commit passed", "commit passed", "refused refused"]


def theirs_alone(side: Side) -> None:
    side.drain()
    side.team.ran()
    before = spool.read(side.location.spool_dir, None).events
    side.write("file", "theirs\n")
    side.git("add", "file")
    side.git("commit", "-m", "a subject that is too long")
    assert side.team.ran() == COMMITTED
    side.write("bad")
    side.git("add", "bad")
    side.fails("commit", "-m", "theirs")
    assert side.team.ran() == ["pre-commit"]
    side.git("rm", "-q", "-f", "bad")
    assert spool.read(side.location.spool_dir, None).events == before


# By name, the installs in their order. The first two show everything; the others what comes back to haunt.
ORDERS = {"ours, theirs": "ot", "theirs, ours": "to", "theirs, ours, theirs": "tot", "ours, theirs, ours": "oto"}


def cell(repo: Repo, bare: Repo, factory: pytest.TempPathFactory, name: str, order: str, leaver: str) -> None:
    side = Side(team_of(repo, name, factory))
    repo.git("remote", "add", "remote", bare.path)
    for turn in order:
        (side.ours if turn == "o" else side.theirs)()
    side.mend()
    both_work(side)
    if leaver == "t":
        side.team.uninstall()
        side.mend()
        ours_alone(side)
    else:
        uninstall(side.location)
        theirs_alone(side)
        assert ours_left(side) == []


@pytest.mark.parametrize("name", MANAGERS)
@pytest.mark.parametrize(("order", "leaver"), [("ot", "o"), ("to", "t")])
def test_in_either_order_and_after_either_has_gone(
    repo: Repo, bare: Repo, tmp_path_factory: pytest.TempPathFactory, name: str, order: str, leaver: str
) -> None:
    cell(repo, bare, tmp_path_factory, name, order, leaver)
