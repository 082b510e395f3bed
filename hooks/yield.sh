# The stub in a hooks folder, where a config-based hook may have run before it (install --global): that one leaves a
# mark that names hook and git process, and is then the one to record. The hook that was here before us still runs.

# Whether this event is ours to record.
ours() {
	[ -d "$mgit/told" ] || return 0
	name_process
	[ -f "$mgit/told/$hook.$ppid" ] || return 0
	# What the hook that was here before us made of the message is for us to judge: of the config-based ones it is too late.
	line=
	[ "$hook" = commit-msg ] && [ -n "$chained" ] && { IFS= read -r line <"$mgit/told/$hook.$ppid"; } 2>/dev/null
	[ "$line" = passed ]
}
