what=commit
# Where nothing says that this commit is another command's, or that a gate may have had a say in it.
[ -z "$plain" ] || [ -n "${GIT_REFLOG_ACTION-}" ] || [ -f "$gitdir/MERGE_MSG" ] || ! is_open "$mgit/gate/open/$worktree" "$common/config" || {
	armed=o
	record "${tab}own"
	exit 0
}
