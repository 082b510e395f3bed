what=skip
find_repository || finish "$@"
[ -z "$chained" ] || "$chained" "$@" || exit
gate_wanted || exit "$code"
MGIT_GATE_WAS=$was exec "$python" -I "$boot" gate "$hook" "$ppid" -- "$@"
