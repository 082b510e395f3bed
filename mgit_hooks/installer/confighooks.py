"""git's config-based hooks (git 2.54 and newer): which of them git would run, and the text of ours.

How git treats them, with its sources, is in docs/decisions/0011-config-hooks.md.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from mgit_hooks.git import plumbing
from mgit_hooks.installer import stubs

OLDEST_GIT: Final = "2.54"
_PREFIX: Final = "mgit-hooks-"
_OURS: Final = {_PREFIX + hook: hook for hook in stubs.HOOKS}
_PROBE: Final = b'[hook "mgit-probe"]\n\tevent = post-commit\n\tcommand = false\n'
# Of a repository that has not asked the shell that git starts knows at once; the stub finds what these tests do not.
_COMMAND: Final = (
    b"d=${GIT_COMMON_DIR:-${GIT_DIR:-.git}}; "
    b'[ -d "$d/mgit" ] || [ -f "$d/commondir" ] || [ ! -d "$d/objects" ] || exit 0; '
    b"[ -x %s ] || exit 0; exec %s"
)


class Setting(NamedTuple):
    """A line ``hook.NAME.KEY`` of the configuration, and the file that it stands in."""

    name: str
    key: str
    value: str
    origin: str

    @property
    def ours(self) -> bool:
        return self.name in _OURS


def name_of(hook: str) -> str:
    """The name that our entry for ``hook`` has: one for each event, as git does not tell a command which one it is."""
    return _PREFIX + hook


def supported() -> bool:
    """Whether the git on PATH runs config-based hooks: whether it lists one. Nothing is run, nothing is changed."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="mgit-hooks-") as folder:
        path = os.path.join(folder, "config")
        with open(path, "wb") as file:
            file.write(_PROBE)
        env = plumbing.without_local(os.environ) | {"GIT_CONFIG_GLOBAL": path, "GIT_CEILING_DIRECTORIES": folder}
        listed = plumbing.run(("hook", "list", "-z", "post-commit"), directory=folder, env=env)
    return listed.status == 0 and b"mgit-probe" in listed.stdout.split(b"\0")


def would_run(directory: str, hook: str) -> list[str]:
    """The names of the config-based hooks that git runs for ``hook`` in the repository at ``directory``, in order.

    Nothing where git has none. One that is switched off is listed after the word ``disabled``: not among these.
    """
    listed = plumbing.run(("hook", "list", "-z", hook), directory=directory)
    if listed.status:
        return []
    names = os.fsdecode(listed.stdout).split("\0")[:-1]
    return [name for name in names if not name.startswith("disabled\t") and name != "hook from hookdir"]


def settings(directory: str | None, *scope: str) -> list[Setting]:
    """Every ``hook.NAME.KEY`` that git reads, in its order; with ``--global`` only the user's."""
    arguments = ("config", *scope, "--includes", "-z", "--show-origin", "--get-regexp", r"^hook\..*\..*$")
    told = plumbing.run(arguments, directory=directory).stdout
    fields = os.fsdecode(told).split("\0")[:-1]
    return [_setting(origin, line) for origin, line in zip(fields[::2], fields[1::2], strict=True)]


def _setting(origin: str, line: str) -> Setting:
    section, _, value = line.partition("\n")  # no name holds a newline
    name, _, key = section.removeprefix("hook.").rpartition(".")
    return Setting(name, key, value, origin.removeprefix("file:"))


def text(folder: str) -> bytes:
    """The configuration that has git run the stubs in ``folder``. A stub that is gone is left out, not an error."""
    parts = [b"# Written by 'mgit-hooks install --global'; 'mgit-hooks uninstall --global' takes it away.\n"]
    for name, hook in _OURS.items():
        stub = stubs.quote(os.path.join(folder, hook))
        parts.append(b'[hook "%s"]\n\tevent = %s\n' % (name.encode(), hook.encode()))
        parts.append(b"\tcommand = %s\n" % _value(_COMMAND % (stub, stub)))
    return b"".join(parts)


def _value(value: bytes) -> bytes:
    """As git-config(1) has it, "Syntax"."""
    for plain, escaped in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\t", b"\\t")):
        value = value.replace(plain, escaped)
    return b'"' + value + b'"'
