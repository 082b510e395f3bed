"""The configuration file of a hook manager: found, extended and put back, whole or not at all.

What is written is read again first: nothing but our own must have changed, and what ``uninstall`` would make of it must
be the file as it was. Else the file stays untouched, and its owner is shown the lines.
"""

from __future__ import annotations

import json
import os
from typing import Final, NamedTuple

from mgit_hooks import files, lock
from mgit_hooks.errors import ConfigError, UsageError
from mgit_hooks.framework import adding, looking, removing, yamltext
from mgit_hooks.framework.adding import Wanted
from mgit_hooks.framework.filethere import File, content, read, remove, replace
from mgit_hooks.framework.looking import Configured
from mgit_hooks.framework.manifest import Source, Style, entry_lines
from mgit_hooks.framework.removing import Removed
from mgit_hooks.framework.splicing import Splice, Unclear, applied
from mgit_hooks.framework.yamltext import Document
from mgit_hooks.layout import Location
from mgit_hooks.record import Json

NAME: Final = ".pre-commit-config.yaml"
PREKS_YAML: Final = ".pre-commit-config.yml"  # pre-commit itself reads no file of this name
PREKS_TOML: Final = "prek.toml"  # prek reads this one first


class ByHand(ConfigError):
    """A file that is left as it was. ``lines`` are those that its owner may put there."""

    def __init__(self, message: str, remedy: str, lines: list[str]) -> None:
        super().__init__(message, remedy)
        self.lines = lines


class Report(NamedTuple):
    file: str
    action: str  # written | extended | unchanged | restored | removed | absent
    hooks: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    rev: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> Json:
        rev = None if self.rev is None else {"from": self.rev[0], "to": self.rev[1]}
        names = {"hooks": list(self.hooks), "default_install_hook_types": list(self.types)}
        return {"mode": "pre-commit", "file": self.file, "action": self.action, **names, "rev": rev}


def install(location: Location, wanted: Wanted) -> Report:
    """Write our hooks into the configuration at the worktree's top, which is made where there is none.

    Raises UsageError without a worktree, or for what does not fit what is there; ConfigError where the file is no
    configuration, ByHand where ours cannot be put into it with certainty, and MgitError where it cannot be written. It
    is then as it was.
    """
    with lock.folder(location.common_dir, "the configuration"):
        file = _find(location, wanted)
        if file.content is None:
            text = adding.new_file(wanted)
            replace(file, text.encode("utf-8"))
            return Report(file.path, "written", wanted.ids, adding.all_types(wanted.ids), notes=_notes(location, file))
        before = file.read()
        try:
            added = adding.add(before, wanted)
            after = verified(before, added.splices, file.name)
            require_ours(before, after, wanted)
        except Unclear as error:
            why = f"{file.name} is left as it was: {error}"
            raise ByHand(why, "put these lines there by hand", _lines(wanted)) from None
        notes = (*_notes(location, file), *_of_service(after, wanted))
        if not added.splices:
            return Report(file.path, "unchanged", notes=notes)
        replace(file, file.bytes_of(after.text))
        return Report(file.path, "extended", added.ids, added.types, added.rev, notes)


def uninstall(location: Location) -> Report:
    """Take our hooks out again, and the file too where it held nothing else. Raises as ``install``."""
    with lock.folder(location.common_dir, "the configuration"):
        file = _find(location, None)
        if file.content is None:
            return Report(file.path, "absent")
        before = file.read()
        try:
            removed = removing.remove(before)
            after = _without(before, removed, file.name)
        except Unclear as error:
            raise ByHand(f"{file.name} is left as it was: {error}", "take our hooks out of it by hand", []) from None
        if not removed.splices:
            return Report(file.path, "absent")
        notes: tuple[str, ...] = ()
        if removed.left:
            notes = (f"{looking.TYPES} goes on to name {', '.join(removed.left)}: who put them there is not known",)
        if removing.is_empty(after.text):
            remove(file)
            return Report(file.path, "removed", removed.ids)
        replace(file, file.bytes_of(after.text))
        return Report(file.path, "restored", removed.ids, notes=notes)


def look(location: Location) -> tuple[str, Configured] | None:
    """The configuration's name and what of ours it has; None where that is nothing. Raises ConfigError where it cannot
    be read. PyYAML is loaded only where one of our names stands in it."""
    if location.root is None:
        return None
    path = next((each for each in _places(location.root) if files.is_file(each)), None)
    if path is None or not location.root:
        return None
    file = read(path)
    if b"mgit-" not in (file.content or b""):
        return None
    try:
        found = looking.look(file.read())
    except Unclear as error:
        raise ConfigError(f"{file.name}: {error}", "see what is in it") from None
    return (file.name, found) if found.ids else None


def names(location: Location, hook: str) -> bool:
    """Whether the text of a configuration, one in TOML too, holds the id ``hook``; it is not taken apart.

    prek runs the hooks of a workspace's project in that project's folder: where we are, there may be one too.
    """
    folders = {location.root or location.git_dir, os.getcwd()}
    paths = (path for each in folders for path in (os.path.join(each, PREKS_TOML), *_places(each)))
    return any(hook.encode() in (content(path) or b"") for path in paths)


def _places(root: str) -> tuple[str, str]:
    return os.path.join(root, NAME), os.path.join(root, PREKS_YAML)


def _find(location: Location, wanted: Wanted | None) -> File:
    if location.root is None:
        raise UsageError(
            f"{location.repository_path} has no worktree, and a configuration of pre-commit stands in one",
            "run this in a clone that has one; 'mgit-hooks install' without --mode serves this one",
        )
    path = next((each for each in _places(location.root) if files.lexists(each)), None)
    if path is None and wanted is not None and files.lexists(os.path.join(location.root, PREKS_TOML)):
        why = f"{PREKS_TOML} is there, which prek reads in place of {NAME}, and pre-commit does not read"
        raise ByHand(why, f"put these lines into {PREKS_TOML} by hand", _toml_lines(wanted))
    return read(path or os.path.join(location.root, NAME), location.root)


def verified(before: Document, splices: tuple[Splice, ...], name: str, *, out: bool = False) -> Document:
    """What comes of it, read again after each splice: one may add (or, ``out``, take away) something, and no more.

    Raises Unclear.
    """
    after = before
    for splice in sorted(splices, key=lambda each: each.start)[::-1]:
        try:
            then = yamltext.read(applied(after.text, (splice,)), name)
        except ConfigError as error:
            raise Unclear(f"it could not be read afterwards ({error.message})") from None
        found = yamltext.difference(after, then)
        gone, new = (found.new, found.gone) if out else found
        replaced = splice.end > splice.start and not out and len(gone) == len(new) == 1  # a revision
        if gone and not replaced and gone != (yamltext.NOTHING,):
            raise Unclear("more than our hooks would change in it")
        after = then
    return after


def _without(before: Document, removed: Removed, name: str) -> Document:
    """``before`` without what is ours. Raises Unclear where that is not all that went."""
    left = verified(before, removed.pieces, name, out=True)
    after = yamltext.read(applied(before.text, removed.splices), name)
    if after.events != left.events:
        raise Unclear("more than our hooks would change in it")
    return after


def require_ours(before: Document, after: Document, wanted: Wanted) -> None:
    """Raises Unclear where our hooks are not found in ``after``, or would not leave it as ``before``."""
    found = looking.look(after)
    if not set(wanted.ids) <= set(found.ids) or found.missing_types:
        raise Unclear("our hooks would not be found in it")
    if not looking.entries(before) and applied(after.text, removing.remove(after).splices) != before.text:
        raise Unclear("they could not be taken out again without a trace")


def _notes(location: Location, file: File) -> tuple[str, ...]:
    notes = []
    if file.name == PREKS_YAML:
        notes.append(f"prek reads {PREKS_YAML}; pre-commit reads {NAME} alone")
    if location.root is not None and files.lexists(os.path.join(location.root, PREKS_TOML)):
        notes.append(f"prek reads {PREKS_TOML}, which is there too, and not {file.name}: put the hooks there as well")
    return tuple(notes)


def _of_service(after: Document, wanted: Wanted) -> tuple[str, ...]:
    """pre-commit.ci runs what ``ci`` does not skip, and has no programs of ours."""
    service = after.root.get("ci") if after.root is not None else None
    skip = service.get("skip") if service is not None and service.kind == "mapping" else None
    skipped = {each.value for each in skip.children} if skip is not None else set()
    is_local = any(entry.is_local for entry in looking.entries(after))
    if service is None or not is_local or set(wanted.ids) <= skipped:
        return ()
    return (f"pre-commit.ci has no mgit-hooks installed: add to 'ci: skip:' {', '.join(wanted.ids)}",)


def _lines(wanted: Wanted) -> list[str]:
    types = adding.all_types(wanted.ids)
    return [
        f"{looking.TYPES}: [{', '.join(types)}]",
        f"{looking.REPOS}:",
        *entry_lines(wanted.source or Source(), wanted.ids, Style()),
    ]


def _toml_lines(wanted: Wanted) -> list[str]:
    """JSON's texts, truths and lists are TOML's."""
    entry = (wanted.source or Source()).to_json(wanted.ids)
    hooks = entry.pop("hooks")
    told = [", ".join(f"{key} = {json.dumps(value)}" for key, value in hook.items()) for hook in hooks]
    return [
        f"{looking.TYPES} = {json.dumps(adding.all_types(wanted.ids))}",
        "[[repos]]",
        *(f"{key} = {json.dumps(value)}" for key, value in entry.items()),
        "hooks = [",
        *(f"  {{ {each} }}," for each in told),
        "]",
    ]
