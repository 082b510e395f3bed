"""A repository in the state in which git runs its hooks, and random changes of all that a gate's answer hangs on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import Repo

from mgit_hooks.gatekeeper import gate, quick, remembered
from mgit_hooks.judging import matching, rules

PAST = 1_600_000_000
NEWS = ("a", "new", "dir/b", "dir/deep/c", "A", "DIR/x", "neu und schön", "README.md", "x" * 120, "e\u0301", "\xe9")
CONTENTS = (
    "",
    "1\n",
    "two\nlines\n",
    "<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> x\n",
    "=======\n",
    "\0<<<<<<< x\n",
    "a\r\n>>>>>>> x\r\n",
    "||||||| base\n",
    "no newline",
    "x" * 3000,
    " <<<<<<< no marker\n",
    "<<<<<<<x\n",
)
TEXTS = (
    "A subject",
    "fix: it",
    "feat(core)!: all of it",
    "A subject of more than forty characters, and then some",
    "WIP",
    "fixup! A subject",
    "Ä „quoted“ subject",
    "",
    " led by a blank",
    "Ends with a dot.",
    "tab\tin it",
    "a@b.example",
    "See https://example.org",
    "\x01\x02",
    'a "quote" \\ %s',
    "#12 is done",
    'Revert "x"',
    "\u202e reversed",
    "\U0001f600",
)
BODIES = (
    "",
    "\n",
    "\n\nBody\n",
    "\nBody\n",
    "\n\nBody\n\nSigned-off-by: Ada Lovelace <ada@example.org>\n",
    "\n\n\n\n",
    "\n\n# a comment\n",
    "\n\n; another\nword\n",
    "\n\n# ------------------------ >8 ------------------------\nbelow\n",
    "\n\nFixes: #12\nReviewed-by: B <b@example.org>\nSigned-off-by: Ada Lovelace <ada@example.org>\n",
    "\r\n\r\nBody\r\n",
    "  \n\t\n  x  \n",
    "\n\n" + "long words " * 12 + "\n",
    "\n\nNUL \0 in it\n",
    "\n\ntrailing   \n",
)
LIBRARY = (
    "subject-length",
    "body-width",
    "blank-line-after-subject",
    "message-whitespace",
    "trailer-order",
    "forbidden-paths",
    "executable-bits",
    "author-email-domain",
    "submodule-changes",
    "case-conflicts",
    "no-conflict-markers",
    "links-inside-tree",
    "fixup-commits-not-pushed",
    "conventional-commits",
    "issue-reference",
    "signed-off-by",
    "binary-files",
    "file-size",
    "subject-style",
    "changed-together",
    "required-paths",
    "churn",
)
LENIENT = 13
"""So many pass for most commits, and are remembered."""
GIVEN = {
    "author-email-domain": 'with = { domains = ["example.org"] }', "forbidden-paths": 'with = { paths = "^DIR/" }',
    "churn": "with = { most = 5 }",
}  # fmt: skip
MESSAGE, FILES = ("commit", "message"), ("commit", "files")
SCHEMAS: tuple[tuple[tuple[str, ...], Any], ...] = (
    (MESSAGE, {"pattern": "^.{1,40}(\n|$)"}),
    (MESSAGE, {"maxLength": 30}),
    (MESSAGE, {"minLength": 3}),
    (MESSAGE, {"not": {"pattern": "WIP"}}),
    (MESSAGE, {"anyOf": [{"pattern": "^fix"}, {"minLength": 5}]}),
    (FILES, {"maxItems": 3}),
    (FILES, {"items": {"properties": {"filename": {"pattern": "^[ -~]+$"}}}}),
    (FILES, {"items": {"properties": {"new_mode": {"enum": ["100644", None]}}}}),
    (FILES, {"items": {"properties": {"change_type": {"not": {"const": "deleted"}}}}}),
    (("branch",), {"const": "main"}),
    (("branch",), {"type": ["string", "null"]}),
    (("commit",), {"required": ["message", "files"]}),
    (
        ("commit",),
        {"if": {"properties": {"message": {"pattern": "^fix"}}}, "then": {"properties": {"files": {"minItems": 1}}}},
    ),
    (("commit", "author_name"), {"pattern": "^A"}),
    (("commit", "author_email"), {"maxLength": 20}),
    (("commit", "date"), {"pattern": "^20"}),
    (("commit", "parents"), {"minItems": 1}),
    (("source",), {"const": "hook"}),
    (("commit", "facts", "subject"), {"maxLength": 20}),
    (("commit", "facts", "fixup"), {"const": False}),
    (("commit", "facts", "case_conflicts"), {"maxItems": 0}),
    (("repository_name",), {"minLength": 1}),
    (("gate",), {"type": "null"}),
    (("recorded_at",), {"type": "null"}),
    (("seq",), {"type": "null"}),
    ((), {"$ref": "urn:mgit-hooks:record.basic"}),
    (MESSAGE, {"enum": ["A subject\n", "fix: it\n", None]}),
    (MESSAGE, {"type": "string"}),
    (MESSAGE, {"const": "A subject\n"}),
    (("commit", "tree"), {"type": "string"}),
    (FILES, {"items": {"properties": {"size_bytes": {"maximum": 10}}}}),
    (FILES, {"minItems": 1}),
    (FILES, {"items": {"properties": {"facts": {"maxProperties": 0}}}}),
    (("commit", "facts", "signed_off"), {"const": True}),
    (("commit", "facts"), {"minProperties": 1}),
    (MESSAGE, {"pattern": "^(a|aa)*$"}),
    ((), {"unevaluatedProperties": True}),
)
MILD = 27
PROCESSES = (
    ("commit",),
    ("commit", "-v"),
    ("commit", "--amend"),
    ("commit", "--am"),
    ("commit", "--", "--amend"),
    ("commit", "--cleanup=scissors"),
    ("commit", "--cleanup", "verbatim"),
    ("commit", "-qav"),
    ("merge", "x"),
    ("commit", "-m", "--cleanup=strip"),
    ("commit", "--no-verbose"),
)
ENVIRONMENT: tuple[tuple[str, str | None], ...] = (
    ("MGIT_SKIP", "r0"),
    ("MGIT_SKIP_REASON", "why"),
    ("MGIT_LEVEL", "strict"),
    ("SKIP", "mgit-commit-msg"),
    ("SKIP", "other"),
    ("GIT_EDITOR", ":"),
    ("GIT_EDITOR", "vi"),
    ("GIT_AUTHOR_NAME", "Ä B"),
    ("GIT_AUTHOR_NAME", "B"),
    ("GIT_AUTHOR_NAME", "\udcff"),
    ("GIT_AUTHOR_EMAIL", "x" * 30 + "@example.org"),
    ("GIT_AUTHOR_EMAIL", ""),
    ("GIT_AUTHOR_DATE", "@1 +9999"),
    ("GIT_AUTHOR_DATE", "@99999999999999 -0000"),
    ("GIT_AUTHOR_DATE", "2020-01-01"),
    ("GIT_AUTHOR_DATE", None),
    ("GIT_CONFIG_PARAMETERS", "'commit.cleanup=verbatim'"),
    ("GIT_CONFIG_COUNT", "0"),
    ("GIT_INDEX_FILE", None),
    ("TZ", "Asia/Tokyo"),
    ("LC_ALL", "C"),
    ("GIT_REFLOG_ACTION", "revert"),
    ("MGIT_GATE_WAS", "m"),
    ("MGIT_GATE_WAS", "u"),
    ("PYTHONUTF8", "0"),
)
SETTINGS = (
    ("commit.cleanup", ("strip", "whitespace", "verbatim", "scissors", "default")),
    ("core.commentChar", (";", "auto", "#")),
    ("commit.verbose", ("true", "false", "2")),
    ("i18n.commitEncoding", ("UTF-8", "ISO-8859-1", "none-such")),
    ("mgit.level", ("basic", "standard", "strict", "stricter")),
    ("mgit.strategy", ("abort", "ignore", "repair", "fallback")),
    ("mgit.enforce", ("true", "false")),
    ("mgit.fail", ("open", "closed")),
    ("core.ignoreCase", ("true", "false")),
    ("diff.renames", ("false", "copies")),
    ("diff.renameLimit", ("1",)),
    ("core.quotePath", ("false",)),
    ("user.name", ("B",)),
)


class Differs(AssertionError):
    """The two gates."""


class World:
    """A repository in the state in which git runs its hooks; what an action changes for one step is undone after it."""

    def __init__(self, repo: Repo, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.repo, self.folder, self.random, self.environ = repo, folder, Random(seed), monkeypatch
        self.git_dir = os.path.join(repo.path, ".git")
        self.message = str(folder / "message")
        self.undo: list[Callable[[], object]] = []
        self.words: tuple[str, ...] = ("commit",)
        self.kept: list[bytes] = []
        self.told = self.quick = self.rested = self.tired = 0
        self.story: list[str] = []
        self.meanwhile: Callable[[], None] | None = None
        write = remembered.write

        def late(*arguments: Any) -> None:
            """What changes between the reading of the policy and the remembering."""
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()
            write(*arguments)

        monkeypatch.setattr(remembered, "write", late)

    def path(self, name: str) -> Path:
        return Path(self.repo.path, name)

    def put(self, name: str, text: str, *, moved: bool = False) -> None:
        """As an editor, a tool that moves, or one that keeps times puts it there; most are long past when asked."""
        file, how = self.path(name), self.random.randrange(4)
        if moved or (how == 0 and file.exists()):
            made = file.with_suffix(".made")
            made.write_text(text)
            os.utime(made, (PAST, PAST))
            made.rename(file)
            return
        file.write_text(text)
        if how:
            os.utime(file, (PAST + self.random.randrange(2), PAST))

    def spool(self) -> list[str]:
        file = self.path(".git/mgit/spool/now")
        return file.read_text("utf-8").splitlines() if file.exists() else []

    def full(self, stage: str, git: str) -> int:
        """As a process of its own: it knows nothing of what others compiled."""
        matching._compiled.clear()
        rules._ready.clear()
        try:
            return gate.main(stage, git, self.arguments(stage))
        except Exception as error:  # boot.py: git stops, and says that it is a fault of ours
            raise Differs("\n".join((f"{stage}: the gate raises", *self.story))) from error

    def arguments(self, stage: str) -> list[str]:
        return [self.message] if stage == "commit-msg" else []

    def compare(self) -> None:
        with subprocess.Popen(["git", "-c", "read x", *self.words], executable="/bin/sh", stdin=subprocess.PIPE) as git:
            assert git.stdin is not None
            for stage in quick.STAGES:
                self._stage(stage, f"{git.pid}.7")
            git.stdin.close()

    def _stage(self, stage: str, git: str) -> None:
        before = len(self.spool())
        matching._compiled.clear()
        told = quick.main(stage, git, self.arguments(stage))
        quickly = self.spool()[before:]
        code = self.full(stage, git)
        fully = self.spool()[before + len(quickly) :]
        self.told += 1
        if told is None and not quickly:
            return
        self.quick += 1
        if code != 0 or quickly != fully:
            raise Differs(f"{stage}: {told} {quickly}\n{code} {fully}\n" + "\n".join(self.story))


def sometimes(chances: Random, *values: Any) -> Any:
    return chances.choice(values)


def policy(world: World) -> str:
    chances, found = world.random, []
    for number in range(chances.randrange(1, 5)):
        strategy = "abort" if number == 0 else sometimes(chances, "abort", "repair", "ignore")
        events = sometimes(
            chances, "", 'events = ["commit"]\n', 'events = ["commit", "amend"]\n', 'events = ["amend"]\n'
        )
        if chances.random() < 0.4:
            name = chances.choice(LIBRARY[:LENIENT] if chances.random() < 0.8 else LIBRARY)
            found.append(f'[[rules]]\nuse = "{name}"\nstrategy = "{strategy}"\n{GIVEN.get(name, "")}\n')
            continue
        where, schema = chances.choice(SCHEMAS[:MILD] if chances.random() < 0.8 else SCHEMAS)
        for name in reversed(where):
            schema = {"properties": {name: schema}}
        Path(world.git_dir, f"schema{number}.json").write_text(json.dumps(schema))
        os.utime(Path(world.git_dir, f"schema{number}.json"), (PAST, PAST))
        found.append(
            f'[[rules]]\nid = "r{number}"\nstrategy = "{strategy}"\nmessage = "Mend it."\n{events}'
            f'severity = "{sometimes(chances, "error", "warning")}"\nschema = "schema{number}.json"\n'
        )
    return "\n".join(found)


def new_policy(world: World) -> None:
    world.put(".git/rules.toml", policy(world))


def new_schema(world: World) -> None:
    world.put(f".git/schema{world.random.randrange(4)}.json", json.dumps(world.random.choice(SCHEMAS)[1]))


def broken_policy(world: World) -> None:
    was = world.path(".git/rules.toml").read_text()
    world.put(".git/rules.toml", world.random.choice(("strateggy = 1\n", "[[rules]\n", '[[rules]]\nid = "r"\n')))
    world.undo.append(lambda: world.put(".git/rules.toml", was))


def changed_meanwhile(world: World) -> None:
    """One policy is read; another, of an old date, stands in its place when it is remembered."""
    new_policy(world)
    world.meanwhile = lambda: world.put(".git/rules.toml", policy(world), moved=True)
    world.undo.append(lambda: setattr(world, "meanwhile", None))


def of_worktree(world: World) -> None:
    name = world.random.choice((".mgit-hooks.toml", "pyproject.toml"))
    text = world.random.choice(
        ('level = "strict"\n', "enforce = true\n", 'strategy = "abort"\n', 'strategy = "x"\n', "\n")
    )
    world.put(name, text if name.startswith(".") else f"[tool.mgit-hooks]\n{text}")
    if world.random.random() < 0.7:
        world.undo.append(lambda: world.path(name).unlink(missing_ok=True))


def setting(world: World) -> None:
    key, values = world.random.choice(SETTINGS)
    world.repo.run("config", key, world.random.choice(values), check=False)
    world.undo.append(lambda: world.repo.run("config", "--unset-all", key, check=False))
    if world.random.random() < 0.5:
        os.utime(world.path(".git/config"), (PAST, PAST))


def included(world: World) -> None:
    kind = world.random.choice(("include", "includeIf.onbranch:main", "includeIf.onbranch:topic"))
    world.put(".git/more", f"[mgit]\n\tlevel = {world.random.choice(('basic', 'strict'))}\n[core]\n\tcommentChar = %\n")
    world.repo.git("config", f"{kind}.path", "more")
    world.undo.append(lambda: world.repo.run("config", "--unset-all", f"{kind}.path", check=False))


def changes(world: World) -> None:
    for _ in range(world.random.randrange(1, 4)):
        file = world.path(world.random.choice(NEWS))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(world.random.choice(CONTENTS), newline="")
        except OSError:
            continue  # a folder has this name
    world.repo.run("add", "-A", ".", ":!*.toml", check=False)


def other_changes(world: World) -> None:
    blob = world.repo.git("hash-object", "-w", "--stdin", stdin=world.random.choice((b"a", b"../..", b"/etc")))
    words = world.random.choice(
        (
            ("rm", "-q", "--cached", "old"),
            ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub"),
            ("update-index", "--add", "--cacheinfo", f"120000,{blob},link"),
            ("mv", "old", "older"),
            ("repack", "-adq"),
            ("update-index", "--chmod=+x", "a"),
            ("reset", "-q"),
            ("update-index", "--add", "--cacheinfo", f"100644,{blob},n\udcff"),
            ("update-index", "--add", "--cacheinfo", f"100644,{'2' * 40},gone"),
            ("add", "-N", "pyproject.toml"),
        )
    )
    world.repo.run(*words, check=False)
    world.undo.append(lambda: world.repo.run("reset", "-q", check=False))


def commits(world: World) -> None:
    world.repo.run("commit", "-q", "--allow-empty", "-n", "-m", "made", check=False)


def branches(world: World) -> None:
    words = world.random.choice(
        (
            ("symbolic-ref", "HEAD", "refs/heads/topic"),
            ("checkout", "-q", "--detach"),
            ("pack-refs", "--all"),
            ("checkout", "-q", "-B", "fix/ä"),
        )
    )
    world.repo.run("branch", "topic", check=False)
    world.repo.run(*words, check=False)
    world.undo.append(lambda: world.repo.run("symbolic-ref", "HEAD", "refs/heads/main", check=False))


def in_progress(world: World) -> None:
    name = world.random.choice(
        ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "SQUASH_MSG")
    )
    file = world.path(f".git/{name}")
    if name.startswith("rebase"):
        file.mkdir(exist_ok=True)
        world.undo.append(lambda: file.rmdir() if file.is_dir() else None)
    else:
        file.write_text(world.repo.git("rev-parse", "HEAD") + "\n")
        world.undo.append(lambda: file.unlink(missing_ok=True))


def message(world: World) -> None:
    text = world.random.choice(TEXTS) + world.random.choice(BODIES)
    raw = text.encode(world.random.choice(("utf-8", "utf-8", "utf-8", "latin-1", "utf-16")), "replace")
    Path(world.message).write_bytes(world.random.choice((b"", b"", b"", b"\n\n", b"\xef\xbb\xbf", b"\xff")) + raw)


def plain_message(world: World) -> None:
    Path(world.message).write_text(world.random.choice(TEXTS[:2]) + "\n")


def environment(world: World) -> None:
    name, value = world.random.choice(ENVIRONMENT)
    was = os.environ.get(name)
    give(world, name, value)
    world.undo.append(lambda: give(world, name, was))


def give(world: World, name: str, value: str | None) -> None:
    if value is None:
        world.environ.delenv(name, raising=False)
    else:
        world.environ.setenv(name, value)


def process(world: World) -> None:
    world.words = world.random.choice(PROCESSES)
    world.undo.append(lambda: setattr(world, "words", ("commit",)))


def memory(world: World) -> None:
    """What is remembered is damaged, of another time, or another's."""
    file = Path(quick.path(world.git_dir))
    if not file.exists():
        return
    raw = file.read_bytes()
    world.kept.append(raw)
    how = world.random.randrange(6)
    if how == 0:
        at = world.random.randrange(len(raw))
        file.write_bytes(raw[:at] + bytes((raw[at] ^ 1 << world.random.randrange(8),)) + raw[at + 1 :])
    elif how == 1:
        file.write_bytes(raw[: world.random.randrange(len(raw))])
    elif how == 2:
        file.write_bytes(world.random.choice(world.kept))
    elif how == 3:
        file.unlink()
    elif how == 4:
        file.chmod(0o666)
    else:
        file.write_bytes(raw + b"N")


def upgrade(world: World) -> None:
    world.environ.setattr(quick, "__version__", f"{world.random.randrange(3)}")


ACTIONS: tuple[tuple[Callable[[World], None], int], ...] = (
    (new_policy, 4),
    (new_schema, 2),
    (broken_policy, 1),
    (of_worktree, 2),
    (setting, 3),
    (included, 2),
    (changes, 6),
    (other_changes, 3),
    (commits, 3),
    (branches, 2),
    (in_progress, 2),
    (message, 8),
    (plain_message, 6),
    (environment, 4),
    (process, 3),
    (memory, 2),
    (upgrade, 1),
    (changed_meanwhile, 2),
)


def rest(world: World) -> None:
    """What an ordinary commit finds; after it there is most often something remembered."""
    for undo in reversed(world.undo):
        undo()
    world.undo.clear()
    world.repo.run("reset", "-q", "--hard", check=False)
    plain_message(world)
    world.tired += 1
    if world.quick == world.rested and world.tired % 2:
        new_policy(world)
    world.rested = world.quick
    if not world.path(".git/refs/heads/main").exists():  # packed
        commits(world)
    for file in (".git/config", "../home/gitconfig"):
        os.utime(world.path(file), (PAST, PAST))


def run(world: World, steps: int) -> World:
    doing = [action for action, weight in ACTIONS for _ in range(weight)]
    for step in range(steps):
        if step % 3 == 0:
            rest(world)
            actions = [rest]
        else:
            actions = world.random.choices(doing, k=world.random.choice((1, 1, 2)))
        for action in actions:
            world.story.append(f"{step} {action.__name__}")
            action(world)
        world.compare()
    return world
