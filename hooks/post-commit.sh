what=commit
# The process that makes a commit runs this hook. A pick of git's own (cherry-pick, revert, rebase) has its message
# still lying there; `git commit` has taken it away by now. One that wants an editor starts `git commit -n`, says so in
# GIT_REFLOG_ACTION, and waits for it: the variable alone would be anybody's word.
picking() {
	[ -f "$gitdir/MERGE_MSG" ] && return
	[ -n "${GIT_REFLOG_ACTION-}" ] || return
	name_process
	line=
	{
		if IFS= read -r line <"/proc/${ppid%.*}/stat"; then
			set -- ${line##*) ? }
			IFS= read -r line <"/proc/$1/stat"
			case $line in *' (git) '* | *' (git-'* | *' (.git'*) ;; *) return 1 ;; esac
			IFS= read -r line <"/proc/$1/cmdline"
		elif ! [ -e /proc/self/stat ]; then
			line=$(ps -o ppid= -p "$ppid") && line=$(ps -o args= -p "$line")
		fi
	} 2>/dev/null
	case $line in *cherry-pick* | *revert* | *rebase*) ;; *) return 1 ;; esac
}

# Whether this is one of hundreds: post-rewrite and the reflogs tell of a rebase's own picks at its end.
one_of_many() {
	rebasing && [ -f "$gitdir/MERGE_MSG" ] || return
	line=rebase
	{ IFS= read -r line <"/proc/${ppid%.*}/cmdline"; } 2>/dev/null
	case $line in *rebase*) ;; *) return 1 ;; esac
}

if find_repository && ! one_of_many; then
	read_flag
	doing=own
	! picking || doing=pick
	[ "$armed" = o ] || {
		name_process
		[ $doing = pick ] || gated pre-commit commit-msg || doing=ungated
	}
	# In a rebase that has stopped its end is near enough.
	! rebasing || later=1
	record "$tab$doing"
fi
finish "$@"
