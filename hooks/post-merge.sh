what=merge
if find_repository; then
	read_flag
	record "$tab$1"
fi
finish "$@"
