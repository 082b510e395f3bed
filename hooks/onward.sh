finish "$@"
