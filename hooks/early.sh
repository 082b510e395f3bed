# One pick of the hundreds of a rebase: post-rewrite and the reflogs tell of them at its end. This stands before all else,
# since a shell parses what it comes to. A commit by hand while a rebase has stopped finds no MERGE_MSG left; another
# command's pick is another process.
case $0 in
*/post-commit)
	if [ -f "${GIT_DIR:-.git}/MERGE_MSG" ] && [ -d "${GIT_DIR:-.git}/rebase-merge" ] && [ ! -f "$0.mgit-chained" ] && [ ! -f "$0.mgit-legacy" ]; then
		line=rebase
		{ IFS= read -r line <"/proc/$PPID/cmdline"; } 2>/dev/null
		case $line in *rebase*) exit 0 ;; esac
	fi
	;;
esac
