"""A repository as it is now, as a changeset: what its worktree differs by, and its last commits.

Nothing is written to it, nothing is fetched, and no program that its configuration names is run.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.changesets.shapes import CommitInfo, EmbeddedContent, FileChange, RepositoryChangeset
from mgit_hooks.credentials import strip
from mgit_hooks.errors import MgitError, ObjectError, reason
from mgit_hooks.git import gitfiles
from mgit_hooks.git.place import Place, place_of
from mgit_hooks.git.porcelain import Entry
from mgit_hooks.record import Json, Oid, readable

if TYPE_CHECKING:
    from mgit_hooks.changesets.embedding import Embedder
    from mgit_hooks.git.backend import Backend, Head

COMMITS: Final = 10
"""So many of the last commits a changeset has, unless it is asked for another number."""
_GITLINK: Final = 0o160000
_PIECE: Final = 1024 * 1024
_TYPES: Final = {
    "A": "added", "M": "modified", "D": "deleted", "R": "renamed", "C": "copied", "T": "typechange", "?": "untracked",
}  # fmt: skip


def read(path: str, *, commits: int = COMMITS, content: Embedder | None = None) -> RepositoryChangeset:
    """As ``capture``, but never raises for a repository that cannot be read: its changeset has ``git_status``
    ``error``, and says why in ``error``; in ``metadata.hint`` what to do about it."""
    timestamp = dates.now()
    hint = ""
    try:
        return capture(path, commits=commits, content=content)
    except (MgitError, OSError) as error:
        why, hint = reason(error), getattr(error, "remedy", "")
    except Exception as error:  # one repository in whatever state must not take the others with it
        why = f"internal error: {type(error).__name__}: {error}"
    return failed(path, timestamp, why, hint)


def failed(path: str, timestamp: str, why: str, hint: str = "") -> RepositoryChangeset:
    """What there is to tell of a repository that could not be read."""
    place = Place(os.path.realpath(path), "")
    said, remedy = (strip(readable(os.fsencode(text))[0]) for text in (why, hint))
    metadata = {"hint": remedy} if remedy else None
    return RepositoryChangeset(place.path, place.name, timestamp, False, "error", error=said, metadata=metadata)


def capture(path: str, *, commits: int = COMMITS, content: Embedder | None = None) -> RepositoryChangeset:
    """The repository at ``path`` itself: the top of a worktree, a bare repository or a git directory.

    Its last ``commits`` commits, and of its changed files what ``content`` embeds. Raises RepositoryError, OSError.
    """
    timestamp = dates.now()
    return _read(place_of(path), timestamp, commits, content)


def _read(place: Place, timestamp: str, commits: int, content: Embedder | None) -> RepositoryChangeset:
    from mgit_hooks.git import worktree
    from mgit_hooks.git.opening import open_backend

    git = open_backend(place.git_dir)
    try:
        top = worktree.top_of(place, git)
        if top is not None and os.path.join(top, ".git") == place.path:
            place = place._replace(path=top)
        # core.worktree may name any folder, for any reason: it takes no other repository's name, and what is in there
        # goes nowhere.
        elsewhere = top is not None and top != place.path
        if elsewhere:
            content = None
        files: tuple[FileChange, ...] = ()
        problems: list[Json] = []
        if top is None:
            worktree.require_trusted(place.git_dir)
        else:
            entries = worktree.status(top, git, None if top == place.path else place.git_dir)
            files, problems = _files(entries, top, git, content)
        head = git.head()
        recent, missing = _recent(git, place.git_dir, head, commits)
    finally:
        git.close()
    metadata: Json = {"head": head.oid, "bare": top is None}
    if top is not None and elsewhere:
        metadata["worktree"] = readable(os.fsencode(top))[0]
    if problems:
        metadata["unreadable"] = problems
    if missing:
        metadata["missing"] = missing
    return RepositoryChangeset(
        place.path,
        place.name,
        timestamp,
        bool(files),
        "dirty" if files else "clean",
        head.branch,
        files,
        recent,
        metadata=metadata,
        content_embedding_stats=None if content is None else content.stats(),
    )


# The worktree


def _files(
    entries: list[Entry], top: str, git: Backend, content: Embedder | None
) -> tuple[tuple[FileChange, ...], list[Json]]:
    """The changed files by path, and what of them could not be read."""
    problems: list[Json] = []
    entries.sort(key=lambda entry: entry.path)
    secrets: dict[str, bytes] = {}
    if content is not None:
        from mgit_hooks.changesets.secretcopies import secret_contents

        secrets = secret_contents(entries, top, git)
    return tuple(_change(entry, top, content, secrets, problems) for entry in entries), problems


def _change(
    entry: Entry, top: str, content: Embedder | None, secrets: dict[str, bytes], problems: list[Json]
) -> FileChange:
    filename, filename_bytes = readable(entry.path)
    old_filename, old_filename_bytes = readable(entry.old_path) if entry.old_path else (None, None)
    path = os.path.join(os.fsencode(top), entry.path)
    held = _NOTHING
    if entry.worktree_mode or entry.worktree_status == "?":
        try:
            held = _held(path)
        except OSError as error:
            problems.append({"filename": filename, "error": error.strerror})
    change_type = _type(entry)
    new_oid = entry.index_oid if entry.worktree_status == "." else None
    if held.mode == _GITLINK and entry.worktree_status != "?":
        new_oid = _submodules_head(path) or new_oid
    embedded = None
    if content is not None and held.sha256 is not None:
        embedded = _embedded(entry, top, content, secrets.get(held.sha256, entry.old_path))
    if embedded is not None and embedded.hash_covers == "file":  # of one moment with the content
        held = held._replace(size=embedded.original_size, sha256=embedded.content_hash)
    return FileChange(
        filename,
        change_type,
        entry.index_status,
        entry.worktree_status,
        held.size,
        held.sha256,
        embedded,
        old_filename,
        _octal(entry.head_mode),
        _octal(entry.worktree_mode or held.mode),
        entry.head_oid,
        new_oid if change_type != "deleted" else None,
        filename_bytes=filename_bytes,
        old_filename_bytes=old_filename_bytes,
    )


def _embedded(entry: Entry, top: str, content: Embedder, former: bytes | None) -> EmbeddedContent:
    from mgit_hooks.changesets.embedding import file_in

    return content.embed(entry.path, file_in(top, entry.path), former)


def _type(entry: Entry) -> str:
    """What git's letters mean for the file against HEAD, as the worktree has it."""
    if entry.unmerged:
        return "unknown"
    if entry.worktree_status == "D":
        return "deleted"
    letters = entry.index_status, entry.worktree_status
    for letter in "RC":  # be it the worktree's side that tells so, as with `git add -N`
        if letter in letters:
            return _TYPES[letter]
    return _TYPES.get(letters[letters[0] == "."], "unknown")


class _Held(NamedTuple):
    """What a path of the worktree holds. ``sha256`` and ``size`` are None of a submodule, and of nothing."""

    mode: int
    size: int | None
    sha256: str | None


_NOTHING: Final = _Held(0, None, None)


def _held(path: bytes) -> _Held:
    """A link is what it says. What is gone since git looked, or is no file, holds nothing. Raises OSError."""
    from hashlib import sha256

    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return _NOTHING
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(path)
        return _Held(0o120000, len(target), sha256(target).hexdigest())
    if stat.S_ISDIR(status.st_mode):
        return _Held(_GITLINK, None, None)
    if not stat.S_ISREG(status.st_mode):  # to open a device may do things
        return _NOTHING
    digest, size = sha256(), 0
    try:
        with open(_opened(path), "rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
    except (FileNotFoundError, NotADirectoryError):
        return _NOTHING
    return _Held(0o100755 if status.st_mode & stat.S_IXUSR else 0o100644, size, digest.hexdigest())


def _opened(path: bytes) -> int:
    """A descriptor of the regular file that ``path`` itself is. Raises FileNotFoundError where it is none by now."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link by now
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return descriptor


def _submodules_head(path: bytes) -> Oid | None:
    """The commit that a submodule has checked out; None where it has none, or cannot say."""
    from mgit_hooks.git.opening import open_backend

    try:
        git = open_backend(place_of(os.fsdecode(path)).git_dir)
    except (MgitError, OSError):
        return None
    try:
        return git.head().oid
    except MgitError:
        return None
    finally:
        git.close()


def _octal(mode: int) -> str | None:
    return f"{mode:06o}" if mode else None


# The last commits


def _recent(git: Backend, git_dir: str, head: Head, count: int) -> tuple[tuple[CommitInfo, ...], list[str]]:
    """The ``count`` last commits that HEAD reaches, the newest first, and the objects on the way that are not here."""
    from mgit_hooks.capture.capturer import Capturer

    missing: list[str] = []
    oids = list(_newest(git, gitfiles.shallow_boundary(git_dir), head.oid, count, missing))
    captured = list(Capturer(git_dir, lambda _: git).commits(reversed(oids)))
    return tuple(CommitInfo.from_json(commit.to_json()) for commit in reversed(captured)), missing


def _newest(git: Backend, boundary: frozenset[Oid], head: Oid | None, count: int, missing: list[str]) -> Iterator[Oid]:
    """As `git log` has them: of all that is known to be next, the one with the latest committer date."""
    from mgit_hooks.capture import rawcommit

    waiting: list[tuple[int, int, Oid, tuple[Oid, ...]]] = []
    seen: set[Oid] = set()

    def expect(oid: Oid) -> None:
        if oid in seen:
            return
        seen.add(oid)
        try:
            found = rawcommit.place(git.read_commit(oid), oid)
        except ObjectError:
            missing.append(oid)
            return
        heappush(waiting, (-found.time, len(seen), oid, () if oid in boundary else found.parents))

    if head is not None and count:
        expect(head)
    while waiting and count:
        _, _, oid, parents = heappop(waiting)
        yield oid
        count -= 1
        if count:
            for parent in parents:
                expect(parent)
