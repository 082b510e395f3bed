"""Recovering a changeset that falls short: repairs, fallback, checkpoints."""
