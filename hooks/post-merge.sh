what=merge
if find_repository; then
	read_flag
	# What is merged is forgotten after this hook; a fast-forward has made no commit, and noted nothing.
	doing=ff
	[ ! -f "$gitdir/MERGE_HEAD" ] || doing=merge
	[ "$armed" = o ] || {
		name_process
		[ $doing = ff ] || gated pre-merge-commit commit-msg || doing=ungated
	}
	record "$tab$1$tab$doing"
fi
finish "$@"
