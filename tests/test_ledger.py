"""What the gate is said to have said, of commits that the real git made with the real hooks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Repo
from gated import Gated
from kinds.gits import second_git

from mgit_hooks.recorder import alive, event, spool

TODO = "GIT_SEQUENCE_EDITOR"


@pytest.fixture
def work(repo: Repo) -> Gated:
    repo.commit("base", {"clash": "base\n"})
    return Gated(repo)


def states(work: Gated) -> dict[str, str]:
    """By the subjects of the commits on record that were made here, their states in the order of the records."""
    told: dict[str, list[str]] = {}
    for record in work.records():
        if record.commit is not None and record.event != "import":
            told.setdefault(record.commit.message.partition("\n")[0], []).append(record.gate.status)
    return {subject: " ".join(found) for subject, found in told.items()}


def clash(work: Gated) -> None:
    """``ours`` on main and ``theirs`` on side, which do not go together. HEAD is on main."""
    work.git("branch", "side")
    for branch, subject in (("main", "ours"), ("side", "theirs")):
        work.git("checkout", "-q", branch)
        work.write("clash", f"{subject}\n")
        work.git("commit", "-q", "-a", "-m", subject)
    work.git("checkout", "-q", "main")


def resolve(work: Gated) -> None:
    work.write("clash", "both\n")
    work.git("add", "clash")


def plain(work: Gated) -> None:
    work.commit("judged")
    work.commit("around", "-n", "--allow-empty")
    work.commit("skipped", "--allow-empty", MGIT="0")
    work.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "unseen")
    work.fails("commit", "-q", "--allow-empty", "-m", "a subject that is too long")
    work.commit("refused", "-n", "--allow-empty")


def aborted_editor(work: Gated) -> None:
    work.fails("commit", "-q", "--allow-empty", GIT_EDITOR="false")
    work.commit("after", "-n", "--allow-empty")


def forged_reflog(work: Gated) -> None:
    for action in ("rebase (pick)", "cherry-pick", "revert", "merge x"):
        work.commit(action[:9], "-n", "--allow-empty", GIT_REFLOG_ACTION=action)


def claimed_rebase(work: Gated) -> None:
    """Without any hook there is only the reflog's word, and no rebase had begun."""
    work.git(
        "-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "claimed",
        GIT_REFLOG_ACTION="rebase (pick)",
    )  # fmt: skip
    work.commit("one")
    later = {"GIT_COMMITTER_DATE": "@2000000000 +0000"}
    work.git("-c", "core.hooksPath=/dev/null", "rebase", "-q", "--no-ff", "HEAD~1", **later)
    work.git(
        "-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "after",
        GIT_REFLOG_ACTION="rebase (pick)",
    )  # fmt: skip


def fixups_under_an_action(work: Gated) -> None:
    """git logs them under that name, and has post-rewrite call them amends."""
    work.commit("one")
    work.write("more", "more\n")
    work.git("add", "more")
    work.git("commit", "-q", "--fixup", "HEAD")
    work.commit("two")
    squash = {"GIT_SEQUENCE_EDITOR": "true", "GIT_REFLOG_ACTION": "merge x"}
    work.git("rebase", "-q", "-i", "--autosquash", "HEAD~3", **squash)


def begun_under_an_action(work: Gated) -> None:
    """Begun under that name, gone on with under git's own, and given up: nothing is told but by the reflog."""
    for subject in ("one", "two", "three"):
        work.commit(subject)
    stops = "sed -i -e '1s/^pick/edit/' -e '3s/^pick/edit/'"
    work.git("rebase", "-q", "-i", "HEAD~3", GIT_SEQUENCE_EDITOR=stops, GIT_REFLOG_ACTION="am")
    work.git("commit", "-q", "--amend", "-m", "one!")
    work.git("rebase", "--continue", GIT_EDITOR="true")
    work.git("rebase", "--abort")
    work.git(
        "-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "after",
        GIT_REFLOG_ACTION="rebase (pick)",
    )  # fmt: skip


def by_alias(work: Gated) -> None:
    work.git("config", "alias.ci", "commit")
    work.git("ci", "-q", "--allow-empty", "-m", "judged")
    work.git("ci", "-q", "--allow-empty", "-n", "-m", "around", GIT_REFLOG_ACTION="cherry-pick")


def amends(work: Gated) -> None:
    when = {"GIT_AUTHOR_DATE": "@1800000000 +0000", "GIT_COMMITTER_DATE": "@1800000000 +0000"}
    work.commit("one", "--allow-empty", **when)
    work.git("commit", "-q", "--amend", "--allow-empty", "-n", "-m", "two", **when)
    work.git("commit", "-q", "--amend", "--allow-empty", "-m", "three", **when)
    work.git("commit", "-q", "--amend", "--allow-empty", "-n", "-m", "four", **when)


def unchanged_amend(work: Gated) -> None:
    """It makes the very commit that was there, around the gate: that one was judged."""
    when = {"GIT_AUTHOR_DATE": "@1800000000 +0000", "GIT_COMMITTER_DATE": "@1800000000 +0000"}
    work.commit("judged", "--allow-empty", **when)
    work.git("commit", "-q", "--amend", "--allow-empty", "-n", "--no-edit", **when)
    work.commit("around", "-n", "--allow-empty", **when)
    work.git("commit", "-q", "--amend", "--allow-empty", "--no-edit", **when)


def merges(work: Gated) -> None:
    work.git("checkout", "-q", "-b", "side")
    work.commit("side")
    work.git("checkout", "-q", "main")
    work.git("merge", "-q", "--no-ff", "-m", "true", "side")
    work.git("checkout", "-q", "-b", "other", "main~1")
    work.git("merge", "-q", "--no-ff", "--no-verify", "-m", "around", "side")
    work.git("checkout", "-q", "-b", "third", "main~1")
    work.git("-c", "core.hooksPath=/dev/null", "merge", "-q", "--no-ff", "-m", "unseen", "side")
    work.git("checkout", "-q", "-b", "fourth", "main~1")
    work.git("merge", "-q", "third")  # forward, to a merge that no hook saw


def concluded(how: tuple[str, ...]) -> Callable[[Gated], None]:
    def merge(work: Gated) -> None:
        clash(work)
        work.fails("merge", "-q", "side")
        resolve(work)
        work.git(*how)

    return merge


def picks(work: Gated) -> None:
    work.git("checkout", "-q", "-b", "side")
    work.commit("one")
    work.commit("two")
    work.git("checkout", "-q", "main")
    work.git("cherry-pick", "side~1", GIT_COMMITTER_DATE="@2000000000 +0000")  # else, within a second, it is that one
    work.git("cherry-pick", "-e", "side", GIT_EDITOR="sed -i 's/two/second/'")
    work.git("revert", "--no-edit", "HEAD")
    work.git("revert", "-e", "HEAD", GIT_EDITOR="sed -i '1s/.*/again/'")


def picked_with_conflict(how: tuple[str, ...]) -> Callable[[Gated], None]:
    def pick(work: Gated) -> None:
        clash(work)
        work.fails("cherry-pick", "side")
        resolve(work)
        work.git(*how)

    return pick


def reworded(work: Gated) -> None:
    first = work.head()
    for name in ("one", "two", "three"):
        work.commit(name)
    editor = "sed -i '1s/$/!/'"
    todo = "sed -i -e '1s/^pick/reword/' -e '2s/^pick/edit/'"
    work.git("rebase", "-q", "-i", first, GIT_EDITOR=editor, **{TODO: todo})
    work.git("commit", "-q", "--amend", "-n", "-m", "two, around")
    work.git("commit", "-q", "--allow-empty", "-m", "between")
    work.git("revert", "--no-edit", "HEAD~1")
    work.git("rebase", "--continue")


def rebased_with_a_command(work: Gated) -> None:
    first = work.head()
    work.commit("one")
    work.git("rebase", "-q", "--exec", "git commit -q --amend -n -m around", first)
    work.git("rebase", "-q", "--exec", "git commit -q --amend -m judged", first)


def rebased_with_conflict(how: tuple[str, ...]) -> Callable[[Gated], None]:
    def rebase(work: Gated) -> None:
        clash(work)
        work.git("checkout", "-q", "side")
        work.fails("rebase", "main")
        resolve(work)
        work.git(*how, GIT_EDITOR="sed -i '1s/.*/both/'")
        if how[0] == "commit":
            work.git("rebase", "--continue")

    return rebase


def aborted_rebase(work: Gated) -> None:
    first = work.head()
    work.commit("one")
    work.commit("two")
    todo = "sed -i -e '1s/^pick/reword/' -e '2s/^pick/edit/'"
    later = {"GIT_COMMITTER_DATE": "@2000000000 +0000"}  # else, within a second, a pick is the commit that it picks
    work.git("rebase", "-q", "-i", "--no-ff", first, GIT_EDITOR="sed -i '1s/.*/first/'", **{TODO: todo}, **later)
    work.git("rebase", "--abort")


CLASH = {"ours": "passed", "theirs": "passed"}
SCENES: dict[str, tuple[Callable[[Gated], None], dict[str, str]]] = {
    "plain": (plain, {"judged": "passed", "around": "bypassed", "skipped": "skipped", "unseen": "unobserved",
                      "refused": "bypassed"}),
    "aborted editor": (aborted_editor, {"after": "bypassed"}),
    "forged reflog": (forged_reflog, dict.fromkeys(("rebase (p", "cherry-pi", "revert", "merge x"), "bypassed")),
    "claimed rebase": (claimed_rebase, {"claimed": "unobserved", "one": "passed none", "after": "unobserved"}),
    "fixups under an action": (fixups_under_an_action, {"one": "passed none", "fixup! one": "passed",
                                                        "two": "passed none"}),
    "rebase begun under an action": (begun_under_an_action, {"one": "passed", "one!": "passed", "two": "passed none",
                                                             "three": "passed none", "after": "unobserved"}),
    "alias": (by_alias, {"judged": "passed", "around": "bypassed"}),
    "amends in one second": (amends, {"one": "passed", "two": "bypassed", "three": "passed", "four": "bypassed"}),
    "amend that changes nothing": (unchanged_amend, {"judged": "passed", "around": "bypassed"}),
    "merges": (merges, {"side": "passed", "true": "passed", "around": "bypassed", "unseen": "unobserved"}),
    "merge concluded": (concluded(("commit", "-q", "-m", "both")), {**CLASH, "both": "passed"}),
    "merge concluded around": (concluded(("commit", "-q", "-n", "-m", "both")), {**CLASH, "both": "bypassed"}),
    "picks": (picks, {"one": "passed none", "two": "passed", "second": "none", 'Revert "second"': "none",
                      "again": "none"}),
    "pick continued": (picked_with_conflict(("cherry-pick", "--continue")), {**CLASH, "theirs": "passed passed"}),
    "pick concluded around": (picked_with_conflict(("commit", "-n", "-m", "both")), {**CLASH, "both": "bypassed"}),
    "reword": (reworded, {"one": "passed", "two": "passed none", "three": "passed none", "one!": "passed",
                          "two, around": "bypassed", "between": "passed", 'Revert "two, around"': "none"}),
    "exec": (rebased_with_a_command, {"one": "passed", "around": "bypassed", "judged": "passed"}),
    "rebase continued": (rebased_with_conflict(("rebase", "--continue")), {**CLASH, "both": "none"}),
    "rebase concluded": (rebased_with_conflict(("commit", "-q", "-m", "both")), {**CLASH, "both": "passed"}),
    "rebase concluded around": (rebased_with_conflict(("commit", "-n", "-m", "both")), {**CLASH, "both": "bypassed"}),
    "rebase aborted": (aborted_rebase, {"one": "passed none", "two": "passed none", "first": "passed"}),
}  # fmt: skip


@pytest.mark.parametrize("scene", SCENES)
def test_what_the_gate_said(work: Gated, scene: str) -> None:
    act, expected = SCENES[scene]
    act(work)
    told = states(work)
    assert {subject: told.get(subject) for subject in expected} == expected


class Between(NamedTuple):
    """A hook of a manager's, which goes on to ours: ``{mine}`` is our stub, ``{hook}`` its name."""

    name: str
    script: str


MANAGERS = [
    Between("a shell", '#!/bin/sh\n(sh -c \'"{mine}" "$@"; exit $?\' "{hook}" "$@")\n'),
    Between(
        "git hook run",
        '#!/bin/sh\nsh -c \'git -c core.hooksPath=.git/own hook run {hook} -- "$@"; exit $?\' "{hook}" "$@"\n',
    ),
]


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc to find git by")
@pytest.mark.parametrize("manager", MANAGERS, ids=lambda manager: manager.name)
def test_with_a_manager_in_between(work: Gated, manager: Between) -> None:
    hooks, own = Path(work.path, ".git", "hooks"), Path(work.path, ".git", "own")
    shutil.copytree(hooks, own)
    for hook in ("pre-commit", "commit-msg", "post-commit"):
        path = hooks / hook
        path.write_text(manager.script.format(mine=own / hook, hook=hook))
        path.chmod(0o755)
    work.commit("judged", "--allow-empty")
    work.commit("around", "-n", "--allow-empty")
    assert states(work) == {"judged": "passed", "around": "bypassed"}


def test_a_hook_that_speaks_after_the_drain_gave_up_is_heard(work: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain that finds the commit and not yet its hook's line says so; the next one knows better."""
    now = Path(work.path, ".git", "mgit", "spool", "now")
    work.commit("judged", "--allow-empty")
    work.commit("around", "-n", "--allow-empty")
    whole = now.read_bytes()
    kept = [line for line in whole.splitlines(keepends=True) if b"\tpost-commit\t" not in line]
    monkeypatch.setattr("mgit_hooks.recorder.gathering.is_alive", lambda process: True)
    now.write_bytes(b"".join(kept))
    assert states(work) == {"judged": "unobserved", "around": "unobserved"}
    with open(now, "ab") as file:
        file.write(b"".join(line for line in whole.splitlines(keepends=True) if line not in kept))
    assert states(work) == {"judged": "passed", "around": "bypassed"}


REUSE = """
round() { echo 700 >/proc/sys/kernel/ns_last_pid; }
cd "$1" || exit 9
round; GIT_EDITOR=false git commit -q --allow-empty 2>/dev/null && exit 8
sleep 0.03
round; git commit -q -n --allow-empty -m around
sleep 0.03
round; git commit -q --allow-empty -m judged
sleep 0.03
round; git commit -q -n --allow-empty --amend -m again
"""


def test_a_process_id_that_comes_round_is_another_process(work: Gated) -> None:
    """For real, in a namespace of process ids of its own, in which the next id is ours to set."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", REUSE, "sh", work.path]
    if shutil.which("unshare") is None or subprocess.run([*command[:4], "true"], capture_output=True).returncode:
        pytest.skip("no namespace of process ids may be made here: real reuse is not tried")
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    said = spool.read(work.location.spool_dir, None).events
    assert len({line.ppid for line in said}) == 1, "the process ids did not come round"
    assert len({line.process for line in said if line.started is not None}) == 4
    assert states(work) == {"around": "bypassed", "judged": "passed", "again": "bypassed"}


@pytest.mark.parametrize(
    ("second", "expected"),
    [(1001, {"first": "passed", "second": "bypassed"}), (1000, {"first": "passed", "second": "passed"})],
)
def test_lines_with_another_start_are_another_process(work: Gated, second: int, expected: dict[str, str]) -> None:
    """Real lines, given one process id: the start alone tells a verdict's process from the next commit's."""
    now = Path(work.path, ".git", "mgit", "spool", "now")
    work.commit("first", "--allow-empty")
    work.commit("second", "--allow-empty")
    lines = [event.parse(line) for line in now.read_bytes().splitlines()]
    others = sorted({line.process for line in lines}, key=lambda process: process.started or 0)
    judged = [line for line in lines if line.process == others[1] and line.hook == "gate"]
    replayed = [
        line._replace(ppid=77, started=second if line.process == others[1] and line not in judged else 1000)
        for line in lines
    ]
    now.write_bytes(b"".join(map(event.format, replayed)))
    assert states(work) == expected


def test_a_process_is_alive_while_it_is_the_one_that_began_then() -> None:
    began = alive.started(os.getpid())
    assert alive.is_alive(event.Process(os.getpid(), began))
    if began is not None:
        assert not alive.is_alive(event.Process(os.getpid(), began - 1))
    assert alive.is_alive(event.Process(os.getpid()))
    assert not alive.is_alive(event.Process(2**22 + 1, 5))


def test_in_a_reftable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a second git, which writes refs where no builtin of the stub's can read them."""
    second_git().use(monkeypatch, tmp_path)
    subprocess.run(["git", "init", "-q", "-b", "main", "--ref-format=reftable", tmp_path / "repo"], check=True)
    repo = Repo(tmp_path / "repo")
    repo.commit("base")
    work = Gated(repo)
    for subject, how in (("judged", ()), ("around", ("-n",))):
        work.git("commit", "-q", "--allow-empty", *how, "-m", subject)
    assert states(work) == {"judged": "passed", "around": "bypassed"}
