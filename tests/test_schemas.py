"""The schema files: what they say, and that both paths of validation say the same."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import RECORDS, changeset

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import explain, schemas
from mgit_hooks.judging.rules import RULE_EVENTS
from mgit_hooks.judging.validate import KINDS, LEVELS, PREFIX, uri, validate
from mgit_hooks.record import COMMIT_EVENTS, EVENTS, SOURCES, Record
from mgit_hooks.resources import schemas_dir


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield (*path, name)
        yield from paths(item, (*path, name))


def changed(value: Any, path: tuple[Any, ...], new: Any = ...) -> Any:
    """A copy of ``value`` with another value, or nothing, at ``path``."""
    value = copy.deepcopy(value)
    holder = value
    for part in path[:-1]:
        holder = holder[part]
    if new is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = new
    return value


def both_agree(kind: str, level: str, value: Any) -> bool:
    known = schemas.load()
    name = uri(kind, level)
    fast = known.checker(name)
    assert fast is not None, f"{name} uses a keyword that the fast path has not"
    slow = not list(known.validator(name).iter_errors(value))
    assert fast(value) == slow, (name, value)
    return slow


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", RECORDS)
def test_a_valid_record_is_clean_at_every_level(name: str, level: str) -> None:
    value = RECORDS[name].to_json()
    assert validate("record", value, level, schemas.load()) == ()
    assert both_agree("record", level, value)


@pytest.mark.parametrize("level", LEVELS)
def test_a_valid_changeset_is_clean_at_every_level(level: str) -> None:
    assert validate("changeset", changeset(), level, schemas.load()) == ()
    assert both_agree("changeset", level, changeset())


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("commit", "strict"),
        ("commit", "basic"),
        ("bytes", "standard"),
        ("push", "strict"),
        ("ref-update", "strict"),
        ("history", "strict"),
    ],
)
def test_both_paths_agree_on_every_single_change_of_a_record(name: str, level: str) -> None:
    value = RECORDS[name].to_json()
    verdicts = {
        both_agree("record", level, changed(value, path, new))
        for path in paths(value)
        for new in (..., None, "", 0, ["x"], {}, "x" * 5000)
        if new is not ... or isinstance(path[-1], str)
    }
    assert verdicts == {True, False}


@pytest.mark.parametrize("level", LEVELS)
def test_both_paths_agree_on_every_single_change_of_a_changeset(level: str) -> None:
    for path in paths(changeset()):
        for new in (None, "", True, ["x"], {}, "x" * 5000, -1, 1.0):
            both_agree("changeset", level, changed(changeset(), path, new))


@pytest.mark.parametrize("level", LEVELS)
def test_both_paths_agree_on_changes_of_a_collection(level: str) -> None:
    times = {"created_at": "2024-01-02T03:04:05Z", "updated_at": "2024-01-02T03:04:05Z"}
    value = {"name": "work", **times, "repositories": {"a": changeset(), "b": changeset()}}
    assert both_agree("collection", level, value)
    near = [path for path in paths(value) if len(path) < 4 and path[1:2] != ("b",)]
    verdicts = {both_agree("collection", level, changed(value, path, new)) for path in near for new in (None, "", {})}
    assert verdicts == {True, False}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(RECORDS)), st.data(), st.sampled_from(LEVELS))
def test_both_paths_agree_on_records_with_anything_in_them(name: str, data: st.DataObject, level: str) -> None:
    value = RECORDS[name].to_json()
    path = data.draw(st.sampled_from(list(paths(value))))
    both_agree("record", level, changed(value, path, data.draw(json_values)))


def test_the_schema_knows_the_events_and_sources_of_the_program() -> None:
    document = schemas.load().documents
    properties = document["urn:mgit-hooks:record.basic"]["properties"]
    assert set(properties["event"]["enum"]) == EVENTS
    assert set(properties["source"]["enum"]) == SOURCES
    condition = document["urn:mgit-hooks:record.standard"]["$defs"]["added"]["allOf"][0]["if"]
    assert set(condition["properties"]["event"]["enum"]) == COMMIT_EVENTS
    rule = document["urn:mgit-hooks:config"]["$defs"]["rule"]["properties"]
    assert set(rule["events"]["items"]["enum"]) == RULE_EVENTS


def test_the_record_schema_names_what_records_have() -> None:
    properties = schemas.load().documents["urn:mgit-hooks:record.basic"]["properties"]
    assert set(properties) == set(Record._fields)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_and_level_has_a_schema_that_refers_to_the_lower_one(kind: str) -> None:
    documents = schemas.load().documents
    if kind == "config":
        assert uri(kind, "strict") in documents
        return
    for lower, higher in pairwise(LEVELS):
        assert documents[uri(kind, higher)]["$ref"] == uri(kind, lower)


def test_every_schema_obeys_its_metaschema() -> None:
    import jsonschema

    for document in schemas.load().documents.values():
        jsonschema.Draft202012Validator.check_schema(document)


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("file-change.basic.json", '"maxLength": 4096', '"maxLength": 5', "FILENAME_TOO_LONG"),
        ("commit.basic.json", "{7,64}", "{60,64}", "INVALID_COMMIT_HASH"),
        ("commit.basic.json", '"maxLength": 65536', '"maxLength": 3', "COMMIT_MESSAGE_TOO_LONG"),
        ("file-change.basic.json", '"renamed",', "", "INVALID_CHANGE_TYPE"),
        ("record.basic.json", '"maxLength": 255', '"maxLength": 2', "REPOSITORY_NAME_TOO_LONG"),
    ],
)
def test_an_edited_keyword_changes_the_verdict_through_both_paths(
    tmp_path: Path, file: str, old: str, new: str, code: str
) -> None:
    folder = tmp_path / "schemas"
    shutil.copytree(schemas_dir(), folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    edited = schemas.load(str(folder))
    value = RECORDS["commit"].to_json()
    fast = edited.checker(uri("record", "basic"))
    assert fast is not None
    assert not fast(value)
    assert {issue.code for issue in validate("record", value, "basic", edited)} == {code}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{\n "$id": \n}', r"config\.json:3:1: Expecting value"),
        ('{"$id": "urn:other"}', "'\\$id' is not urn:mgit-hooks:config"),
        ("[]", "not a schema"),
        (b"\xff", "not UTF-8 at byte 0"),
    ],
)
def test_a_corrupt_schema_file_is_named_with_its_line(tmp_path: Path, content: str | bytes, says: str) -> None:
    (tmp_path / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=says):
        schemas.load(str(tmp_path)).checker("urn:mgit-hooks:config")


def test_schema_names_do_not_leave_the_folder() -> None:
    with pytest.raises(KeyError):
        schemas.load().documents[f"{PREFIX}../schemas/config"]


def test_a_remote_reference_is_never_fetched() -> None:
    from jsonschema.exceptions import _WrappedReferencingError

    made = explain.validator("urn:x", {"urn:x": {"$ref": "http://127.0.0.1:1/schema.json"}})
    with pytest.raises(_WrappedReferencingError):
        made.is_valid({})
