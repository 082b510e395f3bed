"""Putting the hooks into a repository, taking them out, and telling what is wrong with them."""
