"""The hooks that we offer to hook managers, as ``.pre-commit-hooks.yaml`` has them, and an entry's lines in YAML.

The manifest itself is for managers that fetch this project; what they fetch is not in an installed package.
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from mgit_hooks.record import Json


class Hook(NamedTuple):
    id: str
    name: str
    entry: str
    stages: tuple[str, ...]
    pass_filenames: bool = False

    @property
    def own_git_hooks(self) -> tuple[str, ...]:
        """The hooks of git's by which it runs."""
        return tuple(stage for stage in self.stages if stage != "manual")

    def to_json(self) -> Json:
        """As an entry of ``repo: local``, which runs the program that is installed: no environment is built."""
        named = {} if self.pass_filenames else {"pass_filenames": False}
        return {
            "id": self.id,
            "name": self.name,
            "entry": self.entry,
            "language": "system",
            "stages": list(self.stages),
            **named,
            "always_run": True,
            "require_serial": True,
        }


HOOKS: Final = (
    Hook(
        "mgit-validate",
        "judge the staged changes (mgit-hooks)",
        "mgit-hooks gate pre-commit",
        ("pre-commit", "pre-merge-commit", "manual"),
    ),
    Hook(
        "mgit-commit-msg",
        "judge the commit and its message (mgit-hooks)",
        "mgit-hooks gate commit-msg",
        ("commit-msg",),
        pass_filenames=True,
    ),
    Hook("mgit-push", "judge the push (mgit-hooks)", "mgit-hooks gate pre-push", ("pre-push",)),
    Hook(
        "mgit-capture",
        "record what happened (mgit-hooks)",
        "mgit-hooks drain --framework",
        ("post-commit", "post-merge", "post-rewrite", "post-checkout"),
    ),
    Hook("mgit-verify", "check every byte of the journal (mgit-hooks)", "mgit-hooks verify", ("manual",)),
    Hook("mgit-repair", "mend the journal (mgit-hooks)", "mgit-hooks repair", ("manual",)),
)
BY_ID: Final = {hook.id: hook for hook in HOOKS}
USUAL: Final = ("mgit-validate", "mgit-commit-msg", "mgit-push", "mgit-capture")
"""Those that are written where nobody says which."""
LOCAL: Final = "local"
_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9._/@+~-]*(:[A-Za-z0-9._/@+~-]+)*")
_WORDS: Final = frozenset(("y", "n", "yes", "no", "true", "false", "on", "off", "null"))


class Source(NamedTuple):
    """Where a manager takes the hooks from. ``local``: the program that is on PATH, and no revision."""

    repo: str = LOCAL
    rev: str | None = None

    def to_json(self, ids: tuple[str, ...]) -> Json:
        if self.repo == LOCAL:
            return {"repo": LOCAL, "hooks": [BY_ID[each].to_json() for each in ids]}
        return {"repo": self.repo, "rev": self.rev, "hooks": [{"id": each} for each in ids]}


class Style(NamedTuple):
    """How a configuration indents its lists, in columns."""

    dash: int = 2  # of the list's dashes
    item: int = 2  # from a dash to what stands behind it
    hooks: int = 2  # from the key "hooks" to its dashes
    hook: int = 2  # from such a dash to what stands behind it

    @property
    def hooks_dash(self) -> int:
        return self.dash + self.item + self.hooks


def stages(ids: tuple[str, ...]) -> tuple[str, ...]:
    """The hooks of git's that the hooks ``ids`` need, in the manifest's order."""
    return tuple(dict.fromkeys(stage for hook in HOOKS if hook.id in ids for stage in hook.own_git_hooks))


def entry_lines(source: Source, ids: tuple[str, ...], style: Style) -> list[str]:
    """An entry of the list ``repos``."""
    inner = " " * (style.dash + style.item)
    lines = [f"{_dash(style.dash, style.item)}repo: {scalar(source.repo)}"]
    if source.rev is not None:
        lines.append(f"{inner}rev: {scalar(source.rev)}")
    return [*lines, f"{inner}hooks:", *hook_lines(source, ids, style)]


def hook_lines(source: Source, ids: tuple[str, ...], style: Style) -> list[str]:
    """Entries of the list ``hooks``."""
    lines = []
    for entry in source.to_json(ids)["hooks"]:
        first, *others = (f"{key}: {_value(value)}" for key, value in entry.items())
        lines.append(_dash(style.hooks_dash, style.hook) + first)
        lines += [" " * (style.hooks_dash + style.hook) + other for other in others]
    return lines


def _dash(column: int, width: int) -> str:
    return " " * column + "-".ljust(width)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def scalar(text: str) -> str:
    """``text`` as YAML that every reader takes for a text: a revision may look like a number."""
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
