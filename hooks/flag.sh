# What the gate flag says: docs/decisions/0001-architecture.md, "Gate flag file".

# Sets armed to a, o or u (unknown: no flag, or a stale one) and was to what the flag last said: a, o, u, or m of a gate
# that may change a message, and refuses nothing.
read_flag() {
	armed=o was=o flag=$mgit/gate/$worktree
	! is_open "$mgit/gate/open/$worktree" "$common/config" || return 0
	armed=u was=u
	[ -f "$flag" ] || return
	stale=${MGIT_STRATEGY+1}${MGIT_RULES+1}${MGIT_EXTENDS+1}${MGIT_LEVEL+1}${MGIT_ENFORCE+1}${GIT_CONFIG_COUNT+1}
	case ${GIT_CONFIG_PARAMETERS-} in *[mM][gG][iI][tT].*) stale=1 ;; esac
	while IFS= read -r line; do
		case $line in
		armed) was=a ;;
		mends) was=m ;;
		open) was=o ;;
		=*) [ "${line#=}" -ef "$common/config" ] && ! [ "$common/config" -nt "$flag" ] || stale=1 ;;
		+*) [ -e "${line#+}" ] && ! [ "${line#+}" -nt "$flag" ] || stale=1 ;;
		-*) ! [ -e "${line#-}" ] || stale=1 ;;
		*) stale=1 ;;
		esac
	done <"$flag"
	[ -n "$stale" ] || armed=$was
	[ "$armed" != m ] || armed=a
}
