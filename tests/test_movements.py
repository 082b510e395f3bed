"""Reflogs become movements: one act of git is one movement, in an order that each reflog agrees with."""

from __future__ import annotations

import time

from conftest import Repo
from hypothesis import given
from hypothesis import strategies as st

from mgit_hooks.git.reflog import Entry
from mgit_hooks.record import Oid
from mgit_hooks.recorder import looking, movements
from mgit_hooks.recorder.looking import Look
from mgit_hooks.recorder.movements import Movement, Reading
from mgit_hooks.recorder.state import EMPTY, State, of_places
from mgit_hooks.recorder.watch import FILES

HERE, THERE = "main-worktree", "worktrees/w"


def oid(letter: str) -> Oid | None:
    return None if letter == "-" else Oid(letter * 40)


def entry(ref: str, move: str, seconds: int, message: str = "x", worktree: str | None = None) -> Entry:
    return Entry(ref, worktree if ref == "HEAD" else None, oid(move[0]), oid(move[1]), seconds, "+0000", message, 1)


def head(move: str, seconds: int, message: str = "x", worktree: str = HERE) -> Entry:
    return entry("HEAD", move, seconds, message, worktree)


def main(move: str, seconds: int, message: str = "x") -> Entry:
    return entry("refs/heads/main", move, seconds, message)


def told(*logs: list[Entry]) -> list[str]:
    return [
        f"{(m.old_oid or '-')[0]}{(m.new_oid or '-')[0]} {'+'.join(r.name for r in m.refs)}"
        for m in movements._in_order(list(logs))
    ]


def test_a_commit_moves_head_and_its_branch() -> None:
    assert told([head("-a", 1), head("ab", 2)], [main("-a", 1), main("ab", 2)]) == [
        "-a HEAD+refs/heads/main",
        "ab HEAD+refs/heads/main",
    ]


def test_the_branch_of_a_movement() -> None:
    found = movements._in_order([[head("ab", 1)], [main("ab", 1)]])[0]
    assert (found.branch, found.worktree) == ("main", HERE)
    assert movements._in_order([[head("ab", 1)]])[0].branch is None


def test_what_is_not_one_act_stays_apart() -> None:
    assert told([head("ab", 1, "checkout: moving")], [main("ab", 1, "branch: Reset")]) == [
        "ab HEAD",
        "ab refs/heads/main",
    ]


def test_the_same_act_twice_in_a_second() -> None:
    logs = [head("ab", 1), head("ba", 1), head("ab", 1)], [main("ab", 1), main("ba", 1), main("ab", 1)]
    assert told(*logs) == ["ab HEAD+refs/heads/main", "ba HEAD+refs/heads/main", "ab HEAD+refs/heads/main"]


def test_a_second_in_which_another_moved_the_branch_before() -> None:
    """Of one second HEAD's entries would come first; the branch's reflog knows better."""
    assert told([head("bc", 1)], [main("ab", 1, "moved by another"), main("bc", 1)]) == [
        "ab refs/heads/main",
        "bc HEAD+refs/heads/main",
    ]


def test_a_clock_that_went_back() -> None:
    assert told([head("ab", 9), head("bc", 3)], [main("-a", 5)]) == ["-a refs/heads/main", "ab HEAD", "bc HEAD"]


def test_logs_that_contradict_each_other_are_told_all_the_same() -> None:
    here, there = [head("ab", 1), head("bc", 1)], [head("cd", 1, worktree=THERE), head("de", 1, worktree=THERE)]
    topic = [entry("refs/heads/topic", "bc", 1), entry("refs/heads/topic", "cd", 1)]
    found = movements._in_order([here, there, [main("de", 1), main("ab", 1)], topic])
    assert sorted(f"{m.old_oid[0]}{m.new_oid[0]}" for m in found if m.old_oid and m.new_oid) == ["ab", "bc", "cd", "de"]
    assert all(len(m.refs) == 2 for m in found)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.sampled_from("hmb")), max_size=14))
def test_each_reflog_keeps_its_order_and_nothing_is_lost(acts: list[tuple[str, int, str]]) -> None:
    here: list[Entry] = []
    branch: list[Entry] = []
    for number, (letter, seconds, logs) in enumerate(acts):
        move = f"{'abc'[number % 3]}{letter}"
        if logs in "hb":
            here.append(head(move, seconds))
        if logs in "mb":
            branch.append(main(move, seconds))
    found: list[Movement] = movements._in_order([log for log in (here, branch) if log])
    for name, log in (("HEAD", here), ("refs/heads/main", branch)):
        order = [(m.old_oid, m.new_oid) for movement in found for m in movement.refs if m.name == name]
        assert order == [(one.old_oid, one.new_oid) for one in log]


def test_credentials_are_left_out() -> None:
    found = movements._in_order([[head("ab", 1, "pull https://user:secret@host/x?token=secret: Fast-forward")]])[0]
    assert "secret" not in repr(found)


def unread(common: str, state: State = EMPTY, since: int = 0, tips: frozenset[Oid] = frozenset()) -> Reading:
    def see() -> Look:
        return looking.look(common, state, time.time_ns(), FILES)

    return movements.unread(common, state, see, since, tips)


def test_a_renamed_branch_does_not_tell_its_past_again(repo: Repo) -> None:
    first = repo.commit("one")
    repo.git("branch", "a")
    repo.git("branch", "-f", "a", "HEAD")
    before = unread(f"{repo.path}/.git")
    repo.git("branch", "-m", "a", "b")
    after = unread(f"{repo.path}/.git", of_places(before.places))
    assert [[(m.name, m.old_oid, m.new_oid) for m in movement.refs] for movement in after.movements] == [
        [("refs/heads/b", None, first)]
    ]


def test_a_reflog_is_read_from_its_place(repo: Repo) -> None:
    repo.commit("one")
    common = f"{repo.path}/.git"
    state = of_places(unread(common).places)
    assert unread(common, state).movements == []
    repo.commit("two")
    assert [movement.message for movement in unread(common, state).movements] == ["commit: two"]


def test_a_reflog_from_before_counts_only_since(repo: Repo) -> None:
    repo.commit("old", GIT_COMMITTER_DATE="1000000000 +0000")
    repo.commit("new", GIT_COMMITTER_DATE="1000000009 +0000")
    found = unread(f"{repo.path}/.git", since=1000000009).movements
    assert [movement.message for movement in found] == ["commit: new"]


def test_what_led_to_where_recording_began_is_from_before(repo: Repo) -> None:
    """Told again, a reflog's first entry would have the branch end and begin anew."""
    tip = repo.commit("old", GIT_COMMITTER_DATE="1000000009 +0000")
    repo.commit("new", GIT_COMMITTER_DATE="1000000009 +0000")
    found = unread(f"{repo.path}/.git", since=1000000009, tips=frozenset({Oid(tip)})).movements
    assert [movement.message for movement in found] == ["commit: new"]
