# Most repositories are found in one place, and have no hook from before us: then the rest of this file is not even
# parsed. Sets plain, and what common.sh and find_repository would set.
plain=
case $0 in
*/"$hook")
	chained= ppid=$PPID gitdir=${GIT_DIR:-.git} worktree=main-worktree
	common=$gitdir mgit=$gitdir/mgit
	[ -f "$0.mgit-chained" ] || [ -f "$0.mgit-legacy" ] || [ -n "${GIT_COMMON_DIR-}" ] || [ -f "$gitdir/commondir" ] ||
		[ ! -d "$gitdir/objects" ] || [ ! -d "$mgit" ] || [ -d "$mgit/told" ] || rebasing || plain=1
	;;
esac
