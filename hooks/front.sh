# This folder stands before the one that git would go by without us (mgit_hooks/installer/front.py). The hook there runs
# as what was here before, under its own name: husky's go by that. As for git, a relative folder begins where hooks run.
find_behind() {
	path=
	# Asking git is a process: once, until the repository's configuration changes. What is as old as that may be older:
	# some shells compare seconds.
	if [ -r "$here/behind" ] && [ "$here/behind" -nt "$here/../config" ]; then
		read_path "$here/behind"
	else
		found=$(git config --type=path --get-all core.hooksPath 2>/dev/null)
		while [ -n "$found" ]; do
			line=${found%%"$nl"*}
			case $found in *"$nl"*) found=${found#*"$nl"} ;; *) found= ;; esac
			[ "$line" = "$here" ] || path=$line
		done
		path=${path:-${here%/*}/hooks}
		{ printf '%s\n' "$path" >"$here/behind.$$" && mv -f "$here/behind.$$" "$here/behind"; } 2>/dev/null
	fi
	chained=$path/$hook
	[ -f "$chained" ] && [ -x "$chained" ] || chained=
	# A stub of ours left there, by an install from before, would do all of this again.
	line=
	[ -z "$chained" ] || { { read -r line && read -r line; } <"$chained"; } 2>/dev/null
	case $line in
	'# mgit-hooks stub'*)
		chained=$chained.mgit-chained
		[ -f "$chained" ] && [ -x "$chained" ] || chained=
		;;
	esac
}

# A tool that asks git for the hooks folder has written its hook here.
[ -n "$chained" ] || find_behind
