what=commit
if find_repository && ! rebasing; then
	read_flag
	record
fi
finish "$@"
