# The gate lane: Python starts only where a policy may refuse.

# Succeeds where there is something to judge by and somebody to judge. Otherwise says why not, and with what code.
gate_wanted() {
	code=0
	read_flag
	[ "$armed" != o ] || return 1
	name_process
	if [ "${MGIT-}" = 0 ]; then
		complaint=
		read_head
		encode "${MGIT_SKIP_REASON-}"
		spool skip "$tab$hook$tab$text"
		[ -z "$complaint" ] || printf 'mgit-hooks: %s\n' "$complaint" >&2
		return 1
	fi
	can_start && return
	if [ "$was" = a ]; then
		line=$boot
		[ -x "$python" ] || line=$python
		printf 'mgit-hooks: %s is gone, and this repository'\''s policy may refuse: %s is not judged, so git stops here\n' \
			"$line" "$hook" >&2
		printf 'hint: run '\''mgit-hooks install'\'' from where it lives now; or once without: MGIT=0 git ..., git ... --no-verify\n' >&2
		code=1
	fi
	return 1
}
