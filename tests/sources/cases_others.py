"""Programs that are not git, and git without our hooks."""

from __future__ import annotations

import os
import shutil

from conftest import Repo

from .scene import Scene, case

_LIBGIT2 = """
import pygit2
repo = pygit2.Repository(".")
who = pygit2.Signature("Ada Lovelace", "ada@example.org")
tip = repo.head.target
oid = repo.create_commit("HEAD", who, who, "by libgit2\\n", repo[tip].tree_id, [tip])
repo.create_branch("made", repo[oid])
repo.create_commit("refs/heads/made", who, who, "on a branch\\n", repo[tip].tree_id, [oid])
repo.create_tag("tagged", oid, pygit2.enums.ObjectType.COMMIT, who, "A tag\\n")
repo.reset(oid, pygit2.enums.ResetMode.HARD)
repo.references.delete("refs/heads/gone")
"""
_DULWICH = """
from dulwich import porcelain
porcelain.commit(".", message=b"by dulwich", author=b"Ada <a@example.org>", committer=b"Ada <a@example.org>")
porcelain.branch_create(".", "made")
porcelain.tag_create(".", "tagged")
porcelain.branch_delete(".", "gone")
"""


@case("libgit2 (pygit2)", made="commit reconcile: by libgit2, on a branch")
def _(w: Scene) -> None:
    w.commit("one")
    w.git("branch", "gone")
    w.begin()
    w.python(_LIBGIT2)


@case("dulwich", made="commit hook: by dulwich", needs=("dulwich",))
def _(w: Scene) -> None:
    w.commit("one")
    w.git("branch", "gone")
    w.begin()
    w.python(_DULWICH)


@case("a GUI: `git` by its full path, an empty `PATH`, a bare environment", made="commit hook: by a GUI, again")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    git = shutil.which("git")
    assert git is not None
    kept = ("GIT_EXEC_PATH", "GIT_TEMPLATE_DIR")
    env = {"HOME": os.environ["HOME"], **{name: os.environ[name] for name in kept if name in os.environ}}
    # A git that is not where it was built to be starts another git, or none, for maintenance, with hooks or without.
    who = ("-c", "user.name=Ada", "-c", "user.email=a@example.org", "-c", "maintenance.auto=false")
    for path in ({"PATH": ""}, {}):
        _bare(w, {**env, **path}, git, *who, "commit", "-q", "--allow-empty", "-m", "again" if not path else "by a GUI")
    _bare(w, env, git, *who, "checkout", "-q", "-b", "from-a-gui")


def _bare(w: Scene, env: dict[str, str], *command: str) -> None:
    import subprocess

    done = subprocess.run(command, cwd=w.path, env=env, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    w._ended()


@case("`core.hooksPath=/dev/null`", made="commit reconcile: unseen; amend reconcile: unseen; merge reconcile: joined")
def _(w: Scene) -> None:
    w.fork()
    w.begin()
    silent = ("-c", "core.hooksPath=/dev/null")
    w.git(*silent, "commit", "-q", "--allow-empty", "-m", "unseen")
    w.git(*silent, "commit", "-q", "--amend", "--allow-empty", "-m", "unseen", "--date", "2001-01-01T00:00:00")
    w.git(*silent, "merge", "-q", "-m", "joined", "topic")
    w.git(*silent, "checkout", "-q", "-b", "other")


@case("`git rebase` under `core.hooksPath=/dev/null`", made="rebase reconcile: theirs, theirs too")
def _(w: Scene) -> None:
    w.fork()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.git("-c", "core.hooksPath=/dev/null", "rebase", "-q", "main")


@case("hooks that are not executable", made="commit reconcile: unseen")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    os.chmod(f"{w.path}/.git/hooks/post-commit", 0o644)
    w.git("commit", "-q", "--allow-empty", "-m", "unseen")


@case("a commit of another user's git in the same repository", made="commit hook: shared")
def _(w: Scene) -> None:
    w.commit("one")
    w.begin()
    Repo(w.folder / "repo").commit("shared", GIT_COMMITTER_NAME="Grace", GIT_AUTHOR_NAME="Grace")
    w.drain()


@case(
    "under a reflog action of one's own (`GIT_REFLOG_ACTION`)",
    made="commit hook: one more; rebase hook: theirs, theirs too",
)
def _(w: Scene) -> None:
    w.fork()
    w.git("checkout", "-q", "topic")
    w.begin()
    w.git("checkout", "-q", "main")
    w.git("commit", "-q", "--allow-empty", "-m", "one more", GIT_REFLOG_ACTION="my tool")
    w.git("rebase", "-q", "main", "topic", GIT_REFLOG_ACTION="my tool")
