what=rewrite
find_repository || finish "$@"
read_input
input_field
record "$tab$1$tab$text"
[ -z "$chained" ] || feed "$chained" "$@"
