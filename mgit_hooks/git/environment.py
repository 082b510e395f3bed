"""The environment in which git is run."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # without typing: a gate that lets through loads none of it
if TYPE_CHECKING:
    from collections.abc import Mapping

# `git rev-parse --local-env-vars`: what ties a command to one repository. A process that goes on to
# another repository, or outlives the hook that started it, must drop them.
LOCAL_ENV_VARS = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_PREFIX", "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR", "GIT_INTERNAL_SUPER_PREFIX",
)  # fmt: skip
# Of a file that is there git says that grafts are deprecated, even of an empty one.
_NO_GRAFTS = os.path.join(os.devnull, "none")


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which git speaks plainly, asks nobody, and reads the objects that are here as they are.

    Before 2.44 git does not know GIT_NO_LAZY_FETCH. With no protocol allowed, its fetch ends before it has
    reached for anything, be the remote a folder, a helper or a server (git(1), GIT_ALLOW_PROTOCOL).
    """
    env = dict(os.environ if base is None else base)
    env.update(LC_ALL="C", GIT_NO_LAZY_FETCH="1", GIT_ALLOW_PROTOCOL="", GIT_TERMINAL_PROMPT="0")
    env.update(GIT_OPTIONAL_LOCKS="0", GIT_NO_REPLACE_OBJECTS="1", GIT_GRAFT_FILE=_NO_GRAFTS)
    return env


def without_local(base: Mapping[str, str]) -> dict[str, str]:
    """``base`` without what points git at one repository (its config parameters included)."""
    return {
        name: value
        for name, value in base.items()
        if name not in LOCAL_ENV_VARS and not name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }
