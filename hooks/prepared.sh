# git calls this two or three times for each ref that moves, and only the last call is news: the others leave
# before the rest of this file is even parsed, unless a hook that was here before us wants them.
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
[ "$1" = committed ] || [ -e "$here/$hook.mgit-chained" ] || exit 0
