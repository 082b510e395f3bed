"""Changesets as immutable values, and their JSON: what a repository's worktree and last commits are now.

``FileChange`` and ``CommitInfo`` read the JSON of ``record.FileChange`` and ``record.Commit``: the same keys mean the
same. Here more is optional, since a changeset may say less, and a file may have contents with it.

Nothing is lost on the way to JSON and back: keys that are not known here (a newer version's, another tool's) are kept
in ``others``, and a value is never judged or changed; that is for validation. What must hold for there to be a value
at all: an object, its required fields there and not null, lists and objects where such belong.

Texts that are no UTF-8 are as in records: names of files have ``filename_bytes`` beside them; paths and branches hold
their odd bytes as lone surrogates (``os.fsdecode``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from mgit_hooks.errors import ChangesetValidationError
from mgit_hooks.record import Json

T = TypeVar("T")
_KEY_DIGITS = 16


def repository_key(path: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a repository's path, byte by byte."""
    from hashlib import sha256

    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character, which stands for no byte and can be no path's
        raw = path.encode("utf-8", "surrogatepass")
    return sha256(raw).hexdigest()[:_KEY_DIGITS]


class EmbeddedContent(NamedTuple):
    """A file's content, or what stands for it. Sizes are bytes; ``hash_covers`` says what ``content_hash``, a SHA-256
    in hexadecimal, is the hash of."""

    strategy: str  # none | summary | sample | full
    content: str | None = None
    content_hash: str | None = None
    hash_covers: str | None = None  # content: the bytes embedded here; file: the whole file
    mime_type: str | None = None
    encoding: str | None = None  # utf-8 | base64 | hex: how the bytes are written in ``content``
    original_size: int | None = None
    embedded_size: int | None = None
    truncated: bool | None = None
    reason: str | None = None  # why there is no more of it: a secret, the budget
    others: Json | None = None

    def to_json(self) -> Json:
        return _to_json(self)

    @classmethod
    def from_json(cls, value: Any, at: str = "") -> EmbeddedContent:
        """Raises ChangesetValidationError where ``value``, at the JSON pointer ``at``, has not this shape."""
        return cls(**_fields(cls, value, at))


class FileChange(NamedTuple):
    """One changed file of a worktree or a commit. ``content_hash`` is the SHA-256 of the whole file."""

    filename: str
    change_type: str  # added | modified | deleted | renamed | copied | untracked | unknown | typechange
    index_status: str
    worktree_status: str
    size_bytes: int | None = None
    content_hash: str | None = None
    embedded_content: EmbeddedContent | None = None
    old_filename: str | None = None
    old_mode: str | None = None
    new_mode: str | None = None
    old_oid: str | None = None
    new_oid: str | None = None
    additions: int | None = None
    deletions: int | None = None
    binary: bool | None = None
    filename_bytes: str | None = None
    old_filename_bytes: str | None = None
    others: Json | None = None

    def to_json(self) -> Json:
        value = _to_json(self)
        value["embedded_content"] = None if self.embedded_content is None else self.embedded_content.to_json()
        return value

    @classmethod
    def from_json(cls, value: Any, at: str = "") -> FileChange:
        """Raises ChangesetValidationError where ``value``, at the JSON pointer ``at``, has not this shape."""
        fields = _fields(cls, value, at)
        if fields["embedded_content"] is not None:
            fields["embedded_content"] = EmbeddedContent.from_json(fields["embedded_content"], f"{at}/embedded_content")
        return cls(**fields)


class CommitInfo(NamedTuple):
    """A commit. ``files`` is None where its changes were not looked at."""

    hash: str
    author_name: str
    author_email: str
    date: str  # ISO 8601 with the author's offset; git's "@seconds offset" where that cannot hold it
    message: str
    committer_name: str | None = None
    committer_email: str | None = None
    committer_date: str | None = None
    parents: tuple[str, ...] | None = None
    tree: str | None = None
    files: tuple[FileChange, ...] | None = None
    missing: tuple[str, ...] | None = None
    boundary: bool | None = None
    encoding: str | None = None
    author_name_bytes: str | None = None
    author_email_bytes: str | None = None
    committer_name_bytes: str | None = None
    committer_email_bytes: str | None = None
    message_bytes: str | None = None
    others: Json | None = None

    def to_json(self) -> Json:
        value = _to_json(self)
        value["parents"] = None if self.parents is None else list(self.parents)
        value["files"] = _list(self.files)
        if self.missing is not None:
            value["missing"] = list(self.missing)
        return value

    @classmethod
    def from_json(cls, value: Any, at: str = "") -> CommitInfo:
        """Raises ChangesetValidationError where ``value``, at the JSON pointer ``at``, has not this shape."""
        fields = _fields(cls, value, at)
        fields["parents"] = _tuple(fields["parents"], f"{at}/parents", _as_it_is)
        fields["files"] = _tuple(fields["files"], f"{at}/files", FileChange.from_json)
        fields["missing"] = _tuple(fields["missing"], f"{at}/missing", _as_it_is)
        return cls(**fields)


class RepositoryChangeset(NamedTuple):
    """One repository at one moment. What was not looked at is None; an empty tuple was, and nothing was there."""

    repository_path: str
    repository_name: str
    timestamp: str  # ISO 8601 with an offset
    has_uncommitted_changes: bool
    git_status: str  # clean | dirty | error | unknown
    current_branch: str | None = None
    uncommitted_files: tuple[FileChange, ...] | None = None
    recent_commits: tuple[CommitInfo, ...] | None = None
    error: str | None = None
    metadata: Json | None = None
    content_embedding_stats: Json | None = None
    others: Json | None = None

    @property
    def repository_key(self) -> str:
        return repository_key(self.repository_path)

    def to_json(self) -> Json:
        value = _to_json(self)
        value["uncommitted_files"] = _list(self.uncommitted_files)
        value["recent_commits"] = _list(self.recent_commits)
        return value

    @classmethod
    def from_json(cls, value: Any, at: str = "") -> RepositoryChangeset:
        """Raises ChangesetValidationError where ``value``, at the JSON pointer ``at``, has not this shape."""
        fields = _fields(cls, value, at)
        fields["uncommitted_files"] = _tuple(
            fields["uncommitted_files"], f"{at}/uncommitted_files", FileChange.from_json
        )
        fields["recent_commits"] = _tuple(fields["recent_commits"], f"{at}/recent_commits", CommitInfo.from_json)
        return cls(**fields)


class ChangesetCollection(NamedTuple):
    """Changesets of several repositories under one name, each by its ``repository_key``."""

    name: str
    created_at: str
    updated_at: str
    repositories: Mapping[str, RepositoryChangeset]
    metadata: Json | None = None
    others: Json | None = None

    def with_repository(self, changeset: RepositoryChangeset) -> ChangesetCollection:
        """The collection with ``changeset`` in it, in the place of what it had of that repository."""
        return self._replace(repositories={**self.repositories, changeset.repository_key: changeset})

    def to_json(self) -> Json:
        value = _to_json(self)
        value["repositories"] = {key: each.to_json() for key, each in self.repositories.items()}
        return value

    @classmethod
    def from_json(cls, value: Any, at: str = "") -> ChangesetCollection:
        """Raises ChangesetValidationError where ``value``, at the JSON pointer ``at``, has not this shape.

        ``repositories`` must be there: a collection that lost its contents is no empty one.
        """
        fields = _fields(cls, value, at)
        held = fields["repositories"]
        if not isinstance(held, dict):
            raise _not_of_shape(f"{at}/repositories", "is not an object")
        fields["repositories"] = {
            key: RepositoryChangeset.from_json(each, f"{at}/repositories/{_escaped(key)}") for key, each in held.items()
        }
        return cls(**fields)


# Written only where they say something, as in records. All other fields are always there: what is null was not
# looked at.
_SPARSE = frozenset(
    (
        "filename_bytes", "old_filename_bytes", "missing", "boundary", "encoding", "author_name_bytes",
        "author_email_bytes", "committer_name_bytes", "committer_email_bytes", "message_bytes", "reason",
    )
)  # fmt: skip


def _to_json(shape: Any) -> Json:
    """Every field by its name, those of ``others`` after them. Raises ValueError where a key would be there twice."""
    value: Json = shape._asdict()
    others = value.pop("others")
    sparse = _SPARSE if not isinstance(shape, EmbeddedContent) else {"reason"}  # its encoding is always told
    for name in sparse & value.keys():
        if value[name] is None:
            del value[name]
    if others:
        twice = others.keys() & (set(shape._fields) - {"others"})
        if twice:
            raise ValueError(f"others holds {min(twice)}, which is a field of {type(shape).__name__}")
        value.update(others)
    return value


def _fields(shape: Any, value: Any, at: str) -> Json:
    """The fields for ``shape`` in ``value``, its required ones held to be there, the rest of the keys as ``others``."""
    if not isinstance(value, Mapping):
        raise _not_of_shape(at, "is not an object")
    names = [name for name in shape._fields if name != "others"]
    for name in names:
        if name not in shape._field_defaults and value.get(name) is None:
            raise _not_of_shape(f"{at}/{name}", "is missing" if name not in value else "is null")
    fields: Json = {name: value.get(name) for name in names}
    known = frozenset(names)
    fields["others"] = {name: each for name, each in value.items() if name not in known} or None
    return fields


def _tuple(value: Any, at: str, convert: Callable[[Any, str], T]) -> tuple[T, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise _not_of_shape(at, "is not a list")
    return tuple(convert(item, f"{at}/{index}") for index, item in enumerate(value))


def _list(items: Iterable[FileChange] | Iterable[CommitInfo] | None) -> list[Json] | None:
    return None if items is None else [item.to_json() for item in items]


def _as_it_is(value: Any, at: str) -> Any:
    return value


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _not_of_shape(at: str, what: str) -> ChangesetValidationError:
    return ChangesetValidationError(f"{at or 'the value'} {what}", "see what 'mgit-hooks pipeline validate' says of it")
