"""The layers of docs/decisions/0001-architecture.md, read off the import statements themselves."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mgit_hooks"

# No files, environment, clock or subprocess.
PURE = frozenset(
    (
        "bulk.frames",
        "bulk.outcomes",
        "errors",
        "record",
        "encoding",
        "restored",
        "git.porcelain",
        "git.configtext",
        "git.rawoutput",
        "git.refspec",
        "recorder.event",
        "recorder.evidence",
        "recorder.ledger",
        "recorder.classify",
        "judging.validate",
        "judging.checks",
        "judging.collectionchecks",
        "judging.compressedchecks",
        "judging.checker",
        "judging.keywords",
        "judging.matching",
        "light",
        "recorder.line",
        "judging.patterns",
        "judging.rules",
        "judging.parameters",
        "judging.unknown",
        "judging.policy",
        "judging.explain",
        "judging.facts",
        "judging.trailers",
        "judging.repairs",
        "judging.trailerorder",
        "recovery.repairs",
        "recovery.places",
        "recovery.filecontents",
        "recovery.fallback",
        "recovery.passing",
        "credentials",
        "display",
        "report",
        "gatekeeper.commitmessage",
        "gatekeeper.draft",
        "gatekeeper.mending",
        "gatekeeper.tidying",
        "gatekeeper.trailing",
        "gatekeeper.wrapping",
        "capture.graph",
        "checking.findings",
        "checking.diffheaders",
        "capture.rawdiff",
        "capture.similarity",
        "capture.treediff",
        "capture.treehash",
        "compress",
        "changesets.increments",
        "changesets.shapes",
        "changesets.names",
        "changesets.container",
        "changesets.frames",
        "changesets.secretforms",
        "codecs",
        "containers",
        "pieces",
        "snappyframes",
        "pipeline.choice",
        "pipeline.planning",
        "pipeline.profiles",
        "pipeline.jsontext",
        "pipeline.results",
        "journal.cursor",
        "journal.format",
        "journal.blockformat",
        "journal.wanted",
        "journal.manifest",
        "journal.checked",
        "metrics.figures",
        "metrics.measured",
    )
)
# What talks to people, to hooks and to hook managers. Nothing below may depend on it.
ENTRY = frozenset(
    (
        "__main__",
        "boot",
        "cli",
        "gatekeeper.gate",
        "gatekeeper.words",
        "gatekeeper.managed",
        "gatekeeper.answering",
        "gatekeeper.witness",
        "gatekeeper.verdicts",
        "gatekeeper.settling",
        "recorder.drain",
        "installer.diagnosis",
        "session",
        "output",
        "pager",
        "progress",
    )
)
PURE_STDLIB = frozenset(
    (
        "__future__",
        "_codecs",
        "_collections",
        "_sha2",
        "_sha256",
        "array",
        "binascii",
        "bisect",
        "collections",
        "collections.abc",
        "copy",
        "difflib",
        "errno",
        "fractions",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "re",
        "string",
        "struct",
        "types",
        "typing",
        "unicodedata",
        "zlib",
        "gzip",
        "lzma",
        "math",
        "bz2",
    )
)
# Third-party modules that compute, without reaching for anything.
PURE_LIBRARIES = frozenset(
    ("google_crc32c", "orjson", "snappy", "jsonschema", "referencing", "backports", "compression")
)
# Reaches for nothing by it: which Python this is.
PURE_SYS = "compress"
_OF_THE_INDEX = ("advance", "database", "index", "indexing", "places", "postings", "tables")
# Dear at import: only where it is the module's very job, or inside the function that needs it.
HEAVY = {
    "argparse": ("cli", "commands."),
    "asyncio": (),
    "concurrent": (),
    "dataclasses": (),
    "inspect": (),
    "jsonschema": (),
    "logging": (),
    "loguru": (),
    "multiprocessing": ("capture.bulk",),
    "orjson": (),
    "pathlib": (),
    "pygit2": ("git.library",),
    "referencing": (),
    "shutil": (),
    "snappy": (),
    "sqlite3": (
        "journal.advance",
        "journal.beginning",
        "journal.commitset",
        "journal.database",
        "journal.index",
        "journal.indexing",
        "journal.places",
        "journal.postings",
        "journal.tables",
        "metrics.folded",
    ),
    "subprocess": (),
    "tempfile": (),
    "tomllib": (),
    "backports": (),
    "compression": (),
}


class Import(NamedTuple):
    module: str  # the importer, below mgit_hooks
    imported: str
    deferred: bool  # in a function: not paid for at import


def imports() -> Iterator[Import]:
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        yield from _of(ast.parse(path.read_text()), module, deferred=False)


def _of(tree: ast.AST, module: str, *, deferred: bool) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, deferred) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute here"
            yield from (Import(module, name, deferred) for name in _from(node))
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            inner = deferred or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _of(node, module, deferred=inner)


def _from(node: ast.ImportFrom) -> Iterator[str]:
    for alias in node.names:
        whole = f"{node.module}.{alias.name}"
        file = PACKAGE.parent / Path(*whole.split("."))
        is_module = file.with_suffix(".py").is_file() or (file / "__init__.py").is_file()
        yield whole if is_module else str(node.module)


ALL = list(imports())
OURS = [each._replace(imported=each.imported[11:]) for each in ALL if each.imported.startswith("mgit_hooks.")]
OTHERS = [each for each in ALL if not each.imported.startswith("mgit_hooks")]


def is_entry(module: str) -> bool:
    return module in ENTRY or module.startswith("commands")


def test_the_layers_name_modules_that_exist() -> None:
    modules = {each.module for each in ALL}
    assert modules >= PURE | ENTRY


def test_pure_modules_import_pure_modules_only() -> None:
    assert [each for each in OURS if each.module in PURE and each.imported not in PURE] == []


def test_pure_modules_reach_for_nothing_outside() -> None:
    allowed = PURE_STDLIB | PURE_LIBRARIES
    strays = [
        each
        for each in OTHERS
        if each.module in PURE
        and each.imported not in allowed
        and each.imported.partition(".")[0] not in PURE_LIBRARIES
        and (each.module, each.imported) != (PURE_SYS, "sys")
    ]
    assert strays == []


def test_nothing_below_depends_on_the_entry_layer() -> None:
    assert [each for each in OURS if is_entry(each.imported) and not is_entry(each.module)] == []


def test_one_module_knows_pygit2() -> None:
    knows = {each.module for each in ALL if each.imported.partition(".")[0] == "pygit2"}
    assert knows == {"git.library"}


def test_nothing_heavy_is_imported_on_import() -> None:
    paid = [
        each
        for each in OTHERS
        if not each.deferred
        and each.imported.partition(".")[0] in HEAVY
        and not f"{each.module}.".startswith(
            tuple(f"{of.rstrip('.')}." for of in HEAVY[each.imported.partition(".")[0]])
        )
    ]
    assert paid == []


def test_no_module_imports_another_that_imports_it() -> None:
    """At import; a cycle broken by a deferred import is one all the same to a reader, but none to Python."""
    edges: dict[str, set[str]] = {}
    for each in OURS:
        if not each.deferred:
            edges.setdefault(each.module, set()).add(each.imported)
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"a cycle: {' -> '.join((*trail, module))}"
        if module not in done:
            for target in edges.get(module, ()):
                visit(target, (*trail, module))
            done.add(module)

    for module in list(edges):
        visit(module, ())


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_the_heavy_ones_are_modules(name: str) -> None:
    """A name that is misspelt here would forbid nothing."""
    known = {"jsonschema", "loguru", "orjson", "pygit2", "referencing", "snappy", "backports", "compression"}
    assert name in sys.stdlib_module_names or name in known
