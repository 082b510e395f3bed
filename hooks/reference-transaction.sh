what='ref movement'
[ "$1" = committed ] && find_repository || finish "$@"
# Leaves in $input the lines that tell of history: not our own refs, nor what git keeps beside its refs
# (ORIG_HEAD, AUTO_MERGE). A long input is left to the drain. Sets awaited where a hook that starts a drain may follow:
# HEAD moves, or its branch.
only_refs() {
	branch=HEAD awaited=
	{ IFS= read -r line <"$gitdir/HEAD" && branch=${line#ref: }; } 2>/dev/null
	[ ${#input} -le 3000 ] || return
	left=$input input=
	while :; do
		case $left in *"$nl"*) line=${left%%"$nl"*} ;; *) return ;; esac
		left=${left#*"$nl"}
		case ${line##* } in refs/mgit/*) continue ;; HEAD | refs/*) input=$input$line$nl ;; esac
		case ${line##* } in HEAD | "$branch") awaited=1 ;; esac
	done
}

read_input
whole=$input
only_refs
[ -z "$input" ] || {
	complaint= head=-
	input_field
	spool "$hook" "$tab$text"
	# No drain where each pick of a rebase would start one, nor where the next hook does.
	[ -n "$awaited" ] || rebasing || start_drain
	[ -z "$complaint" ] || printf 'mgit-hooks: %s\n' "$complaint" >&2
}
input=$whole
[ -z "$chained" ] || feed "$chained" "$@"
