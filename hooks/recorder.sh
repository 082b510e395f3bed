# The recorder lane: a line in the spool, a drain in the background. It never fails git.

# A rebase runs the hooks of each pick: post-rewrite and the reflogs tell it all at its end.
rebasing() {
	[ -d "$gitdir/rebase-merge" ] || [ -d "$gitdir/rebase-apply" ]
}

# $1 is the payload, with a tab before each field. Where later is set, another hook starts the drain; where after is, the
# drain first waits for that process to end.
later= after=
record() {
	complaint=
	read_head
	# A commit has just been written where builtins cannot read (a reftable): which one is the point of these hooks.
	case $head$hook in
	-post-commit | -post-merge | -post-applypatch) head=$(git rev-parse -q --verify HEAD 2>/dev/null) || head=- ;;
	esac
	spool "$hook" "$1"
	[ -n "$later" ] || start_drain
	[ -z "$complaint" ] || printf 'mgit-hooks: %s\n' "$complaint" >&2
}

# Whether the process named in the file $1 runs.
runs() {
	line=
	{ [ -f "$1" ] && IFS= read -r line <"$1"; } 2>/dev/null
	case $line in '' | *[!0-9]*) return 1 ;; esac
	kill -0 "$line" 2>/dev/null
}

# Unless one runs: it looks at the spool once more after it has taken its pid away. Nor while one starts, which takes
# Python a while: it takes that mark away before it first looks.
start_drain() {
	! runs "$mgit/draining" && ! runs "$mgit/starting" || return 0
	if can_start; then
		# Only one of several stubs makes the file. One that a kill left behind names nobody, and is written over.
		claimed=1
		[ -p "$mgit/starting" ] || {
			set -C
			{ printf '%s\n' "$$" >"$mgit/starting"; } 2>/dev/null || claimed=
			set +C
		}
		[ -n "$claimed" ] || ! runs "$mgit/starting" || return 0
		# Whoever reads git's output waits until nobody holds it open.
		"$python" -I "$boot" drain --background --git-dir "$gitdir" ${after:+--after "$after"} </dev/null >/dev/null 2>&1 &
		[ -L "$mgit/starting" ] || [ ! -f "$mgit/starting" ] || printf '%s\n' "$!" >"$mgit/starting"
	elif [ -z "$complaint" ]; then
		line=$boot
		[ -x "$python" ] || line=$python
		complaint="$line is gone: this $what is spooled, not lost; run 'mgit-hooks install' from where it lives now"
	fi
}
