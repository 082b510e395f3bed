what=checkout
find_repository && ! rebasing && record "$tab$1$tab$2$tab$3"
finish "$@"
