"""What git's objects and index say: commits and staged changes, as records hold them."""
