what=skip
find_repository || finish "$@"
gate_wanted || exit "$code"
MGIT_GATE_WAS=$was "$python" -I "$boot" gate "$hook" "$ppid" -- "$@" || exit
mark passed
exit 0
