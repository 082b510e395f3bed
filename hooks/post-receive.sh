record "$tab$who$tab$text"
[ -z "$chained" ] || feed "$chained" "$@"
