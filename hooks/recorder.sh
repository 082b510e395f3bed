# The recorder lane: a line in the spool, a drain in the background. It never fails git.

# A rebase runs the hooks of each pick: post-rewrite and the reflogs tell it all at its end.
rebasing() {
	[ -d "$gitdir/rebase-merge" ] || [ -d "$gitdir/rebase-apply" ]
}

# $1 is the payload, with a tab before each field. Where later is set, another hook starts the drain.
later=
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

# Unless one runs. A drain that is about to end looks at the spool once more after it has taken its pid away.
start_drain() {
	line=
	{ [ -f "$mgit/draining" ] && IFS= read -r line <"$mgit/draining"; } 2>/dev/null
	case $line in '' | *[!0-9]*) ;; *) kill -0 "$line" 2>/dev/null && return ;; esac
	if can_start; then
		# Whoever reads git's output waits until nobody holds it open.
		"$python" -I "$boot" drain --background --git-dir "$gitdir" </dev/null >/dev/null 2>&1 &
	elif [ -z "$complaint" ]; then
		line=$boot
		[ -x "$python" ] || line=$python
		complaint="$line is gone: this $what is spooled, not lost; run 'mgit-hooks install' from where it lives now"
	fi
}
