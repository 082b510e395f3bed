# What every stub begins with. POSIX sh and builtins only: each fork here is a millisecond of the user's commit.
# (Lines that are only a comment are left out of what is installed.)

tab='	'
nl='
'
