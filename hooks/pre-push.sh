what=push
find_repository || finish "$@"
# $1 into $text without what may be secret: userinfo, query and fragment of a URL, the password of user:password@host:path.
strip() {
	text=$1
	case $text in
	*://*)
		text=${text%%[?#]*}
		rest=${text#*://}
		host=${rest%%/*}
		rest=${rest#"$host"}
		host=${host##*@}
		# No host has a port of letters: it is a password with "/", "?" or "#" in it.
		case $host in '['*) ;; *:*[!0-9]*) host= rest= ;; esac
		text=${text%%://*}://$host$rest
		;;
	*@*:*)
		host=${text%%@*}
		case $host in */*) ;; *:*) text=${text#*@} ;; esac
		;;
	esac
}

read_input
read_flag
name_process
after=$ppid
strip "$1"
encode "$text"
remote=$text
strip "${2-}"
encode "$text"
remote=$remote$tab$text
input_field "$remote"
record "$tab$remote$tab$text"
