"""A repository as git's own commands tell of it: for what libgit2 refuses.

One `cat-file` and one `diff-tree` answer for as long as they are asked, so that a commit costs no process. They
keep nothing of what they were asked but `diff-tree` its top trees, which is why that one is begun anew at times.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from mgit_hooks.capture.rawdiff import Change
from mgit_hooks.errors import ObjectError, RepositoryError
from mgit_hooks.git import asking, gitfiles, plumbing, rawoutput, reffiles, reftable
from mgit_hooks.git.asking import reason
from mgit_hooks.git.backend import Content, Head, MissingObject
from mgit_hooks.git.conversation import Conversation, Ended
from mgit_hooks.record import Oid

_OID: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
# git's words of an object that is not there, or not whole: the first object id in them is that one's.
_NAMED: Final = re.compile(r"\b([0-9a-f]{64}|[0-9a-f]{40})\b")
# The object formats by the length of their ids in hexadecimal; git knows the empty tree without its being there.
_EMPTY_TREES: Final = {
    40: Oid("4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
    64: Oid("6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"),
}
# Pairs of trees after which diff-tree is begun anew, which gives back the memory of their entries.
_PAIRS: Final = 4096
# A line that is no object id diff-tree gives back as it is, at once: by that the end of an answer is seen.
_MARK: Final = b".\n"

T = TypeVar("T")


class Twin:
    """As ``backend.Backend``. Raises RepositoryError where git cannot read the repository.

    ``environment`` is what git is run in, less what points it at another repository. ``objects`` is what names
    further folders of objects: those of a push in quarantine.
    """

    def __init__(
        self, git_dir: str, environment: Mapping[str, str] | None = None, objects: Mapping[str, str] | None = None
    ) -> None:
        self.git_dir = git_dir
        base = plumbing.without_local(os.environ if environment is None else environment)
        self._env = {**base, **(objects or {}), "GIT_DIR": git_dir}
        self._objects: Conversation | None = None
        self._trees: Conversation | None = None
        self._attributes: Conversation | None = None
        self._pairs = 0
        self._settings: dict[str, str] | None = None
        told = self._run("rev-parse", "--show-object-format")
        if told.status:
            raise RepositoryError(f"git cannot read {git_dir}: {reason(told)}", "see what 'git status' says there")
        self.object_format = told.stdout.decode("ascii").strip()
        self._digits = 64 if self.object_format == "sha256" else 40
        self._empty_tree = _EMPTY_TREES[self._digits]

    def close(self) -> None:
        for conversation in (self._objects, self._trees, self._attributes):
            if conversation is not None:
                conversation.close()
        self._objects = self._trees = self._attributes = None

    # Objects

    def read(self, oid: Oid) -> bytes:
        return b"" if oid == self._empty_tree else self._contents(oid)[1]

    def read_commit(self, oid: Oid) -> bytes:
        kind, raw = self._contents(oid)
        if kind != b"commit":
            raise ObjectError(f"object {oid} is not a commit", "name a commit")
        return raw

    def peel_to_commit(self, oid: Oid) -> Oid | None:
        while True:
            kind, raw = self._contents(oid)
            if kind != b"tag":
                return oid if kind == b"commit" else None
            oid = Oid(raw[7 : raw.find(b"\n")].decode("ascii", "replace"))

    def blob(self, oid: Oid) -> Content:
        kind, raw = self._contents(oid)
        if kind != b"blob":
            raise MissingObject(oid)
        return Content(raw)

    def reading_order(self, oids: Iterable[Oid]) -> list[Oid]:
        return list(oids)  # git keeps more of what it comes through than libgit2

    def size(self, oid: Oid) -> int:
        return self._header(oid)[1]

    def __contains__(self, oid: Oid) -> bool:
        try:
            self._header(oid)
        except MissingObject:
            return False
        return True

    def _contents(self, oid: Oid) -> tuple[bytes, bytes]:
        """Kind and bytes."""
        return self._answer(b"contents", oid, _content)

    def _header(self, oid: Oid) -> tuple[bytes, int]:
        """Kind and size."""
        return self._answer(b"info", oid, _size)

    def _answer(self, command: bytes, oid: Oid, rest: Callable[[Conversation, int], T]) -> tuple[bytes, T]:
        """The kind of an object, and what ``rest`` makes of its size and of what follows."""
        # Anything else could be a revision, and a shorter id than the repository's the beginning of one.
        if len(oid) != self._digits or not _OID.fullmatch(oid):
            raise MissingObject(oid)
        if self._objects is None:
            self._objects = Conversation(("cat-file", "--batch-command"), self._env)
        try:
            self._objects.ask(b"%s %s\n" % (command, oid.encode("ascii")))
            fields = self._objects.line().split(b" ")
            if len(fields) == 3:
                return fields[1], rest(self._objects, int(fields[2]))
        except Ended:  # an object that is damaged ends it
            self._drop_objects()
        raise MissingObject(oid)

    def _drop_objects(self) -> None:
        if self._objects is not None:
            self._objects.close()
        self._objects = None

    def changes(self, old: Oid | None, new: Oid | None) -> list[Change]:
        old, new = old or self._empty_tree, new or self._empty_tree
        if old == new:
            return []
        if self._trees is None or self._pairs >= _PAIRS:
            self._drop_trees()
            self._trees = Conversation(("diff-tree", "--stdin", "-r", *rawoutput.OPTIONS), self._env)
        self._pairs += 1
        try:
            self._trees.ask(f"{old} {new}\n".encode() + _MARK)
            told = self._trees.peek() != _MARK[:1]
            if told:
                self._trees.line()  # the two trees
            changes = list(rawoutput.changes(self._trees))
            self._trees.line()  # the mark
        except Ended as error:
            self._drop_trees()
            raise _missing(error.said, new) from None
        if not told:
            said = self._trees.complaint()
            # Which of two it names is not the same in all versions.
            raise _missing(said if old in self else old, new)
        return changes

    def _drop_trees(self) -> None:
        if self._trees is not None:
            self._trees.close()
        self._trees, self._pairs = None, 0

    def staged_changes(self, index_file: str, tree: Oid | None) -> list[Change]:
        return asking.staged_changes(self.git_dir, index_file, tree or self._empty_tree, self._env)

    # Refs

    def references(self) -> dict[str, Oid]:
        common_dir = gitfiles.common_dir(self.git_dir)
        reffiles.require_plain(common_dir)
        if reftable.is_used(common_dir):
            reftable.require_readable(common_dir)
        told = self._run("for-each-ref", "--format=%(objectname) %(refname) %(symref)")
        broken = [line for line in told.stderr.splitlines() if "broken" in line or line.startswith("error: ")]
        if told.status or broken:
            raise RepositoryError(f"git cannot read the refs: {reason(told)}", "see what 'git fsck' says there")
        found = {}
        for line in told.stdout.split(b"\n")[:-1]:
            oid, name, symref = line.split(b" ", 2)
            if not symref:
                found[os.fsdecode(name)] = Oid(oid.decode("ascii"))
        return found

    def head(self) -> Head:
        named = self._run("symbolic-ref", "-q", "HEAD")
        if named.status not in (0, 1):
            raise RepositoryError(f"git cannot read HEAD: {reason(named)}", "see what 'git status' says there")
        at = self._run("rev-parse", "-q", "--verify", "HEAD")
        oid = Oid(at.stdout.decode("ascii").strip()) if at.status == 0 else None
        branch = os.fsdecode(named.stdout).rstrip("\n").removeprefix("refs/heads/") if named.status == 0 else None
        return Head(branch, oid)

    def is_ancestor(self, old: Oid, new: Oid) -> bool | None:
        if old not in self or new not in self:
            return None
        return asking.is_ancestor(self.git_dir, old, new, self._env)

    # What else the repository says

    def workdir(self) -> str | None:
        linked = gitfiles.linked_worktree(self.git_dir)
        if linked is not None:
            return linked
        named = self.setting("core.worktree")
        if named:
            return os.path.normpath(os.path.join(self.git_dir, named))
        if (self.setting("core.bare") or "false").lower() in ("true", "yes", "on", "1"):
            return None
        git_dir = os.path.normpath(self.git_dir)
        return os.path.dirname(git_dir) if os.path.basename(git_dir) == ".git" else None

    def setting(self, key: str) -> str | None:
        if self._settings is None:
            entries = (
                entry.partition("\n") for entry in os.fsdecode(self._run("config", "-z", "--list").stdout).split("\0")
            )
            self._settings = {name: value if newline else "true" for name, newline, value in entries}
        return self._settings.get(_canonical(key))

    def attribute(self, path: bytes) -> str | bool | None:
        if self._attributes is None:
            self._attributes = Conversation(*self._attribute_command())
        try:
            self._attributes.ask(path + b"\0")
            _, _, value = (self._attributes.line(b"\0") for _ in range(3))
        except Ended:
            self._attributes.close()
            self._attributes = None
            return None
        return _ATTRIBUTES.get(value, os.fsdecode(value))

    def _attribute_command(self) -> tuple[tuple[str, ...], dict[str, str], str | None]:
        asked = ("check-attr", "--stdin", "-z", "diff")
        workdir = self.workdir()
        if workdir is None or not os.access(os.path.join(workdir, ""), os.X_OK):
            # Newer versions of git look into HEAD's tree there; what counts is the worktree, and there is none.
            return ("-c", f"attr.tree={self._empty_tree}", *asked), self._env, None
        return asked, {**self._env, "GIT_WORK_TREE": workdir}, workdir

    def _run(self, *arguments: str) -> plumbing.Result:
        return plumbing.run(arguments, env=self._env)


_ATTRIBUTES: Final[Mapping[bytes, str | bool | None]] = {b"unspecified": None, b"set": True, b"unset": False}


def _size(told: Conversation, size: int) -> int:
    return size


def _content(told: Conversation, size: int) -> bytes:
    return told.exactly(size + 1)[:-1]  # a newline follows


def _missing(said: str, otherwise: Oid) -> MissingObject:
    named = _NAMED.search(said)
    return MissingObject(Oid(named.group()) if named else otherwise)


def _canonical(key: str) -> str:
    """As `git config --list` prints it: section and variable in lower case, what is between them as it is."""
    section, _, rest = key.partition(".")
    middle, dot, variable = rest.rpartition(".")
    return f"{section.lower()}.{middle}{dot}{variable.lower()}"
