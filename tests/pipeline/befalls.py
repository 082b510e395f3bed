"""What befalls a collection: its fields, bytes and repositories, the processes about it, operations on a changeset.

Each gives back a function that does it to a scene; what that gives back in turn undoes it.
"""

from __future__ import annotations

import copy
import errno
import fcntl
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from kills import killed_at
from samples import changeset

from mgit_hooks.changesets import ChangesetCollection, RepositoryChangeset, container, frames, repository_key
from mgit_hooks.pipeline import RecoveryResult, validate_changeset
from mgit_hooks.recovery import checkpoints, statistics
from pipeline.scene import BEFORE, SAVED, Scene, contents

DROP = object()


# What befalls fields


def field(place: str, new: Any, *, also: dict[str, Any] | None = None) -> Callable[[Scene], None]:
    """A field of the collection on the disk is another one; ``a``, ``b`` and ``c`` stand for the repositories. What can
    be called is made of the scene."""

    def act(scene: Scene) -> None:
        value = copy.deepcopy(scene.values[SAVED])
        for where, what in {place: new, **(also or {})}.items():
            parts = [scene.keys.get(part, part) for part in where.strip("/").split("/")]
            holder: Any = value
            for part in parts[:-1]:
                holder = holder[int(part) if isinstance(holder, list) else part]
            last: Any = int(parts[-1]) if isinstance(holder, list) else parts[-1]
            if callable(what):
                holder[last] = what(scene)
            elif what is DROP:
                del holder[last]
            else:
                holder[last] = what
        scene.write(value)

    return act


def key(scene: Scene) -> None:
    value = copy.deepcopy(scene.values[SAVED])
    held = value["repositories"]
    value["repositories"] = {("0" * 16 if key == scene.keys["b"] else key): each for key, each in held.items()}
    scene.write(value)


def twice(scene: Scene) -> None:
    """An older changeset of ``a`` beside the newer one, under a path that is written in another way."""
    value = copy.deepcopy(scene.values[SAVED])
    path = f"{scene.repos['a']}/"
    older = {**scene.values[BEFORE]["repositories"][scene.keys["a"]], "repository_path": path}
    value["repositories"][repository_key(path)] = older
    scene.write(value)


def twice_by_key(scene: Scene) -> None:
    value = copy.deepcopy(scene.values[SAVED])
    value["repositories"]["f" * 16] = scene.values[BEFORE]["repositories"][scene.keys["a"]]
    scene.write(value)


def path_of(name: str) -> Callable[[Scene], str]:
    return lambda scene: str(scene.repos[name])


def under_each_others_keys(scene: Scene) -> None:
    value = copy.deepcopy(scene.values[SAVED])
    held, a, b = value["repositories"], scene.keys["a"], scene.keys["b"]
    held[a], held[b] = held[b], held[a]
    scene.write(value)


# What befalls bytes


def flip(at: float | int, method: str = "zstd", which: str = "file") -> Callable[[Scene], None]:
    """A bit of the file is flipped: at a byte of it, or at a part of what is packed."""

    def act(scene: Scene) -> None:
        scene.write(scene.values[SAVED], method)
        path: Path = getattr(scene, which)
        data = bytearray(path.read_bytes())
        start = data.index(b"\n", data.index(b"\n") + 1) + 1
        place = at if isinstance(at, int) else start + int((len(data) - start) * at)
        data[place] ^= 0x10
        path.write_bytes(bytes(data))

    return act


def flip_in(name: str, text: bytes, which: str = "file", saved: str = SAVED) -> Callable[[Scene], None]:
    """A letter of a text is another one, in a collection that is not compressed."""

    def act(scene: Scene) -> None:
        path: Path = getattr(scene, which)
        scene.write(scene.values[saved], "none", path)
        data = path.read_bytes()
        at = data.index(text, data.index(scene.keys[name].encode()) if name else 0)
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    return act


def cut(part: float, method: str = "zstd") -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        scene.write(scene.values[SAVED], method)
        data = scene.file.read_bytes()
        start = data.index(b"\n", data.index(b"\n") + 1) + 1
        scene.file.write_bytes(data[: start + int((len(data) - start) * part)])

    return act


def replaced(data: bytes, *which: str) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        for each in which or ("file",):
            getattr(scene, each).write_bytes(data)

    return act


def removed(*which: str, then: Callable[[Scene], None] | None = None) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        if then is not None:
            then(scene)
        for each in which:
            getattr(scene, each).unlink()

    return act


def both(*acts: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    def act(scene: Scene) -> Any:
        made = [each(scene) for each in acts]
        return made[-1] if made else None

    return act


def emptied(*which: str) -> Callable[[Scene], None]:
    """What is packed is zeros, as after a cut of the power; the lines before it are there."""

    def act(scene: Scene) -> None:
        for each in which:
            path: Path = getattr(scene, each)
            data = path.read_bytes()
            start = data.index(b"\n", data.index(b"\n") + 1) + 1
            path.write_bytes(data[:start] + bytes(len(data) - start))

    return act


def swapped(one: str, other: str) -> Callable[[Scene], None]:
    """Each of two files is under the other's name."""

    def act(scene: Scene) -> None:
        first, second = getattr(scene, one), getattr(scene, other)
        held = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(held)

    return act


def nested(depth: int) -> Any:
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


def a_folder(scene: Scene) -> None:
    scene.file.unlink()
    scene.file.mkdir()
    (scene.file / "note").write_text("mine")


def a_pipe(scene: Scene) -> None:
    scene.file.unlink()
    os.mkfifo(scene.file)


def changed(make: Callable[[bytes], bytes]) -> Callable[[Scene], None]:
    """What ``make`` makes of the file's bytes is in its place."""

    def act(scene: Scene) -> None:
        scene.file.write_bytes(make(scene.file.read_bytes()))

    return act


def spliced(scene: Scene) -> None:
    """As where a file is written over in place, and the machine goes off in between."""
    path, older = scene.file, scene.backup.read_bytes()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + older[len(data) // 2 :])


def without_lines(data: bytes) -> bytes:
    return data.split(b"\n", 2)[2]


def a_dead_link(scene: Scene) -> None:
    scene.file.unlink()
    scene.file.symlink_to("nowhere")


def later(scene: Scene) -> None:
    lines = scene.file.read_bytes().split(b"\n", 2)
    rest = lines[1].replace(b'"version":1', b'"version":2') + b"\n" + lines[2]
    scene.file.write_bytes(b"mgitc sha256:" + sha256(rest).hexdigest().encode() + b"\n" + rest)


def anothers(scene: Scene) -> None:
    made = container.pack("other", frames.pieces(scene.values[SAVED]), "zstd", "fast")
    scene.file.write_bytes(made)


def anothers_backup(scene: Scene) -> None:
    scene.backup.write_bytes(container.pack("other", frames.pieces(scene.values[SAVED]), "zstd", "fast"))


# What befalls repositories


def vanished(name: str) -> Callable[[Scene], None]:
    return lambda scene: shutil.rmtree(scene.repos[name])


def without_head(scene: Scene) -> None:
    (scene.repos["c"] / ".git" / "HEAD").write_bytes(b"\0" * 20)


def without_index(scene: Scene) -> None:
    (scene.repos["c"] / ".git" / "mgit" / "index.sqlite").unlink(missing_ok=True)


def damaged_index(scene: Scene) -> None:
    (scene.repos["c"] / ".git" / "mgit" / "index.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def segment(scene: Scene) -> Path:
    return sorted((scene.repos["c"] / ".git" / "mgit" / "journal").glob("*.seg*"))[-1]


def torn_journal(scene: Scene) -> None:
    """Half a frame stands after the last whole one."""
    with open(segment(scene), "ab") as file:
        file.write(segment(scene).read_bytes()[-40:-7])


def damaged_journal(scene: Scene) -> None:
    """A byte in the journal's middle is another one; what stands before and after it is whole."""
    path = segment(scene)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(bytes(data))
    without_index(scene)


def lost_objects(scene: Scene) -> None:
    shutil.rmtree(scene.repos["c"] / ".git" / "objects")
    (scene.repos["c"] / ".git" / "objects").mkdir()


# What befalls processes


def killed_save(scene: Scene) -> None:
    """Killed before each of its changes to the disk, one save after the other; the last one ends."""
    step = 1
    value = ChangesetCollection.from_json(scene.values[SAVED])
    while killed_at(step, scene.storage.save_changeset_collection, value):
        step += 1
    assert step > 5


def killed_recovery(scene: Scene) -> RecoveryResult:
    """Killed before each of its changes to the disk, and run again."""
    manager = scene.manager()
    damaged = scene.file.read_bytes()
    step = 1
    while killed_at(step, manager.recover_storage_operation, "work", "load"):
        assert scene.file.read_bytes() == damaged or scene.storage.load_json("work") == scene.values[SAVED]
        step += 1
        scene.file.write_bytes(damaged)
    assert step > 8
    scene.file.write_bytes(damaged)
    return manager.recover_storage_operation("work", "load")


def in_a_child(work: Callable[[], Any], limit: int | None = None) -> bool:
    """Whether ``work`` ended without an error, in a process whose files may have ``limit`` bytes."""
    child = os.fork()
    if child == 0:
        try:
            if limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def full_save(scene: Scene) -> None:
    value = ChangesetCollection.from_json(scene.values[SAVED])
    assert not in_a_child(lambda: scene.storage.save_changeset_collection(value), 1000)


def full_recovery(scene: Scene) -> RecoveryResult:
    """Where there is no room, nothing is changed; when there is, it is done."""
    before = contents(scene.folder)
    manager = scene.manager()
    done = in_a_child(lambda: manager.recover_storage_operation("work", "load").recovery_successful, 1000)
    assert not done
    assert contents(scene.folder) == before
    return manager.recover_storage_operation("work", "load")


def locked(path: Callable[[Scene], Path], seconds: float) -> Callable[[Scene], Callable[[], None]]:
    """Another process holds the lock for so long, or until the row is over."""

    def act(scene: Scene) -> Callable[[], None]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            handle = os.open(path(scene), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            os.write(writing, b"x")
            time.sleep(seconds)
            os._exit(0)
        os.read(reading, 1)

        def end() -> None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading)
            os.close(writing)

        return end

    return act


def lock(scene: Scene) -> Path:
    return scene.folder / "work.lock"


# Operations on a changeset


def operation(work: Callable[[Scene, Any], Any], strategy: str = "repair", **fields: Any) -> Callable[[Scene], Any]:
    def run(scene: Scene) -> RecoveryResult:
        value = {**changeset(), **fields}
        return scene.manager().recover_changeset_operation(lambda given: work(scene, given), value, strategy)

    return run


def with_the_lock(scene: Scene, given: Any) -> bool:
    handle = os.open(lock(scene), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(handle)
    return True


def a_listed_file(scene: Scene, given: Any) -> str:
    """Gone at the first look; there when it is looked at again."""
    place = scene.base / "listed"
    try:
        return place.read_text()
    except FileNotFoundError:
        place.write_text("back")
        raise


def with_gits_lock(scene: Scene, given: Any) -> bool:
    lock = scene.repos["a"] / ".git" / "index.lock"
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        lock.unlink()  # the other git is done by the next attempt
        raise
    return True


def given_is_valid(scene: Scene, given: Any) -> None:
    assert given == RepositoryChangeset.from_json(changeset())


def given_is_minimal(scene: Scene, given: Any) -> None:
    assert given.metadata == {"fallback": True, "original": {**changeset(), "git_status": "tidy"}}
    assert validate_changeset(given, "strict").is_valid


def given_is_copied(scene: Scene, given: Any) -> None:
    (kept,) = (scene.base / "recovery" / "checkpoints").iterdir()
    assert checkpoints.read(str(kept))["value"] == {**changeset(), "git_status": "tidy"}
    given_is_valid(scene, given)


def given_is_invalid(scene: Scene, given: Any) -> None:
    assert given.git_status == "tidy"


def takes_only_minimal(scene: Scene, given: Any) -> None:
    if not given.metadata.get("fallback"):
        raise ValueError("not this one")
    assert given.metadata["original"] == changeset()


def no_room(scene: Scene, given: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def never(scene: Scene, given: Any) -> None:
    (scene.folder / "it ran").write_text("")


def git_holds(scene: Scene) -> None:
    (scene.repos["a"] / ".git" / "index.lock").write_bytes(b"")


def named(scene: Scene) -> RecoveryResult:
    paths = [str(path) for path in scene.repos.values()]
    return scene.manager().recover_storage_operation("work", "load", repositories=paths)


def without_c(scene: Scene) -> None:
    """Only the file is left, of which ``c`` is damaged."""
    scene.write(scene.values[SAVED], "none")
    data = scene.file.read_bytes()
    at = data.rindex(scene.keys["c"].encode()) + 200
    scene.file.write_bytes(data[:at] + b"\0" + data[at + 1 :])
    scene.backup.unlink()
    scene.checkpoint.unlink()


def statistics_in_the_way(scene: Scene) -> None:
    flip(0.9)(scene)
    (scene.base / "recovery").write_text("in the way")


def damaged_statistics(scene: Scene) -> None:
    scene.manager().recover_storage_operation("work", "load")
    Path(statistics.path_in(str(scene.base / "recovery"))).write_bytes(b'{"counts": {"attempts": 1')
    flip(0.9)(scene)


# What else must hold


def timestamp_is_of_a_commit(scene: Scene, result: RecoveryResult) -> bool:
    value = scene.storage.load_json("work")["repositories"][scene.keys["a"]]
    return bool(value["timestamp"] == value["recent_commits"][0]["date"])


def the_original_is_beside_it(scene: Scene, result: RecoveryResult) -> bool:
    key = scene.keys["c"]
    saved = copy.deepcopy(scene.values[SAVED]["repositories"][key])
    saved["recent_commits"][0]["hash"] = "zzz"
    metadata = scene.storage.load_json("work")["repositories"][key]["metadata"]
    return result.fallback_used and bool(metadata["original"] == saved)


def c_is_named_as_lost(scene: Scene, result: RecoveryResult) -> bool:
    (lost,) = (action for action in result.actions_taken if action.action_type == "repositories_lost")
    return lost.data_context == {"paths": [str(scene.repos["c"])]} and not lost.success


def a_copy_is_kept(scene: Scene, result: RecoveryResult) -> bool:
    kept = next(action for action in result.actions_taken if action.action_type == "checkpoint_created")
    (aside,) = scene.folder.glob("work.damaged-*")
    return Path((kept.data_context or {})["checkpoint_path"]).read_bytes() == aside.read_bytes()


def counted_anew(scene: Scene, result: RecoveryResult) -> bool:
    said = scene.manager().get_recovery_statistics()
    damaged = list((scene.base / "recovery").glob("statistics.damaged-*"))
    return (said["attempts"], said["successes"], len(damaged)) == (1, 1, 1)
