"""Our hooks in the configuration of a hook manager: pre-commit's, which prek reads too."""
