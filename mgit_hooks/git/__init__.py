"""git itself: through libgit2, through its commands, and in its own files."""
