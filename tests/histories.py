"""Histories of this project's own making, in which every kind of change occurs, the odd ones too."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterable, Mapping, Sequence

REGULAR, EXECUTABLE, SYMLINK, GITLINK = "100644", "100755", "120000", "160000"
Entry = tuple[str, bytes]  # mode, content (for a gitlink: the commit's id)
_WORDS = b"the hook wrote one line for each ref that moved and left before git went on to its next step".split()


def lines(rng: random.Random, count: int, newline: bytes = b"\n") -> bytes:
    """``count`` lines as code has them: many that repeat, some empty."""
    made = []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.2:
            made.append(b"")
        elif kind < 0.35:
            made.append(rng.choice([b"}", b"    return None", b"{", b"    pass"]))
        else:
            made.append(b"    " * rng.randrange(3) + b" ".join(rng.choices(_WORDS, k=rng.randint(1, 9))))
    return b"".join(line + newline for line in made)


def edited(rng: random.Random, content: bytes, share: float) -> bytes:
    """``content`` with about ``share`` of its lines replaced, dropped or doubled."""
    made = []
    for line in content.splitlines(keepends=True):
        if rng.random() >= share:
            made.append(line)
        else:
            made += rng.choice([[], [lines(rng, 1)], [line, line], [lines(rng, 2), line]])
    return b"".join(made)


class History:
    """Commits, one after another, written by one `git fast-import` at the end."""

    def __init__(self) -> None:
        self._stream: list[bytes] = []
        self._trees: list[dict[bytes, Entry]] = [{}]
        self._clock = 1_700_000_000

    def commit(
        self,
        tree: Mapping[bytes, Entry],
        *,
        parents: Sequence[int] = (),
        message: bytes = b"Change\n",
        author: bytes = b"Ada Lovelace <ada@example.org>",
        offset: bytes = b"+0000",
        seconds: int | None = None,
        encoding: bytes = b"",
        branch: bytes = b"main",
    ) -> int:
        """A commit of exactly ``tree``; its number, from 1. Without ``parents`` it is a root."""
        self._clock += 60
        number = len(self._trees)
        when = b"%d %s" % (self._clock if seconds is None else seconds, offset)
        out = self._stream
        if not parents:
            out.append(b"reset refs/heads/%s\n" % branch)
        out.append(b"commit refs/heads/%s\nmark :%d\n" % (branch, number))
        out.append(b"author %s %s\ncommitter Grace Hopper <grace@example.org> %s\n" % (author, when, when))
        if encoding:
            out.append(b"encoding %s\n" % encoding)
        out.append(b"data %d\n%s\n" % (len(message), message))
        for position, parent in enumerate(parents):
            out.append(b"%s :%d\n" % (b"merge" if position else b"from", parent))
        out.append(b"deleteall\n")
        for path, (mode, content) in tree.items():
            if mode == GITLINK:
                out.append(b"M %s %s %s\n" % (mode.encode(), content, _quoted(path)))
            else:
                out.append(b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), _quoted(path), len(content), content))
        self._trees.append(dict(tree))
        return number

    def tree(self, number: int) -> dict[bytes, Entry]:
        return dict(self._trees[number])

    def write(self, git_dir: str) -> None:
        subprocess.run(
            ("git", f"--git-dir={git_dir}", "fast-import", "--quiet", "--force", "--date-format=raw"),
            input=b"".join(self._stream), check=True,
        )  # fmt: skip


def _quoted(path: bytes) -> bytes:
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in path)
    return b'"' + "".join(plain).encode() + b'"'


def every_kind() -> History:
    """One commit after another, each with its own kind of change."""
    rng = random.Random(20)
    history = History()
    body = lines(rng, 60)
    tree: dict[bytes, Entry] = {
        b"src/main.c": (REGULAR, body),
        b"src/util/strings.c": (REGULAR, lines(rng, 80)),
        b"README": (REGULAR, b"no newline at the end"),
        b"empty": (REGULAR, b""),
        b"tool": (EXECUTABLE, b"#!/bin/sh\nexit 0\n"),
        b"link": (SYMLINK, b"src/main.c"),
        b"image.bin": (REGULAR, bytes(range(256)) * 20),
        b"dos.txt": (REGULAR, lines(rng, 30, b"\r\n")),
        b"vendor/lib": (GITLINK, b"1" * 40),
        b"late.bin": (REGULAR, b"x" * 8000 + b"\0"),
    }
    last = history.commit(tree, message=b"Initial\n")

    def step(changes: Mapping[bytes, Entry | None], message: bytes = b"Change\n", **more: object) -> None:
        nonlocal last
        tree.update({path: entry for path, entry in changes.items() if entry is not None})
        for path in [path for path, entry in changes.items() if entry is None]:
            del tree[path]
        last = history.commit(tree, parents=[last], message=message, **more)  # type: ignore[arg-type]

    step({b"src/main.c": (REGULAR, edited(rng, body, 0.2))}, b"Edit")
    step({}, b"An empty commit\n")
    step({b"src/main.c": None, b"src/app.c": tree[b"src/main.c"]}, b"Rename exactly\n")
    step(
        {b"src/app.c": None, b"app/app.c": (REGULAR, edited(rng, tree[b"src/app.c"][1], 0.1))},
        b"Move, edit\n",
    )
    step(
        {b"app/app.c": None, b"app/other.c": (REGULAR, edited(rng, tree[b"app/app.c"][1], 0.3))},
        b"Rename, edit\n",
    )
    step({b"copy.c": tree[b"app/other.c"]}, b"Copy\n")
    step({b"README": (REGULAR, b"no newline at the end\nbut more\n")}, b"")
    step({b"README": (REGULAR, b"no newline at the end\nbut more")}, b"\n\nleading blank lines\n\n\n")
    step({b"tool": (REGULAR, tree[b"tool"][1])}, b"chmod -x\n")
    step({b"tool": (EXECUTABLE, b"#!/bin/sh\nexit 1\n")}, b"chmod +x and edit\n")
    step({b"link": (SYMLINK, b"app/other.c")}, b"Point elsewhere\n")
    step({b"link": (REGULAR, b"app/other.c")}, b"A link becomes a file\n")
    step({b"link": None, b"link2": (SYMLINK, b"x")}, b"A file goes, a link comes\n")
    step({b"image.bin": (REGULAR, bytes(range(255)) * 20)}, b"Edit a binary\n")
    step({b"image.bin": None, b"img/image.bin": tree[b"image.bin"]}, b"Move a binary\n")
    step(
        {b"img/image.bin": None, b"img/i.bin": (REGULAR, tree[b"img/image.bin"][1] + b"more")},
        b"Edit, move it\n",
    )
    step({b"img/i.bin": (EXECUTABLE, tree[b"img/i.bin"][1])}, b"chmod a binary\n")
    step({b"late.bin": (REGULAR, b"x" * 7999 + b"\0")}, b"A NUL comes into sight\n")
    step({b"dos.txt": (REGULAR, tree[b"dos.txt"][1].replace(b"\r\n", b"\n"))}, b"CRLF to LF\n")
    step(
        {b"dos.txt": None, b"unix.txt": (REGULAR, tree[b"dos.txt"][1].replace(b"\n", b"\r\n"))},
        b"And back, moved\n",
    )
    step({b"vendor/lib": (GITLINK, b"2" * 40)}, b"Move a submodule on\n")
    step({b"vendor/lib": (REGULAR, b"now a file\n")}, b"Submodule to file\n")
    step({b"vendor/lib": (GITLINK, b"3" * 40)}, b"File to submodule\n")
    step({b"vendor/lib": None, b"vendor/lib2": (GITLINK, b"3" * 40)}, b"Rename a submodule\n")
    step({b"vendor/lib2": None}, b"Remove it\n")
    step({b"empty": None, b"void": (REGULAR, b"")}, b"Rename an empty file\n")
    step({b"void": None, b"v1": (REGULAR, b""), b"v2": (REGULAR, b"")}, b"One into two\n")
    step({b"d": (REGULAR, b"a file\n"), b"d.txt": (REGULAR, b"beside\n")})
    step({b"d": None, b"d/inner": (REGULAR, b"a file\n"), b"d.txt": None}, b"File to directory\n")
    step({b"d/inner": None, b"d": (SYMLINK, b"a file\n")}, b"Directory to link\n")
    odd = {name: (REGULAR, lines(rng, 5)) for name in (b"tab\tname", b"new\nline", b'quo"te', b"back\\slash", b" sp ")}
    step(
        {
            **odd,
            b"caf\xe9/\xff\xfe": (REGULAR, b"latin\n"),
            "na\u00efve/\u6587.txt".encode(): (REGULAR, b"utf-8\n"),
        }
    )
    step({b"caf\xe9/\xff\xfe": None, b"caf\xe8/\xff": (REGULAR, b"latin\n")}, b"Rename in Latin-1\n")
    step(
        {
            b":colon": (REGULAR, b"1\t2\tnot a count\n"),
            b"\ttab first": (REGULAR, b"x\n"),
            b"-dash": (REGULAR, b""),
        }
    )
    step(
        {b"a": (REGULAR, b"1\n")},
        b"Caf\xe9 in Latin-1\n",
        encoding=b"ISO-8859-1",
        author=b"Ren\xe9 <rene@x.org>",
    )
    step({b"a": (REGULAR, b"2\n")}, b"not \xff\xfe UTF-8\n", author=b"B\xe4r <b\xe4r@x.org>")
    step({b"a": (REGULAR, b"3\n")}, b"No such encoding \xe9\n", encoding=b"x-unheard-of")
    step({b"a": (REGULAR, b"4\n")}, b"\xe3\x81\x82", offset=b"-0330", seconds=951868800)
    step({b"a": (REGULAR, b"5\n")}, b"commit x\n\x01control\x1b[31m\n", offset=b"+1345", seconds=0)
    step({b"a": (REGULAR, b"6\n")}, "Unicode \u2028 \u202e\n".encode(), seconds=4102444800)
    step({b"a": (REGULAR, b"\n" * 50)}, b"Blank lines only\n")
    step({b"a": (REGULAR, b"\n" * 20 + b"x\n" + b"\n" * 40)}, b"More of them\n", author=b"<nobody@example.org>")
    _side_branches(history, rng, last, tree)
    return history


def _side_branches(history: History, rng: random.Random, last: int, tree: dict[bytes, Entry]) -> None:
    """A merge, a merge that changes more, an octopus, and a second root."""
    sides = []
    for name in (b"one", b"two", b"three"):
        more = {**tree, b"side/" + name: (REGULAR, lines(rng, 12))}
        sides.append(history.commit(more, parents=[last], branch=name))
    both = {**history.tree(sides[0]), **history.tree(sides[1])}
    merged = history.commit(both, parents=sides[:2], message=b"Merge two\n")
    evil = {**both, b"side/evil": (REGULAR, b"nobody wrote this\n"), b"README": (REGULAR, b"by merge\n")}
    merged = history.commit(evil, parents=[merged, sides[2]], message=b"Merge, and change\n")
    roots = [history.commit({name: (REGULAR, name + b"\n")}, branch=b"root-" + name) for name in (b"p", b"q")]
    everything = {**evil, b"p": (REGULAR, b"p\n"), b"q": (REGULAR, b"q\n")}
    history.commit(everything, parents=[merged, *roots, sides[2]], message=b"Octopus\n")


def renames(seed: int, commits: int = 60) -> History:
    """Files that move about, alone and in crowds, with edits around git's limits of likeness."""
    rng = random.Random(seed)
    history = History()
    tree: dict[bytes, Entry] = {}
    for number in range(40):
        tree[_path(rng, number)] = (REGULAR, lines(rng, rng.choice([0, 1, 3, 10, 40, 120])))
    last = history.commit(tree)
    for _ in range(commits):
        for path in rng.sample(sorted(tree), k=min(len(tree), rng.randint(1, 8))):
            _stir(rng, tree, path)
        last = history.commit(tree, parents=[last])
    return history


def _stir(rng: random.Random, tree: dict[bytes, Entry], path: bytes) -> None:
    mode, content = tree.pop(path)
    what = rng.random()
    share = rng.choice([0.0, 0.1, 0.3, 0.45, 0.5, 0.55, 0.8])
    if what < 0.15:
        tree[_path(rng, rng.randrange(1000))] = (REGULAR, lines(rng, rng.choice([2, 12, 60])))
    elif what < 0.3:
        tree[path] = (mode, edited(rng, content, share))
    elif what < 0.4:  # another file with the same content: the choice between them is git's
        tree[_path(rng, rng.randrange(1000))] = (mode, content)
        tree[_path(rng, rng.randrange(1000))] = (mode, edited(rng, content, share))
    elif what < 0.7:
        folder = rng.choice([b"", b"lib/", b"lib/deep/", b"doc/"])
        tree[folder + path.rpartition(b"/")[2]] = (mode, edited(rng, content, share))
    else:
        new = (rng.choice([mode, REGULAR, EXECUTABLE]), edited(rng, content, share))
        tree[_path(rng, rng.randrange(1000))] = new


def _path(rng: random.Random, number: int) -> bytes:
    names: Iterable[bytes] = (b"index", b"main", b"util%d" % (number % 7), b"file%d" % number)
    return rng.choice([b"", b"lib/", b"lib/deep/", b"doc/"]) + rng.choice(list(names)) + rng.choice([b".c", b".h"])
