what=push
find_repository || finish "$@"
# Who pushes, into $text, as whatever serves this repository says. Of the client's own words nothing is read.
pusher() {
	text=${REMOTE_USER:-${GL_USER:-${GL_USERNAME:-${GL_ID:-${GITEA_PUSHER_NAME-}}}}}
	[ -n "$text" ] || {
		text=${GIT_PUSHER_NAME-}
		[ -z "${GIT_PUSHER_EMAIL-}" ] || text="${text:+$text }<$GIT_PUSHER_EMAIL>"
		text=${text:-${LOGNAME:-${USER-}}}
	}
	# No name has a colon: a password would stand behind it.
	encode "${text%%:*}"
}

read_input
read_flag
name_process
pusher
who=$text
input_field "$who"
