what=checkout
[ -z "$plain" ] || {
	record "$tab$1$tab$2$tab$3"
	exit 0
}
