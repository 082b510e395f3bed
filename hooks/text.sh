# Texts in a spool line.

# $1 into $text, with %, tab and newline written %25, %09 and %0A. What is too long for one append is cut.
encode() {
	rest=$1 text=
	[ ${#rest} -le 2000 ] || rest=$(printf '%.2000s' "$rest")
	while :; do
		case $rest in
		*["%$tab$nl"]*)
			part=${rest%%["%$tab$nl"]*}
			rest=${rest#"$part"}
			case $rest in
			%*) text=$text$part%25 ;;
			"$tab"*) text=$text$part%09 ;;
			*) text=$text$part%0A ;;
			esac
			rest=${rest#?}
			;;
		*)
			text=$text$rest
			return
			;;
		esac
	done
}
