# Hooks that are told something on standard input: it is read once, and handed on to all who want it.

# All of it into $input, to the byte. LC_ALL, so that ${#input} counts bytes; git's own value comes back.
# A shell reads byte by byte: beyond a few lines another process costs about as much.
read_input() {
	input= line=
	[ -t 0 ] && return
	locale=${LC_ALL-} LC_ALL=C
	while IFS= read -r line; do
		input=$input$line$nl line=
		if [ ${#input} -gt 300 ]; then
			line=$(cat && echo .)
			line=${line%.}
			break
		fi
	done 2>/dev/null
	input=$input$line
	LC_ALL=$locale
}

# The field for $input into $text. A shell may write a long line in two parts, between which another's
# can fall: what is long stands in a file of its own, whole before the line that names it.
input_field() {
	locale=${LC_ALL-} LC_ALL=C
	text=
	[ ${#input} -gt 3000 ] || encode_lines
	if [ ${#input} -gt 3000 ] || [ $((${#text} + ${#1})) -gt 3000 ]; then
		side=x.$PPID.$$ count=0
		while [ -e "$mgit/spool/$side" ]; do
			count=$((count + 1))
			side=x.$PPID.$$.$count
		done
		[ -z "$chained" ] || mask=$(umask)
		umask 077
		{ printf '%s' "$input" >"$mgit/spool/$side"; } 2>/dev/null
		[ -z "$chained" ] || umask "$mask"
		text=@$side
	fi
	LC_ALL=$locale
}

# Line by line: encode takes time by the square of a text's length.
encode_lines() {
	lines= left=$input
	while :; do
		case $left in
		*"$nl"*)
			encode "${left%%"$nl"*}"
			lines=$lines$text%0A
			left=${left#*"$nl"}
			;;
		*)
			encode "$left"
			text=$lines$text
			return
			;;
		esac
	done
}

# Run a command with $input. One that does not read it all is no fault.
feed() {
	printf '%s' "$input" 2>/dev/null | "$@"
}
