"""What stands there when a fault strikes, and what must hold after it, seen from outside.

A scene is made once and copied for each case. ``judge`` gives what is wrong after a case, in words; nothing is
right. It does not take the process's word: what was on file before, what the process said was recorded, and what a
second reader finds are held against each other, and then the operation is run again with the fault gone.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import recording
import second_reader
from conftest import Repo
from journal.making import append, payloads, put, segment_bytes

from faults import children
from faults.harness import HUNG, Bench, Ended
from mgit_hooks.installer import stubs
from mgit_hooks.installer.install import install
from mgit_hooks.journal import identity, reader, writer
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.layout import Location

Stored = tuple[int, str, bytes | None]


class Scene(NamedTuple):
    """``operation`` runs in a folder that ``make`` set up; ``ready`` mends what copying the folder broke."""

    name: str
    operation: tuple[str, ...]
    make: Callable[[Path], None]
    judge: Callable[[Bench, Ended], list[str]]


# The journal alone


def _journal(root: Path) -> str:
    return str(root / "mgit" / "journal")


def make_journal(root: Path) -> None:
    for start in range(0, 12, 4):
        append(_journal(root), payloads(12)[start : start + 4])


def make_none(root: Path) -> None:
    root.mkdir()


def judge_append(bench: Bench, ended: Ended) -> list[str]:
    """All that was on file or reported is there, with nothing else but what was to be appended, each once."""
    folder = _journal(bench.root)
    old = _read(str(bench.base / "template" / "mgit" / "journal"))
    wrong = _manners(ended, {0, 1})
    wrong += _held(folder, [*old, *_told(ended)])
    known = [payload for batch in children.batches() for payload in batch]
    wrong += _only_known(_read(folder)[len(old) :], known)
    if ended.status == 0 and len(_told(ended)) != len(known):
        wrong.append("it said that all is well, and reported less than all")
    after = bench.run("again")
    if after.status:
        return [*wrong, f"the next append failed: {after}"]
    wrong += _held(folder, [*old, *_told(ended), *_told(after)])
    wrong += _only_known(_read(folder)[len(old) :], [*known, children.payload(9, 0)])
    report = verify(folder)
    if not report.is_clean or report.torn_tail:
        wrong.append(f"not clean after the next append: {report}")
    return wrong


def _told(ended: Ended) -> list[Stored]:
    """What was reported: of the payload the beginning, which the id stands for."""
    found: list[Stored] = []
    for line in ended.out.splitlines():
        seq, id, payload = line.split(" ")
        found.append((int(seq), id, bytes.fromhex(payload)))
    return found


def _read(folder: str) -> list[Stored]:
    return second_reader.read(folder) if os.path.isdir(folder) else []


def _held(folder: str, reported: list[Stored]) -> list[str]:
    """What was reported is there; both readers say the same."""
    found = _read(folder)
    there = {each[:2]: each[2] or b"" for each in found}
    wrong = [f"LOST {each[:2]}" for each in reported if not there.get(each[:2], b"?").startswith(each[2] or b"")]
    ours = [(each.seq, each.id.hex(), each.payload) for each in reader.records(folder)] if found else found
    if ours != found:
        wrong.append("the two readers differ")
    if [each[0] for each in found] != list(range(1, len(found) + 1)):
        wrong.append(f"numbers {[each[0] for each in found]}")
    return wrong


def _only_known(found: list[Stored], known: list[bytes]) -> list[str]:
    """Nothing false, nothing twice, nothing out of order. What says that the folder was copied is ours too."""
    given = [each[2] for each in found if not (each[2] or b"").startswith(b'{"event": "adopted"')]
    wrong = [f"FALSE {payload!r}" for payload in given if payload not in known]
    places = [known.index(payload) for payload in given if payload in known]
    if places != sorted(set(places)):
        wrong.append(f"DOUBLED or out of order: {places}")
    return wrong


def _manners(ended: Ended, codes: set[int]) -> list[str]:
    """No hang, no traceback, no other exit code than it may have (or the kill's)."""
    wrong = []
    if ended.status == HUNG:
        wrong.append("it hung")
    elif ended.status not in codes | {-9}:
        wrong.append(f"exit code {ended.status}: {ended.err[-2000:]}")
    if "Traceback" in ended.err or "internal error" in ended.err:
        wrong.append(f"a traceback: {ended.err[-2000:]}")
    said = ended.err.splitlines()[-2:]  # before them there may be remarks
    if ended.status == 128 and [line.partition(": ")[0] for line in said] != ["mgit-hooks", "hint"]:
        wrong.append(f"not one line and one hint: {ended.err!r}")
    return wrong


# A repository


def _location(root: Path) -> Location:
    git_dir = str(root / "repo" / ".git")
    return Location(git_dir, git_dir, str(root / "repo"))


def _new_repository(root: Path) -> Repo:
    subprocess.run(["git", "init", "-q", "--template=", "-b", "main", str(root / "repo")], check=True)
    return Repo(root / "repo")


def make_waiting(root: Path) -> None:
    """Commits on record, and some that no drain has seen: two lines in the spool, three in the reflogs."""
    work = recording.Recording(_new_repository(root))
    work.commit("one")
    work.commit("two")
    work.drain()
    work.commit("three")
    work.git("branch", "side")
    work.commit("four")
    work.git("commit", "-q", "--amend", "-m", "five")


def make_damaged(root: Path) -> None:
    """A journal of four segments: a block damaged, a segment without header, no identity, a torn tail."""
    with _small_segments():
        work = recording.Recording(_new_repository(root))
        for number in range(4):
            work.commit(f"number {number}")
            work.drain()
    folder = work.location.journal_dir
    names = segment_names(folder)
    assert len(names) >= 4
    data = segment_bytes(folder)
    put(folder, names[1], data[names[1]][:-200] + b"\0" * 8 + data[names[1]][-192:])
    put(folder, names[2], b"\xff" + data[names[2]][1:])
    put(folder, names[-1], data[names[-1]] + data[names[-1]][:90])
    os.unlink(os.path.join(folder, "identity"))


class _small_segments:
    def __enter__(self) -> None:
        self._old = writer.SEGMENT_TARGET
        writer.SEGMENT_TARGET = 300  # type: ignore[misc]

    def __exit__(self, *_: object) -> None:
        writer.SEGMENT_TARGET = self._old  # type: ignore[misc]


def make_recorded(root: Path) -> None:
    """Four commits in sealed segments, one in the newest."""
    with _small_segments():
        work = recording.Recording(_new_repository(root))
        for number in range(4):
            work.commit(f"number {number}")
            work.drain()


def judge_compact(bench: Bench, ended: Ended) -> list[str]:
    """Every record is as it was; run again, all is packed."""
    location = _location(bench.root)
    old = _read(_location(bench.base / "template").journal_dir)
    wrong = _manners(ended, {0, 128}) + _untouched(bench)
    if _read(location.journal_dir) != old:
        wrong.append("LOST, false or doubled: the records are not what they were")
    after = bench.run("compact", "--json")
    if after.status or json.loads(bench.run("compact", "--json").out)["segments"]:
        wrong.append(f"compacting again does not end it: {after}")
    wrong += _held(location.journal_dir, old) + recording.faults(location)
    if left := [name for name in os.listdir(location.journal_dir) if name.endswith(".new")]:
        wrong.append(f"left behind: {left}")
    return wrong + _index_is_right(bench, location)


def judge_reading(bench: Bench, ended: Ended) -> list[str]:
    """A command that reads: it fails in words, or what it tells is true, and nothing is the worse for it."""
    location = _location(bench.root)
    old = _read(_location(bench.base / "template").journal_dir)
    wrong = _manners(ended, {0, 1, 128}) + _untouched(bench)
    wrong += _held(location.journal_dir, old)
    if ended.status == 0 and ended.out:
        told = [json.loads(line) for line in ended.out.splitlines()]
        first = told[0]
        if "damaged" in first and first["records"] != len(old):
            wrong.append(f"SILENT: verify finds nothing wrong with {first['records']} of {len(old)} records")
        if "seq" in first and len(told) < len(old) and "not recorded yet" not in ended.err:
            wrong.append(f"SILENT: told of {len(told)} of {len(old)} records")
    after = bench.run("verify")
    if after.status:
        wrong.append(f"verify: {after}")
    return wrong + _index_is_right(bench, location)


def judge_fill(bench: Bench, ended: Ended) -> list[str]:
    """What was reported before the disk was full is there; then there is room, and it goes on."""
    wrong = _manners(ended, {0, 1})
    old = _read(str(bench.base / "template" / "mgit" / "journal"))
    wrong += _held(_journal(bench.root), [*old, *_told(ended)])
    known = [children.filler(number) for number in range(400)]
    wrong += _only_known(_read(_journal(bench.root))[len(old) :], known)
    after = bench.run("again")
    if after.status:
        return [*wrong, f"the next append failed: {after}"]
    wrong += _held(_journal(bench.root), [*old, *_told(ended), *_told(after)])
    report = verify(_journal(bench.root))
    return wrong if report.is_clean and not report.torn_tail else [*wrong, f"not clean: {report}"]


def judge_drain(bench: Bench, ended: Ended) -> list[str]:
    """Each commit exactly once, whatever the drain that was struck has done of it."""
    location = _location(bench.root)
    old = _read(_location(bench.base / "template").journal_dir)
    wrong = _manners(ended, {0, 128}) + _untouched(bench)
    struck = _read(location.journal_dir)
    wrong += _held(location.journal_dir, old)
    if ended.status == 0 and json.loads(ended.out)["records"] != len(struck) - len(old):
        wrong.append(f"it told of {ended.out}, and {len(struck) - len(old)} are there")
    after = bench.run("drain", "--json")
    if after.status:
        return [*wrong, f"the next drain failed: {after}"]
    wrong += _held(location.journal_dir, struck)
    wrong += recording.faults(location)
    commits = [record.commit.hash for record in recording.records(location.journal_dir) if record.commit is not None]
    wrong += [f"LOST commit {oid}" for oid in sorted(_reflog_oids(location) - set(commits))]
    wrong += _index_is_right(bench, location)
    return wrong


def _reflog_oids(location: Location) -> set[str]:
    lines = Path(location.git_dir, "logs", "HEAD").read_text().splitlines()
    return {line.split()[1] for line in lines}


def _index_is_right(bench: Bench, location: Location) -> list[str]:
    listed = bench.run("log", "--json")
    told = {json.loads(line)["seq"] for line in listed.out.splitlines()}
    there = {each[0] for each in _read(location.journal_dir)}
    return (
        [] if listed.status == 0 and told == there else [f"log tells {sorted(told)} of {sorted(there)}: {listed.err}"]
    )


def _untouched(bench: Bench) -> list[str]:
    """Not a byte outside .git/mgit is another one (and so git's own files are as whole as they were)."""
    return [] if _tree(bench.root) == _tree(bench.base / "template") else ["the user's repository was touched"]


def _tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return dict(_files(root / "repo", ""))


def _files(top: Path, below: str) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for entry in os.scandir(top / below):
        name = os.path.join(below, entry.name)
        if name == ".git/mgit":
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(top, name)
        else:
            yield name, (entry.stat(follow_symlinks=False).st_mode, Path(entry.path).read_bytes())


def judge_repair(bench: Bench, ended: Ended) -> list[str]:
    """Nothing that could be read is lost by it; run again, it ends what was begun, and finds no more to do."""
    location = _location(bench.root)
    old = _read(_location(bench.base / "template").journal_dir)
    wrong = _manners(ended, {0, 1, 128}) + _untouched(bench)
    found = _read(location.journal_dir)
    wrong += [f"LOST {each[:2]}" for each in old if each not in found]
    after = bench.run("repair", "--json")
    if after.status:
        return [*wrong, f"the next repair failed: {after}"]
    healed = _read(location.journal_dir)
    wrong += [f"LOST {each[:2]}" for each in (*old, *found) if each not in healed]
    again = bench.run("repair", "--json")
    if again.status or json.loads(again.out)["actions"]:
        wrong.append(f"a repair after the repair still does something: {again.out}{again.err}")
    told = bench.run("verify", "--json")
    if told.status:
        wrong.append(f"verify: {told.out}{told.err}")
    drained = bench.run("drain")
    if drained.status:
        wrong.append(f"drain: {drained.err}")
    wrong += recording.faults(location)
    commits = [record.commit.hash for record in recording.records(location.journal_dir) if record.commit is not None]
    wrong += [f"LOST commit {oid}" for oid in sorted(_reflog_oids(location) - set(commits))]
    return wrong + _index_is_right(bench, location)


# The hooks

FOREIGN = b"#!/bin/sh\necho a hook of somebody's\n"


def make_hooks(root: Path) -> None:
    _new_repository(root).commit("one", {"a": "a\n"})
    folder = root / "repo" / ".git" / "hooks"
    folder.mkdir(exist_ok=True)
    for hook in ("pre-commit", "post-commit"):
        (folder / hook).write_bytes(FOREIGN)
        (folder / hook).chmod(0o755)


def make_installed(root: Path) -> None:
    make_hooks(root)
    install(_location(root))


def _hooks(root: Path) -> dict[str, bytes]:
    folder = root / "repo" / ".git" / "hooks"
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


def judge_install(bench: Bench, ended: Ended) -> list[str]:
    """Each hook is somebody's or ours, whole; what was there runs on; and uninstall still gives it all back."""
    wrong = _manners(ended, {0, 128})
    before, now = _hooks(bench.base / "template"), _hooks(bench.root)
    for hook in stubs.HOOKS:
        wrong += _whole(hook, now)
    complete = all(stubs.recognise(now.get(hook, b"")) for hook in stubs.HOOKS)
    if "pre-commit" not in now or "post-commit" not in now:
        wrong.append("LOST a hook that was there")
    if ended.status == 0 and not complete:
        wrong.append("it said that all is well, and a hook is missing")
    if ended.status == 128 and now != before and not complete and ended.hits == 1:
        wrong.append(f"neither done nor undone: {sorted(now)}")
    for operation in ("install", "uninstall"):
        after = bench.run(operation)
        if after.status:
            wrong.append(f"the next {operation} failed: {after}")
        now = _hooks(bench.root)
        if operation == "install":
            wrong += [f"no {hook}" for hook in stubs.HOOKS if not stubs.recognise(now.get(hook, b""))]
    original = {"pre-commit": FOREIGN, "post-commit": FOREIGN}
    if now != original:
        wrong.append(f"uninstall does not give back what was there: {sorted(now)}")
    return wrong + _git_is_whole(bench)


def judge_uninstall(bench: Bench, ended: Ended) -> list[str]:
    wrong = _manners(ended, {0, 128})
    now = _hooks(bench.root)
    for hook in stubs.HOOKS:
        wrong += _whole(hook, now)
    original = {"pre-commit": FOREIGN, "post-commit": FOREIGN}
    if ended.status == 0 and now != original:
        wrong.append(f"it said that all is well: {sorted(now)}")
    after = bench.run("uninstall")
    if after.status or _hooks(bench.root) != original:
        wrong.append(f"uninstall does not give back what was there: {sorted(_hooks(bench.root))} {after}")
    return wrong + _git_is_whole(bench)


def _whole(hook: str, now: dict[str, bytes]) -> list[str]:
    content = now.get(hook)
    if content is None or content == FOREIGN:
        return []
    stub = stubs.recognise(content)
    if stub is None or not stub.intact:
        return [f"{hook} is half a hook"]
    if hook in ("pre-commit", "post-commit") and now.get(hook + stubs.CHAINED) != FOREIGN:
        return [f"LOST the {hook} that was there"]
    return []


def _git_is_whole(bench: Bench) -> list[str]:
    def rest(root: Path) -> dict[str, tuple[int, bytes]]:
        return {name: held for name, held in _tree(root).items() if not name.startswith(".git/hooks/")}

    return [] if rest(bench.root) == rest(bench.base / "template") else ["the user's repository was touched"]


# What changes the journal or the hooks: struck by every fault.
CHANGING = (
    Scene("append", ("append",), make_journal, judge_append),
    Scene("first-append", ("append",), make_none, judge_append),
    Scene("rotate", ("rotate",), make_journal, judge_append),
    Scene("drain", ("drain", "--json"), make_waiting, judge_drain),
    Scene("compact", ("compact", "--json"), make_recorded, judge_compact),
    Scene("repair", ("repair", "--json"), make_damaged, judge_repair),
    Scene("install", ("install",), make_hooks, judge_install),
    Scene("uninstall", ("uninstall",), make_installed, judge_uninstall),
)
# What reads: struck by errors, which it must neither hide nor make worse.
READING = tuple(
    Scene(words[0], words, make_recorded, judge_reading)
    for words in (("log", "--json"), ("verify", "--json"), ("status", "--json"), ("doctor", "--json"), ("export",))
)
FILLING = (Scene("fill", ("fill",), make_journal, judge_fill),)
SCENES = {scene.name: scene for scene in (*CHANGING, *READING, *FILLING)}
CHANGED_BY = [scene.name for scene in CHANGING]
READ_BY = [scene.name for scene in READING]


def set_up(bench: Bench, name: str) -> Scene:
    """Make the scene in ``bench``; each case begins with a copy of it that counts as no copy."""
    scene = SCENES[name]
    scene.make(bench.root)
    bench.keep()
    bench.settle = at_home
    return scene


def at_home(root: Path) -> None:
    """A copied journal would begin a life of its own: these copies stand for the one that was there."""
    for folder in (_journal(root), _location(root).journal_dir):
        own = identity.read(folder)
        if own is not None:
            identity.write(folder, own.journal)
