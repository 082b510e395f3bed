"""Collections on the disk: whole or an error, whatever befalls their files; nothing that was saved is lost."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from kills import killed_at
from reliability import Tally
from samples import changeset

from mgit_hooks import lock
from mgit_hooks.changesets import (
    ChangesetCollection,
    ChangesetStorage,
    ChangesetStorageError,
    ChangesetValidationError,
    RepositoryChangeset,
    container,
    shapes,
    storage,
)
from mgit_hooks.changesets.names import escaped, unescaped
from mgit_hooks.containers import METHODS
from mgit_hooks.encoding import encode_json
from mgit_hooks.errors import ChangesetDamageError, ChangesetMissingError

NOW = "2024-01-02T03:04:05+00:00"


def one(path: str, **changes: Any) -> RepositoryChangeset:
    return RepositoryChangeset.from_json({**changeset(), "repository_path": path, **changes})


def collection(name: str = "work", *paths: str, **fields: Any) -> ChangesetCollection:
    made = ChangesetCollection(name, NOW, NOW, {}, **fields)
    for path in paths or ("/src/a", "/src/b"):
        made = made.with_repository(one(path))
    return made


@pytest.fixture
def store(tmp_path: Path) -> ChangesetStorage:
    return ChangesetStorage(tmp_path / "kept")


def assert_same(found: ChangesetCollection, saved: ChangesetCollection) -> None:
    """Field by field, down to the last: a saved collection that had dropped its contents compared equal once."""
    assert found._fields == saved._fields
    for name in ("name", "created_at", "updated_at", "metadata", "others"):
        assert getattr(found, name) == getattr(saved, name), name
    assert list(found.repositories) == list(saved.repositories)
    for key, mine in saved.repositories.items():
        theirs = found.repositories[key]
        for name in mine._fields:
            assert getattr(theirs, name) == getattr(mine, name), name
        for these, those in ((theirs.uncommitted_files, mine.uncommitted_files),):
            assert (these is None) == (those is None)
            for left, right in zip(these or (), those or (), strict=True):
                assert left._asdict() == right._asdict()
        for got, had in zip(theirs.recent_commits or (), mine.recent_commits or (), strict=True):
            assert got._asdict() == had._asdict()


def files(store: ChangesetStorage) -> list[str]:
    return sorted(os.listdir(store.storage_dir))


# Round trips


@pytest.mark.parametrize("method", METHODS)
def test_what_was_saved_is_loaded_to_the_field(tmp_path: Path, method: str) -> None:
    store = ChangesetStorage(tmp_path, method=method)
    odd = os.fsdecode(b"/src/\xff\xfe")
    saved = collection("work", "/src/a", odd, metadata={"deep": {"er": [1, 2.5, None, True, "\udcff", 10**30]}})
    saved = saved._replace(others={"of a newer version": [{}]})
    told = store.save_changeset_collection(saved)
    length = len(encode_json(saved.to_json()))
    assert told == (store.path("work"), length, os.path.getsize(store.path("work")))
    assert told.size > length if method == "none" else told.size < length / 2
    assert_same(ChangesetStorage(tmp_path).load_changeset_collection("work"), saved)
    assert store.load_json("work") == saved.to_json()


def test_a_collection_of_nothing_is_one(store: ChangesetStorage) -> None:
    saved = ChangesetCollection("work", NOW, NOW, {})
    store.save_changeset_collection(saved)
    assert_same(store.load_changeset_collection("work"), saved)


def test_a_save_that_drops_a_field_is_caught(store: ChangesetStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: every field of every shape is missed by the comparison above when saving leaves it out."""
    change = one("/src/a").uncommitted_files[0]  # type: ignore[index]
    full = change._replace(**{name: getattr(change, name) or "x" for name in change._fields if name != "others"})
    whole = one("/src/a", error="e", metadata={"a": 1}, content_embedding_stats={"b": 2}, extra=1)
    whole = whole._replace(uncommitted_files=(full,))
    saved = ChangesetCollection("work", NOW, NOW, {}, {"m": 1}, {"o": 1}).with_repository(whole)
    store.save_changeset_collection(saved)
    assert_same(store.load_changeset_collection("work"), saved)
    known = (RepositoryChangeset, shapes.FileChange)
    optional = [(shape, name) for shape in known for name in shape._field_defaults if name != "others"]
    unknown = [(ChangesetCollection, "o"), (RepositoryChangeset, "extra")]
    for shape, dropped in [*optional, *unknown, (ChangesetCollection, "metadata")]:

        def leaky(value: Any, real: Any = shape.to_json, dropped: str = dropped) -> Any:
            return {key: each for key, each in real(value).items() if key != dropped}

        with monkeypatch.context() as patched:
            patched.setattr(shape, "to_json", leaky)
            store.save_changeset_collection(saved)
        with pytest.raises(AssertionError):
            assert_same(store.load_changeset_collection("work"), saved)


def test_without_a_folder_it_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MGIT_DATA_DIR", str(tmp_path / "mine"))
    ChangesetStorage().save_changeset_collection(collection())
    assert ChangesetStorage(tmp_path / "mine" / "collections").names() == ["work"]


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o277])
def test_files_are_for_their_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = ChangesetStorage(tmp_path / "a" / "b")
        for _ in range(2):
            store.save_changeset_collection(collection())
        store.save_checkpoint(collection())
    finally:
        os.umask(before)
    assert files(store) == ["work.backup", "work.checkpoint", "work.lock", "work.mgitc"]
    modes = {name: stat.S_IMODE(os.stat(tmp_path / "a" / "b" / name).st_mode) for name in files(store)}
    assert {modes[name] for name in modes if name != "work.lock"} == {0o600}
    assert modes["work.lock"] & 0o077 == 0
    assert {stat.S_IMODE(os.stat(tmp_path / part).st_mode) for part in ("a", "a/b")} == {0o700}


def test_the_content_is_a_standard_container_and_the_checksum_is_told_by_hand(store: ChangesetStorage) -> None:
    path = store.save_changeset_collection(collection()).path
    told = subprocess.run(f"tail -n +2 '{path}' | sha256sum", shell=True, capture_output=True, text=True).stdout
    assert Path(path).read_bytes().startswith(b"mgitc sha256:" + told.split()[0].encode() + b"\n")
    if subprocess.run(["sh", "-c", "command -v zstd"], capture_output=True).returncode == 0:
        plain = subprocess.run(f"tail -n +3 '{path}' | zstd -dc", shell=True, capture_output=True, check=True).stdout
        assert json.loads(plain) == collection().to_json()


# Generations


def test_what_was_there_becomes_the_backup(store: ChangesetStorage) -> None:
    for number in range(3):
        store.save_changeset_collection(collection(metadata={"n": number}))
    assert store.load_changeset_collection("work").metadata == {"n": 2}
    assert store.load_changeset_collection("work", "backup").metadata == {"n": 1}
    assert files(store) == ["work.backup", "work.lock", "work.mgitc"]


def test_a_checkpoint_stays_until_the_next(store: ChangesetStorage) -> None:
    store.save_checkpoint(collection(metadata={"n": 0}))
    for number in (1, 2, 3):
        store.save_changeset_collection(collection(metadata={"n": number}))
    assert store.load_changeset_collection("work", "checkpoint").metadata == {"n": 0}
    store.save_checkpoint(collection(metadata={"n": 4}))
    assert store.load_changeset_collection("work", "checkpoint").metadata == {"n": 4}
    with pytest.raises(ValueError, match="there is no generation"):
        store.path("work", "lock")


def test_where_links_cannot_be_made_the_backup_is_a_copy(
    store: ChangesetStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    test_what_was_there_becomes_the_backup(store)


def test_a_damaged_file_goes_aside_and_the_backup_stays(store: ChangesetStorage) -> None:
    for number in range(2):
        store.save_changeset_collection(collection(metadata={"n": number}))
    damaged = Path(store.path("work")).read_bytes()[:-1]
    Path(store.path("work")).write_bytes(damaged)
    store.save_changeset_collection(collection(metadata={"n": 2}))
    assert store.load_changeset_collection("work").metadata == {"n": 2}
    assert store.load_changeset_collection("work", "backup").metadata == {"n": 0}
    (aside,) = (name for name in files(store) if "damaged" in name)
    assert re.fullmatch(r"work\.damaged-\d{8}T\d{6}\.\d{6}", aside)
    assert Path(store.storage_dir, aside).read_bytes() == damaged


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_goes_aside_and_holds_nobody_up(store: ChangesetStorage, make: Any) -> None:
    os.makedirs(store.storage_dir)
    make(store.path("work"))
    with pytest.raises(ChangesetMissingError):
        store.load_changeset_collection("work")
    store.save_changeset_collection(collection())
    assert_same(store.load_changeset_collection("work"), collection())
    assert sum("damaged" in name for name in files(store)) == 1


def test_a_later_version_is_no_damage_and_is_not_written_over(store: ChangesetStorage) -> None:
    path = Path(store.save_changeset_collection(collection()).path)
    later = path.read_bytes().split(b"\n", 2)
    rest = later[1].replace(b'"version":1', b'"version":2') + b"\n" + later[2]
    path.write_bytes(b"mgitc sha256:" + sha256(rest).hexdigest().encode() + b"\n" + rest)
    before = path.read_bytes()
    for act in (lambda: store.load_json("work"), lambda: store.save_changeset_collection(collection())):
        with pytest.raises(ChangesetStorageError, match="version 2") as raised:
            act()
        assert "newer mgit-hooks" in raised.value.remedy
        assert not isinstance(raised.value, ChangesetDamageError)
    assert path.read_bytes() == before


def test_a_file_of_another_name_is_not_taken_for_this_one(store: ChangesetStorage) -> None:
    """As a file system that takes A for a would give it."""
    os.rename(store.save_changeset_collection(collection("A")).path, store.path("a"))
    for act in (lambda: store.load_json("a"), lambda: store.save_changeset_collection(collection("a"))):
        with pytest.raises(ChangesetStorageError, match="holds the collection 'A', not 'a'"):
            act()


# Names, lists, deletion

NAMES = [
    "default", "../x", "..", ".", ".hidden", "a/b", "a\\b", "a\nb", "a\x00b", "%41", "A", "a", "work.backup",
    "work", "work.mgitc", "ends ", "ends.", "\u6587\u5b57", "na\u00efve", os.fsdecode(b"odd\xff"), "x" * 200, "-rf",
    "~", "a:b", "\x1b[31m",
]  # fmt: skip


def test_any_name_is_a_name_and_no_way_out(tmp_path: Path) -> None:
    store = ChangesetStorage(tmp_path / "deep" / "kept")
    for name in NAMES:
        store.save_changeset_collection(collection(name, metadata={"of": name.encode(errors="replace").hex()}))
        store.save_changeset_collection(collection(name, metadata={"of": name.encode(errors="replace").hex()}))
    assert store.names() == sorted(NAMES)
    for name in NAMES:
        for generation in ("mgitc", "backup"):
            found = store.load_changeset_collection(name, generation)
            assert (found.name, found.metadata) == (name, {"of": name.encode(errors="replace").hex()})
        assert unescaped(escaped(name)) == name
    assert os.listdir(tmp_path / "deep") == ["kept"]
    assert not [name for name in files(store) if "/" in name or (not name.isprintable() and "\udcff" not in name)]


@pytest.mark.parametrize("name", ["", "x" * 201, "\u6587" * 67, "/" * 67, "\ud800", None])
def test_a_name_that_can_be_none_is_refused_before_anything_is_made(store: ChangesetStorage, name: Any) -> None:
    for act in (lambda: store.save_changeset_collection(collection(name)), lambda: store.load_json(name)):
        with pytest.raises(ChangesetValidationError):
            act()
    assert not os.path.lexists(store.storage_dir)


def test_files_of_others_are_no_collections(store: ChangesetStorage) -> None:
    store.save_changeset_collection(collection())
    for name in ("%2g.mgitc", "%61.mgitc", ".mgitc", ".x.mgitc", "notes.txt", "work2.backup"):
        Path(store.storage_dir, name).write_bytes(b"")
    assert store.names() == ["work"]
    assert ChangesetStorage(store.storage_dir + "/nowhere").names() == []


def test_deleting_takes_all_of_one_collection_and_nothing_of_another(store: ChangesetStorage) -> None:
    for name in ("work", "work.2", "work.backup", "wor"):
        for _ in range(2):
            store.save_changeset_collection(collection(name))
    store.save_checkpoint(collection())
    Path(store.storage_dir, "work.mgitc.new").write_bytes(b"")
    Path(store.storage_dir, "work.damaged-20240102T030405.000001").write_bytes(b"")
    Path(store.storage_dir, "work.damaged-by-me").write_bytes(b"")
    gone = [os.path.basename(path) for path in store.delete_collection("work")]
    assert sorted(gone) == [
        "work.backup", "work.checkpoint", "work.damaged-20240102T030405.000001", "work.mgitc", "work.mgitc.new",
    ]  # fmt: skip
    assert (gone[-1], store.names()) == ("work.mgitc", ["wor", "work.2", "work.backup"])
    assert store.load_changeset_collection("work.backup", "backup").name == "work.backup"
    assert [name for name in files(store) if name.startswith("work.") and name.count(".") == 1] == [
        "work.damaged-by-me"
    ]
    for act in (store.delete_collection, store.load_json):
        with pytest.raises(ChangesetMissingError, match=r"there is no collection 'work'") as raised:
            act("work")
    assert "did you mean 'wor" in raised.value.remedy


def test_what_is_missing_is_said_with_what_there_is(store: ChangesetStorage) -> None:
    with pytest.raises(ChangesetMissingError) as raised:
        store.load_changeset_collection("work")
    assert "--save-changeset" in raised.value.remedy
    store.save_changeset_collection(collection())
    with pytest.raises(ChangesetMissingError, match="there is no backup of a collection 'work'"):
        store.load_changeset_collection("work", "backup")


# What cannot be saved


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ((1, 2), "/metadata/x/0 is a tuple"),
        (b"raw", "/metadata/x/0 is a bytes"),
        (float("nan"), "/metadata/x/0 is nan"),
        (float("inf"), "/metadata/x/0 is inf"),
        ({1: 2}, "/metadata/x/0 has the key 1"),
        ("\ud83d\ude00", "/metadata/x/0 holds a character in two halves"),
        ({"\ud83d\ude00": 1}, "has the key"),
        (10**5000, "cannot be saved"),
    ],
    ids=["tuple", "bytes", "nan", "inf", "key", "halves", "halves of a key", "digits"],
)
def test_what_json_cannot_give_back_is_refused_by_its_place(store: ChangesetStorage, value: Any, says: str) -> None:
    with pytest.raises(ChangesetValidationError, match=says):
        store.save_changeset_collection(collection(metadata={"x": [value]}))
    assert store.names() == []


@pytest.mark.parametrize(
    "made", [None, 5, {"name": "work"}, collection()._replace(repositories=None),  # type: ignore[arg-type]
             collection()._replace(repositories={"a": 5}), collection()._replace(others=5)],  # type: ignore[arg-type,dict-item]
    ids=["none", "number", "json", "no repositories", "no changeset", "others"],
)  # fmt: skip
def test_what_is_no_collection_is_refused_and_costs_nothing(store: ChangesetStorage, made: Any) -> None:
    store.save_changeset_collection(collection())
    for call in (
        store.save_changeset_collection, store.save_checkpoint,
        lambda value: store.update_changeset_collection("work", lambda before: value),
    ):  # fmt: skip
        with pytest.raises(ChangesetValidationError):
            call(made)
    assert store.load_changeset_collection("work") == collection()


def test_a_folder_without_a_name_is_not_the_one_that_one_is_in() -> None:
    with pytest.raises(ValueError, match="the folder has no name"):
        ChangesetStorage("")


def test_what_is_nested_too_deeply_to_be_read_is_not_written(store: ChangesetStorage) -> None:
    for depth, fits in ((190, True), (300, False), (100_000, False)):
        deep: Any = {}
        for _ in range(depth):
            deep = {"a": deep}
        if fits:
            store.save_changeset_collection(collection(metadata=deep))
            assert store.load_changeset_collection("work").metadata == deep
        else:
            with pytest.raises(ChangesetValidationError):
                store.save_changeset_collection(collection(metadata=deep))


def test_the_same_limit_holds_on_write_and_on_read(store: ChangesetStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.save_changeset_collection(collection()).path
    monkeypatch.setattr(container, "LIMIT", 1000)
    with pytest.raises(ChangesetValidationError, match="more than 1000"):
        store.save_changeset_collection(collection())
    with pytest.raises(ChangesetDamageError, match="lengths"):
        store.load_changeset_collection("work")
    monkeypatch.setattr(storage, "_LONGEST_FILE", 100)
    with pytest.raises(ChangesetStorageError, match=re.escape(path)):
        store.load_changeset_collection("work")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip("mounting a small file system takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_a_clear_error_and_costs_nothing_that_was_saved(tiny_disk: Path) -> None:
    store = ChangesetStorage(tiny_disk / "kept", method="none")
    saved: ChangesetCollection | None = None
    size = 1000

    def fill() -> None:
        nonlocal saved, size
        while True:
            newer = collection(metadata={"x": "y" * size})
            store.save_changeset_collection(newer)
            saved, size = newer, size + 4000

    with pytest.raises(ChangesetStorageError, match="cannot save 'work': No space left") as raised:
        fill()
    assert raised.value.remedy
    assert saved is not None
    assert_same(store.load_changeset_collection("work"), saved)
    assert not [name for name in files(store) if name.endswith(".new")]
    store.save_changeset_collection(collection())
    assert_same(store.load_changeset_collection("work"), collection())


def test_a_folder_that_cannot_be_written_to_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ChangesetStorage(tmp_path / "file" / "kept")
    with pytest.raises(ChangesetStorageError, match="cannot write to") as raised:
        store.save_changeset_collection(collection())
    assert raised.value.exit_code == 128


# Damage


def _changed(path: Path, store: ChangesetStorage, data: bytes, what: str, tally: Tally) -> None:
    path.write_bytes(data)
    tally.cases += 1
    try:
        store.load_changeset_collection("work")
    except ChangesetDamageError as error:
        told = (error.path, error.exit_code) == (str(path), 1)
    else:
        told = False
    if not told:
        tally.silent.append(what)


def _flip_and_cut(store: ChangesetStorage, tally: Tally, step: int) -> None:
    path = Path(store.save_changeset_collection(collection()).path)
    whole = path.read_bytes()
    for at in range(0, len(whole), step):
        for bit in range(8) if step == 1 else (at % 8,):
            data = bytearray(whole)
            data[at] ^= 1 << bit
            _changed(path, store, bytes(data), f"bit {bit} of byte {at}", tally)
        _changed(path, store, whole[:at], f"cut at {at}", tally)
    for more in (b"\0", b"\n", whole):
        _changed(path, store, whole + more, "more at its end", tally)


@pytest.mark.parametrize("method", ["zstd", "none"])
def test_a_flipped_bit_or_a_cut_anywhere_is_found(tmp_path: Path, method: str, tally: Tally) -> None:
    _flip_and_cut(ChangesetStorage(tmp_path, method=method), tally, 5 if method == "zstd" else 29)
    assert tally.cases > 300
    tally.check()


@pytest.mark.full
@pytest.mark.parametrize("method", ["zstd", "none"])
def test_every_flipped_bit_and_every_cut_is_found(tmp_path: Path, method: str, tally: Tally) -> None:
    _flip_and_cut(ChangesetStorage(tmp_path, method=method), tally, 1)
    tally.check()


def test_a_checksum_that_always_fits_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: without the comparison of the checksum the family above finds flips that nothing tells of."""
    import hashlib

    class Always:
        def __init__(self, data: bytes = b"") -> None: ...

        def update(self, data: bytes) -> None: ...

        def hexdigest(self) -> str:
            return "0" * 64

    tally = Tally()
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "sha256", Always)
        try:
            _flip_and_cut(ChangesetStorage(tmp_path, method="none"), tally, 5)
        except (ChangesetStorageError, ChangesetValidationError):
            tally.silent.append("taken for another collection")
    assert tally.silent


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 100_000])
def test_what_is_whole_and_holds_no_object_is_damage(store: ChangesetStorage, payload: bytes) -> None:
    path = Path(store.save_changeset_collection(collection()).path)
    path.write_bytes(container.pack("work", [payload], "none", "fast"))
    with pytest.raises(ChangesetDamageError):
        store.load_json("work")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda header: {**header, "codec": "arj"}, "no codec"),
        (lambda header: {**header, "name": 7}, "no codec"),
        (lambda header: {**header, "length": header["length"] + 1}, "not as long"),
        (lambda header: {**header, "length": header["length"] - 1}, "more than"),
        (lambda header: {**header, "length": 1 << 60}, "lengths"),
        (lambda header: {**header, "stored": 3}, "lengths"),
        (lambda header: {**header, "codec": "gzip"}, "gzip"),
        (lambda header: {**header, "format": "another"}, "no header"),
        (lambda header: [header], "no header"),
    ],
)
def test_a_header_that_no_save_writes_is_damage(store: ChangesetStorage, change: Any, says: str) -> None:
    """Under a checksum that fits: as a program with a bug, or a person, would have written it."""
    path = Path(store.save_changeset_collection(collection()).path)
    _, header, stored = path.read_bytes().split(b"\n", 2)
    rest = encode_json(change(json.loads(header))) + b"\n" + stored
    path.write_bytes(b"mgitc sha256:" + sha256(rest).hexdigest().encode() + b"\n" + rest)
    with pytest.raises(ChangesetDamageError, match=says):
        store.load_json("work")


@pytest.mark.parametrize("wrong", [{"method": "arj"}, {"quality": "superb"}])
def test_a_method_that_there_is_not_is_refused_at_once(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong.values()))):
        ChangesetStorage(tmp_path, **wrong)


# Kills


def _generation(store: ChangesetStorage, generation: str) -> int | None:
    try:
        metadata = store.load_changeset_collection("work", generation).metadata
    except ChangesetMissingError:
        return None
    return int((metadata or {})["n"])


@pytest.mark.parametrize("before", [0, 1, 2])
def test_killed_anywhere_the_old_one_or_the_new_one_is_there(tmp_path: Path, before: int, tally: Tally) -> None:
    """With no save, one and two before it: nothing, a collection, a collection with its backup."""
    for step in range(1, 100):
        store = ChangesetStorage(tmp_path / str(step))
        for number in range(before):
            store.save_changeset_collection(collection(metadata={"n": number}))
        killed = killed_at(step, store.save_changeset_collection, collection(metadata={"n": 9}))
        tally.cases += 1
        old = before - 1 if before else None
        found, backup = _generation(store, "mgitc"), _generation(store, "backup")
        if found not in (old, 9) or (not killed and found != 9):
            tally.lost.append(f"step {step}: {found}")
        if before == 2 and backup not in (0, 1):
            tally.lost.append(f"step {step}: backup {backup}")
        # What a kill leaves is in nobody's way.
        for number in (10, 11):
            store.save_changeset_collection(collection(metadata={"n": number}))
        assert (_generation(store, "mgitc"), _generation(store, "backup")) == (11, 10)
        assert [name for name in files(store) if name.endswith(".new")] == []
        if not killed:
            break
    else:
        raise AssertionError("it never came to its end")
    assert tally.cases > (5 if before == 0 else 7)
    tally.check()


def test_a_checkpoint_that_is_killed_leaves_the_one_of_before(tmp_path: Path) -> None:
    for step in range(1, 30):
        store = ChangesetStorage(tmp_path / str(step))
        store.save_checkpoint(collection(metadata={"n": 0}))
        killed = killed_at(step, store.save_checkpoint, collection(metadata={"n": 1}))
        assert _generation(store, "checkpoint") in ((0, 1) if killed else (1,))
        if not killed:
            break
    assert step > 3


def test_a_save_in_place_is_caught_by_the_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: a save that writes the file where it stands, without a file beside it."""
    from contextlib import contextmanager

    @contextmanager
    def in_place(path: str, data: bytes) -> Iterator[str]:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(descriptor, data)
        os.close(descriptor)
        yield path

    monkeypatch.setattr(storage, "written", in_place)
    with pytest.raises((AssertionError, ChangesetDamageError)):
        test_killed_anywhere_the_old_one_or_the_new_one_is_there(tmp_path, 1, Tally())


# Many at once


def _add(folder: str, number: int) -> None:
    store = ChangesetStorage(folder)
    for turn in range(3):
        path = f"/src/{number}/{turn}"

        def change(before: ChangesetCollection | None, path: str = path) -> ChangesetCollection:
            return (before or ChangesetCollection("work", NOW, NOW, {})).with_repository(one(path))

        store.update_changeset_collection("work", change)


def _save(folder: str, number: int) -> None:
    for turn in range(3):
        ChangesetStorage(folder).save_changeset_collection(collection(metadata={"n": 10 * number + turn}))


def _at_once(work: Any, folder: Path, count: int = 8) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=work, args=(str(folder), number)) for number in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * count


def test_eight_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    _at_once(_add, tmp_path)
    found = ChangesetStorage(tmp_path).load_changeset_collection("work")
    paths = sorted(each.repository_path for each in found.repositories.values())
    assert paths == sorted(f"/src/{number}/{turn}" for number in range(8) for turn in range(3))
    before = ChangesetStorage(tmp_path).load_changeset_collection("work", "backup")
    assert len(before.repositories) == 23


def test_without_the_lock_eight_that_add_lose_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: a lock that everybody gets."""
    from contextlib import contextmanager

    @contextmanager
    def everybody(path: str, *, wait: float | None = None) -> Iterator[bool]:
        yield True

    monkeypatch.setattr(storage, "exclusive", everybody)
    for attempt in range(10):
        try:
            test_eight_that_add_at_once_lose_nothing(tmp_path / str(attempt))
        except (AssertionError, ChangesetStorageError):
            return
    raise AssertionError("ten times nothing was lost")


def test_of_eight_that_save_at_once_the_last_one_is_there_and_the_one_before_it(tmp_path: Path) -> None:
    _at_once(_save, tmp_path)
    store = ChangesetStorage(tmp_path)
    last, before = _generation(store, "mgitc"), _generation(store, "backup")
    assert last is not None
    assert before is not None
    assert last % 10 == 2  # each one's own last came after its others
    assert last != before
    assert files(store) == ["work.backup", "work.lock", "work.mgitc"]


def test_who_waits_too_long_is_told_so(store: ChangesetStorage) -> None:
    store.save_changeset_collection(collection())
    hasty = ChangesetStorage(store.storage_dir, wait=0)
    with lock.exclusive(os.path.join(store.storage_dir, "work.lock")):
        for act in (hasty.save_changeset_collection, hasty.save_checkpoint):
            with pytest.raises(ChangesetStorageError, match="in use by another process"):
                act(collection())
        assert_same(hasty.load_changeset_collection("work"), collection())  # reading waits for nobody


def test_an_update_that_fails_or_renames_changes_nothing(store: ChangesetStorage) -> None:
    store.save_changeset_collection(collection())

    def fails(before: ChangesetCollection | None) -> ChangesetCollection:
        raise RuntimeError("of the caller")

    with pytest.raises(RuntimeError):
        store.update_changeset_collection("work", fails)
    with pytest.raises(ChangesetValidationError, match="'other', not 'work'"):
        store.update_changeset_collection("work", lambda before: collection("other"))
    assert_same(store.load_changeset_collection("work"), collection())
    assert files(store) == ["work.lock", "work.mgitc"]
