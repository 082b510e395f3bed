"""``python -m mgit_hooks``: the same program as ``mgit-hooks``."""

from mgit_hooks.cli import main

raise SystemExit(main())
