"""A flight recorder and a gatekeeper for git."""

__version__ = "0.1.0"
