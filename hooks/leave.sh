# A gate that is open has nothing to do but to hand over to the hook that was here before, if there is one. In a linked
# worktree, and wherever this does not find what it looks for, the rest of this file looks closer.
case $0 in
*/"$hook")
	[ -f "$0.mgit-chained" ] || [ -f "$0.mgit-legacy" ] || [ -n "${GIT_COMMON_DIR-}" ] ||
		! is_open "${GIT_DIR:-.git}/mgit/gate/open/main-worktree" "${GIT_DIR:-.git}/config" || exit 0
	;;
esac
