"""What facts are made from: the beginnings of objects, and the paths of a tree or of the index.

Read by git's own plumbing in the environment as it is, so that a hook sees its index and a push its quarantine.
Nothing is fetched, no filter and no textconv runs, and nothing of the worktree is read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from mgit_hooks.gatekeeper import loose
from mgit_hooks.gatekeeper.loose import LIMIT
from mgit_hooks.git import plumbing
from mgit_hooks.git.conversation import Conversation, Ended
from mgit_hooks.record import Oid


class Objects:
    """The objects of one repository.

    ``directory`` is where git is started, by default here. ``folder`` is where objects that were just made lie as
    files of their own: what was staged a moment ago is read there, without waiting for a process.
    """

    def __init__(self, directory: str | None = None, folder: str | None = None) -> None:
        self._directory = directory
        self._folders = [each for each in (os.environ.get("GIT_OBJECT_DIRECTORY"), folder) if each and folder]
        self._asked: Conversation | None = None

    def beginning(self, oid: Oid) -> bytes | None:
        """At most LIMIT bytes; None where the object is not here, or damaged, or ``oid`` is none in full."""
        if len(oid) not in (40, 64):
            return None
        for folder in self._folders:
            if (found := loose.beginning(folder, oid)) is not None:
                return found
        return self._told(oid)

    def _told(self, oid: Oid) -> bytes | None:
        if self._asked is None:
            self._asked = Conversation(("cat-file", "--batch-command"), os.environ, self._directory)
        try:
            self._asked.ask(b"info %s\n" % oid.encode("ascii"))
            fields = self._asked.line().split(b" ")
            if len(fields) != 3:
                return None
            if int(fields[2]) > LIMIT:
                return self._cut(fields[1].decode("ascii"), oid)
            self._asked.ask(b"contents %s\n" % oid.encode("ascii"))
            self._asked.line()
            return self._asked.exactly(int(fields[2]) + 1)[:-1]
        except Ended:  # damage ends it; the next question begins a new one
            self.close()
            return None

    def _cut(self, kind: str, oid: Oid) -> bytes | None:
        """By a process of its own, which is ended once it has said enough."""
        conversation = Conversation(("cat-file", kind, oid), os.environ, self._directory)
        try:
            return conversation.exactly(LIMIT)
        except Ended:
            return None
        finally:
            conversation.close()

    def paths(self, tree: Oid | None) -> list[bytes] | None:
        """All paths of ``tree``, or of the index; None where a part of it is not here."""
        listed = (
            self._run("ls-files", "-z", "--cached", "--full-name", ":/")
            if tree is None
            else self._run("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree)
        )
        return None if listed.status else listed.stdout.split(b"\0")[:-1]

    def close(self) -> None:
        if self._asked is not None:
            self._asked.close()
        self._asked = None

    def _run(self, *words: str) -> plumbing.Result:
        arguments: Sequence[str] = words
        return plumbing.run(arguments, directory=self._directory)
