"""What made a commit, from the evidence at hand: the reflog's message, and what the hooks said.

The reflog's message is a claim (``GIT_REFLOG_ACTION`` sets it); a hook's word goes before it. Where neither
tells, the commit is an ``import``: first seen, no evidence of how.
"""

from __future__ import annotations

import re
from typing import Final

# In the order in which they are tried. The words are git's own (builtin/commit.c, sequencer.c, builtin/am.c,
# builtin/merge.c); what stands before the colon may be preceded by "pull ..." or another reflog action.
_MESSAGES: Final = (
    (re.compile(r"commit \(amend\):(?: |$)"), "amend"),
    (re.compile(r"commit \(merge\):(?: |$)"), "merge"),
    (re.compile(r"commit \(cherry-pick\):(?: |$)"), "cherry-pick"),
    (re.compile(r"commit \(rebase\):(?: |$)"), "rebase"),
    (re.compile(r"commit(?: \([a-z-]+\))?:(?: |$)"), "commit"),
    (re.compile(r"cherry-pick:(?: |$)"), "cherry-pick"),
    (re.compile(r"revert:(?: |$)"), "revert"),
    (re.compile(r"am:(?: |$)"), "am"),
    (
        re.compile(r"(?:rebase|pull)\b[^:]*\((?:pick|reword|edit|squash|fixup|continue|merge|break|exec)\):(?: |$)"),
        "rebase",
    ),
    (re.compile(r"rebase:(?: |$)"), "rebase"),
    (re.compile(r".*: Merge made by "), "merge"),
)
_FOLDED: Final = re.compile(r"[^:]*\((?:squash|fixup)\):(?: |$)")
_FAST_FORWARD: Final = re.compile(r"(?!commit\b)[^:]*: fast-forward$")
# `git commit` and `git revert --continue` log a revert that had conflicts as a plain commit. What git writes
# into its message is left to tell.
_REVERTS: Final = re.compile(r"(?:Revert|Reapply) \".*^This reverts commit [0-9a-f]{40,64}\b", re.DOTALL | re.MULTILINE)
_HOOKS: Final = {"post-commit": "commit", "post-merge": "merge", "post-applypatch": "am"}
_FETCHED: Final = re.compile(r"(?:fetch|pull|clone)\b")


def made_by(message: str) -> str | None:
    """The event that made the commit a reflog entry moved to, as its message claims; None for a mere movement."""
    if _FAST_FORWARD.match(message):
        return None
    return next((event for pattern, event in _MESSAGES if pattern.match(message)), None)


def claimed(message: str, rewrite: str | None) -> str | None:
    """As ``made_by``, of a commit that post-rewrite said was made by ``rewrite``.

    A rebase under a reflog action of the caller's own logs its fixups under that name, and git calls them amends.
    """
    return made_by(message) or ("rebase" if rewrite == "amend" and _FOLDED.match(message) else None)


def runs_hook(message: str) -> bool:
    """Whether git runs a hook of ours right after it has logged this: not for what a rebase picks."""
    return made_by(message) not in (None, "rebase")


def event_of(reflog: str | None, hook: str | None, rewrite: str | None, parents: int, message: str) -> str | None:
    """The event of a commit first seen now; None where nothing says that it was made here.

    ``reflog`` is the message of the entry that moved a ref to it, ``hook`` the hook that ran on this very
    commit, ``rewrite`` what post-rewrite said made it (``amend`` or ``rebase``), ``message`` the commit's own.
    """
    made = claimed(reflog, rewrite) if reflog is not None else None
    if rewrite is not None:
        # A fixup in a rebase runs post-rewrite as an amend; an amend where a rebase stopped is named by both, and what
        # was committed there by hand stays a commit, whenever the map comes.
        kept = ("amend", "rebase", "commit") if rewrite == "rebase" else ("amend", "rebase")
        return made if made in kept else rewrite
    if made is None and hook is not None:
        # post-merge runs after a fast-forward too; where there is a reflog it says which
        made = None if hook == "post-merge" and (parents < 2 or reflog is not None) else _HOOKS.get(hook)
    if made == "commit" and parents > 1:  # under a reflog action of the caller's own
        return "merge"
    if made == "commit" and _REVERTS.match(message):
        return "revert"
    return made


def is_checkout(message: str) -> bool:
    return message.startswith("checkout: ")


def is_fetched(ref: str, message: str | None) -> bool:
    """Whether a movement brought commits from elsewhere."""
    return ref.startswith("refs/remotes/") or (message is not None and _FETCHED.match(message) is not None)


def is_push_update(ref: str, message: str) -> bool:
    """git's own sign that a remote took a push: the remote-tracking ref moved, and says why (transport.c)."""
    return ref.startswith("refs/") and message.startswith("update by push")
