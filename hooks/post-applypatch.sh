what=commit
find_repository && record
finish "$@"
