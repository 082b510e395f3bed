# The stub of a config-based hook (install --global). git runs it before the one in the hooks folder, which looks for
# the mark that is left here. A drain takes away the marks of processes that have ended.

# Whether this event is ours to record. `git hook run` by a hook of the same git process comes here once more.
ours() {
	name_process
	told=$mgit/told/$hook.$ppid
	case $ppid in
	"$PPID" | "$PPID".*) ;;
	*) [ ! -e "$told" ] || return ;;
	esac
	umask 077
	mark '' || { mkdir -p "$mgit/told" && mark ''; } 2>/dev/null
	return 0
}

mark() {
	[ ! -p "$told" ] && { printf '%s' "$1" >"$told"; } 2>/dev/null
}
