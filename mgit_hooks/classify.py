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
    (re.compile(r"commit \(amend\): "), "amend"),
    (re.compile(r"commit \(merge\): "), "merge"),
    (re.compile(r"commit \(cherry-pick\): "), "cherry-pick"),
    (re.compile(r"commit \(rebase\): "), "rebase"),
    (re.compile(r"commit(?: \([a-z-]+\))?: "), "commit"),
    (re.compile(r"cherry-pick: (?!fast-forward)"), "cherry-pick"),
    (re.compile(r"revert: "), "revert"),
    (re.compile(r"am: "), "am"),
    (
        re.compile(
            r"(?:rebase|pull)\b[^:]*\((?:pick|reword|edit|squash|fixup|continue|merge|break|exec)\): "
        ),
        "rebase",
    ),
    (re.compile(r"rebase: "), "rebase"),
    (re.compile(r".*: Merge made by "), "merge"),
)
_HOOKS: Final = {"post-commit": "commit", "post-merge": "merge", "post-applypatch": "am"}
_FETCHED: Final = re.compile(r"(?:fetch|pull|clone)\b")


def made_by(message: str) -> str | None:
    """The event that made the commit a reflog entry moved to, as its message claims; None for a mere movement."""
    return next((event for pattern, event in _MESSAGES if pattern.match(message)), None)


def event_of(message: str | None, hook: str | None, rewrite: str | None, parents: int) -> str | None:
    """The event of a commit first seen now; None where nothing says that it was made here.

    ``hook`` is the hook that ran on this very commit, ``rewrite`` what post-rewrite said made it
    (``amend`` or ``rebase``).
    """
    if rewrite is not None:
        return rewrite
    claimed = made_by(message) if message is not None else None
    if claimed is not None:
        # `git commit` that concludes a merge under a reflog action of the caller's own says just "commit"
        return "merge" if claimed == "commit" and parents > 1 else claimed
    if hook is None or (hook == "post-merge" and parents < 2):
        return None
    return "merge" if parents > 1 else _HOOKS.get(hook)


def is_checkout(message: str) -> bool:
    return message.startswith("checkout: ")


def is_fetched(ref: str, message: str | None) -> bool:
    """Whether a movement brought commits from elsewhere."""
    return ref.startswith("refs/remotes/") or (message is not None and _FETCHED.match(message) is not None)


def is_push_update(ref: str, message: str) -> bool:
    """git's own sign that a remote took a push: the remote-tracking ref moved, and says why."""
    return ref.startswith("refs/remotes/") and message.startswith("update by push")
