"""Changesets as values: to JSON and back without loss, and nothing taken for one that is none."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import COMMIT, changeset

from mgit_hooks import changesets, datafolder
from mgit_hooks.changesets import (
    ChangesetCollection,
    ChangesetValidationError,
    CommitInfo,
    EmbeddedContent,
    FileChange,
    RepositoryChangeset,
    repository_key,
)
from mgit_hooks.encoding import encode_json

SHAPES = (EmbeddedContent, FileChange, CommitInfo, RepositoryChangeset, ChangesetCollection)
# Of each: what must be there, in order, and what else there is (PIPELINE.md, "Data").
FIELDS = {
    RepositoryChangeset: (
        "repository_path repository_name timestamp has_uncommitted_changes git_status",
        "current_branch uncommitted_files recent_commits error metadata content_embedding_stats",
    ),
    FileChange: (
        "filename change_type index_status worktree_status",
        "size_bytes content_hash embedded_content old_filename old_mode new_mode old_oid new_oid additions deletions "
        "binary filename_bytes old_filename_bytes",
    ),
    CommitInfo: (
        "hash author_name author_email date message",
        "committer_name committer_email committer_date parents tree files missing boundary encoding author_name_bytes "
        "author_email_bytes committer_name_bytes committer_email_bytes message_bytes",
    ),
    EmbeddedContent: (
        "strategy",
        "content content_hash hash_covers mime_type encoding original_size embedded_size truncated reason",
    ),
    ChangesetCollection: ("name created_at updated_at repositories", "metadata"),
}


def collection(*paths: str) -> ChangesetCollection:
    made = ChangesetCollection("work", "2024-01-02T03:04:05+00:00", "2024-01-02T03:04:05+00:00", {})
    for path in paths:
        made = made.with_repository(RepositoryChangeset.from_json({**changeset(), "repository_path": path}))
    return made


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_has_the_fields_that_were_agreed(shape: Any) -> None:
    required, optional = (names.split() for names in FIELDS[shape])
    assert shape._fields == (*required, *optional, "others")
    assert list(shape._field_defaults) == [*optional, "others"]
    assert set(shape._field_defaults.values()) == {None}


@pytest.mark.parametrize("name", changesets.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(changesets, name) is not None


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        changesets.Nothing  # noqa: B018


# Any JSON that a field may hold, and texts with what is no UTF-8 in them, as os.fsdecode gives it.
_TEXT = st.text(st.characters(codec="utf-8"), max_size=6) | st.binary(max_size=4).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)


@functools.cache
def _values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type; of a shape with any field set or not, and keys that are not known."""
    if hint in SHAPES:
        made = {name: _values(each) for name, each in get_type_hints(hint).items()}
        unknown = _TEXT.filter(lambda key: key not in hint._fields)
        made["others"] = st.none() | st.dictionaries(unknown, _ANY, min_size=1, max_size=2)
        return st.builds(hint, **made)
    if hint in (str, int, bool, NoneType):
        return {str: _TEXT, int: st.integers(), bool: st.booleans(), NoneType: st.none()}[hint]
    inner = get_args(hint)
    if get_origin(hint) is tuple:
        return st.lists(_values(inner[0]), max_size=2).map(tuple)
    if get_origin(hint) is Mapping:
        keyed = st.lists(_values(inner[1]), max_size=2)
        return keyed.map(lambda items: {each.repository_key: each for each in items})
    if get_origin(hint) is dict:
        return st.dictionaries(_TEXT, _ANY, max_size=2)
    return st.one_of(*map(_values, inner))


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_value_comes_back_from_json_to_the_field(shape: Any, data: st.DataObject) -> None:
    value = data.draw(_values(shape))
    back = shape.from_json(json.loads(encode_json(value.to_json())))
    for name in shape._fields:
        assert getattr(back, name) == getattr(value, name), name
    assert back == value
    assert encode_json(back.to_json()) == encode_json(value.to_json())


def test_every_key_of_the_json_comes_back() -> None:
    given = changeset()
    given["uncommitted_files"][0]["of a newer version"] = {"a": [1, 2.5, None]}
    given["recent_commits"][1]["others"] = "a word that another tool put there"
    given["recent_commits"][1]["files"][4]["embedded_content"] = {"strategy": "none", "reason": "secret", "new": 1}
    back = RepositoryChangeset.from_json(given).to_json()

    def inside(small: Any, large: Any, at: str) -> None:
        if isinstance(small, dict):
            for key, item in small.items():
                inside(item, large[key], f"{at}/{key}")
        elif isinstance(small, list):
            assert len(small) == len(large), at
            for index, item in enumerate(small):
                inside(item, large[index], f"{at}/{index}")
        else:
            assert small == large, at

    inside(given, back, "")


def test_what_a_record_says_of_a_commit_is_a_commit_here() -> None:
    told = COMMIT.to_json()
    mine = CommitInfo.from_json(told)
    assert {key: value for key, value in mine.to_json().items() if key in told} | {"files": told["files"]} == told
    assert mine.others is None
    assert mine.files is not None
    assert [change.others for change in mine.files] == [None] * 5


def test_absent_is_null_and_empty_is_empty() -> None:
    bare = RepositoryChangeset("/r", "r", "2024-01-02T03:04:05Z", False, "clean")
    assert (bare.uncommitted_files, bare.to_json()["uncommitted_files"]) == (None, None)
    seen = bare._replace(uncommitted_files=())
    assert RepositoryChangeset.from_json(seen.to_json()).uncommitted_files == ()


def _without(field: str) -> dict[str, Any]:
    return {key: value for key, value in changeset().items() if key != field}


@pytest.mark.parametrize("field", FIELDS[RepositoryChangeset][0].split())
def test_what_must_be_there_is_asked_for_by_its_place(field: str) -> None:
    for broken, says in ((_without(field), "is missing"), ({**changeset(), field: None}, "is null")):
        with pytest.raises(ChangesetValidationError, match=f"^/{field} {says}"):
            RepositoryChangeset.from_json(broken)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"uncommitted_files": {}}, "/uncommitted_files is not a list"),
        ({"uncommitted_files": ["a"]}, "/uncommitted_files/0 is not an object"),
        ({"uncommitted_files": [{"filename": "a"}]}, "/uncommitted_files/0/change_type is missing"),
        ({"recent_commits": 7}, "/recent_commits is not a list"),
        ({"recent_commits": [{**COMMIT.to_json(), "hash": None}]}, "/recent_commits/0/hash is null"),
        ({"recent_commits": [{**COMMIT.to_json(), "files": [7]}]}, "/recent_commits/0/files/0 is not an object"),
        ({"recent_commits": [{**COMMIT.to_json(), "parents": "a"}]}, "/recent_commits/0/parents is not a list"),
    ],
)
def test_what_has_not_the_shape_is_refused_by_its_place(change: dict[str, Any], says: str) -> None:
    key = repository_key("/r/~")
    whole = {**collection().to_json(), "repositories": {key: {**changeset(), **change}, "a/b": changeset()}}
    with pytest.raises(ChangesetValidationError, match=f"^/repositories/{key}{says}"):
        ChangesetCollection.from_json(whole)


@pytest.mark.parametrize("value", [None, [], "text", 7])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_no_object_is_refused(shape: Any, value: Any) -> None:
    with pytest.raises(ChangesetValidationError, match="is not an object"):
        shape.from_json(value)


def test_a_collection_without_its_contents_is_no_empty_collection() -> None:
    for broken in (None, [], DROPPED):
        value = {**collection("/a").to_json(), "repositories": broken}
        if broken is DROPPED:
            del value["repositories"]
        with pytest.raises(ChangesetValidationError, match="/repositories"):
            ChangesetCollection.from_json(value)


DROPPED = object()


def test_a_field_and_an_unknown_key_of_its_name_is_no_value() -> None:
    value = RepositoryChangeset("/r", "r", "t", False, "clean", others={"error": "another"})
    with pytest.raises(ValueError, match="error"):
        value.to_json()


@pytest.mark.parametrize("raw", [b"/src/repo", b"/src/\xff\xfe", "/src/\u6587".encode(), b""])
def test_the_key_is_of_the_paths_bytes(raw: bytes) -> None:
    path = raw.decode("utf-8", "surrogateescape")
    assert repository_key(path) == sha256(raw).hexdigest()[:16]
    assert RepositoryChangeset(path, "r", "t", False, "clean").repository_key == sha256(raw).hexdigest()[:16]


def test_a_repository_takes_the_place_of_what_was_there_of_it() -> None:
    both = collection("/a", "/b")
    assert list(both.repositories) == [repository_key("/a"), repository_key("/b")]
    newer = both.repositories[repository_key("/a")]._replace(git_status="unknown")
    after = both.with_repository(newer)
    assert (after.repositories[repository_key("/a")].git_status, len(after.repositories)) == ("unknown", 2)
    assert both.repositories[repository_key("/a")].git_status == "dirty"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/home/ada"}, "/home/ada/.local/share/mgit-hooks"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "/data"}, "/data/mgit-hooks"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "data"}, "/home/ada/.local/share/mgit-hooks"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": ""}, "/home/ada/.local/share/mgit-hooks"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "/data", "MGIT_DATA_DIR": "/mine"}, "/mine"),
        ({"HOME": "/home/ada", "MGIT_DATA_DIR": ""}, "/home/ada/.local/share/mgit-hooks"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the folders of this system are others")
def test_the_users_data_folder(environment: dict[str, str], folder: str) -> None:
    assert datafolder.data_folder(environment) == folder


def test_values_are_looked_at_without_opening_a_storage() -> None:
    code = (
        "import sys; from mgit_hooks.changesets import RepositoryChangeset\n"
        "print([name for name in sys.modules if name.startswith('mgit_hooks.') and 'storage' in name])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
