"""Erasing records: their text leaves the journal and every copy of it that is ours; their place in the chain stays.

The order makes it safe to kill and run again. First an ``erase`` record says, durably, who erases what and why; then
a mark says which records are not done with. What is found by their text (logs, hooks' lines, copies of a policy) is
cleaned while they still have it, the journal's segments after that, what is derived from them last; then the mark
goes. Until then ``verify`` calls them ``unerased``, and ``finish`` goes on from wherever it was stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mgit_hooks import archives, lock
from mgit_hooks.archives import Away, Found, Held
from mgit_hooks.copies import is_of
from mgit_hooks.encoding import encode
from mgit_hooks.errors import DamageError, JournalError
from mgit_hooks.files import is_folder
from mgit_hooks.journal import beginning, bundle, bundleerasure, database, erasemark, erasure, exchange, reader, swap
from mgit_hooks.journal.contents import movement_key, place_key, reflog_time, told_by
from mgit_hooks.journal.reader import Stored
from mgit_hooks.journal.segment import segment_names
from mgit_hooks.journal.verify import verify
from mgit_hooks.journal.wanted import Secret, Wanted, commit_of, value_of
from mgit_hooks.layout import Location
from mgit_hooks.lock import exclusive
from mgit_hooks.record import Json, Oid, RefMovement
from mgit_hooks.recorder import state, traces
from mgit_hooks.recorder.drainpass import Pass
from mgit_hooks.recorder.intake import journal_of, plain_record
from mgit_hooks.report import counted

# A line of a message that is shorter than this is found in a log by chance.
_TELLING = 8


class Target(NamedTuple):
    """A record that is to be erased; ``commit`` is the one that it is about."""

    seq: int
    id: str
    event: str
    commit: Oid | None

    def to_json(self) -> Json:
        return self._asdict()


class Outcome(NamedTuple):
    """``record`` is the seq of the erase record; None where nothing was left to erase in the journal.

    ``actions`` say what was done in each place.
    """

    record: int | None
    actions: tuple[str, ...]


@contextmanager
def recording_stopped(location: Location, wait: float = 60.0) -> Iterator[None]:
    """Nobody records meanwhile, and all that hooks have said until now is recorded."""
    with exclusive(os.path.join(location.mgit_dir, "drain.lock"), wait=wait) as held:
        if not held:
            raise JournalError("another process is recording", "try again in a moment")
        take_in(location)
        yield


def take_in(location: Location) -> None:
    """Record what waits. Call it under the drain's lock."""
    Pass(location, "hook", None, state.read(location.mgit_dir)).run()


def erase(
    location: Location,
    targets: Sequence[Target],
    *,
    secret: Secret | None,
    by: str,
    reason: str,
    also: Sequence[str] = (),
    found: Found | None = None,
) -> Outcome:
    """Erase ``targets``, and ``secret`` wherever it stands in a file of ours. Call it under ``recording_stopped``.

    ``also`` are bundles elsewhere; ``found`` is what of the targets stands in archives.
    What an erasure before this one has left undone is done as well.
    Raises JournalError for a damaged journal, and where something cannot be rewritten: run again, it goes on.
    """
    with _maintenance(location):
        for path in also:
            bundle.read_manifest(path)  # refused before anything is changed
        left, away = _left(location, also)
        declared = erasure.declared(location.journal_dir)
        held, paths = (found.held, found.paths) if found is not None else ((), ())
        there = {each.stored.seq for each in held}
        new = [each for each in targets if each.seq not in (declared if each.seq in there else left)]
        if held:
            _mark_ahead(location.journal_dir, held)
        record = _declare(location, new, held, by, reason) if new else None
        seqs = left | {target.seq for target in targets}
        if not seqs and secret is None:
            return Outcome(None, ())
        went_on = [f"went on erasing {counted(len(left), 'record')}, where it was stopped"] if left else []
        away = away._replace(held=(*held, *away.held), paths=(*paths, *away.paths))
        actions = (*went_on, *_carry_out(location, seqs, secret, also, away))
    if any(target.event == "snapshot" for target in targets):
        take_in(location)  # recording begins with one: it is made anew before anything else happens
    return Outcome(record, actions)


def finish(location: Location) -> list[str]:
    """End an erasure that was killed; what was done. Call it under the drain's lock.

    A secret that was given to it is not on file: what only that would find, the erasure has to be run again for.
    """
    with _maintenance(location):
        left, away = _left(location, ())
        if left:
            return list(_carry_out(location, left, None, (), away))
        erasemark.end(location.journal_dir)  # what it names is not there any more
        return []


@contextmanager
def _maintenance(location: Location) -> Iterator[None]:
    with swap.maintenance(location.journal_dir, wait=60.0) as held:
        if not held:
            raise JournalError("another process is rewriting the journal", "try again in a moment")
        exchange.settle(location.journal_dir)  # a restore that was killed has left a copy
        yield


def _left(location: Location, also: Sequence[str]) -> tuple[set[int], Away]:
    """The records whose erasure was begun and not ended. Damaged bytes can be neither read nor rewritten."""
    report = verify(location.journal_dir)
    if report.damaged:
        raise DamageError(*report.damaged[0][:4])
    if report.holes or not report.chain_intact:
        raise JournalError("the journal is damaged, and what is damaged cannot be searched", "run 'mgit-hooks repair'")
    marked = erasemark.pending(location.journal_dir)
    away = archives.left(location, also, set(report.unerased), marked)
    elsewhere = {int(each.stored.seq) for each in away.held} | set(away.missing)
    if marked is None:
        first_seq = archives.begins(location.journal_dir)[0]
        return {seq for seq in report.unerased if seq >= first_seq} | elsewhere, away
    gone = {each.seq for each in erasure.chosen(location.journal_dir, set(marked)) if marked[each.seq] == each.id.hex()}
    return (set(report.unerased) - set(marked)) | gone | elsewhere, away


def _mark_ahead(journal_dir: str, held: Sequence[Held]) -> None:
    """Name what is in archives before it is declared: verify cannot see there whether it was erased."""
    pending = erasemark.pending(journal_dir)
    if pending is not None:  # else all that was ever declared counts as named
        erasemark.begin(journal_dir, {**pending, **{int(each.stored.seq): each.stored.id.hex() for each in held}})


def _declare(location: Location, targets: Sequence[Target], held: Sequence[Held], by: str, reason: str) -> int:
    """Append the record that says it, synced; its seq."""
    seqs = {target.seq for target in targets}
    moved: dict[int, Json] = {each.stored.seq: _moved(each.stored) for each in held}
    moved.update((each.seq, _moved(each)) for each in erasure.chosen(location.journal_dir, seqs))
    erased = [{"seq": target.seq, "id": target.id, "commit": target.commit, **moved[target.seq]} for target in targets]
    with journal_of(location) as journal:
        payload = encode(plain_record(location, "erase", {"erased": erased, "by": by, "reason": reason}))
        (done,) = journal.append([payload])
        journal.sync()
        return done.seq


def _moved(stored: Stored) -> Json:
    """By which its ref movements are known again where reflogs are read once more, and where they left the refs; as
    digests, without a name."""
    told = told_by(value_of(stored.payload or b""))
    at = reflog_time(told) if told.get("refs") else None
    found = list(map(RefMovement.from_json, told.get("refs") or ()))
    return {
        "movements": [movement_key(told["worktree"], movement, at).hex() for movement in found],
        "places": [place_key(each.name, each.new_oid).hex() for each in found if each.name.startswith("refs/")],
    }


def _carry_out(
    location: Location, seqs: set[int], secret: Secret | None, also: Sequence[str], away: Away
) -> Iterator[str]:
    journal_dir, mgit_dir = location.journal_dir, location.mgit_dir
    if seqs:
        stored = (*erasure.chosen(journal_dir, seqs), *(each.stored for each in away.held))
        erasemark.begin(journal_dir, {**away.missing, **{int(each.seq): each.id.hex() for each in stored}})
        _remember(journal_dir, seqs)
    found = _gather(location, seqs, secret, away)
    yield from _beside(location, found, bool(seqs))
    yield from _copies(location, found, _distinct((*also, *away.paths)))
    yield from _segments(location, seqs)
    beginning.forget_refs(journal_dir, found.is_ref_wanted)
    # Whoever reads makes it anew, from what is left.
    database.remove(mgit_dir)
    with lock.journal(journal_dir):
        traces.erase_leftovers(mgit_dir)
    if away.missing:
        erasemark.begin(journal_dir, away.missing)
        yield from away.words
    else:
        erasemark.end(journal_dir)


def _distinct(paths: Sequence[str]) -> list[str]:
    return list({os.path.realpath(path): path for path in reversed(paths)}.values())[::-1]


def _remember(journal_dir: str, seqs: set[int]) -> None:
    told = [declared for seq, declared in erasure.declared(journal_dir).items() if seq in seqs]
    commits = [each.commit for each in told if each.commit is not None]
    erasemark.remember(journal_dir, commits, [key for each in told for key in each.movements])


class _Found(NamedTuple):
    """What the records that are to go have to say of themselves, as long as they can."""

    wanted: Wanted
    texts: tuple[Secret, ...]
    copies: frozenset[str]
    archived: frozenset[int]

    def is_ref_wanted(self, name: str, seq: int) -> bool:
        """Whether a ref that the sidecar of an archived beginning tells of, last seen in ``seq``, is to go."""
        return seq in self.archived or (self.wanted.secret is not None and self.wanted.secret.is_in(name))


def _gather(location: Location, seqs: set[int], secret: Secret | None, away: Away) -> _Found:
    journal_dir = location.journal_dir
    ids: set[bytes] = set()
    texts: set[str] = set()
    copies: set[str] = set()
    declared = erasure.declared(journal_dir)
    commits = {told.commit for seq, told in declared.items() if seq in seqs and told.commit is not None}
    for stored in (*erasure.chosen(journal_dir, seqs), *(each.stored for each in away.held)):
        ids.add(stored.id)
        value = value_of(stored.payload) if stored.payload is not None else {}
        texts |= set(_texts(value))
        copies |= set(_checkpoints(value))
    # A commit of which a record is kept is not to be looked for elsewhere by its hash.
    hashes = [commit.encode() for commit in commits]
    for each in erasure.said(journal_dir) if commits else ():
        payload = each.payload
        if payload is not None and each.seq not in seqs and any(hash in payload for hash in hashes):
            commits.discard(commit_of(value_of(payload)) or Oid(""))
    if commits and archives.begins(journal_dir)[0] > 1:
        with database.open_index(location.mgit_dir, journal_dir) as index:
            commits = {each for each in commits if seqs.issuperset(seq for seq, _ in index.archived_commits(each))}
    wanted = Wanted(frozenset(ids), frozenset(commits), secret)
    archived = frozenset(int(each.stored.seq) for each in away.held)
    return _Found(wanted, tuple(map(_secret, texts)), frozenset(copies), archived)


def _secret(text: str) -> Secret:
    return Secret(text.encode("utf-8", "backslashreplace"), text)


def _texts(value: Json) -> Iterator[str]:
    """The lines by which a record's text is known again: of its message, and of what reflogs say."""
    for told in (value, value.get("original") or {}):
        said = [(told.get(key) or {}).get("message") for key in ("commit", "detail")]
        said.append((told.get("gate") or {}).get("original_message"))
        said += [movement.get("reason") for movement in told.get("refs") or ()]
        for text in filter(None, said):
            yield from (line.strip() for line in str(text).splitlines() if len(line.strip()) >= _TELLING)


def _checkpoints(value: Json) -> Iterator[str]:
    """The names of the copies that strategy ``checkpoint`` has made of it."""
    for action in value.get("recovery") or ():
        path = (action.get("data_context") or {}).get("checkpoint_path")
        if path:
            yield os.path.basename(path)


def _beside(location: Location, found: _Found, is_any: bool) -> Iterator[str]:
    def is_wanted(data: bytes) -> bool:
        sought = (*found.texts, found.wanted.secret) if found.wanted.secret else found.texts
        return any(each.is_in_bytes(data) for each in sought)

    if lines := traces.erase_logs(location.mgit_dir, is_wanted):
        yield f"blanked {counted(lines, 'line')} of the log"
    if lines := traces.erase_held(location.mgit_dir, is_wanted):
        yield f"forgot {counted(lines, 'line')} of hooks that waited for another"
    if state.names(location.mgit_dir, is_wanted):
        state.forget(location.mgit_dir)
        yield "forgot how far the reflogs were read, which names a ref with it"
    # A record does not tell which lines it was made of: where one is to go, all that is recorded goes.
    cursor = reader.last_cursor(location.journal_dir)
    if lines := traces.erase_spool(location.spool_dir, cursor, (lambda _: True) if is_any else is_wanted):
        yield f"blanked {counted(lines, 'line')} of the spool that {'is' if lines == 1 else 'are'} recorded"
    for name in traces.erase_copies(location.mgit_dir, found.wanted, found.copies):
        yield f"deleted checkpoints/{name}"


def _copies(location: Location, found: _Found, also: Sequence[str]) -> Iterator[str]:
    mgit_dir, wanted = location.mgit_dir, found.wanted

    def erase_bundle(path: str) -> int:
        ours = is_of(location.journal_dir, bundle.read_manifest(path).lineage)
        is_wanted = (found if ours else found._replace(archived=frozenset())).is_ref_wanted
        return bundleerasure.erase(path, _scratch(location), wanted, is_wanted)

    quarantined = os.path.join(mgit_dir, "quarantine")
    for name in erasure.erase_quarantined(quarantined, reader.journal_ids(location.journal_dir), wanted):
        yield f"cleaned quarantine/{name}: what could not be read in it is zeros now"
    for path in also:
        if count := erase_bundle(path):
            yield f"erased {counted(count, 'record')} from {path}"
    for path in _generations(mgit_dir):
        name = os.path.relpath(path, mgit_dir)
        try:
            count = erase_bundle(path)
        except bundle.BundleError:
            os.unlink(path)  # nothing can be restored from it, and nobody can tell what is in it
            yield f"deleted {name}, which is damaged"
        else:
            if count:
                yield f"erased {counted(count, 'record')} from {name}"


def _generations(mgit_dir: str) -> list[str]:
    folder = os.path.join(mgit_dir, "checkpoints")
    names = sorted(os.listdir(folder)) if is_folder(folder) else []
    return [os.path.join(folder, name) for name in names if name.endswith(".mgit")]


def _scratch(location: Location) -> str:
    return os.path.join(location.mgit_dir, "erasing.new")


def _segments(location: Location, seqs: set[int]) -> Iterator[str]:
    journal_dir = location.journal_dir
    places = erasure.segments_with(journal_dir, seqs)
    if places and max(places) == segment_names(journal_dir)[-1]:
        with journal_of(location) as journal:
            journal.roll()
    for name, here in sorted(places.items()):
        erasure.erase_segment(journal_dir, name, here)
        yield f"rewrote {name} without {counted(len(here), 'record')}"
