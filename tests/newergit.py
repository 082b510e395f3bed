"""A git with config-based hooks (2.54 and newer), for the tests: a real one, or a stand-in for its dispatcher.

No package registry that the tests use has such a git. MGIT_NEWER_GIT may name one, and the tests run with both. The
stand-in is the git on PATH with two things put in front, written from git's own description
(Documentation/git-hook.adoc, hook.c; docs/decisions/0011-config-hooks.md): `git hook list`, and for the commands that
run hooks a hooks folder whose hooks run what is configured, one after another, and then the repository's own hook.
It is not git: a hook's parent is the dispatcher, below git itself, and one git process is to run each hook once.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

REAL = os.environ.get("MGIT_NEWER_GIT")
EVENTS = (
    "pre-commit", "pre-merge-commit", "commit-msg", "post-commit", "post-merge", "post-rewrite", "post-applypatch",
    "post-checkout", "pre-push",
)  # fmt: skip
_COMMON = """#!/bin/sh
real={real} dispatch={dispatch}

# The entries for event $1 of the repository at $2, in order, one a line; one that is switched off after "disabled ".
configured() {{
	names= off=
	while read -r key value; do
		name=${{key#hook.}}
		name=${{name%.*}}
		case $key.$value in *.event."$1") names="$names $name" ;; *.enabled.false) off="$off $name " ;; esac
	done <<-END
		$("$real" -C "$2" config --includes --get-regexp '^hook[.].*[.](event|enabled)$')
	END
	for name in $names; do
		case $off in *" $name "*) echo "disabled $name" ;; *) echo "$name" ;; esac
	done
}}
"""
_DISPATCHER = """
unset GIT_CONFIG_PARAMETERS
event=${0##*/} given= status=0
case $event in pre-push | post-rewrite) given=$(cat && echo .) ;; esac
for name in $(configured "$event" . | sed '/^disabled /d'); do
	command=$("$real" config --includes --get "hook.$name.command") || exit 128
	line=$command
	[ $# = 0 ] || line="$command \\"\\$@\\""
	printf '%s' "${given%.}" | /bin/sh -c "$line" "$command" "$@" || status=1
done
own=$("$real" rev-parse --git-path hooks)/$event
[ ! -x "$own" ] || printf '%s' "${given%.}" | "$own" "$@" || status=1
exit $status
"""
_FRONT = """
skip= words= event= folder=.
for word; do
	case $skip in -C) folder=$word skip= ;; -c) skip= ;; *)
		case $word in -C | -c) skip=$word ;; -z) ;; *) words="$words $word" event=$word ;; esac
	esac
done
case $words in
' hook list '*)
	listed=$(configured "$event" "$folder" | sed 's/^disabled /disabled	/')
	[ -n "$listed" ] || exit 1
	printf '%s\\n' "$listed" | tr '\\n' '\\0'
	;;
' commit'* | ' merge'* | ' am'* | ' checkout'* | ' push'*) exec "$real" -c core.hooksPath="$dispatch" "$@" ;;
*) exec "$real" "$@" ;;
esac
"""


def stand_in(folder: Path) -> Path:
    """A folder to put first on PATH: its git stands in for one with config-based hooks."""
    programs, dispatch = folder / "bin", folder / "dispatch"
    programs.mkdir(parents=True)
    dispatch.mkdir()
    real = os.path.realpath(shutil.which("git") or "")
    common = _COMMON.format(real=shlex.quote(real), dispatch=shlex.quote(str(dispatch)))
    _write(programs / "git", common + _FRONT)
    for event in EVENTS:
        _write(dispatch / event, common + _DISPATCHER)
    return programs


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
