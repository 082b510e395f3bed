"""Named collections of changesets in a folder: one file each (``container``), replaced whole or not at all.

Of a collection NAME the folder holds ``NAME.mgitc``, what it was before the last save as ``NAME.backup``, a copy that
was asked for as ``NAME.checkpoint``, and ``NAME.lock``, under which one process at a time writes. What cannot be taken
for a collection is never written over: a save moves it to ``NAME.damaged-TIME`` first. Readers take no lock; they see
the file of before a save or the one of after it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.changesets import container, frames
from mgit_hooks.changesets.names import escaped, unescaped
from mgit_hooks.changesets.placing import failing, require_collection, require_name, unpacked, unreadable, written
from mgit_hooks.changesets.shapes import ChangesetCollection
from mgit_hooks.containers import METHODS
from mgit_hooks.datafolder import data_folder
from mgit_hooks.errors import (
    ChangesetBusyError,
    ChangesetDamageError,
    ChangesetMissingError,
    ChangesetValidationError,
)
from mgit_hooks.files import lexists, read, sync_directory
from mgit_hooks.layout import make_lasting_dir
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Json

CURRENT: Final = "mgitc"
BACKUP: Final = "backup"
CHECKPOINT: Final = "checkpoint"
GENERATIONS: Final = (CURRENT, BACKUP, CHECKPOINT)
"""From the newest on; the endings of their files."""
_LONGEST_FILE: Final = container.LIMIT + 8192


class Stored(NamedTuple):
    """A collection as it lies in the folder. ``length`` is bytes of JSON, ``size`` those of the file."""

    path: str
    length: int
    size: int


class ChangesetStorage:
    """The collections in ``storage_dir``; without one, in the user's data folder.

    ``method`` and ``quality`` are how they are compressed, as in ``pipeline compress``; any are read. A writer waits
    ``wait`` seconds for another one. Raises ValueError where there is no such method or quality, or no folder's name.
    """

    def __init__(
        self,
        storage_dir: str | os.PathLike[str] | None = None,
        *,
        method: str = "zstd",
        quality: str = "balanced",
        wait: float = 60.0,
    ) -> None:
        from mgit_hooks.codecs import QUALITIES, require

        require("method", method, METHODS)
        require("quality", quality, QUALITIES)
        if storage_dir == "":
            raise ValueError("the folder has no name; without one, the collections are in the user's data folder")
        given = os.path.join(data_folder(), "collections") if storage_dir is None else os.fspath(storage_dir)
        self.storage_dir = os.path.abspath(given)
        self._method = method
        self._quality = quality
        self._wait = wait

    # Reading

    def load_changeset_collection(self, name: str, generation: str = CURRENT) -> ChangesetCollection:
        """The collection as it was saved, to the field. ``generation``: mgitc, backup or checkpoint.

        Raises ChangesetMissingError, ChangesetDamageError, ChangesetStorageError where it cannot be read, and
        ChangesetValidationError where it was saved with less than a collection needs.
        """
        return ChangesetCollection.from_json(self.load_json(name, generation))

    def load_json(self, name: str, generation: str = CURRENT) -> Json:
        """As ``load_changeset_collection``, but whatever JSON object it is: to be judged, or repaired."""
        path = self.path(name, generation)
        try:
            data = read(path, _LONGEST_FILE)
        except FileNotFoundError:
            raise self._missing(name, path) from None
        except OSError as error:
            raise unreadable(error) from error
        return self.parsed(name, data, generation)

    def parsed(self, name: str, data: bytes, generation: str = CURRENT) -> Json:
        """What ``load_json`` makes of a file's bytes. Raises as it does."""
        path = self.path(name, generation)
        header, payload = unpacked(path, data)
        require_name(path, header.name, name)
        try:
            value = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise ChangesetDamageError(path, f"what it holds is no JSON: {error}") from error
        if not isinstance(value, dict):
            raise ChangesetDamageError(path, "what it holds is no object")
        return value

    def names(self) -> list[str]:
        """Of all collections here, sorted."""
        try:
            files = os.listdir(self.storage_dir)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(error) from error
        found = (unescaped(file.removesuffix(f".{CURRENT}")) for file in files if file.endswith(f".{CURRENT}"))
        return sorted(name for name in found if name is not None)

    def path(self, name: str, generation: str = CURRENT) -> str:
        """The file of one generation. Raises ChangesetValidationError where ``name`` can be no collection's."""
        if generation not in GENERATIONS:
            raise ValueError(f"there is no generation {generation!r}: {', '.join(GENERATIONS)}")
        return self._file(name, generation)

    # Writing

    def save_changeset_collection(self, collection: ChangesetCollection) -> Stored:
        """Make ``collection`` what is under its name; what was there becomes its backup.

        On the disk when this returns; killed anywhere, the old one or the new one is there whole. Raises
        ChangesetValidationError where something in it is not JSON, ChangesetStorageError where it cannot be written;
        then nothing has changed.
        """
        packed = self._packed(collection)
        with self._alone(collection.name):
            return self._put(collection.name, *packed)

    def update_changeset_collection(
        self, name: str, change: Callable[[ChangesetCollection | None], ChangesetCollection]
    ) -> Stored:
        """Save what ``change`` makes of the collection (None where there is none): nobody else saves meanwhile.

        So many processes can each add to one collection, and nothing of any of them is lost. Raises as loading and
        saving do.
        """
        with self._alone(name):
            try:
                before = self.load_changeset_collection(name)
            except ChangesetMissingError:
                before = None
            after = change(before)
            require_collection(after)
            if after.name != name:
                raise ChangesetValidationError(f"the collection is named '{after.name}', not '{name}'", "keep its name")
            return self._put(name, *self._packed(after))

    def save_checkpoint(self, collection: ChangesetCollection) -> Stored:
        """Write ``collection`` as its checkpoint, beside what is saved under its name. Raises as saving does."""
        packed = self._packed(collection)
        return self._put_checkpoint(collection.name, *packed)

    def save_json_checkpoint(self, name: str, value: Json) -> Stored:
        """As ``save_checkpoint``, of whatever JSON object a collection's file holds."""
        length, packed = self._packed_json(name, lambda: value)
        return self._put_checkpoint(name, length, packed)

    def replace_json(self, name: str, value: Json, seen: bytes | None) -> tuple[Stored, str | None]:
        """Put ``value`` in the place of a file that held ``seen`` (None: there was none), which goes aside; the backup
        stays. Where the old file is now.

        On the disk when this returns; killed anywhere, the old file or the new one is under the name. Raises
        ChangesetBusyError where the file is another one by now, else as saving does.
        """
        length, packed = self._packed_json(name, lambda: value)
        path = self._file(name, CURRENT)
        aside = None
        with self._alone(name), failing(f"cannot save '{name}'"), written(path, packed) as new:
            if self.content(name) != seen:
                raise ChangesetBusyError(f"the collection '{name}' was changed meanwhile", "try again")
            if lexists(path):
                aside = self._free(name)
                try:
                    os.link(path, aside)
                except OSError:  # no file, or a file system without links: for a moment nothing is under the name
                    os.rename(path, aside)
                sync_directory(self.storage_dir)  # else a cut of the power might leave the new file alone
            os.replace(new, path)
            sync_directory(self.storage_dir)
        return Stored(path, length, len(packed)), aside

    def content(self, name: str, generation: str = CURRENT) -> bytes | None:
        """The bytes of a generation's file, whatever they are; None where there is no such file. Raises OSError."""
        try:
            return read(self.path(name, generation), _LONGEST_FILE)
        except FileNotFoundError:
            return None

    def delete_collection(self, name: str) -> list[str]:
        """Remove the collection with all that is kept of it, and say which files went.

        Raises ChangesetMissingError where there is nothing, ChangesetStorageError where something cannot be removed.
        """
        if not self._files(name):
            raise self._missing(name, "")
        with self._alone(name), failing(f"cannot delete '{name}'"):
            removed = self._files(name)
            for path in removed:  # the collection itself last: killed before that, it is still there
                os.unlink(path)
            with suppress(FileNotFoundError):
                os.unlink(self._file(name, "lock"))
            sync_directory(self.storage_dir)
        return removed

    # Below

    def _packed(self, collection: ChangesetCollection) -> tuple[int, bytes]:
        require_collection(collection)
        return self._packed_json(collection.name, collection.to_json)

    def _packed_json(self, name: str, make: Callable[[], Json]) -> tuple[int, bytes]:
        """How many bytes of JSON, and the file's bytes."""
        self._file(name, CURRENT)  # a name that can be none is said before any work
        try:
            value = make()
            container.require_plain(value)
            parts = frames.pieces(value)
            packed = container.pack(name, parts, self._method, self._quality, frames.paths(value))
            return sum(map(len, parts)), packed
        except (AttributeError, TypeError, ValueError) as error:  # a changeset in it may be anything
            raise ChangesetValidationError(f"'{name}' cannot be saved: {error}", "mend that first") from error

    def _put_checkpoint(self, name: str, length: int, packed: bytes) -> Stored:
        path = self._file(name, CHECKPOINT)
        with self._alone(name), failing(f"cannot save a checkpoint of '{name}'"), written(path, packed) as new:
            os.replace(new, path)
            sync_directory(self.storage_dir)
        return Stored(path, length, len(packed))

    def _put(self, name: str, length: int, packed: bytes) -> Stored:
        """Under the lock. A kill leaves ``.new`` files, which mean nothing, or the two generations as one file."""
        path = self._file(name, CURRENT)
        with failing(f"cannot save '{name}'"), written(path, packed) as new:
            self._retire(name, path)
            os.replace(new, path)
            sync_directory(self.storage_dir)
        return Stored(path, length, len(packed))

    def _retire(self, name: str, path: str) -> None:
        """What is under the name becomes the backup; what cannot be taken for a collection goes aside."""
        try:
            header, _ = unpacked(path, read(path, _LONGEST_FILE))
        except (FileNotFoundError, ChangesetDamageError):
            if lexists(path):  # a folder or a pipe of that name is nothing to read, and is not ours to lose
                os.rename(path, self._free(name))
            return
        require_name(path, header.name, name)
        backup = self._file(name, BACKUP)
        with suppress(FileNotFoundError):
            os.unlink(f"{backup}.new")
        try:
            os.link(path, f"{backup}.new")
        except OSError:  # a file system without links
            with written(backup, read(path, _LONGEST_FILE)) as new:
                os.replace(new, backup)
            return
        os.replace(f"{backup}.new", backup)
        with suppress(FileNotFoundError):  # of two names of one file, a rename leaves both
            os.unlink(f"{backup}.new")

    def _free(self, name: str) -> str:
        when = re.sub("[-:]|[+].*", "", dates.now())
        path = self._file(name, f"damaged-{when}")
        while lexists(path):
            path += "-"
        return path

    def _files(self, name: str) -> list[str]:
        stem = f"{escaped(name)}."
        kinds = re.compile(rf"(?:{BACKUP}|{CHECKPOINT}|{CURRENT})(?:\.new)?|damaged-[0-9T.]+-*")
        try:
            files = sorted(os.listdir(self.storage_dir))
        except FileNotFoundError:
            return []
        found = [file for file in files if file.startswith(stem) and kinds.fullmatch(file[len(stem) :])]
        found.sort(key=lambda file: file == f"{stem}{CURRENT}")
        return [os.path.join(self.storage_dir, file) for file in found]

    def _file(self, name: str, ending: str) -> str:
        return os.path.join(self.storage_dir, f"{escaped(name)}.{ending}")

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        with failing(f"cannot write to {self.storage_dir}"):
            make_lasting_dir(self.storage_dir)
        with ExitStack() as stack:
            with failing(f"cannot lock '{name}'"):
                held = stack.enter_context(exclusive(self._file(name, "lock"), wait=self._wait))
            if not held:
                raise ChangesetBusyError(
                    f"the collection '{name}' is in use by another process", "wait for it to end and try again"
                )
            yield

    def _missing(self, name: str, path: str) -> ChangesetMissingError:
        from difflib import get_close_matches

        kind = "" if path.endswith(f".{CURRENT}") or not path else f" {path.rpartition('.')[2]} of a"
        known = self.names()
        near = get_close_matches(name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near and near[0] != name else f"there are: {', '.join(known[:9])}"
        remedy = hint if known else "'mgit-hooks diff --save-changeset' saves one"
        return ChangesetMissingError(f"there is no{kind} collection '{name}' in {self.storage_dir}", remedy)
