# Succeeds where the gate is open by the names in folder $1 (mgit_hooks/judging/opennames.py): none of the files that
# they tell of has come, gone or changed since, $2 is the configuration of the repository that they were written for (a
# copy brings them along), and the environment has no policy of its own. This stands before all else, since a shell
# parses what it comes to.
is_open() {
	case ${GIT_CONFIG_PARAMETERS-}${GIT_CONFIG_COUNT+1}${MGIT_STRATEGY+1}${MGIT_RULES+1}${MGIT_EXTENDS+1}${MGIT_LEVEL+1}${MGIT_ENFORCE+1} in
	?*) return 1 ;;
	esac
	names=$1 config=$2
	for each in "$names"/*; do
		IFS=%
		set -- ${each##*/}
		IFS=/
		each=$*
		unset IFS
		case $each in
		=/*) [ "${each#=}" -ef "$config" ] && ! [ "$config" -nt "$names" ] && config= || return 1 ;;
		+/*) [ -e "${each#+}" ] && ! [ "${each#+}" -nt "$names" ] || return 1 ;;
		-/*) [ ! -e "${each#-}" ] || return 1 ;;
		*) return 1 ;;
		esac
	done
	[ -z "$config" ]
}
