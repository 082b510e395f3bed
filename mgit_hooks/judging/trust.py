"""What the user says and what a worktree says, weighed: a worktree may tighten, never loosen.

Rules of both add up, each side by itself: a worktree changes and switches off what a worktree brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mgit_hooks.errors import ConfigError
from mgit_hooks.judging import library
from mgit_hooks.judging.configlayers import ADDING, Layer, Origin
from mgit_hooks.judging.policy import STRATEGIES
from mgit_hooks.judging.rulesets import Entries, Entry, Reader, fold
from mgit_hooks.judging.validate import LEVELS

if TYPE_CHECKING:
    from mgit_hooks.judging.rules import Rule

EMBED = ("none", "summary", "sample", "full")
# From loose to strict: where the user and the worktree differ, the stricter of the two holds. More
# embedding is looser: contents that someone wanted kept out cannot be taken back.
_STRICTNESS: dict[str, tuple[Any, ...]] = {
    "level": LEVELS,
    "strategy": STRATEGIES,
    "embed": EMBED[::-1],
    "enforce": (False, True),
    "fail": ("open", "closed"),
    "anchor": ("off", "ref"),
    "keep_checkpoints": tuple(range(1, 1001)),
}


class Chains(NamedTuple):
    """The rules of each side, in the order in which they are judged; some may be switched off."""

    worktree: Entries
    user: Entries

    def in_force(self) -> list[Entry]:
        return [entry for side in self for entry in side.values() if entry.enabled]


def weigh(key: str, layers: Sequence[Layer], default: Any) -> tuple[Origin, bool | None]:
    """The first by precedence, except that a worktree's stricter value beats the user's; and who said it:
    the user (True), a worktree (False), nobody (None)."""
    said = [(layer.trusted, layer.values[key]) for layer in layers if key in layer.values]
    user = next((origin for trusted, origin in said if trusted), None)
    worktree = next((origin for trusted, origin in said if not trusted), None)
    if worktree is None:
        return (Origin(default, "default"), None) if user is None else (user, True)
    if user is None:
        return worktree, False
    order = _STRICTNESS.get(key)
    stricter = order is not None and order.index(worktree.value) > order.index(user.value)
    return (worktree, False) if stricter else (user, True)


def with_repair(rule: Rule, *, users: bool, strategy: str, by: bool | None) -> Rule:
    """``rule`` with its repair where that is asked for, and without where not.

    ``users``: the user brought the rule, not a worktree; ``strategy`` is the configuration's, and ``by`` who said it.
    A mere default asks for no repair. A sign-off certifies something in the user's name: who brought the rule and who
    asks have to be the user.
    """
    if rule.repair is None:
        return rule
    from mgit_hooks.judging.repairs import SIGN_OFF

    asks = True if rule.strategy == "repair" else by if rule.strategy is None and strategy == "repair" else None
    if asks is None or (rule.repair.name == SIGN_OFF and not (users and asks)):
        return rule._replace(repair=None)
    return rule


class Weighed(NamedTuple):
    """One thing that was said, and what became of it."""

    origin: Origin
    holds: bool
    because: str  # why it does not hold; "" where it does


def explained(key: str, layers: Sequence[Layer], default: Any) -> list[Weighed]:
    """All that was said of ``key``, the nearest first. Of a key to which each place adds, all of it holds."""
    said = [(layer, each.origin) for layer in layers for each in reversed(layer.said) if each.key == key]
    if key in ADDING:
        return [Weighed(origin, True, "") for _, origin in said]
    winner, by = weigh(key, layers, default)
    return [Weighed(origin, origin is winner, _because(key, layer, origin, winner, by)) for layer, origin in said]


def _because(key: str, layer: Layer, origin: Origin, winner: Origin, by: bool | None) -> str:
    if origin is winner:
        return ""
    if layer.trusted is by:
        return "a nearer place says otherwise"
    if by:
        return "it is no stricter than the user's" if key in _STRICTNESS else "a worktree does not change it"
    return "the worktree's is stricter"


def chains(layers: Sequence[Layer], level: str, level_by: bool | None, sets: Reader) -> Chains:
    """What ``layers``, highest precedence first, say about rules, over the set of the level.

    The set is of the side that chose the level. A mere default binds nobody: there a rule of it is the
    user's where the user says something of it, else the worktree's to change. Raises ConfigError where
    something is switched off that nobody brought.
    """
    own = [_folded(layers, trusted=False), _folded(layers, trusted=True)]
    base = sets.builtin(level) if library.has_set(level) else {}
    users = {name for name in base if level_by or (level_by is None and name in own[1])}
    worktree = fold(own[0].values(), {name: entry for name, entry in base.items() if name not in users})
    user = fold(own[1].values(), {name: entry for name, entry in base.items() if name in users})
    # What a worktree says of a rule that is not its own comes to nothing.
    worktree = {name: entry for name, entry in worktree.items() if entry.whole or name not in user}
    for side in (worktree, user):
        for entry in side.values():
            _check(entry, (*worktree, *user))
    return Chains(worktree, user)


def _folded(layers: Sequence[Layer], *, trusted: bool) -> Entries:
    found: Entries = {}
    for layer in reversed(layers):
        if layer.trusted is trusted:
            found = fold(layer.entries.values(), found)
    return found


def _check(entry: Entry, known: Sequence[str]) -> None:
    """A slip in the name of a rule to switch off would leave it on."""
    if entry.whole or entry.enabled or library.has_rule(entry.id):
        return
    from difflib import get_close_matches

    near = get_close_matches(entry.id, [name for name in (*known, *library.rules()) if name != entry.id], 1)
    hint = f"did you mean '{near[0]}'?" if near else "see 'mgit-hooks config rules'"
    raise ConfigError(f"{entry.where}: there is no rule of this id to switch off", hint)
