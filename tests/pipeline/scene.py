"""Repositories and a collection of them for what befalls a collection, and how it is told what came of it."""

from __future__ import annotations

import copy
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from conftest import Repo
from recording import Recording

from mgit_hooks.changesets import ChangesetCollection, ChangesetStorage, container, frames, repository_key, working
from mgit_hooks.errors import MgitError
from mgit_hooks.pipeline import ChangesetRecoveryManager, RecoveryResult, validate_collection
from mgit_hooks.record import Json

SAVED, BEFORE, CHECKPOINT = "saved", "before", "checkpoint"
BOTH = "both"  # as of the save before, but for ``a``, which is as of the checkpoint
MIXED, OLDEST = "mixed", "oldest"  # as saved, but for ``a``, which is as of the save before, or as of the checkpoint


class Scene:
    """Three repositories, and a collection of them that was saved twice and has an older checkpoint.

    ``a`` went on between the saves; ``b`` has a staged file whose content is embedded; ``c`` has a journal.
    """

    def __init__(self, base: Path) -> None:
        self.base = base / "case"
        self._template = base / "template"
        self.folder = self.base / "collections"
        self.repos = {name: self.base / "repos" / name for name in "abc"}
        self.keys = {name: repository_key(str(path)) for name, path in self.repos.items()}
        self.values: dict[str, Json] = {}
        self._set_up()
        os.rename(self.base, self._template)

    @property
    def storage(self) -> ChangesetStorage:
        return ChangesetStorage(self.folder, wait=0.05)

    def manager(self, **given: Any) -> ChangesetRecoveryManager:
        storage = given.pop("storage", None) or self.storage
        return ChangesetRecoveryManager(storage, folder=self.base / "recovery", **given)

    def reset(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)
        shutil.copytree(self._template, self.base, symlinks=True)

    @property
    def file(self) -> Path:
        return self.folder / "work.mgitc"

    @property
    def backup(self) -> Path:
        return self.folder / "work.backup"

    @property
    def leftover(self) -> Path:
        return self.folder / "work.mgitc.new"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "work.checkpoint"

    def write(self, value: Json, method: str = "zstd", path: Path | None = None) -> None:
        """A collection's file, past every check of the storage."""
        made = container.pack("work", frames.pieces(value), method, "balanced", frames.paths(value))
        (path or self.file).write_bytes(made)

    def _set_up(self) -> None:
        for name, path in self.repos.items():
            repo = Repo(path)
            path.mkdir(parents=True)
            repo.git("init", "-q", "-b", "main", "--template=")
            if name == "c":
                recording = Recording(repo)
                for message in ("One", "Two", "Three"):
                    recording.commit(message)
                recording.drain()
            else:
                repo.commit("One of " + name, {"a.txt": "one\n", "sub/b c.txt": "two\n"})
        Repo(self.repos["b"]).write("staged.txt", "staged\n")
        Repo(self.repos["b"]).git("add", "staged.txt")
        for number, which in enumerate((CHECKPOINT, BEFORE, SAVED)):
            Repo(self.repos["a"]).commit(f"Step {number}", {"a.txt": f"{number}\n" * 40})
            Repo(self.repos["a"]).write(f"new {number}.txt", "untracked\n")
            self.values[which] = self._read(number)
            collection = ChangesetCollection.from_json(self.values[which])
            if which == CHECKPOINT:
                self.storage.save_checkpoint(collection)
            else:
                self.storage.save_changeset_collection(collection)
        for which, newer, older in ((MIXED, SAVED, BEFORE), (OLDEST, SAVED, CHECKPOINT), (BOTH, BEFORE, CHECKPOINT)):
            self.values[which] = copy.deepcopy(self.values[newer])
            self.values[which]["repositories"][self.keys["a"]] = self.values[older]["repositories"][self.keys["a"]]

    def _read(self, number: int) -> Json:
        held = {}
        for name, path in self.repos.items():
            value = working.read(str(path)).to_json()
            assert value["error"] is None
            value["timestamp"] = f"2024-05-06T07:08:0{number if name == 'a' else 0}+00:00"
            held[self.keys[name]] = value
        (staged,) = held[self.keys["b"]]["uncommitted_files"]
        digest = sha256(b"staged\n").hexdigest()
        staged |= {"content_hash": digest, "size_bytes": 7}
        staged["embedded_content"] = {
            "strategy": "full", "content": "staged\n", "content_hash": digest, "hash_covers": "file",
            "mime_type": "text/plain", "encoding": "utf-8", "original_size": 7, "embedded_size": 7, "truncated": False,
        }  # fmt: skip
        made: Json = {"name": "work", "created_at": "2024-05-06T07:08:00+00:00"}
        made |= {"updated_at": f"2024-05-06T07:08:0{number}+00:00", "repositories": held}
        made |= {"metadata": {"purpose": ["work", {"n": number}]}, "of a newer version": [1, None]}
        return ChangesetCollection.from_json(made).to_json()


class Row(NamedTuple):
    """``act`` is what befalls it; ``outcome`` what is expected, in words, and ``recovered`` whether that is a recovery.

    ``reference``: what must be under the name afterwards, to the field, but for the places that ``differs`` matches;
    ``a``, ``b`` and ``c`` stand for the repositories there too. ``also``: what else must hold.
    """

    group: str
    name: str
    act: Callable[[Scene], Any]
    outcome: str
    recovered: bool = True
    reference: str = SAVED
    differs: tuple[str, ...] = ()
    given: Json = {}  # noqa: RUF012 - how the manager is made
    call: Json = {}  # noqa: RUF012 - how it is asked
    run: Callable[[Scene], RecoveryResult] | None = None
    """In place of asking the manager for the collection."""
    also: Callable[[Scene, RecoveryResult], bool] | None = None
    is_operation: bool = False
    """Of an operation on a changeset: the collection has to be untouched."""


def faults(row: Row, scene: Scene) -> list[str]:
    """What of the row's expectations does not hold; each row begins with the scene as it was set up."""
    scene.reset()
    with _held(row.act(scene)):
        before = contents(scene.folder)
        result = row.run(scene) if row.run is not None else _recover(row, scene)
    found = []
    if result.recovery_successful is not row.recovered:
        found.append(f"recovered is {result.recovery_successful}: {[a.to_json() for a in result.actions_taken]}")
    # What was there is somewhere in the folder, to the byte: recovered or not, nothing intact is lost.
    found += [
        f"lost: the bytes of {name}" for name, data in before.items() if data not in contents(scene.folder).values()
    ]
    if row.recovered and not row.is_operation:
        found += _differing(row, scene)
    elif contents(scene.folder) != before and not row.reference.startswith("kept"):
        found.append("something was changed")
    if row.reference.startswith("kept"):
        found += _kept(row, scene)
    if row.also is not None and not row.also(scene, result):
        found.append(f"{row.also.__name__} does not hold: {[a.to_json() for a in result.actions_taken]}")
    return found


def _recover(row: Row, scene: Scene) -> RecoveryResult:
    return scene.manager(**row.given).recover_storage_operation("work", "load", **row.call)


def _differing(row: Row, scene: Scene) -> list[str]:
    wanted = scene.values[row.reference]
    try:
        value = scene.storage.load_changeset_collection("work").to_json()
    except MgitError as error:
        return [error.message]
    letters = {key: name for name, key in scene.keys.items()}
    places = [re.sub("[0-9a-f]{16}", lambda key: letters.get(key[0], key[0]), d) for d in differences(wanted, value)]
    found = [f"differs at {place}" for place in places if not any(re.fullmatch(p, place) for p in row.differs)]
    found += [f"is as it was: {p}" for p in row.differs if not any(re.fullmatch(p, place) for place in places)]
    result = validate_collection(value, row.given.get("level", "standard"))
    return found + [f"invalid: {issue.code} at {issue.field_path}" for issue in result.issues if not result.is_valid]


def _kept(row: Row, scene: Scene) -> list[str]:
    """Of what was not recovered whole: the repositories named in the reference are as they were saved."""
    value = scene.storage.load_json("work")
    keys = [scene.keys[name] for name in row.reference.split()[1]]
    held = value["repositories"]
    return [
        f"{key} is not as it was saved" for key in keys if held.get(key) != scene.values[SAVED]["repositories"][key]
    ]


def differences(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """The places where two JSON values differ, as JSON pointers."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            if key not in one or key not in other:
                yield f"{at}/{key}"
            else:
                yield from differences(one[key], other[key], f"{at}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, theirs, f"{at}/{index}")
    elif type(one) is not type(other) or one != other:
        yield at


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files that mean something."""
    names = [name for name in os.listdir(folder) if not name.endswith((".lock", ".new"))] if folder.is_dir() else []
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


@contextmanager
def _held(made: Any) -> Iterator[None]:
    """What a row's act gives back is undone when the row is over."""
    try:
        yield
    finally:
        if callable(made):
            made()
