"""What ``quick`` goes by at the next commit: the policy as it came out, and the state of each file that it hangs on.

Beside the gate flag, for its owner alone. Losing it costs one ordinary run of the gate; nothing else reads it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import mgit_hooks
from mgit_hooks.files import create
from mgit_hooks.gatekeeper import candidate as candidates
from mgit_hooks.gatekeeper import quick, staged
from mgit_hooks.gatekeeper.candidate import LATER, Candidate
from mgit_hooks.gatekeeper.commitmessage import MESSAGE_KEYS
from mgit_hooks.gatekeeper.facts import NEEDING_OBJECTS
from mgit_hooks.gatekeeper.judgement import STAND_INS
from mgit_hooks.judging import facts, rules
from mgit_hooks.judging import schemas as ours
from mgit_hooks.judging.config import Config
from mgit_hooks.judging.judge import facts_named
from mgit_hooks.judging.matching import end_anchors
from mgit_hooks.judging.rules import Rule, applies
from mgit_hooks.judging.validate import Schemas, uri
from mgit_hooks.layout import MAIN_WORKTREE, Location
from mgit_hooks.record import FileChange, Json

_GRAIN = 2.0  # s: as gateflag's, so that a file changed within one tick of being read is not taken for the one read
# s: more than a tick of the clock that a system dates changes by. A file that was moved into the place of the one that
# was read keeps its old time; only this tells that it came after the reading.
_TICK = 0.02
_EVENT = "commit"
# What is counted or asked for only where a rule names it: quick asks for none of it.
_ASKED = ("additions", "deletions", "binary", "churn", "size_bytes", "committer_name", "committer_email")


def write(candidate: Candidate, config: Config, schemas: Schemas, location: Location, started: float) -> None:
    """For the next commit, where it can be of use. ``started``: when the evaluation began (s since 1970).

    Whatever fails leaves the gate as it is: it judges the next commit as it has judged this one.
    """
    try:
        if _fits(candidate, config, location):
            asked = [rule for rule in config.rules if applies(rule, _EVENT)]
            memo = _memo(candidate, config, asked, schemas, location)
            if memo is not None and not any(was and _is_recent(was, started) for _, was in memo["watched"]):
                _put(quick.path(location.git_dir), memo)
    except Exception:
        return


def _is_recent(was: tuple[int, ...], started: float) -> bool:
    written, changed, *_ = was
    return written > (started - _GRAIN) * 1e9 or changed > (started - _TICK) * 1e9


def _put(path: str, memo: Json) -> None:
    from marshal import dumps
    from zlib import crc32

    raw = dumps(memo)
    made = f"{path}.{os.getpid()}.new"
    with open(create(made), "wb") as file:
        file.write(crc32(raw).to_bytes(4, "big") + raw)
    os.replace(made, path)


def _fits(candidate: Candidate, config: Config, location: Location) -> bool:
    return (
        candidate.stage in quick.STAGES
        and location.worktree == MAIN_WORKTREE
        and location.root == os.getcwd()
        and quick.suits(os.environ)
        and not any(origin.source.startswith(("command", "environment")) for origin in config.origins.values())
    )


def _memo(candidate: Candidate, config: Config, asked: list[Rule], schemas: Schemas, location: Location) -> Json | None:
    settings = staged.settings(*MESSAGE_KEYS)
    named = facts_named(asked)
    prepared = [rules.ready(rule, schemas.documents) for rule in asked]
    if (
        settings.get("i18n.commitencoding", "utf-8").lower() not in ("utf-8", "utf8")
        or any(each.check is None or each.costs is None for each in prepared)
        or any(candidates.looks_at(rule.schema, _ASKED) for rule in asked)
        or named & NEEDING_OBJECTS - quick.MADE_OF_OBJECTS
        or named & (facts.OF_REF | {"additions", "deletions", "churn"})
    ):
        return None
    record = uri("record", config.level)
    documents = _reached([*(rule.schema for rule in asked), schemas.documents[record]], schemas)
    documents[record] = schemas.documents[record]
    schemas_of = [*(rule.schema for rule in asked), *documents.values()]
    value = {**candidate.value, "branch": None, "event": _EVENT}
    commit = dict.fromkeys(value.pop("commit"))
    return {
        "key": quick.key(location.git_dir),
        "watched": [(path, quick.state(path)) for path in _watched(config, documents)],
        "settings": settings,
        "patterns": {pattern: _parts(pattern) for schema in schemas_of for pattern in rules.patterns(schema)},
        "documents": documents,
        "record": record,
        "level": config.level,
        "facts": sorted(named),
        "names": list(dict.fromkeys(rule.id for rule in asked)),
        "rules": [_rule(each) for each in prepared],
        "value": value,
        "commit": {name: None for name in commit if not name.endswith(("_bytes", "encoding"))},
        "file": _file(),
        "stand_ins": [
            (holder, name, stand_in)
            for pointer, stand_in in STAND_INS.items()
            for holder, _, name in [pointer[1:].rpartition("/")]
            if holder or pointer in LATER
        ],
        "diff": list(staged.DIFF[1:]),
    }


def _reached(schemas: Iterable[Any], known: Schemas) -> dict[str, Json]:
    """Our documents that these refer to, and those that they refer to in turn."""
    found: dict[str, Json] = {}
    left = list(schemas)
    while left:
        for _, reference in rules.references(left.pop()):
            name = reference.partition("#")[0]
            if name in known.documents and name not in found:
                found[name] = known.documents[name]
                left.append(found[name])
    return found


def _watched(config: Config, documents: Mapping[str, Json]) -> Iterator[str]:
    """Every file that the policy came from or could come from, and ours that judge by it."""
    yield from dict.fromkeys(source.path for source in config.sources)
    yield from map(ours.path, {*documents, uri("config", "")})
    home = os.path.dirname(os.path.abspath(mgit_hooks.__file__))
    for folder in ("gatekeeper", "judging"):
        for entry in os.scandir(os.path.join(home, folder)):
            if entry.name.endswith(".py"):
                yield entry.path


def _parts(pattern: str) -> tuple[Any, ...]:
    """What ``_sre.compile`` takes of a pattern, as ``re.compile`` gives it."""
    from re import _compiler, _parser  # type: ignore[attr-defined]

    text = end_anchors(pattern)
    parsed = _parser.parse(text)
    names = parsed.state.groupdict
    groups: list[str | None] = [None] * parsed.state.groups
    for name, number in names.items():
        groups[number] = name
    code = list(map(int, _compiler._code(parsed, 0)))
    return text, int(parsed.state.flags), code, parsed.state.groups - 1, dict(names), tuple(groups)


def _rule(prepared: rules.Prepared) -> Json:
    return {
        "base": rules.BASE,
        "documents": dict(prepared.own),
        "costs": [tuple(each) for each in prepared.costs or ()],
        "steps": rules.AFFORDABLE_STEPS,
    }


def _file() -> Json:
    """A file of which nothing is known but what git's raw output says."""
    return FileChange("", None, "unknown", "", ".", None, None, None, None, None, None, None, None).to_json()
