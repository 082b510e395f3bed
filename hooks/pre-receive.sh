# What is pushed is in quarantine, and may never come out of it: the drain is for post-receive to start.
later=1
record "$tab$who$tab$text"
[ -z "$chained" ] || feed "$chained" "$@" || {
	code=$?
	spool stopped "$tab$hook"
	exit "$code"
}
gate_wanted || exit "$code"
MGIT_GATE_WAS=$was
export MGIT_GATE_WAS
feed "$python" -I "$boot" gate "$hook" "$ppid" -- "$@"
