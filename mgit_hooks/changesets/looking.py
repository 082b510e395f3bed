"""One repository of a ``diff``, from its path to what is told and kept of it. Runs in a worker too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mgit_hooks import dates
from mgit_hooks.changesets import working
from mgit_hooks.changesets.patience import LONGEST, at_most
from mgit_hooks.changesets.shapes import RepositoryChangeset
from mgit_hooks.record import Json

SECONDS: Final = LONGEST
"""So long one repository is waited for."""

if TYPE_CHECKING:
    from mgit_hooks.changesets.embedding import Embedder


class Wanted(NamedTuple):
    """What is asked of every repository."""

    level: str | None = None  # judged so strictly; None: not at all
    recovery: str | None = None  # a strategy; None: told as it is
    content: str | None = None  # a strategy of embedding; None: no contents
    budget: int = 0  # bytes, for the contents of this repository
    by_default: bool = False  # nobody named the strategy: the user's configuration may say another one


class Seen(NamedTuple):
    """``changeset`` is the JSON of one where recovery left a value that has not the shape of one. ``verdicts`` go into
    its line. ``keeps``: it may take the place of what was kept of the repository. ``fine``: it could be read, and
    nothing that was asked for speaks against it."""

    changeset: RepositoryChangeset | Json
    verdicts: Json
    keeps: bool
    fine: bool
    stopped: str | None = None  # strategy abort: why the run ends here


def look(path: str, wanted: Wanted) -> Seen:
    """Never raises for what the repository is, and never takes much longer than SECONDS."""
    try:
        with at_most(SECONDS):
            return _look(path, wanted)
    except TimeoutError as error:
        hint = "look for a pipe or a lost file system where git expects a file"
        return Seen(working.failed(path, dates.now(), str(error), hint), {}, keeps=False, fine=False)


def _look(path: str, wanted: Wanted) -> Seen:
    changeset = working.read(path, content=_embedder(path, wanted))
    if wanted.recovery is not None:
        return _recovered(path, changeset, wanted, wanted.recovery)
    readable = changeset.git_status != "error"
    if wanted.level is None:
        return Seen(changeset, {}, readable, readable)
    verdict, valid = _judged(changeset, wanted.level)
    return Seen(changeset, verdict, readable, readable and valid)


def load(wanted: Wanted) -> None:
    """Import what ``look`` needs: processes that are forked afterwards have it."""
    from mgit_hooks.capture import capturer  # noqa: F401

    if wanted.level is not None:
        from mgit_hooks.pipeline import validation  # noqa: F401
    if wanted.recovery is not None:
        from mgit_hooks.pipeline import recovery  # noqa: F401
    if wanted.content is not None:
        from mgit_hooks.changesets import embedding  # noqa: F401


def _recovered(path: str, found: RepositoryChangeset, wanted: Wanted, strategy: str) -> Seen:
    """With recovery around it: what could not be read is tried again where that may help, what is invalid is mended,
    replaced or refused."""
    from mgit_hooks.pipeline.recovery import ChangesetRecoveryManager

    level = wanted.level or "standard"
    manager = ChangesetRecoveryManager(strategy=strategy, level=level)
    result = manager.recover_changeset_operation(partial(_readable, path=path, wanted=wanted), found)
    changeset = result.recovered_data if result.recovery_successful else result.changeset
    verdict, valid = _judged(changeset, level)
    done = result.recovery_successful and isinstance(changeset, RepositoryChangeset)
    stopped = None
    if strategy == "abort" and not done:
        stopped = "; ".join(str(action.error) for action in result.actions_taken if not action.success)
    return Seen(
        changeset,
        {**verdict, "recovery": result.to_json()},
        # In the place of what could not be read stands nothing that would be worth keeping.
        done and not (found.git_status == "error" and result.fallback_used),
        done and valid and not result.fallback_used,
        stopped,
    )


def _readable(changeset: RepositoryChangeset, *, path: str, wanted: Wanted) -> RepositoryChangeset:
    """What could not be read is read once more; what that raises says whether it is worth another try."""
    return changeset if changeset.git_status != "error" else working.capture(path, content=_embedder(path, wanted))


def _embedder(path: str, wanted: Wanted) -> Embedder | None:
    if wanted.content is None:
        return None
    from mgit_hooks.changesets.embedding import Embedder
    from mgit_hooks.changesets.permitted import permitted

    strategy, limited_by = permitted(path, None if wanted.by_default else wanted.content, wanted.content)
    return Embedder(strategy, wanted.budget, limited_by=limited_by)


def _judged(changeset: Any, level: str) -> tuple[Json, bool]:
    from mgit_hooks.pipeline.validation import validate_changeset

    result = validate_changeset(changeset, level)
    return {"validation": result.to_json()}, result.is_valid
