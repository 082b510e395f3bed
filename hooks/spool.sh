# The line that a hook leaves for the drain.

# Sets head: "-" where it is unborn or packed, which the drain looks up.
read_head() {
	head=- line=
	{
		IFS= read -r line <"$gitdir/HEAD"
		case $line in
		'ref: refs/heads/.invalid') line=$(git rev-parse -q --verify HEAD) ;; # a reftable's: only git can tell
		'ref: '*) ref=$common/${line#ref: } line= && IFS= read -r line <"$ref" ;;
		esac
	} 2>/dev/null
	case $line in '' | *[!0-9a-f]*) ;; *) head=$line ;; esac
}

# One line, one append: $1 the hook, $2 the payload with a tab before each field. A pipe in the spool's place
# would keep git waiting for ever.
append() {
	[ ! -p "$mgit/spool/now" ] || return
	printf '1\t%s\t%s\t%s\t%s\t%s%s\n' "$1" "$ppid" "${armed:-u}" "$worktree" "$head" "$2" >>"$mgit/spool/now"
}

# append, in a private file, making up for a spool that vanished. The hook before us gets its umask back;
# asking for it is a fork, so only where there is such a hook.
spool() {
	[ -z "$chained" ] || mask=$(umask)
	umask 077
	append "$@" 2>/dev/null || { mkdir -p "$mgit/spool" && append "$@"; } 2>/dev/null || {
		complaint="cannot write $mgit/spool/now: this $what is not spooled; git goes on"
	}
	[ -z "$chained" ] || umask "$mask"
}

can_start() {
	[ -x "$python" ] && [ -r "$boot" ]
}
