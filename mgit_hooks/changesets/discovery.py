"""Repositories under a root, by what lies in its folders.

Nothing is run, no link is followed, and of a repository's own files only its HEAD, its ``.git`` file and, for patterns,
its configuration are read, as text.

A folder that cannot be looked into, and a ``.git`` that is none, are told as what they are and stop nothing.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from mgit_hooks.errors import RepositoryError, reason
from mgit_hooks.files import is_folder, read, status
from mgit_hooks.git import gitfiles

REPOSITORY: Final = "repository"
WORKTREE: Final = "worktree"  # a linked one
SUBMODULE: Final = "submodule"
BARE: Final = "bare"
FOLDER: Final = "folder"
"""Kinds. What is a FOLDER is no repository: it could not be looked into, and says why as its problem."""

_LONGEST_SMALL: Final = 64 * 1024  # bytes of a HEAD, of a .git file
_LONGEST_CONFIG: Final = 1024 * 1024
_HEAD: Final = re.compile(rb"ref:[ \t]*refs/|[0-9a-fA-F]{40}")  # setup.c, is_git_directory and validate_headref
_GITDIR: Final = b"gitdir: "
_GONE: Final = frozenset((os.strerror(errno.ENOENT), os.strerror(errno.ENOTDIR)))  # since its name was read


class Found(NamedTuple):
    """A repository: the top of a worktree, or the folder of a bare one. ``problem``: why it cannot be read."""

    path: str
    kind: str
    problem: str | None = None


class _Folder(NamedTuple):
    """What one look into a folder showed."""

    path: str
    folders: tuple[str, ...]  # names, without .git
    has_git: bool
    may_be_bare: bool
    problem: str | None


def find(root: str, *, recursive: bool, patterns: Sequence[str] = ()) -> Iterator[Found]:
    """The repositories of ``root``, each once, sorted by path; paths are absolute, and without links.

    The one that ``root`` is in; where it is in none, those directly below it. ``recursive``: all that are at and below
    it, however deep, inside each other too. With ``patterns`` only those of which one matches the path, the path
    below ``root``, the name or a remote's URL (as fnmatch(3), where ``*`` takes slashes too). Folders that cannot be
    looked into are among them whatever the patterns say: what is in there is not known.

    Raises RepositoryError where ``root`` is no folder, or cannot be looked into.
    """
    real = os.path.realpath(root)
    fits = _matcher(patterns, real)
    around = None if recursive else enclosing(real)
    if around is not None:
        found = iter((around,))
    else:
        top = _look(real)
        if top.problem is not None:
            raise RepositoryError(f"{real}: {top.problem}", "name a folder that is there and can be read")
        found = _each_once(_walk(top, deep=recursive))
    return (each for each in found if each.kind == FOLDER or fits(each))


def enclosing(path: str) -> Found | None:
    """The repository that ``path`` is in, as git looks for it: upwards, to the end of the file system and to
    GIT_CEILING_DIRECTORIES. A ``.git`` that is none is passed over."""
    at = os.path.realpath(path)
    device = _device(at)
    ceilings = {
        os.path.realpath(each) for each in os.environ.get("GIT_CEILING_DIRECTORIES", "").split(os.pathsep) if each
    }
    while True:
        found = _repository(_peek(at))
        if found is not None and found.problem is None:
            inside = found.kind == BARE and os.path.basename(at) == ".git"
            return Found(os.path.dirname(at), REPOSITORY) if inside else found
        above = os.path.dirname(at)
        if above == at or above in ceilings or _device(above) != device:
            return None
        at = above


def _device(path: str) -> int | None:
    try:
        return os.stat(path).st_dev
    except OSError:
        return None


def _peek(path: str) -> _Folder:
    """As ``_look``, where only the folder itself counts: one that may not be listed can be gone through."""
    try:
        has_git = status(os.path.join(path, ".git"), follow=False) is not None
        bare = not has_git and all(status(os.path.join(path, name)) is not None for name in ("HEAD", "objects", "refs"))
    except OSError as error:
        return _Folder(path, (), False, False, error.strerror)
    return _Folder(path, (), has_git, bare, None)


# Folders


def _walk(top: _Folder, *, deep: bool) -> Iterator[Found]:
    """What is at ``top``, and below it, in the order of whole paths, as text: ``a``, ``a-b``, ``a/b``.

    A folder is looked into where its name stands, and gone into where its name with a slash would stand.
    """
    seen: dict[str, _Folder] = {}
    found = _found(top)
    yield from found
    if found and found[0].kind == BARE:
        return
    stack = [_steps(top, deep)]
    while stack:
        step = next(stack[-1], None)
        if step is None:
            stack.pop()
        elif step.endswith("/"):
            folder = seen.pop(step[:-1], None)
            if folder is not None:
                stack.append(_steps(folder, deep))
        else:
            folder = _look(step)
            found = _found(folder)
            yield from found
            if deep and folder.folders and not (found and found[0].kind == BARE):
                seen[step] = folder


def _steps(folder: _Folder, deep: bool) -> Iterator[str]:
    before = folder.path if folder.path.endswith("/") else f"{folder.path}/"
    names = [*folder.folders, *(f"{name}/" for name in folder.folders)] if deep else list(folder.folders)
    names.sort()
    return (before + name for name in names)


def _look(path: str) -> _Folder:
    folders: list[str] = []
    has_git = head = False
    stores = 0
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name == ".git":
                    has_git = True
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(name)
                    stores += name in ("objects", "refs")
                elif name == "HEAD":
                    head = True
    except OSError as error:
        return _Folder(path, (), False, False, error.strerror or str(error))
    return _Folder(path, tuple(folders), has_git, head and stores == 2, None)


def _found(folder: _Folder) -> list[Found]:
    if folder.problem is None:
        found = _repository(folder)
        return [] if found is None else [found]
    return [] if folder.problem in _GONE else [Found(folder.path, FOLDER, folder.problem)]


def _each_once(found: Iterator[Found]) -> Iterator[Found]:
    """A folder can have two paths without any link: it may be mounted twice."""
    seen: set[tuple[int, int]] = set()
    for each in found:
        try:
            is_at = os.stat(each.path)
        except OSError:
            yield each
            continue
        if (is_at.st_dev, is_at.st_ino) not in seen:
            seen.add((is_at.st_dev, is_at.st_ino))
            yield each


# Repositories


def _repository(folder: _Folder) -> Found | None:
    path = folder.path
    try:
        if folder.has_git:
            return _with_git(path, os.path.join(path, ".git"))
        if folder.may_be_bare and _why_no_git_dir(path) is None:
            return Found(path, BARE)
    except OSError as error:
        return Found(path, REPOSITORY, reason(error))
    except ValueError:  # a name in one of its files with a NUL in it
        return Found(path, REPOSITORY, "a file of its git directory names nothing that can be")
    return None


def _with_git(path: str, git: str) -> Found | None:
    if is_folder(git):
        problem = _why_no_git_dir(git)
        return Found(path, REPOSITORY, problem and f".git is no repository: {problem}")
    git_dir = _named_by(git)
    if git_dir is None:
        return Found(path, REPOSITORY, ".git is neither a folder nor a file that names one")
    problem = _why_no_git_dir(git_dir)
    kind = WORKTREE if _is_linked(git_dir) else SUBMODULE if "/modules/" in git_dir else REPOSITORY
    return Found(path, kind, problem and f".git leads to {git_dir}, which is no repository: {problem}")


def _named_by(gitfile: str) -> str | None:
    """The git directory that a ``.git`` file leads to."""
    try:
        said = read(gitfile, _LONGEST_SMALL)
    except (FileNotFoundError, ValueError):  # a pipe, a link to nothing, too long
        return None
    if not said.startswith(_GITDIR):
        return None
    target = os.fsdecode(said.removeprefix(_GITDIR).rstrip(b"\r\n"))
    if not target or "\0" in target:
        return None
    return os.path.realpath(os.path.join(os.path.dirname(gitfile), target))


def _is_linked(git_dir: str) -> bool:
    return status(os.path.join(git_dir, "commondir")) is not None


def _why_no_git_dir(git_dir: str) -> str | None:
    """What git would miss in a git directory; None where nothing. Raises OSError where that cannot be told."""
    if not is_folder(git_dir):
        return "there is no such folder"
    try:
        head = os.fsencode(os.readlink(os.path.join(git_dir, "HEAD")))
        sound = head.startswith(b"refs/")
    except OSError:
        try:
            sound = _HEAD.match(read(os.path.join(git_dir, "HEAD"), _LONGEST_SMALL)) is not None
        except FileNotFoundError:
            return "it has no HEAD"
        except ValueError:
            sound = False
    if not sound:
        return "its HEAD names nothing"
    shared = gitfiles.common_dir(git_dir)
    return next(
        (f"it has no {name}" for name in ("objects", "refs") if not is_folder(os.path.join(shared, name))), None
    )


# Patterns


def _matcher(patterns: Sequence[str], root: str) -> Callable[[Found], bool]:
    if not patterns:
        return lambda each: True
    from fnmatch import translate

    forms = [re.compile(translate(pattern)) for pattern in patterns]

    def fits(each: Found) -> bool:
        name = os.path.basename(each.path)
        texts = {each.path, os.path.relpath(each.path, root), name, name.removesuffix(".git")}
        return _any_fits(forms, texts) or _any_fits(forms, remote_urls(each))

    return fits


def _any_fits(forms: list[re.Pattern[str]], texts: set[str]) -> bool:
    return any(form.match(text) for form in forms for text in texts)


def remote_urls(found: Found) -> set[str]:
    """The URLs of a repository's remotes, without credentials, as its own configuration file has them: what it includes
    and what ``url.*.insteadOf`` makes of them is not looked at. None of one that cannot be read."""
    from mgit_hooks.credentials import strip
    from mgit_hooks.git.configtext import settings

    try:
        git = os.path.join(found.path, ".git")
        inner = found.path if found.kind == BARE else git if is_folder(git) else _named_by(git)
        text = read(os.path.join(gitfiles.common_dir(inner), "config"), _LONGEST_CONFIG) if inner is not None else b""
    except (OSError, ValueError):
        return set()
    said = settings(os.fsdecode(text))
    return {
        strip(value)
        for section, name, key, value in said
        if section == "remote" and name is not None and key in ("url", "pushurl") and value
    }
