"""``status``: what is installed, what is recorded, what waits. It changes nothing: it does not even drain."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from typing import NamedTuple

from mgit_hooks.dates import local
from mgit_hooks.display import escape
from mgit_hooks.errors import ConfigError
from mgit_hooks.files import is_folder, open_to_read
from mgit_hooks.installer import choice, everywherecheck, frameworkcheck, front, hookfiles, stubs
from mgit_hooks.installer.everywherecheck import Here
from mgit_hooks.installer.frameworkcheck import Managed
from mgit_hooks.installer.hookfiles import HookFile
from mgit_hooks.journal import identity, verify
from mgit_hooks.journal.format import Cursor
from mgit_hooks.judging import gateflag
from mgit_hooks.judging.config import lasting_environment, load
from mgit_hooks.judging.policy import armed
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.record import Json
from mgit_hooks.recorder import spool
from mgit_hooks.recorder.alive import is_alive
from mgit_hooks.recorder.event import Process
from mgit_hooks.report import counted


class Status(NamedTuple):
    hooks_dir: str
    hooks: tuple[HookFile, ...]
    interpreters: tuple[tuple[str, bool], ...]  # what the stubs start, and whether it is there
    records: int
    head: str | None
    waiting: int
    draining: int | None  # the pid of the drain that runs
    drained_at: str | None  # ISO 8601, UTC
    gate: str  # armed | open | unknown: nothing is installed, or the configuration cannot be read
    configured: Here  # config-based hooks
    behind: str | None  # the hooks folder that ours goes on to
    known: bool  # an install here has left its word
    managed: Managed | ConfigError | None  # in a hook manager's configuration, or why that cannot be read

    @property
    def installed(self) -> bool:
        native = all(each.runs or each.hook in self.configured.runs for each in self.hooks)
        return native or (isinstance(self.managed, Managed) and self.managed.serves)

    def to_json(self) -> Json:
        return {
            "installed": self.installed,
            "hooks_dir": self.hooks_dir,
            "behind": self.behind,
            "hooks": [
                {
                    "hook": each.hook,
                    "state": each.state,
                    "chained": each.chained,
                    "executable": each.executable,
                }
                for each in self.hooks
            ],
            "interpreters": [{"path": path, "exists": exists} for path, exists in self.interpreters],
            "records": self.records,
            "head": self.head,
            "waiting": self.waiting,
            "draining": self.draining,
            "drained_at": self.drained_at,
            "gate": self.gate,
            "global": self.configured.to_json(),
            "config_hooks": list(self.configured.others),
            "framework": self.managed.to_json() if isinstance(self.managed, Managed) else None,
        }


def configure(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace, out: Output) -> int:
    status = look(locate(args.directory))
    if args.json:
        out.json(status.to_json())
    else:
        _print(status, out)
    return 0


def look(location: Location) -> Status:
    directory = hookfiles.hooks_dir(location)
    hooks = choice.look(location, directory)
    pythons = dict.fromkeys(each.python for each in hooks if each.python is not None)
    records, head, cursor = _journal(location)
    return Status(
        directory,
        hooks,
        tuple((python, os.access(python, os.X_OK)) for python in pythons),
        records,
        head,
        spool.waiting(location.spool_dir, cursor),
        _draining(location),
        _changed_at(os.path.join(location.mgit_dir, "state.json")),
        _gate(location),
        everywherecheck.look(location),
        front.behind(location) if directory == front.folder(location) else None,
        bool(choice.remembered(location)),
        _managed(location),
    )


def _gate(location: Location) -> str:
    """As the next hook will find it. The flag is not renewed: status changes nothing."""
    flag = gateflag.read(location)
    if flag is not None and flag.fresh:
        return "armed" if flag.armed else "open"
    if not is_folder(location.mgit_dir):
        return "unknown"
    try:
        return "armed" if armed(load(location, None, lasting_environment(os.environ))) else "open"
    except ConfigError:
        return "unknown"


def _managed(location: Location) -> Managed | ConfigError | None:
    try:
        return frameworkcheck.look(location)
    except ConfigError as error:
        return error


def _journal(location: Location) -> tuple[int, str | None, Cursor | None]:
    """Records, the last one's id and the spool's cursor: by the journal's own hint, or else by reading it."""
    hint = identity.read_head(location.journal_dir)
    if hint is not None:
        return hint.seq, hint.id.hex(), Cursor(*hint.cursor) if hint.cursor else None
    if verify.exists(location.journal_dir):
        from mgit_hooks.journal.reader import last_cursor

        report = verify.verify(location.journal_dir)
        return report.records, report.head_id, last_cursor(location.journal_dir)
    return 0, None, None


def _draining(location: Location) -> int | None:
    try:
        with open_to_read(os.path.join(location.mgit_dir, "draining")) as file:
            pid = int(file.read(20))
    except (OSError, ValueError):
        return None
    return pid if is_alive(Process(pid)) else None


def _changed_at(path: str) -> str | None:
    try:
        return datetime.fromtimestamp(os.path.getmtime(path), UTC).isoformat(timespec="seconds")
    except OSError:
        return None


def _print(status: Status, out: Output) -> None:
    _print_hooks(status, out)
    if status.behind is not None:
        out.line(f"then      {escape(status.behind)}")
    _print_configured(status.configured, out)
    _print_managed(status.managed, out)
    for path, exists in status.interpreters:
        out.line(f"starts    {escape(path)}" + ("" if exists else out.style("  which is gone", "red")))
    out.line(f"recorded  {counted(status.records, 'record')}" + (f", up to {status.head[:16]}" if status.head else ""))
    running = f", a drain runs (process {status.draining})" if status.draining else ""
    last = f", last drained {local(status.drained_at)}" if status.drained_at else ""
    out.line(f"waiting   {counted(status.waiting, 'event')}{running}{last}")
    out.line(f"gate      {_gate_words(status)}")
    if not status.installed and isinstance(status.managed, Managed) and status.managed.missing:
        out.note("hint: run 'pre-commit install' (or 'prek install'): the manager's own hooks are not there")
    elif not status.installed and status.known:
        out.note("hint: 'mgit-hooks doctor' says what is wrong with the hooks, and 'mgit-hooks doctor --fix' mends it")
    elif not status.installed:
        out.note("hint: run 'mgit-hooks init' to install the hooks and record the history")


def _print_hooks(status: Status, out: Output) -> None:
    """One line where it is the same with all of them, else one for each."""
    told = {each.hook: _state(each, out) for each in status.hooks}
    if len(set(told.values())) == 1:
        out.line(f"hooks     all {len(told)} {next(iter(told.values()))} in {escape(status.hooks_dir)}")
        return
    out.line(f"hooks     {escape(status.hooks_dir)}")
    for hook, state in told.items():
        out.line(f"  {hook:<16} {state}")


def _state(hook: HookFile, out: Output) -> str:
    style = {"installed": "green", "missing": "red"}.get(hook.state, "yellow")
    remarks = [hook.state] + ["chained"] * hook.chained + ["not executable"] * (hook.ours and not hook.executable)
    return out.style(", ".join(remarks), style)


def _gate_words(status: Status) -> str:
    ours = any(each.runs or each.hook in status.configured.runs for each in status.hooks)
    if not ours and not isinstance(status.managed, Managed):
        return "none: no hook of ours runs"
    return {"open": "open: nothing is refused", "unknown": "unknown: see 'mgit-hooks config'"}.get(
        status.gate, status.gate
    )


def _print_managed(managed: Managed | ConfigError | None, out: Output) -> None:
    if isinstance(managed, ConfigError):
        out.line(f"manager   {out.style(escape(managed.message), 'red')}")
    elif managed is not None:
        where = f" at {', '.join(managed.missing)}" if managed.runs else ""
        missing = f"; no hook of the manager's{where}" if managed.missing else ""
        told = f"{managed.file} has {', '.join(managed.ids)}{missing}"
        out.line(f"manager   {out.style(escape(told), 'yellow' if missing else 'green')}")


def _print_configured(here: Here, out: Output) -> None:
    if here.state is not None:
        missing = [hook for hook in stubs.HOOKS if hook not in here.runs]
        told = "do not run here" if not here.runs else "run here"
        told += f", but for {', '.join(missing)}" if here.runs and missing else ""
        out.line(f"global    {out.style(told, 'yellow' if missing else 'green')}: {escape(here.state.configuration)}")
    if here.others:
        out.line(f"others    config-based hooks: {escape(', '.join(here.others))}")
