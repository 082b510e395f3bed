"""Data as the pipeline meets it: records of commits as JSON lines, always the same ones."""

from __future__ import annotations

import json
import random

WORDS = [
    "add", "fix", "remove", "rename", "parser", "index", "hook", "journal", "record", "test", "cache", "reader",
    "writer", "message", "file", "error", "check", "release", "update", "docs", "option", "handle", "missing", "empty",
    "branch", "merge", "faster", "simpler", "use", "support", "correct", "type", "config", "stream",
]  # fmt: skip
ENDINGS = (".py", ".md", ".c", ".json")


def changesets(size: int, seed: int = 1) -> bytes:
    """``size`` bytes of commits of one project: few authors, some hundred paths, hashes that nothing makes smaller."""
    rng = random.Random(seed)
    paths = [
        "/".join(rng.choices(WORDS, k=rng.randint(1, 3))) + rng.choice((".py", ".md", ".c", ".json"))
        for _ in range(300)
    ]
    parts, length, number = [], 0, 0
    while length < size:
        number += 1
        author = f"Author {rng.randint(0, 8)}"
        date = f"2024-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:{number % 60:02}:00+00:00"
        files = [
            {
                "filename": rng.choice(paths), "old_filename": None, "change_type": "modified", "index_status": "M",
                "worktree_status": ".", "old_mode": "100644", "new_mode": "100644", "old_oid": rng.randbytes(20).hex(),
                "new_oid": rng.randbytes(20).hex(), "size_bytes": rng.randint(10, 20000),
                "additions": rng.randint(0, 50), "deletions": rng.randint(0, 50), "binary": False,
            }
            for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5)))
        ]  # fmt: skip
        commit = {
            "hash": rng.randbytes(20).hex(), "parents": [rng.randbytes(20).hex()], "tree": rng.randbytes(20).hex(),
            "author_name": author, "author_email": f"{author[-1]}@example.org", "date": date, "committer_name": author,
            "committer_email": f"{author[-1]}@example.org", "committer_date": date,
            "message": " ".join(rng.choices(WORDS, k=rng.randint(2, 9))) + "\n", "files": files,
        }  # fmt: skip
        line = {"seq": number, "event": "commit", "repository_name": "project", "branch": "main", "commit": commit}
        parts.append(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        length += len(parts[-1])
    return b"".join(parts)[:size]
