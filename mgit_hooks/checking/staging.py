"""What is about to be committed: the index against HEAD, a message, or both as commit-msg has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from mgit_hooks.checking.findings import Subject
from mgit_hooks.errors import UsageError
from mgit_hooks.gatekeeper import candidate as candidates
from mgit_hooks.gatekeeper import messages, staged
from mgit_hooks.gatekeeper.candidate import CHECK, LATER, Candidate, envelope
from mgit_hooks.judging.rules import Rule
from mgit_hooks.layout import Location
from mgit_hooks.record import Json

_NOT_SAID = (
    "hash", "tree", "author_name", "author_email", "date", "committer_name", "committer_email",
    "committer_date", "message", "files",
)  # fmt: skip


def of_index(
    location: Location, rules: tuple[Rule, ...], message: tuple[str, bytes] | None
) -> tuple[Subject, Candidate]:
    """The index against HEAD. ``message`` is the name and the bytes of a message file that goes with it.

    Raises UsageError in a bare repository, ObjectError where git cannot say what is staged.
    """
    if location.root is None:
        raise UsageError("a bare repository has no index", "give a range of commits, or a patch")
    with _at(location):
        found = candidates.from_commit(CHECK, (), location, rules, None)
        if message is not None:
            fields = _fields(*message)
            found.value["commit"].update(fields)
            found = found._replace(unknown=found.unknown - {"/commit/message"})
    commit = found.value["commit"]
    author = f"{commit['author_name']} <{commit['author_email']}>"
    return Subject("index", "the index", found.subject, author, commit["date"]), found


def of_message(location: Location, name: str, raw: bytes) -> tuple[Subject, Candidate]:
    """A message alone, as git would store it: of its commit nothing else is known but what it would stand on."""
    with _at(location):
        events = candidates.possible_events(CHECK, location, None)
        head = staged.head(location)
        parents = candidates.parents(location, head.oid)
        commit: Json = {"parents": parents, **dict.fromkeys(_NOT_SAID), **_fields(name, raw)}
        value = envelope(events[0], location, head.branch, commit=commit, replaces=None)
    unknown = LATER | {f"/commit/{field}" for field in _NOT_SAID if field != "message"}
    if parents is None:
        unknown |= {"/commit/parents"}
    found = Candidate(CHECK, events, value, unknown, location.worktree, head.oid)
    return Subject("message", name, found.subject, None, None), found


def _fields(name: str, raw: bytes) -> Json:
    at = raw.find(b"\0")
    if at >= 0:
        line = raw.count(b"\n", 0, at) + 1
        raise UsageError(f"{name}:{line}: a NUL byte, with which git takes no message", "take it out")
    return messages.told(name, raw, None).fields()[0]


@contextmanager
def _at(location: Location) -> Iterator[None]:
    """The place and the environment of a hook: git's commands, which are asked there, look at the current directory."""
    here, env = os.getcwd(), dict(os.environ)
    if "GIT_INDEX_FILE" in env:
        os.environ["GIT_INDEX_FILE"] = os.path.join(here, env["GIT_INDEX_FILE"])
    os.environ["GIT_DIR"] = location.git_dir
    if location.root is not None:
        os.environ["GIT_WORK_TREE"] = location.root
    os.chdir(location.root or location.git_dir)
    try:
        yield
    finally:
        os.chdir(here)
        for name in ("GIT_INDEX_FILE", "GIT_DIR", "GIT_WORK_TREE"):
            if name in env:
                os.environ[name] = env[name]
            else:
                os.environ.pop(name, None)
