"""The journal: its bytes, its files, its index. docs/format.md is the same in prose."""
