"""``mgit-hooks erase``: take a record's text out of the journal and every copy of it, by law or after an accident."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from mgit_hooks import archives, erasing
from mgit_hooks.archives import Archive
from mgit_hooks.display import escape
from mgit_hooks.erasing import Outcome, Target
from mgit_hooks.errors import MgitError, UsageError
from mgit_hooks.git import plumbing
from mgit_hooks.journal import bundling, database, erasure
from mgit_hooks.journal.wanted import PROTECTED, Secret, commit_of, value_of
from mgit_hooks.layout import Location, locate
from mgit_hooks.output import Output
from mgit_hooks.record import Json, Oid
from mgit_hooks.report import counted
from mgit_hooks.session import require_journal

# A secret of fewer bytes is found in records that have nothing to do with it.
_LEAST = 4
# More than that is a wrong file, or no end of one (/dev/zero).
_MOST = 1024 * 1024


class NothingFound(MgitError):
    exit_code = 1


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="*", metavar="WHAT", help="a record's number, or a commit: its hash, its beginning, a revision"
    )
    parser.add_argument(
        "--containing",
        action="store_true",
        help="every record that holds the text on standard input (there, so that no list of processes shows it)",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why; it is recorded, and has to be given")
    parser.add_argument("--by", metavar="NAME", help="who; it is recorded (default: whom git commits as)")
    parser.add_argument(
        "--also", action="append", default=[], metavar="FILE", help="a bundle elsewhere that it is erased from too"
    )
    parser.add_argument("--dry-run", action="store_true", help="list what would be erased, and change nothing")


def run(args: argparse.Namespace, out: Output) -> int:
    location = locate(args.directory)
    require_journal(location)
    if bool(args.what) == args.containing:
        raise UsageError("name records or commits, or give --containing and a text on standard input", _HELP)
    if args.reason is None and not args.dry_run:
        raise UsageError("an erasure has to say why", "give --reason TEXT")
    by = args.by or _committer(location)
    if args.containing and sys.stdin.isatty():
        out.note("mgit-hooks: type the text, a newline, and Ctrl-D")
    secret = _read_secret((args.reason or "", by)) if args.containing else None
    also = [os.path.normpath(os.path.join(args.directory, name)) for name in args.also]
    with erasing.recording_stopped(location):
        wanted = [_asked(word, location) for word in args.what]
        found = _find(location, wanted, secret, also)
        _refuse(found, secret is not None)
        if args.dry_run:
            _tell(out, found, None)
            return 0 if found.targets or found.already else 1
        done = erasing.erase(
            location, found.targets, secret=secret, by=by, reason=args.reason, also=also, found=found.elsewhere
        )
    _tell(out, found, done)
    _tell_git(out, location, found)
    return 0 if found.targets or found.already or done.actions else 1


# A subject that is shorter than this stands in other records by chance.
_TELLING = 8
_HELP = "see 'mgit-hooks erase --help'"


class _Asked(NamedTuple):
    """One WHAT: a record's number, or the hashes that it can stand for."""

    word: str
    number: int | None
    prefix: str | None
    commit: str | None

    def may_be(self, seq: int, payload: bytes) -> bool:
        """Whether a record can be meant, as far as is seen without taking it apart."""
        hashes = (each for each in (self.prefix, self.commit) if each is not None)
        return seq == self.number or any(each.encode() in payload for each in hashes)


class _Found(NamedTuple):
    targets: list[Target]
    already: list[int]  # asked for, and erased before
    repeated: list[Target]  # records of the same commits that were not asked for
    commits: list[Oid]
    elsewhere: archives.Found  # those of the targets that are in archives
    unread: tuple[Archive, ...]  # that a text could not be looked for in
    echoes: list[int]  # other records that hold the subject of an erased commit, as reflogs repeat it


def _asked(word: str, location: Location) -> _Asked:
    number = int(word) if word.isdigit() and len(word) < 16 else None
    prefix = word.lower() if re.fullmatch(r"[0-9a-fA-F]{4,64}", word) else None
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}")
    found = plumbing.run(("--git-dir", location.git_dir, *asked))
    return _Asked(word, number, prefix, None if found.status else found.stdout.decode().strip())


def _find(location: Location, asked: Sequence[_Asked], secret: Secret | None, also: Sequence[str]) -> _Found:
    """Every record that is meant, be it in an archive. Raises UsageError for the beginning of several commits,
    NothingFound for none, JournalError where it is in an archive that cannot be found."""
    journal_dir = location.journal_dir
    known = erasure.declared(journal_dir)
    candidates: list[Target] = []
    gone: set[int] = set()
    for each in erasure.said(journal_dir):
        if each.payload is None:
            gone.add(each.seq)
            told = known.get(each.seq)
            candidates.append(Target(each.seq, "", "", told.commit if told else None))
        elif any(one.may_be(each.seq, each.payload) for one in asked) or (secret and secret.is_in_bytes(each.payload)):
            candidates.append(_target(each.seq, each.payload))
    meant = {target.seq for target in candidates if target.seq not in gone} if secret is not None else set()
    away = _archived(location, asked)
    for one in asked:
        meant |= _meant(one, [*away, *candidates])
    found = _held(location, meant & {target.seq for target in away}, secret, also)
    held = [one for one in found.held if one.stored.payload is not None]
    there = {int(one.stored.seq): _target(one.stored.seq, one.stored.payload or b"") for one in held}
    seqs = {int(one.stored.seq) for one in found.held}
    meant |= seqs
    gone |= seqs - set(there)
    candidates = [*there.values(), *candidates]
    ids: dict[int, str] = {one.stored.seq: one.stored.id.hex() for one in held}
    ids.update((stored.seq, stored.id.hex()) for stored in erasure.chosen(journal_dir, meant - gone))
    commits = frozenset(
        target.commit for target in (*away, *candidates) if target.seq in meant and target.commit is not None
    )
    return _Found(
        [target._replace(id=ids[target.seq]) for target in candidates if target.seq in ids],
        sorted(meant & gone),
        [
            *(each for each in away if each.commit in commits and each.seq not in meant),
            *_repeated(journal_dir, commits, meant),
        ],
        sorted(commits),
        found._replace(held=tuple(held)),
        found.unread if secret is not None else (),
        _echoes(journal_dir, meant) if secret is None else [],
    )


def _archived(location: Location, asked: Sequence[_Asked]) -> list[Target]:
    """What is meant of the records that are in archives, as far as the index knows them."""
    first_seq = archives.begins(location.journal_dir)[0]
    if first_seq == 1 or not asked:
        return []
    numbers = [one.number for one in asked if one.number is not None and 0 < one.number < first_seq]
    found: dict[int, Oid | None] = dict.fromkeys(numbers)
    with database.open_index(location.mgit_dir, location.journal_dir) as index:
        for one in asked:
            for prefix in filter(None, (one.prefix, one.commit)):
                found.update(index.archived_commits(prefix))
    return [Target(seq, "", "", commit) for seq, commit in found.items()]


def _held(location: Location, seqs: set[int], secret: Secret | None, also: Sequence[str]) -> archives.Found:
    if not seqs and secret is None:
        return archives.Found()

    def is_wanted(seq: int, payload: bytes | None) -> bool:
        return seq in seqs or (secret is not None and payload is not None and secret.is_in_bytes(payload))

    with bundling.still(location.mgit_dir):
        found = archives.search(location, also, is_wanted)
    found.require(seqs)
    return found


def _target(seq: int, payload: bytes) -> Target:
    value = value_of(payload)
    return Target(seq, "", str(value.get("event")), commit_of(value))


def _meant(asked: _Asked, candidates: Sequence[Target]) -> set[int]:
    if asked.number is not None and any(target.seq == asked.number for target in candidates):
        return {asked.number}
    commits = {target.commit for target in candidates if target.commit is not None}
    named = {each for each in commits if asked.prefix is not None and each.startswith(asked.prefix)}
    if len(named) > 1:
        example = ", ".join(sorted(named)[:3])
        raise UsageError(f"'{asked.word}' is the beginning of {len(named)} commits", f"for example {example}")
    named = named or {commit for commit in commits if commit == asked.commit}
    if not named:
        raise NothingFound(f"'{asked.word}' is no record, and no commit that is recorded", "see 'mgit-hooks log'")
    return {target.seq for target in candidates if target.commit in named}


def _repeated(journal_dir: str, commits: frozenset[Oid], meant: set[int]) -> list[Target]:
    """The other records of these commits."""
    hashes = [commit.encode() for commit in commits]
    found = []
    for each in erasure.said(journal_dir) if commits else ():
        if each.seq not in meant and each.payload is not None and any(hash in each.payload for hash in hashes):
            target = _target(each.seq, each.payload)
            if target.commit in commits:
                found.append(target)
    return found


def _echoes(journal_dir: str, meant: set[int]) -> list[int]:
    """The records that hold the subject of one that is meant, and are not about the same commit: ref movements, in
    whose reason git has put it, refusals, and commits of the same name."""
    subjects = set()
    for stored in erasure.chosen(journal_dir, meant):
        message = (value_of(stored.payload or b"").get("commit") or {}).get("message") or ""
        subject = message.partition("\n")[0].strip()
        if len(subject) >= _TELLING:
            subjects.add(Secret.of(subject.encode()))
    if not subjects:
        return []
    return [
        each.seq
        for each in erasure.said(journal_dir)
        if each.payload is not None
        and each.seq not in meant
        and any(subject.is_in_bytes(each.payload) for subject in subjects)
        and value_of(each.payload).get("event") not in PROTECTED
    ]


def _refuse(found: _Found, contained: bool) -> None:
    kept = [target for target in found.targets if target.event in PROTECTED]
    if kept:
        what = "holds it, and" if contained else "is one that"
        raise UsageError(
            f"record {kept[0].seq} ({kept[0].event}) {what} cannot be erased: it says how the journal came to be so",
            "name the other records by their numbers",
        )


def _read_secret(told: Sequence[str]) -> Secret:
    """The text on standard input, without the newline at its end. It must not be what is to be recorded."""
    raw = sys.stdin.buffer.read(_MOST + 3).removesuffix(b"\n").removesuffix(b"\r")
    if len(raw) > _MOST:
        raise UsageError(
            f"the text on standard input has more than {_MOST} bytes", "give a part of it that stands nowhere else"
        )
    if len(raw) < _LEAST:
        raise UsageError(
            f"the text on standard input has {len(raw)} bytes, and {_LEAST} are the least that is looked for",
            "name the records by their numbers",
        )
    secret = Secret.of(raw)
    if any(secret.is_in(text) for text in told):
        raise UsageError("the reason or the name holds the very text that is to be erased", "say it without")
    return secret


def _committer(location: Location) -> str:
    found = plumbing.run(("--git-dir", location.git_dir, "var", "GIT_COMMITTER_IDENT"))
    name = found.stdout.decode("utf-8", "replace").strip().rpartition(" ")[0].rpartition(" ")[0]
    if found.status or not name:
        raise UsageError("git does not know who you are", "give --by NAME")
    return name


def _tell(out: Output, found: _Found, done: Outcome | None) -> None:
    """``done`` is None under ``--dry-run``. What a record says is not shown: it is not to be seen any more."""
    actions = list(done.actions) if done else []
    if out.as_json:
        value: Json = {
            "erased": [target.to_json() for target in found.targets],
            "already": found.already,
            "record": done.record if done else None,
            "actions": actions,
        }
        out.json(value)
    else:
        for target in found.targets:
            what = f"  {target.event} {(target.commit or '')[:10]}".rstrip()
            out.line(f"{'erased' if done else 'would erase'} record {target.seq}{what}")
        out.lines(escape(action) for action in actions)
        if not found.targets and not actions:
            out.line("nothing to erase")
    for archive in found.unread:
        out.note(escape(f"mgit-hooks: the archive {archive.file} was not searched: give its file with --also"))
    for seq in found.already:
        out.note(f"mgit-hooks: record {seq} was erased before")
    for target in found.repeated:
        commit = str(target.commit)[:10]
        out.note(f"mgit-hooks: record {target.seq} is about {commit} too, and is kept: name it as well, or the commit")
    echoes = sorted(set(found.echoes) - {target.seq for target in found.repeated})
    if echoes:
        words = ", ".join(map(str, echoes[:8])) + (" and more" if len(echoes) > 8 else "")
        out.note(f"mgit-hooks: {counted(len(echoes), 'other record')} with the same subject: {words}")
        out.note("hint: name them as well, or give the text to 'mgit-hooks erase --containing'")


def _tell_git(out: Output, location: Location, found: _Found) -> None:
    """Our records are not all that there is of a commit."""
    asked = "".join(f"{commit}\n" for commit in found.commits).encode()
    told = plumbing.run(("--git-dir", location.git_dir, "cat-file", "--batch-check"), stdin=asked).stdout
    still = [line.split()[0].decode()[:10] for line in told.splitlines() if line.split()[1:2] == [b"commit"]]
    if still:
        what = f"{', '.join(still[:3])}{' and others' if len(still) > 3 else ''}"
        out.note(f"mgit-hooks: git still has {counted(len(still), 'commit')} ({what}), and reflogs that tell of it")
        out.note("hint: rewrite the history, then 'git reflog expire --expire=now --all' and 'git gc --prune=now'")
        out.note("hint: clones, remotes and backups keep what they have; see docs/erasure.md")
