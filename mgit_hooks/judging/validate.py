"""Validation: a JSON value, a kind and a level in, issues out. Callers decide what follows from them.

The rules are in ``schemas/`` (structure) and ``checks`` (what a schema cannot say). The fast path answers
for a clean value; jsonschema is imported only to explain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mgit_hooks.judging import checks
from mgit_hooks.judging.checker import Compiler
from mgit_hooks.judging.keywords import Unsupported
from mgit_hooks.record import Issue, Json, Validation, is_valid

if TYPE_CHECKING:
    from mgit_hooks.judging.keywords import Check

LEVELS = ("basic", "standard", "strict")
KINDS = ("record", "changeset", "file-change", "commit", "config", "collection", "compressed")
PREFIX = "urn:mgit-hooks:"
# What it is called when the check of a kind fails itself; of all others, VALIDATION_EXCEPTION.
FAILED = {"collection": "COLLECTION_VALIDATION_EXCEPTION", "compressed": "COMPRESSION_VALIDATION_EXCEPTION"}


class Schemas:
    """The schema files of one folder, by ``$id``, and what was made of them: once per process."""

    def __init__(self, documents: Mapping[str, Json]) -> None:
        self.documents = documents
        self._checkers: dict[str, Check | None] = {}
        self._validators: dict[str, Any] = {}

    def checker(self, uri: str) -> Check | None:
        """The fast path of a schema; None where it uses keywords that the fast path has not."""
        if uri not in self._checkers:
            try:
                self._checkers[uri] = Compiler(self.documents).compile(self.documents[uri], uri)
            except (Unsupported, RecursionError):
                self._checkers[uri] = None
        return self._checkers[uri]

    def validator(self, uri: str) -> Any:
        if uri not in self._validators:
            from mgit_hooks.judging.explain import validator

            self._validators[uri] = validator(uri, self.documents)
        return self._validators[uri]


def uri(kind: str, level: str) -> str:
    """The ``$id`` of a kind's schema; the configuration's has no levels."""
    return f"{PREFIX}{kind}" if kind == "config" else f"{PREFIX}{kind}.{level}"


def validate(kind: str, value: Any, level: str, schemas: Schemas) -> tuple[Issue, ...]:
    """The issues of ``value``, in document order. A check that itself fails is an issue, not an exception."""
    try:
        return _validate(kind, value, level, schemas)
    except Exception as error:
        return (exception_issue(error, FAILED.get(kind, "VALIDATION_EXCEPTION")),)


def exception_issue(error: BaseException, code: str = "VALIDATION_EXCEPTION") -> Issue:
    from mgit_hooks.judging.explain import shown

    return Issue(
        "critical",
        code,
        f"the check itself failed: {type(error).__name__}: {shown(str(error))}",
        "",
        "report it with this value; what was validated is kept as it is",
    )


def _validate(kind: str, value: Any, level: str, schemas: Schemas) -> tuple[Issue, ...]:
    name = uri(kind, level)
    fast = schemas.checker(name)
    structural: tuple[Issue, ...] = ()
    if fast is None or not _says_clean(fast, value):
        from mgit_hooks.judging import explain

        structural = tuple(map(explain.issue, explain.findings(schemas.validator(name), value)))
    beyond = checks.run(kind, level, value)
    if not structural and not beyond:
        return ()
    from mgit_hooks.judging.explain import in_document_order

    return in_document_order((*structural, *beyond), value)


def _says_clean(fast: Check, value: Any) -> bool:
    try:
        return fast(value)
    except (RecursionError, TypeError, KeyError):
        return False  # no plain JSON, or too deep: jsonschema's to say


def validation(kind: str, value: Any, level: str, schemas: Schemas, more: tuple[Issue, ...] = ()) -> Validation:
    """The verdict as a record holds it; ``more`` are the issues that the user's rules found."""
    issues = validate(kind, value, level, schemas) + more
    return Validation(level, is_valid(issues), issues)
