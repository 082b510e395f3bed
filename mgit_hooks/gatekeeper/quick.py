"""The gate where nothing changed since it last let a commit through: whatever is plainly clean is let through again.

``remembered`` wrote down what the policy came to, and the state of each file that it hangs on. While all of them
are as they were, this judges by the very same schemas, and loads nothing but what it uses: the libraries that the
gate needs to read a policy and to explain a finding take longer than everything that is done here.

It answers "clean" or "not sure". Whatever is unusual is "not sure": then the gate itself begins from the start.
"""

from __future__ import annotations

import os

from mgit_hooks import __version__, dates, operation
from mgit_hooks.gatekeeper import loose
from mgit_hooks.gatekeeper.commitmessage import NO_EDITOR, amends, as_utf8, clean, sha256, style
from mgit_hooks.git.environment import environment
from mgit_hooks.judging import matching
from mgit_hooks.judging.checker import Compiler
from mgit_hooks.recorder import line
from mgit_hooks.regular import open_to_append, open_to_read, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from mgit_hooks.record import Json

STAGES = ("pre-commit", "commit-msg")
MADE_OF_OBJECTS = frozenset(("conflict_markers", "link_leaves_tree", "case_conflicts"))
"""The facts that are made here."""
_LARGEST = 8 << 20
_LONGEST = 64 * 1024
_STATES = frozenset(("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "commondir"))
# What git's configuration comes from.
_KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "HOME", "XDG_CONFIG_HOME")
# What git itself gives to the hooks of a commit, beside who makes it.
_PLAIN = frozenset(
    ("GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EDITOR", "GIT_EXEC_PATH", "GIT_REFLOG_ACTION", "GIT_PAGER",
     "GIT_ASKPASS", "GIT_TERMINAL_PROMPT", "GIT_SEQUENCE_EDITOR", "GIT_MERGE_AUTOEDIT", "GIT_OPTIONAL_LOCKS",
     "MGIT_GATE_WAS", *_KEPT[:3])
)  # fmt: skip
_HARMLESS = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_SSL_", "GIT_SSH", "GIT_HTTP_", "GIT_TRACE", "GIT_PS1_")
_MARKERS = (b"<<<<<<<", b">>>>>>>", b"|||||||")
_BINARY_WITHIN = 8000
_TYPES = {"A": "added", "M": "modified", "D": "deleted"}
_REGULAR = ("100644", "100755")

usable = False
"""Whether there is something remembered that still holds, of the last call."""


class _NotSure(Exception):
    pass


def main(stage: str, git: str, arguments: Sequence[str]) -> int | None:
    """0: git goes on, and the verdict is in the spool. None: the gate has to judge. As ``gate.main``."""
    global usable
    usable = False
    if stage not in STAGES or os.environ.get("MGIT_GATE_WAS") not in ("a", "m") or not suits(os.environ):
        return None
    try:
        git_dir = os.path.realpath(os.environ.get("GIT_DIR", ".git"))
        memo = recall(git_dir)
        if memo is None:
            return None
        usable = True
        operation.at(os.path.join(git_dir, "mgit"))
        _judge(memo, git_dir, stage, git, arguments)
    except Exception:  # whatever it is: the gate comes to it too, and says so
        return None
    return 0


def suits(env: Mapping[str, str]) -> bool:
    """Whether nothing in the environment changes what the files say, or who is asked, and a commit is being made."""
    return (
        "SKIP" not in env
        and "GIT_INDEX_FILE" in env
        and all(name in _PLAIN or name.startswith(_HARMLESS) for name in env if name.startswith(("GIT_", "MGIT")))
    )


def path(git_dir: str) -> str:
    return os.path.join(git_dir, "mgit", "gate", "main-worktree.quick")


def key(git_dir: str) -> tuple[Any, ...]:
    """What is remembered holds only where all of this is the same."""
    import sys
    from _sre import MAGIC  # type: ignore[import-not-found,unused-ignore]

    home = os.path.abspath(__file__)  # of two installations of one version each has its own files
    return (__version__, home, sys.version, MAGIC, git_dir, os.getcwd(), _git(), *map(os.environ.get, _KEPT))


def _git() -> str | None:
    """Which git is asked: another one may have a configuration of its own for the system."""
    paths = (os.path.join(folder, "git") for folder in os.environ.get("PATH", "").split(os.pathsep))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def state(path: str) -> tuple[int, ...] | None:
    """By this a file is known again: whoever changes it gives it another one."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def recall(git_dir: str) -> Json | None:
    from marshal import loads
    from zlib import crc32

    with open_to_read(path(git_dir)) as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.getuid() or status.st_mode & 0o022 or status.st_size > _LARGEST:
            return None
        raw = file.read()
    if int.from_bytes(raw[:4], "big") != crc32(raw[4:]):  # what is damaged could ask for any amount of memory
        return None
    memo: Json = loads(raw[4:])  # noqa: S302  our own, in a folder that only we can write to
    fresh = memo["key"] == key(git_dir) and all(state(name) == was for name, was in memo["watched"])
    return memo if fresh else None


def _judge(memo: Json, git_dir: str, stage: str, git: str, arguments: Sequence[str]) -> None:
    """Returns where all is clean and said so."""
    if not _STATES.isdisjoint(os.listdir(git_dir)):
        raise _NotSure
    process = _command_line(git)
    branch, head = _head(git_dir)
    asked = [("diff-index", *memo["diff"], head), *([("write-tree", "--missing-ok")] if stage == "commit-msg" else ())]
    running = [_start(words) for words in asked]
    compiler = _compiler(memo)
    message = digest = None
    if stage == "commit-msg":
        message, digest = _message(arguments[0], memo["settings"], process)
    raw, *trees = map(_ended, running)
    tree = trees[0].decode("ascii").strip() if trees else None
    commit = {**memo["commit"], **_author(), "parents": [head], "tree": tree, "message": message}
    commit["files"] = _files(raw, memo)
    value = {**memo["value"], "branch": branch, "commit": commit}
    if not compiler.compile(memo["documents"][memo["record"]], memo["record"])(_stood_in(value, memo)):
        raise _NotSure
    with_facts = _with_facts(value, frozenset(memo["facts"]), os.path.join(git_dir, "objects"))
    for rule in memo["rules"]:
        _ask(rule, with_facts, memo["documents"])
    _say(memo, stage, git_dir, git, value, digest)


def _command_line(git: str) -> list[str]:
    with open(f"/proc/{git.partition('.')[0]}/cmdline", "rb") as file:
        words = os.fsdecode(file.read()).split("\0")[:-1]
    if not words or not os.path.basename(words[0]).startswith("git") or amends(words):
        raise _NotSure
    return words


def _head(git_dir: str) -> tuple[str, str]:
    """The branch, and the commit that it is at: of a branch whose file says it."""
    ref = read(os.path.join(git_dir, "HEAD"), _LONGEST).decode("utf-8")
    if not ref.startswith("ref: refs/heads/") or not ref.endswith("\n"):
        raise _NotSure
    oid = read(os.path.join(git_dir, ref[5:-1]), _LONGEST).decode("ascii").removesuffix("\n")
    if len(oid) not in (40, 64) or set(oid) - set("0123456789abcdef"):
        raise _NotSure
    return ref[16:-1], oid


def _start(words: Sequence[str]) -> tuple[int, int]:
    """A git that runs meanwhile; what it says goes into a file without a name."""
    out = os.memfd_create("mgit-hooks")
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    return os.posix_spawnp("git", ["git", *words], environment(), file_actions=actions), out


def _ended(running: tuple[int, int]) -> bytes:
    pid, out = running
    with open(out, "rb") as file:
        if os.waitpid(pid, 0)[1]:
            raise _NotSure
        file.seek(0)
        return file.read()


def _compiler(memo: Json) -> Compiler:
    from _sre import compile as compiled  # type: ignore[import-not-found,unused-ignore]

    matching.know({pattern: compiled(*parts) for pattern, parts in memo["patterns"].items()})
    return Compiler(memo["documents"])


def _message(file: str, settings: Mapping[str, str], process: Sequence[str]) -> tuple[str, str]:
    with open_to_read(file) as opened:
        raw = opened.read()
    stored = as_utf8(clean(raw, style(settings, process, edited=os.environ.get("GIT_EDITOR") != NO_EDITOR)))
    return stored.decode("utf-8"), sha256(stored)


def _author() -> Json:
    """As git hands it to the hooks of ``git commit``."""
    name, email, date = (os.environ[f"GIT_AUTHOR_{part}"] for part in ("NAME", "EMAIL", "DATE"))
    seconds, _, offset = date[1:].partition(" ")
    if not date.startswith("@") or not (name + email).isprintable():  # a lone surrogate is not
        raise _NotSure
    date = dates.from_git(int(seconds), dates.offset_minutes(offset))
    return {"author_name": name, "author_email": email, "date": date}


def _files(raw: bytes, memo: Json) -> list[Json]:
    """The entries of raw output (gitdiffcore(7)), as ``staged`` reads them."""
    files = []
    fields = iter(raw.decode("utf-8").split("\0")[:-1])
    for each in fields:
        old_mode, new_mode, old_oid, new_oid, status = each[1:].split(" ")
        files.append(
            {
                **memo["file"],
                "filename": next(fields),
                "change_type": _TYPES[status],  # a rename has two names and a number: the gate's
                "index_status": status,
                "old_mode": old_mode if old_mode.strip("0") else None,
                "new_mode": new_mode if new_mode.strip("0") else None,
                "old_oid": old_oid if old_oid.strip("0") else None,
                "new_oid": new_oid if new_oid.strip("0") else None,
            }
        )
    return files


def _stood_in(value: Json, memo: Json) -> Json:
    """As ``judgement``: any value of the right form stands for what nobody knows yet."""
    value = {**value, "commit": dict(value["commit"])}
    for holder, name, stand_in in memo["stand_ins"]:
        target = value[holder] if holder else value
        if target[name] is None or not holder:
            target[name] = stand_in
    return value


def _with_facts(value: Json, names: frozenset[str], objects: str) -> Json:
    """``value`` with the facts that the rules name: what it takes a look at the objects to say no to."""
    if not names:
        return value
    commit = dict(value["commit"])
    if names & MADE_OF_OBJECTS:
        facts: Json = {}
        if "case_conflicts" in names:
            facts["case_conflicts"] = _case_conflicts(commit["files"])
        commit["facts"] = facts
        commit["files"] = [{**each, "facts": _of_file(each, names, objects)} for each in commit["files"]]
    value = {**value, "commit": commit}
    if not names - MADE_OF_OBJECTS:
        return value
    if commit["message"] is None:  # of what is not there yet nothing follows
        return {**value, "commit": {**commit, "facts": dict(commit.get("facts") or {})}}
    from mgit_hooks.judging.facts import followed

    return followed(value, names)


def _case_conflicts(files: list[Json]) -> list[Any]:
    if not any(each["change_type"] == "added" for each in files):
        return []
    listed = _ended(_start(("ls-files", "-z", "--cached", "--full-name", ":/"))).decode("utf-8", "surrogateescape")
    names = set(listed.split("\0"))
    for name in list(names):
        while (name := name.rpartition("/")[0]) and name not in names:
            names.add(name)
    if len({name.casefold() for name in names}) < len(names):
        raise _NotSure
    return []


def _of_file(file: Json, names: frozenset[str], objects: str) -> Json:
    facts: Json = {}
    if "link_leaves_tree" in names:
        if file["new_mode"] == "120000":
            raise _NotSure
        facts["link_leaves_tree"] = False
    if "conflict_markers" in names:
        if file["new_mode"] in _REGULAR and file["new_oid"] != file["old_oid"]:
            content = loose.beginning(objects, file["new_oid"])
            if content is None or (b"\0" not in content[:_BINARY_WITHIN] and _may_have_markers(content)):
                raise _NotSure
        facts["conflict_markers"] = []
    return facts


def _may_have_markers(content: bytes) -> bool:
    return any(content.startswith(marker) or b"\n" + marker in content for marker in _MARKERS)


def _ask(rule: Json, value: Json, documents: Mapping[str, Json]) -> None:
    """As ``rules``: asked here only where it provably ends soon."""
    if rule["costs"]:
        budget = rule["steps"]
        for length in _lengths(value):
            budget -= sum(int(length + factor * max(length, 1) ** degree) for factor, degree in rule["costs"])
        if budget < 0:
            raise _NotSure
    own = rule["documents"]
    if not Compiler({**documents, **own}).compile(own[rule["base"]], rule["base"])(value):
        raise _NotSure


def _lengths(value: Any) -> list[int]:
    found, left = [], [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            found.append(len(each))
        elif isinstance(each, dict):
            found += map(len, each)
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found


def _say(memo: Json, stage: str, git_dir: str, git: str, value: Json, digest: str | None) -> None:
    """The verdict, into the spool and to the disk, as ``verdicts`` writes it of a commit in which nothing was found."""
    from _json import encode_basestring as text  # type: ignore[import-not-found,unused-ignore]

    commit, message = value["commit"], value["commit"]["message"]
    subject = None if message is None else message.partition("\n")[0]
    if subject is not None and ("@" in subject or "://" in subject or len(subject) > 200):
        raise _NotSure  # a URL may hold a token, and what is long is cut

    def told(of: str | None) -> str:
        return "null" if of is None else text(of)

    rules = ",".join(map(text, memo["names"]))
    detail = (
        f'{{"event":"commit","branch":{text(value["branch"])},"message":{told(subject)},'
        f'"files":{len(commit["files"])},"rules":[{rules}]}}'
    )
    verdict = (
        f'{{"stage":"{stage}","status":"passed","reason":null,"tree":{told(commit["tree"])},'
        f'"message_sha256":{told(digest)},"level":"{memo["level"]}","issues":[],"detail":{detail},'
        f'"parents":[{told(commit["parents"][0])}]}}'
    )
    said = line.joined("gate", git, "a", "main-worktree", commit["parents"][0], (verdict,))
    descriptor = open_to_append(os.path.join(git_dir, "mgit", "spool", "now"))
    try:
        if os.write(descriptor, said) < len(said):
            raise OSError("a full disk")  # the gate says so, after its own verdict
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
