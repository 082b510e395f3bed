"""What git itself says of a repository's history: an oracle for the recorder, which shares no code with it.

It looks at reflogs (the files, or git's own listing), at all refs and at all objects' ids, at the moments at which a
drain looks too. ``disagreements`` holds what is on record against that.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter, defaultdict
from typing import Any, NamedTuple

ZERO = "0" * 40
Json = dict[str, Any]


class Line(NamedTuple):
    """One line of a reflog. ``old`` and ``new`` are None for git's zero id."""

    old: str | None
    new: str | None
    seconds: int
    reason: str | None


class Oracle:
    """Make it when recording has begun; have it ``look`` before each drain."""

    def __init__(self, common_dir: str) -> None:
        self.common_dir = common_dir
        self._logs = self._reflogs()
        self.baseline = self._tips()
        self.began_at = self._refs()
        self.states = [self.began_at]
        self.lines: dict[tuple[str, str], list[Line]] = defaultdict(list)
        self.tips: set[str] = set()

    def git(self, *args: str, stdin: str = "") -> str:
        command = ["git", f"--git-dir={self.common_dir}", *args]
        done = subprocess.run(command, input=stdin.encode(), capture_output=True, check=True)
        return os.fsdecode(done.stdout)

    def look(self) -> None:
        now = self._reflogs()
        for key, lines in now.items():
            self.lines[key] += _added(self._logs.get(key, []), lines, key[1])
        self._logs = now
        self.states.append(self._refs())
        self.tips |= self._tips()

    def _refs(self) -> dict[str, str]:
        told = self.git("for-each-ref", "--format=%(objectname) %(symref) %(refname)")
        found = {}
        for line in told.splitlines():
            oid, symref, name = line.split(" ", 2)
            if not symref and not name.startswith("refs/mgit/"):
                found[name] = oid
        return found

    def _reflogs(self) -> dict[tuple[str, str], list[Line]]:
        """By worktree (of HEADs; else "") and ref."""
        found = {("main-worktree", "HEAD"): os.path.join(self.common_dir, "logs", "HEAD")}
        linked = os.path.join(self.common_dir, "worktrees")
        for name in os.listdir(linked) if os.path.isdir(linked) else ():
            found[f"worktrees/{name}", "HEAD"] = os.path.join(linked, name, "logs", "HEAD")
        top = os.path.join(self.common_dir, "logs")
        for folder, _, names in os.walk(os.path.join(top, "refs")):
            for name in names:
                path = os.path.join(folder, name)
                found["", os.path.relpath(path, top)] = path
        for line in self.git("for-each-ref", "--format=%(refname) %(symref)").splitlines():
            name, symref = line.split(" ", 1)
            if symref:
                found.pop(("", name), None)
        return {key: _read(path) for key, path in found.items() if os.path.isfile(path)}

    def _tips(self) -> set[str]:
        """Every object that a ref or a reflog names now."""
        logged = {oid for lines in self._reflogs().values() for line in lines for oid in (line.old, line.new) if oid}
        return set(self._refs().values()) | logged

    def commits(self) -> set[str]:
        """All commits that what was seen leads to, less those that were there when recording began."""
        kinds = self.git("cat-file", "--batch-check", stdin="".join(f"{oid}^{{commit}}\n" for oid in self.tips))
        tips = [line.split()[0] for line in kinds.splitlines() if line.split()[1] == "commit"]
        # Of the baseline only what is there still: filter-repo deletes
        kinds = self.git("cat-file", "--batch-check", stdin="".join(f"{oid}^{{commit}}\n" for oid in self.baseline))
        older = [line.split()[0] for line in kinds.splitlines() if line.split()[1] == "commit"]
        return set(self.git("rev-list", "--stdin", stdin="\n".join([*tips, *(f"^{oid}" for oid in older)])).split())


def _read(path: str) -> list[Line]:
    found = []
    with open(path, encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for line in file.read().split("\n")[:-1]:
            head, _, reason = line.partition("\t")
            old, new = (None if oid == ZERO else oid for oid in head.split(" ")[:2])
            found.append(Line(old, new, int(head.split(" ")[-2]), reason or None))
    return found


def _added(before: list[Line], now: list[Line], ref: str) -> list[Line]:
    """What a reflog has gained. One that was renamed brings the other's lines along: its last line is what is new."""
    for number in range(len(now) - 1, -1, -1):
        reason = now[number].reason or ""
        renamed = reason.startswith(("Branch: renamed ", "Branch: copied ")) and reason.endswith(f" to {ref}")
        if renamed and now[: number + 1] != before[: number + 1]:
            return [now[number]._replace(old=None), *now[number + 1 :]]
    if now[: len(before)] == before:
        return now[len(before) :]
    left = Counter(_known_by(line, ref) for line in before)
    added = []
    for line in now:
        if left[_known_by(line, ref)]:
            left[_known_by(line, ref)] -= 1
        else:
            added.append(line)
    return added


def _known_by(line: Line, ref: str) -> tuple[object, ...]:
    return line[1:] if ref == "refs/stash" else line  # git writes the old id anew when a stash is dropped


def disagreements(oracle: Oracle, records: list[Json]) -> list[str]:
    """What is on record and not so, or so and not on record. ``records`` as ``export`` prints them."""
    superseded = {record["supersedes"] for record in records}
    standing = [record for record in records if record["seq"] not in superseded]
    return [
        *_commits(oracle, standing),
        *_movements(oracle, records),
        *_chains(oracle, records),
        *_words(standing),
    ]


def _commits(oracle: Oracle, records: list[Json]) -> list[str]:
    told = Counter(
        record["commit"]["hash"]
        for record in records
        if record.get("commit") and record["event"] not in ("refused", "skipped", "snapshot")
    )
    there = oracle.commits()
    wrong = [f"{oid} has {told[oid]} records" for oid in sorted(there | told.keys()) if told[oid] != 1]
    for record in records:
        commit = record.get("commit")
        if commit and commit["hash"] in there:
            said = oracle.git("show", "-s", "--format=%T %P%n%an <%ae>%n%s", commit["hash"]).splitlines()
            subject = commit["message"].split("\n\n")[0].replace("\n", " ").rstrip()
            on_record = [
                " ".join([commit["tree"], *commit["parents"]]),
                f"{commit['author_name']} <{commit['author_email']}>",
                subject,
            ]
            if [line.rstrip() for line in said] != on_record:
                wrong.append(f"record {record['seq']} says {on_record}, git {said}")
    return wrong


def _movements(oracle: Oracle, records: list[Json]) -> list[str]:
    """Each line of each reflog is told once, with its reason and its time, and no other is.

    A record that stands in for another repeats its movements: those of the first one count.
    """
    told: Counter[object] = Counter()
    for record in records:
        if record["occurred_from"] == "reflog" and record["supersedes"] is None:
            for moved in record["refs"] or ():
                worktree = record["worktree"] if moved["name"] == "HEAD" else ""
                old = None if moved["name"] == "refs/stash" else moved["old_oid"]
                seconds = _seconds(record["occurred_at"])
                told[worktree, moved["name"], old, moved["new_oid"], seconds, moved["reason"]] += 1
    logged: Counter[object] = Counter()
    for (worktree, ref), lines in oracle.lines.items():
        for line in lines:
            old = None if ref == "refs/stash" else line.old
            logged[worktree, ref, old, line.new, line.seconds, line.reason] += 1
    wrong = [f"not on record: {count} x {line}" for line, count in (logged - told).items()]
    twice = {(ref, line.old, line.new) for (_, ref), lines in oracle.lines.items() for line in lines}
    for record in records:
        if record["event"] == "ref-update" and record["source"] == "hook" and record["occurred_from"] is None:
            moved = [(each["name"], each["old_oid"], each["new_oid"]) for each in record["refs"]]
            wrong += [f"told by a hook and by a reflog: {each}" for each in moved if each in twice]
    return wrong + [f"in no reflog: {count} x {line}" for line, count in (told - logged).items()]


def _seconds(text: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(text).timestamp())


def _chains(oracle: Oracle, records: list[Json]) -> list[str]:
    """Each ref goes from where it stood, without a hole, through all states that were seen, to where it stands."""
    wrong = []
    paths: dict[str, list[str | None]] = defaultdict(list)
    for record in records:
        for moved in record.get("refs") or () if record["supersedes"] is None else ():
            name = moved["name"]
            if name == "HEAD":
                continue
            path = paths[name] or [oracle.began_at.get(name)]
            if path[-1] != moved["old_oid"]:
                wrong.append(f"record {record['seq']}: {name} was at {path[-1]}, not at {moved['old_oid']}")
            paths[name] = [*path, moved["new_oid"]]
    for name in sorted(paths.keys() | {name for state in oracle.states for name in state}):
        path = paths.get(name) or [oracle.began_at.get(name)]
        at = 0
        for state in oracle.states:
            try:
                at = path.index(state.get(name), at)
            except ValueError:
                wrong.append(f"{name} was seen at {state.get(name)}, and its records say {path}")
                break
        if path[-1] != oracle.states[-1].get(name):
            wrong.append(f"{name} is at {oracle.states[-1].get(name)}, and its last record says {path[-1]}")
    return wrong


def _words(records: list[Json]) -> list[str]:
    """How it was learnt: the words are of the page's, and no time is claimed without a source for it."""
    wrong = []
    for record in records:
        if record["source"] not in ("hook", "framework", "reconcile", "backfill", "fetch", "rebuilt"):
            wrong.append(f"record {record['seq']} has source {record['source']}")
        if record["event"] != "snapshot" and (record["occurred_at"] is None) != (record["occurred_from"] is None):
            wrong.append(f"record {record['seq']}: {record['occurred_at']} from {record['occurred_from']}")
        reasons = {moved["reason"] for moved in record.get("refs") or ()}
        if record["occurred_from"] != "reflog" and reasons - {None}:
            wrong.append(f"record {record['seq']} gives reasons {reasons}, and no reflog")
    return wrong
