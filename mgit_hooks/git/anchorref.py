"""The ref that anchors are kept under, and the trailers of commits that hold one. By git commands alone.

Each anchor is a commit of its own with the one before as its parent, so that the ref only ever goes forward and can
be pushed. No hook runs for it, nothing is signed, and nothing is ever pushed from here.
"""

from __future__ import annotations

import json
import os
from typing import Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import RepositoryError, UsageError
from mgit_hooks.git import gitfiles, plumbing, reffiles
from mgit_hooks.journal.anchors import TRAILER, Anchor, Given, Place, given

REF: Final = "refs/mgit/anchor"
_FILE: Final = "mgit-anchor.json"
# An identity without an address: the anchor is the program's word, not its user's.
_IDENTITY: Final = "mgit-hooks <>"
_ATTEMPTS: Final = 5


class Written(NamedTuple):
    """``commit`` is what the ref names now; ``before`` the anchor that it named; ``is_new``: one was added."""

    commit: str
    before: Anchor | None
    is_new: bool


def write(git_dir: str, anchor: Anchor) -> Written:
    """Put ``anchor`` under the ref, unless the newest one there names the same record.

    Raises RepositoryError where git cannot write it.
    """
    reffiles.require_plain(gitfiles.common_dir(git_dir), REF)
    for _ in range(_ATTEMPTS):
        parent = _newest(git_dir)
        before = _read(git_dir, [parent])[0].anchor if parent else None
        if parent and anchor.names_same(before):
            return Written(parent, before, False)
        commit = _commit(git_dir, anchor, parent)
        moved = _git(git_dir, "update-ref", "--no-deref", "-m", "anchor", REF, commit, parent or "0" * len(commit))
        if not moved.status:
            return Written(commit, before, True)
        if _newest(git_dir) == parent:
            break  # nobody was faster: it is something else
    raise RepositoryError(f"cannot write {REF}: {_reason(moved)}", "see what 'git update-ref' needs there")


def _commit(git_dir: str, anchor: Anchor, parent: str | None) -> str:
    """The commit's own bytes, so that no configuration has a say in them."""
    blob = _made(git_dir, encode_json(anchor.to_json()) + b"\n", "hash-object", "-w", "--stdin")
    tree = _made(git_dir, f"100644 blob {blob}\t{_FILE}\n".encode(), "mktree")
    parents = f"parent {parent}\n" if parent else ""
    who = f"{_IDENTITY} {dates.seconds(anchor.made_at or dates.now())} +0000"
    text = f"tree {tree}\n{parents}author {who}\ncommitter {who}\n\nAnchor record {anchor.seq}\n"
    return _made(git_dir, text.encode(), "hash-object", "-t", "commit", "-w", "--stdin")


def _newest(git_dir: str) -> str | None:
    found = _git(git_dir, "rev-parse", "--verify", "--quiet", REF)
    return None if found.status else found.stdout.decode().strip()


def place(git_dir: str, where: str) -> Place:
    """The anchors of a ref's whole history; or, of another revision or a range, those in its commits' trailers.

    ``trailers`` stands for the commits that any ref leads to. Raises UsageError where git knows no such revision,
    RepositoryError where git could not read the refs to tell.
    """
    for folder in dict.fromkeys((git_dir, gitfiles.common_dir(git_dir))):
        reffiles.require_plain(folder)
    if where == "trailers":
        return Place(where, _trailers(git_dir, "--all"), shared=True)
    if not _git(git_dir, "cat-file", "-e", f"{where}:{_FILE}").status:
        listed = _git(git_dir, "rev-list", "--end-of-options", where)
        return Place(where, tuple(_read(git_dir, listed.stdout.decode().split())))
    if where == REF:
        if _newest(git_dir) is None:
            return Place(where, ())
        return Place(where, (Given(f"{REF} holds no {_FILE}", None),))
    return Place(where, _trailers(git_dir, "--end-of-options", where), shared=True)


def _read(git_dir: str, commits: list[str]) -> list[Given]:
    asked = "".join(f"{commit}:{_FILE}\n" for commit in commits).encode()
    out = _git(git_dir, "cat-file", "--batch", stdin=asked).stdout
    found = []
    at = 0
    for commit in commits:
        end = out.index(b"\n", at)
        header = out[at:end].split(b" ")
        size = int(header[2]) if len(header) == 3 and header[1] == b"blob" else -1
        content = out[end + 1 : end + 1 + max(size, 0)]
        at = end + 1 + (size + 1 if size >= 0 else 0)
        found.append(_decoded(commit, content))
    return found


def _decoded(commit: str, content: bytes) -> Given:
    try:
        return Given(commit, Anchor.from_json(json.loads(content)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Given(f"commit {commit}", None)


def _trailers(git_dir: str, *revisions: str) -> tuple[Given, ...]:
    # The hash, a newline, and a value a line; -z ends each commit with NUL, which no message holds.
    form = f"--format=%H%n%(trailers:key={TRAILER},valueonly,unfold)"
    quiet = ("-c", "log.showSignature=false")
    told = _git(git_dir, *quiet, "log", "-z", "--no-color", "--no-notes", form, *revisions, "--")
    if told.status:
        raise UsageError(
            f"'{revisions[-1]}' is neither a ref with anchors, a file nor a revision: {_reason(told)}",
            "name one, or 'trailers' for the trailers of all commits",
        )
    found = []
    for commit in told.stdout.decode("utf-8", "replace").split("\0"):
        _, *values = commit.split("\n")
        found += [given(value) for value in values if value.strip()]
    return tuple(found)


def _made(git_dir: str, content: bytes, *arguments: str) -> str:
    done = _git(git_dir, *arguments, stdin=content)
    if done.status:
        raise RepositoryError(f"cannot write {REF}: {_reason(done)}", "make room, or mend the repository")
    return done.stdout.decode().strip()


def _git(git_dir: str, *arguments: str, stdin: bytes = b"") -> plumbing.Result:
    env = plumbing.without_local(os.environ)
    env["GIT_NO_REPLACE_OBJECTS"] = "1"  # an anchor that was replaced by another would be no anchor
    # A reference-transaction hook is none of an anchor's business; and it has to outlast a power cut.
    fixed = ("--git-dir", git_dir, "-c", "core.hooksPath=/dev/null", "-c", "core.fsync=loose-object,reference")
    return plumbing.run((*fixed, *arguments), stdin=stdin, env=env)


def _reason(done: plumbing.Result) -> str:
    lines = done.stderr.strip().splitlines() or [f"git ended with status {done.status}"]
    return lines[0].removeprefix("fatal: ").removeprefix("error: ")
