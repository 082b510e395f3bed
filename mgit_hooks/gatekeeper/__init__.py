"""The gate lane: what git is about to do, judged while it waits."""
