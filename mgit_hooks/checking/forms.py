"""The forms that findings are told in. Each is written as the findings come: of a long history nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from mgit_hooks.checking.findings import Checked, Totals
from mgit_hooks.judging.rules import Rule


class Sink(Protocol):
    """Where the data goes."""

    def part(self, text: str) -> None:
        """A piece of a line."""

    def line(self, text: str = "") -> None: ...

    def style(self, text: str, *names: str) -> str: ...


class Provenance(NamedTuple):
    """What was checked: ``uri`` is the remote's, without credentials."""

    uri: str
    revision: str | None
    branch: str | None


class About(NamedTuple):
    """What holds for the whole of a check."""

    level: str
    enforce: bool
    rules: tuple[Rule, ...]
    failing: tuple[str, ...]  # the severities that fail
    provenance: Provenance | None
    verbose: bool = False


class Form(Protocol):
    """Written in the order of calls: ``add`` for each subject, then ``end`` once."""

    def add(self, checked: Checked) -> None: ...

    def end(self, totals: Totals) -> None: ...


def _text(sink: Sink, about: About) -> Form:
    from mgit_hooks.checking.text import Text

    return Text(sink, about)


def _json(sink: Sink, about: About) -> Form:
    from mgit_hooks.checking.plainjson import PlainJson

    return PlainJson(sink, about)


def _sarif(sink: Sink, about: About) -> Form:
    from mgit_hooks.checking.sarif import Sarif

    return Sarif(sink, about)


def _junit(sink: Sink, about: About) -> Form:
    from mgit_hooks.checking.junit import JUnit

    return JUnit(sink, about)


def _github(sink: Sink, about: About) -> Form:
    from mgit_hooks.checking.github import GitHub

    return GitHub(sink, about)


def _gitlab(sink: Sink, about: About) -> Form:
    from mgit_hooks.checking.gitlab import GitLab

    return GitLab(sink, about)


FORMS: Final[Mapping[str, Callable[[Sink, About], Form]]] = {
    "text": _text, "json": _json, "sarif": _sarif, "junit": _junit, "github": _github, "gitlab": _gitlab,
}  # fmt: skip
