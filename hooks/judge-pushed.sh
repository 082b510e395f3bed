# The gate over what a push brings: the hook that was here before us, then our own, each with git's standard input.
[ -z "$chained" ] || feed "$chained" "$@" || {
	code=$?
	# Nobody went round the gate: it was not asked.
	spool stopped "$tab$hook"
	exit "$code"
}
gate_wanted || exit "$code"
MGIT_GATE_WAS=$was
export MGIT_GATE_WAS
feed "$python" -I "$boot" gate "$hook" "$ppid" -- "$@"
