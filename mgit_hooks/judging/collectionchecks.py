"""The rules that a JSON Schema cannot say of collections; apart from ``checks``, since hooks judge none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mgit_hooks.judging.checks import BY_KIND, Rule, wrong_key
from mgit_hooks.record import Issue, Json


def _changesets(collection: Json) -> Iterator[tuple[str, Json]]:
    held = collection.get("repositories")
    if isinstance(held, Mapping):
        for key, changeset in held.items():
            if isinstance(changeset, dict):
                yield str(key), changeset


def place_of(key: str) -> str:
    """The JSON pointer of a collection's changeset."""
    return "/repositories/" + key.replace("~", "~0").replace("/", "~1")


def within(place: str, issue: Issue) -> Issue:
    """The issue of a value that stands at ``place`` in another."""
    return issue._replace(field_path=place + issue.field_path)


def _of_each(find: Callable[[Json], Iterator[Issue]]) -> Callable[[Json], Iterator[Issue]]:
    def found(collection: Json) -> Iterator[Issue]:
        for key, changeset in _changesets(collection):
            for issue in find(changeset):
                yield within(place_of(key), issue)

    return found


def _keys(collection: Json) -> Iterator[Issue]:
    for key, changeset in _changesets(collection):
        yield from wrong_key(key, changeset.get("repository_path"), place_of(key))


def _duplicates(collection: Json) -> Iterator[Issue]:
    """A path says where a repository is: ``/src/a/`` and ``/src//a`` are ``/src/a``."""
    seen: dict[str, str] = {}
    for key, changeset in _changesets(collection):
        path = changeset.get("repository_path")
        if not isinstance(path, str) or not path:
            continue
        plain = "/".join(part for part in path.split("/") if part not in ("", ".")) or "/"
        first = seen.setdefault(plain, key)
        if first != key:
            yield Issue(
                "error",
                "DUPLICATE_REPOSITORY_PATHS",
                f"the repository of {first[:64]!r} is here again",
                f"{place_of(key)}/repository_path",
                "keep the newer of the two",
                {"first": place_of(first)},
            )


# fmt: off
RULES = (
    *(Rule("collection", rule.level, _of_each(rule.find)) for rule in BY_KIND["changeset"]),
    Rule("collection", "basic",    _keys),
    Rule("collection", "strict",   _duplicates),
)
# fmt: on
