"""What ``doctor`` looks at: a small function a check, in one table. Checks find; the command mends."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from mgit_hooks.errors import ConfigError, MgitError
from mgit_hooks.files import exists, is_folder
from mgit_hooks.git import plumbing
from mgit_hooks.installer import (
    alertscheck,
    choice,
    everywherecheck,
    frameworkcheck,
    front,
    hookfiles,
    interpreter,
    stubs,
)
from mgit_hooks.installer.findings import Finding
from mgit_hooks.layout import Location
from mgit_hooks.record import Json
from mgit_hooks.report import counted

OLDEST_GIT: Final = (2, 39)
STUCK_AFTER: Final = 600.0
"""Seconds that a line may wait in the spool: each later commit starts a drain, which needs a few."""
LEAST_ROOM: Final = 16 * 1024 * 1024
"""Bytes that should be free where the journal grows."""


class Check(NamedTuple):
    name: str
    look: Callable[[Location], Iterator[Finding]]


class Outcome(NamedTuple):
    check: str
    findings: tuple[Finding, ...]

    @property
    def status(self) -> str:
        severities = {finding.severity for finding in self.findings}
        return "fault" if "fault" in severities else "remark" if severities else "ok"

    def to_json(self) -> Json:
        found = [{"severity": f.severity, "message": f.message, "remedy": f.remedy} for f in self.findings]
        return {"check": self.check, "status": self.status, "findings": found}


def diagnose(location: Location) -> list[Outcome]:
    return [Outcome(check.name, tuple(_safely(check, location))) for check in CHECKS]


def _safely(check: Check, location: Location) -> Iterator[Finding]:
    """A check that cannot look says so, and the others go on."""
    try:
        yield from check.look(location)
    except MgitError as error:
        yield Finding("fault", error.message, error.remedy)
    except OSError as error:
        yield Finding("fault", f"{error.filename or check.name}: {error.strerror}", "mend that and look again")


def _git(location: Location) -> Iterator[Finding]:
    told = plumbing.run(("--version",)).stdout.decode("utf-8", "replace").strip()
    found = re.search(r"(\d+)\.(\d+)", told)
    if found is None:
        yield Finding("fault", f"git does not tell its version: {told!r}", "see that git is on PATH")
    elif (int(found[1]), int(found[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        yield Finding("fault", f"{told} is older than {oldest}", f"install git {oldest} or newer")


def _hooks(location: Location) -> Iterator[Finding]:
    directory = hookfiles.hooks_dir(location)
    owner = hookfiles.sharing(location, directory)
    found = choice.look(location, directory)
    remedy = "run 'mgit-hooks install'"
    mend: Callable[[], object] | None = lambda: _reinstall(location)  # noqa: E731
    if owner is not None:
        yield Finding("remark", f"the hooks folder {directory} is others' too: {owner}", "see docs/hooks.md")
        remedy, mend = _beside_others(location, directory)
    if not any(each.ours or each.state == "wrapped" for each in found):
        if everywherecheck.serves():
            message = f"no hook of ours is in {directory}: those of 'install --global' are to run"
            yield Finding("remark", message, "nothing: the next check says whether they do")
            return
        with suppress(MgitError):  # the check of it says what is wrong
            managed = frameworkcheck.look(location)
            if managed is not None and managed.serves:
                told = f"no hook of ours is in {directory}: a hook manager runs those of {managed.file}"
                yield Finding("remark", told, "nothing: see docs/pre-commit.md")
                return
        yield Finding("fault", f"no hook of ours is in {directory}, where git looks for them", remedy, mend)
        return
    for state, trouble in _TROUBLE.items():
        names = ", ".join(each.hook for each in found if each.state == state)
        if names:
            yield Finding("fault", f"{trouble}: {names}", remedy, mend)
    names = ", ".join(each.hook for each in found if each.ours and not each.executable)
    if names:
        yield Finding("fault", f"not executable, so that git leaves them out: {names}", remedy, mend)
    if directory == front.folder(location) and (unseen := front.missing(location)):
        told = f"hooks in {front.behind(location)} that git does not find: {', '.join(unseen)}"
        yield Finding("fault", told, remedy, mend)
    names = ", ".join(each.hook for each in found if each.state == "wrapped")
    if names:
        yield Finding("remark", f"another hook manager runs ours from its own hook: {names}", "see docs/hooks.md")


_TROUBLE: Final = {
    "missing": "hooks that are not installed",
    "overwritten": "hooks that another tool has written in place of ours",
    "foreign": "hooks that are another tool's, with none of ours before them",
    "modified": "stubs that somebody has changed",
    "outdated": "stubs of another version of mgit-hooks",
}


def _beside_others(location: Location, directory: str) -> tuple[str, Callable[[], object] | None]:
    """Where ours were installed before, it is clear that they are wanted; and where to, if that was said."""
    from mgit_hooks.installer.install import install

    wanted = choice.remembered(location).get("hooks_dir")
    if wanted == directory and not hookfiles.is_husky(directory):
        return "run 'mgit-hooks install --shared'", lambda: install(location, allow_shared=True)
    remedy = "run 'mgit-hooks install --in-front': ours run first, and go on to those"
    return remedy, (lambda: install(location, in_front=True)) if wanted is not None else None


def _reinstall(location: Location) -> None:
    from mgit_hooks.installer.install import install

    install(location)


def _interpreter(location: Location) -> Iterator[Finding]:
    directory = hookfiles.hooks_dir(location)
    paths = [os.path.join(directory, hook + end) for hook in stubs.KNOWN for end in ("", ".legacy")]
    contents = map(hookfiles.read, paths)
    starts = dict.fromkeys(stubs.paths(content) for content in contents if content and stubs.recognise(content))
    for python, boot in starts:
        if python is not None and boot is not None:
            trouble = interpreter.trouble(python, boot)
            if trouble is not None:
                remedy = "run 'mgit-hooks install' with the interpreter that has mgit-hooks"
                yield Finding("fault", trouble, remedy, lambda: _reinstall(location))


def _modes(location: Location) -> Iterator[Finding]:
    wrong = []
    for folder, _, files in os.walk(location.mgit_dir):
        for path, mode in ((folder, 0o700), *((os.path.join(folder, name), 0o600) for name in files)):
            with suppress(FileNotFoundError):  # a drain is at work
                found = os.lstat(path)
                if not stat.S_ISLNK(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o077:
                    wrong.append((path, mode))
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        remedy = f"run 'mgit-hooks doctor --fix', or chmod -R go= {location.mgit_dir}"
        yield Finding("fault", f"others may read {wrong[0][0]}{more}", remedy, lambda: _close(wrong))


def _close(paths: list[tuple[str, int]]) -> None:
    for path, mode in paths:
        with suppress(FileNotFoundError):
            os.chmod(path, mode)


def _configuration(location: Location) -> Iterator[Finding]:
    from mgit_hooks.judging import config, variables

    config.load(location)
    for slip in variables.slips(os.environ):
        yield Finding("remark", slip.message, slip.remedy)


def _flag(location: Location) -> Iterator[Finding]:
    from mgit_hooks.judging import gateflag
    from mgit_hooks.judging.config import lasting_environment, load
    from mgit_hooks.judging.policy import armed

    flag = gateflag.read(location)
    if flag is None and not is_folder(location.mgit_dir):
        return  # nothing is installed
    if flag is None or not flag.fresh:
        message = "the gate flag is missing" if flag is None else "the gate flag is older than the configuration"
        remedy = "no need to do anything: the next commit or push renews it, at the cost of one start of Python"
        yield Finding("remark", message, remedy, lambda: gateflag.refresh(location))
        return
    with suppress(ConfigError):  # the configuration's own check tells of it
        if not flag.armed and armed(load(location, None, lasting_environment(os.environ))):
            # Stubs compare times: what was moved there with an older one is no change to them.
            message = (
                "the gate is open and the policy arms it: a file older than the gate flag took another one's place"
            )
            remedy = "run 'mgit-hooks config', which renews it"
            yield Finding("fault", message, remedy, lambda: gateflag.refresh(location))


def _drain_mark(location: Location) -> Iterator[Finding]:
    """Stubs start no drain while the process named in ``draining`` lives: a pid given anew holds them off."""
    from mgit_hooks.lock import exclusive

    mark = os.path.join(location.mgit_dir, "draining")
    if exists(mark):
        with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=0) as free:
            if free and exists(mark):
                message = f"{mark} names a drain that does not run"
                yield Finding("fault", message, f"remove it: rm {mark}", lambda: _unmark(location, mark))


def _unmark(location: Location, mark: str) -> None:
    from mgit_hooks.lock import exclusive

    with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=0) as free:
        if free:
            with suppress(FileNotFoundError):
                os.unlink(mark)


def _spool(location: Location) -> Iterator[Finding]:
    from mgit_hooks.journal import identity
    from mgit_hooks.journal.format import Cursor
    from mgit_hooks.recorder import spool

    head = identity.read_head(location.journal_dir)
    batch = spool.read(location.spool_dir, Cursor(*head.cursor) if head is not None and head.cursor else None)
    if batch.garbled:
        message = f"{len(batch.garbled)} lines in the spool are not of its form: {batch.garbled[0]!r}"
        yield Finding("remark", message, "nothing: the next drain records what they say as it stands")
    if batch.events:
        age = time.time() - os.path.getmtime(os.path.join(location.spool_dir, "now"))
        if age > STUCK_AFTER:
            message = f"{len(batch.events)} events have waited in the spool for {age / 60:.0f} minutes"
            yield Finding(
                "fault",
                message,
                "run 'mgit-hooks drain', and see why no hook could",
                lambda: _drain(location),
            )


def _drain(location: Location) -> None:
    from mgit_hooks.recorder.drain import drain

    drain(location, wait=10.0)


def _journal(location: Location) -> Iterator[Finding]:
    from mgit_hooks.journal import identity, verify

    if not verify.exists(location.journal_dir):
        yield Finding("remark", "nothing is recorded yet", "run 'mgit-hooks init' to record the history")
        return
    report = verify.verify(location.journal_dir)
    if not report.is_clean:
        parts = [counted(len(report.damaged), "damaged place"), counted(len(report.holes), "hole")]
        parts += [] if report.chain_intact else ["a broken chain"]
        parts += [f"{counted(len(report.unerased), 'erasure')} not ended"] if report.unerased else []
        parts += [f"{counted(len(report.undeclared), 'erasure')} of nobody"] if report.undeclared else []
        told = "the journal has " + ", ".join(parts)
        yield Finding("fault", told, "see 'mgit-hooks verify', then run 'mgit-hooks repair'")
    own = identity.read(location.journal_dir)
    if own is not None and not own.at_home:
        told = "this repository is a copy: its journal goes on under an id of its own"
        yield Finding("remark", told, "nothing: the next record says so")


def _commits(location: Location) -> Iterator[Finding]:
    from mgit_hooks.recorder import state

    before = state.read(location.mgit_dir)
    if before.unreadable:
        count = len(before.unreadable) + before.left_out
        told = f"git could not give the recorder {counted(count, 'commit')}: {before.unreadable[-1]}"
        told += f" and {count - 1} more" if count > 1 else ""
        yield Finding("remark", told, "see 'git fsck'; once they can be read, 'mgit-hooks drain' records them")


def _room(location: Location) -> Iterator[Finding]:
    if not is_folder(location.mgit_dir):
        return
    scratch = os.path.join(location.mgit_dir, "doctor.mgit-tmp")
    hookfiles.write(scratch[: -len(".mgit-tmp")], b"x" * 4096, 0o600)
    os.unlink(scratch[: -len(".mgit-tmp")])
    space = os.statvfs(location.mgit_dir)
    free = space.f_bavail * space.f_frsize
    if free < LEAST_ROOM:
        yield Finding("fault", f"{free // 1024} KiB are free in {location.mgit_dir}", "make room on that disk")


CHECKS: Final = (
    Check("git", _git),
    Check("hooks", _hooks),
    Check("global hooks", everywherecheck.check),
    Check("hook manager", frameworkcheck.check),
    Check("interpreter", _interpreter),
    Check("configuration", _configuration),
    Check("gate flag", _flag),
    Check("modes", _modes),
    Check("disk", _room),
    Check("drain", _drain_mark),
    Check("spool", _spool),
    Check("journal", _journal),
    Check("commits", _commits),
    Check("alerts", alertscheck.check),
)
