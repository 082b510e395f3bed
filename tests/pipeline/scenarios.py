"""The table of failure scenarios: what befalls a collection, and what recovery then has to give.

The rows make docs/recovery-scenarios.md: in tests, ``python -m pipeline.scenarios`` writes it anew.
"""

# ruff: noqa: E501 - a row is a line

from __future__ import annotations

from pathlib import Path

from mgit_hooks.record import Json
from pipeline.befalls import (
    DROP,
    a_copy_is_kept,
    a_dead_link,
    a_folder,
    a_listed_file,
    a_pipe,
    anothers,
    anothers_backup,
    both,
    c_is_named_as_lost,
    changed,
    counted_anew,
    cut,
    damaged_index,
    damaged_journal,
    damaged_statistics,
    emptied,
    field,
    flip,
    flip_in,
    full_recovery,
    full_save,
    git_holds,
    given_is_copied,
    given_is_invalid,
    given_is_minimal,
    given_is_valid,
    key,
    killed_recovery,
    killed_save,
    later,
    lock,
    locked,
    lost_objects,
    named,
    nested,
    never,
    no_room,
    operation,
    path_of,
    removed,
    replaced,
    spliced,
    statistics_in_the_way,
    swapped,
    takes_only_minimal,
    the_original_is_beside_it,
    timestamp_is_of_a_commit,
    torn_journal,
    twice,
    twice_by_key,
    under_each_others_keys,
    vanished,
    with_gits_lock,
    with_the_lock,
    without_c,
    without_head,
    without_index,
    without_lines,
)
from pipeline.scene import BEFORE, BOTH, CHECKPOINT, MIXED, OLDEST, SAVED, Row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recovery-scenarios.md"
NOTHING = "nothing to do: it is as it was saved"
EXACT = "as it was saved, to the field"
OLDER = "as of the save before"
# fmt: off
A = "/repositories/a"
B = "/repositories/b"
C = "/repositories/c"
FILE_B = f"{B}/uncommitted_files/0"
COMMIT_C = f"{C}/recent_commits/0"
STRICT: Json = {"level": "strict"}
EACH = "/repositories/[abc]"
REBUILT = (f"{C}/timestamp", f"{C}/metadata/recovered")
ALL_REBUILT = (f"{EACH}/timestamp", f"{EACH}/metadata/recovered", f"{FILE_B}/embedded_content")
MADE_ANEW = (*ALL_REBUILT, "/metadata", "/created_at", "/updated_at", "/of a newer version")
IS_A_MINIMAL = (rf"{C}/(?:metadata|git_status|has_uncommitted_changes|current_branch|error|uncommitted_files|recent_commits|content_embedding_stats).*",)

FIELDS = [
    Row("fields", "git_status is no status", field(f"{A}/git_status", "tidy"), EXACT),
    Row("fields", "git_status is missing", field(f"{A}/git_status", DROP), EXACT),
    Row("fields", "git_status is null", field(f"{C}/git_status", None), EXACT),
    Row("fields", "clean, with uncommitted files", field(f"{A}/git_status", "clean"), EXACT, given=STRICT),
    Row("fields", "has_uncommitted_changes is missing", field(f"{A}/has_uncommitted_changes", DROP), EXACT),
    Row("fields", "has_uncommitted_changes is a text", field(f"{C}/has_uncommitted_changes", "no"), EXACT),
    Row("fields", "has_uncommitted_changes against the list", field(f"{B}/has_uncommitted_changes", False, also={f"{B}/git_status": "clean"}),
        "as it was saved; git_status, which fits the flag, is found by the list", given=STRICT),
    Row("fields", "repository_name is empty", field(f"{A}/repository_name", ""), EXACT),
    Row("fields", "repository_name of 300 characters", field(f"{B}/repository_name", "n" * 300), EXACT),
    Row("fields", "repository_path is missing", field(f"{B}/repository_path", DROP), EXACT + " (from .backup)"),
    Row("fields", "timestamp is missing", field(f"{A}/timestamp", DROP), "as it was saved; timestamp: the newest commit's date", differs=(f"{A}/timestamp",), also=timestamp_is_of_a_commit),
    Row("fields", "timestamp is no date", field(f"{A}/timestamp", "noon"), "as it was saved; timestamp: the newest commit's date", differs=(f"{A}/timestamp",), also=timestamp_is_of_a_commit),
    Row("fields", "current_branch is a number", field(f"{A}/current_branch", 5), "as it was saved; current_branch: null, not known", differs=(f"{A}/current_branch",)),
    Row("fields", "the key is another one", key, EXACT),
    Row("fields", "a changeset's path is another one's", field(f"{B}/repository_path", path_of("a")), EXACT),
    Row("fields", "a newer changeset's path is an older one's", field(f"{A}/repository_path", path_of("b")), EXACT),
    Row("fields", "a changeset's path is nowhere", field(f"{B}/repository_path", "/nowhere"), EXACT),
    Row("fields", "a changeset's path is another one's, and there is no other generation", removed("backup", "checkpoint", then=field(f"{A}/repository_path", path_of("b"))),
        "left as it is; the others as they were saved", False, reference="kept bc"),
    Row("fields", "two changesets are under each other's keys", under_each_others_keys, EXACT),
    Row("fields", "a changeset is nested more deeply than can be copied", field(f"{C}/metadata", nested(600), also={f"{C}/git_status": "tidy"}), EXACT + " (from .backup)"),
    Row("fields", "a changeset is there twice, under two keys", twice_by_key, EXACT + ": the newer one"),
    Row("fields", "a changeset is there twice, its path written in two ways", twice, EXACT + ": the newer one", given=STRICT),
    Row("fields", "a changeset is a number", field(B, 5), EXACT + " (from .backup)"),
    Row("fields", "an uncommitted file has no name", field(f"{FILE_B}/filename", DROP), EXACT + " (from .backup)"),
    Row("fields", "a change_type is none", field(f"{FILE_B}/change_type", "touched"), EXACT),
    Row("fields", "the letters of an untracked file are null", field(f"{A}/uncommitted_files/0/index_status", None, also={f"{A}/uncommitted_files/0/worktree_status": None}), EXACT),
    Row("fields", "a file's size is below zero", field(f"{FILE_B}/size_bytes", -1), EXACT + " (from git)"),
    Row("fields", "a file's hash is no hash", field(f"{FILE_B}/content_hash", "x"), EXACT + " (recomputed)"),
    Row("fields", "a file's hash is another one's", field(f"{FILE_B}/content_hash", "0" * 64), EXACT + " (recomputed)"),
    Row("fields", "the hash of embedded content is another one's", field(f"{FILE_B}/embedded_content/content_hash", "0" * 64), EXACT + " (recomputed)"),
    Row("fields", "embedded content is another one, its hashes are right", field(f"{FILE_B}/embedded_content/content", "Staged\n"), EXACT + " (from .backup)"),
    Row("fields", "embedded content is not git's", removed("backup", "checkpoint", then=field(f"{FILE_B}/embedded_content/content", "Staged\n")), EXACT + " (from git)", given=STRICT),
    Row("fields", "both hashes of embedded content are wrong", field(f"{FILE_B}/content_hash", "0" * 64, also={f"{FILE_B}/embedded_content/content_hash": "1" * 64}), EXACT + " (from git)"),
    Row("fields", "both hashes are wrong, and its repository is gone", both(field(f"{FILE_B}/content_hash", "0" * 64, also={f"{FILE_B}/embedded_content/content_hash": "1" * 64}), vanished("b")), EXACT + " (from .backup)"),
    Row("fields", "a changeset's own key is another one's", field(f"{A}/repository_key", "0" * 16), "as it was saved, with the right key", differs=(f"{A}/repository_key",)),
    Row("fields", "a commit has no message", field(f"{COMMIT_C}/message", DROP), EXACT + " (from git)"),
    Row("fields", "a commit's author is null", field(f"{COMMIT_C}/author_name", None, also={f"{COMMIT_C}/author_email": None}), EXACT + " (from git)"),
    Row("fields", "a commit's date is none", field(f"{COMMIT_C}/date", "yesterday"), EXACT + " (from git)"),
    Row("fields", "a commit's message is not git's", field(f"{COMMIT_C}/message", "Another"), EXACT + " (from git)", given=STRICT),
    Row("fields", "a commit's files are not git's", field(f"{COMMIT_C}/files", []), EXACT + " (from git)", given=STRICT),
    Row("fields", "a commit's file has no mode", field(f"{COMMIT_C}/files/0/new_mode", "644"), EXACT + " (from git)"),
    Row("fields", "a commit's hash is none", field(f"{COMMIT_C}/hash", "zzz"), EXACT + " (from .backup)"),
    Row("fields", "a commit's hash is none, and there is no other generation", removed("backup", "checkpoint", then=field(f"{COMMIT_C}/hash", "zzz")),
        "made anew from git", differs=REBUILT),
    Row("fields", "many at once", field(f"{A}/git_status", "x", also={f"{B}/repository_name": None, f"{COMMIT_C}/date": "x", "/name": ""}), EXACT),
    Row("fields", "the collection's name is null", field("/name", None), EXACT),
    Row("fields", "the collection's name is another one", field("/name", "else"), EXACT),
    Row("fields", "created_at is missing", field("/created_at", DROP), "as it was saved; created_at: of the oldest changeset"),
    Row("fields", "updated_at is no date", field("/updated_at", "now"), "as it was saved; updated_at: of the newest changeset"),
    Row("fields", "metadata is a list", field("/metadata", []), "as it was saved; metadata: null", differs=("/metadata",)),
    Row("fields", "repositories are null", field("/repositories", None), OLDER, reference=MIXED),
    Row("fields", "repositories are null: strategy fallback", field("/repositories", None), OLDER, reference=MIXED, call={"strategy": "fallback"}),
    Row("fields", "repositories are a list", field("/repositories", [1]), OLDER, reference=MIXED),
    Row("fields", "repositories are a text, and there is no other generation", removed("backup", "checkpoint", then=field("/repositories", "none")), "made anew from git",
        differs=ALL_REBUILT, run=named),
    Row("fields", "a commit's hash is none, its repository is gone: strategy fallback", both(removed("backup", "checkpoint", then=field(f"{COMMIT_C}/hash", "zzz")), vanished("c")),
        "a minimal changeset, the original beside it; the others as they were saved", differs=IS_A_MINIMAL, also=the_original_is_beside_it, call={"strategy": "fallback"}),
    Row("fields", "a commit's hash is none, its repository is gone", both(removed("backup", "checkpoint", then=field(f"{COMMIT_C}/hash", "zzz")), vanished("c")),
        "left as it is; the others as they were saved", False, reference="kept ab"),
    Row("fields", "strategy abort", field(f"{A}/git_status", "tidy"), "refused: nothing is changed", False, call={"strategy": "abort"}, reference="untouched"),
]

BYTES = [
    Row("bytes", "a bit of the checksum is flipped", flip(20), EXACT),
    Row("bytes", "a bit of the first word is flipped", flip(1), EXACT),
    Row("bytes", "the line end before the header is lost", flip(77), EXACT),
    Row("bytes", "a bit of the header is flipped", flip(100), EXACT),
    Row("bytes", "a bit of the header's marks is flipped", flip(260), EXACT),
    Row("bytes", "a bit is flipped at the end of what is packed", flip(0.99), EXACT),
    Row("bytes", "a bit is flipped after the first changeset", flip(0.9), EXACT + ": the rest from .backup"),
    Row("bytes", "a bit is flipped in the first changeset", flip(0.25), OLDER + ", of the one that was hit", reference=MIXED),
    Row("bytes", "a letter of the collection's own fields, not compressed", flip_in("", b"purpose"), "every changeset as it was saved; the fields from .backup", differs=("/updated_at", "/metadata/purpose/1/n")),
    Row("bytes", "a letter of a changeset that is not compressed", flip_in("b", b"staged.txt"), EXACT + ": that one from .backup"),
    Row("bytes", "a letter of the first one, not compressed", flip_in("a", b"Step 2"), OLDER + ", of the one that was hit", reference=MIXED),
    Row("bytes", "a bit is flipped in gzip data", flip(0.9, "gzip"), EXACT + ": the rest from .backup"),
    Row("bytes", "a bit is flipped in zlib data", flip(0.9, "zlib"), EXACT + ": the rest from .backup"),
    Row("bytes", "a bit is flipped in lzma data", flip(0.9, "lzma"), EXACT + ": the rest from .backup"),
    Row("bytes", "a bit is flipped in snappy data", flip(0.7, "snappy"), OLDER + ": one chunk holds all of it", reference=BEFORE),
    Row("bytes", "the tail is torn off", cut(0.97), EXACT),
    Row("bytes", "only half was written", cut(0.5), OLDER + ", of the one that was cut; the rest from .backup", reference=MIXED),
    Row("bytes", "half of one that is not compressed was written", cut(0.5, "none"), OLDER + ", of the one that was cut; the rest from .backup", reference=MIXED),
    Row("bytes", "its first line is lost", changed(lambda data: data.split(b"\n", 1)[1]), EXACT),
    Row("bytes", "its first two lines are lost", changed(lambda data: b"\n\n" + without_lines(data)), EXACT),
    Row("bytes", "a byte is lost before the header", changed(lambda data: data[:40] + data[41:]), EXACT),
    Row("bytes", "a byte came in before the header", changed(lambda data: data[:40] + b"0" + data[40:]), EXACT),
    Row("bytes", "bytes follow its end", changed(lambda data: data + b"more"), EXACT),
    Row("bytes", "it was written twice, one after the other", changed(lambda data: data + data), EXACT),
    Row("bytes", "the last byte is lost", changed(lambda data: data[:-1]), EXACT),
    Row("bytes", "its end is zeros, as after a cut of the power", changed(lambda data: data[:-40] + bytes(40)), EXACT + ": the rest from .backup"),
    Row("bytes", "a stretch of it is zeros, as where a disk lost it", changed(lambda data: data[: len(data) * 9 // 10] + bytes(60) + data[len(data) * 9 // 10 + 60 :]), EXACT + ": the rest from .backup"),
    Row("bytes", "an editor took it for Latin-1 and wrote it as UTF-8", changed(lambda data: data.decode("latin-1").encode()), OLDER, reference=BEFORE),
    Row("bytes", "its second half is that of the save before", spliced, OLDER + ", of the one that was cut; the rest from .backup", reference=MIXED),
    Row("bytes", "its line ends were converted, not compressed", both(lambda scene: scene.write(scene.values[SAVED], "none"), changed(lambda data: data.replace(b"\n", b"\r\n"))), EXACT),
    Row("bytes", "a link that leads nowhere is in its place", a_dead_link, OLDER, reference=BEFORE),
    Row("bytes", "the file is empty", replaced(b""), OLDER, reference=BEFORE),
    Row("bytes", "the file is zeros", replaced(bytes(3000)), OLDER, reference=BEFORE),
    Row("bytes", "what is packed is zeros", emptied("file"), OLDER, reference=BEFORE),
    Row("bytes", "another text is in its place", replaced(b"{}\n"), OLDER, reference=BEFORE),
    Row("bytes", "the file is gone", removed("file"), OLDER, reference=BEFORE),
    Row("bytes", "a folder is in its place", a_folder, OLDER, reference=BEFORE),
    Row("bytes", "a pipe is in its place", a_pipe, OLDER, reference=BEFORE),
    Row("bytes", "the file and .backup are gone", removed("file", "backup"), "as of the checkpoint", reference=CHECKPOINT),
    Row("bytes", "the file is damaged, .backup missing", removed("backup", then=flip(0.25)), "as of the checkpoint, of the one that was hit", reference=OLDEST),
    Row("bytes", "the file and .backup are damaged", both(replaced(b"x", "file"), emptied("backup")), "as of the checkpoint", reference=CHECKPOINT),
    Row("bytes", "each generation is damaged at another place", both(flip(0.9), emptied("backup")), EXACT + ": the rest from .checkpoint"),
    Row("bytes", ".backup is damaged", replaced(b"x", "backup"), NOTHING),
    Row("bytes", "the file is damaged, .backup another collection's", both(flip(0.9), anothers_backup), EXACT + ": the rest from .checkpoint"),
    Row("bytes", ".checkpoint is gone", removed("checkpoint"), NOTHING),
    Row("bytes", "all generations are zeros behind their headers", emptied("file", "backup", "checkpoint"), "made anew from git, by the paths in the header",
        differs=MADE_ANEW),
    Row("bytes", "all generations are gone, and the repositories are named", removed("file", "backup", "checkpoint"), "made anew from git",
        differs=MADE_ANEW, run=named),
    Row("bytes", "all generations are noise: strategy fallback", replaced(b"noise", "file", "backup", "checkpoint"), "an empty collection is given, not saved, and no recovery", False,
        reference="untouched", call={"strategy": "fallback"}),
    Row("bytes", "a later version's file", later, "refused: nothing is changed", False, reference="untouched"),
    Row("bytes", "another collection's file", anothers, "refused: nothing is changed", False, reference="untouched"),
    Row("bytes", "strategy checkpoint", flip(0.9), EXACT + ", and a copy of the damaged file is kept first", call={"strategy": "checkpoint"}, also=a_copy_is_kept),
    Row("bytes", ".checkpoint is newer than .backup, and the file is gone", both(swapped("backup", "checkpoint"), removed("file")), OLDER + ", from .checkpoint", reference=BEFORE),
    Row("bytes", "--from backup, and that is damaged", flip_in("a", b"Step 1", "backup", BEFORE), OLDER + "; of the one that was hit as of the checkpoint", reference=BOTH, call={"source": "backup"}),
    Row("bytes", "a later save is not what is wanted: --from checkpoint", both(), "as of the checkpoint", reference=CHECKPOINT, call={"source": "checkpoint"}),
]

GONE = ("file", "backup", "checkpoint")
OF_C = tuple(f"{C}/{name}" for name in ("timestamp", "git_status", "metadata/.*", "error", "uncommitted_files"))
REPOSITORIES = [
    Row("repositories", "a repository is gone, the file is whole", vanished("c"), NOTHING),
    Row("repositories", "a repository is gone, the file is damaged", both(flip(0.9), vanished("b")), EXACT + ": what git no longer has comes from .backup"),
    Row("repositories", "a repository is gone, and nothing has its changeset", both(without_c, vanished("c")), "the others as they were saved; that one is named as lost", False, reference="kept ab", also=c_is_named_as_lost),
    Row("repositories", "git cannot read it, its journal can be", both(without_c, without_head), "its last commits from its journal, marked as such", differs=OF_C),
    Row("repositories", "git cannot read it, its journal's index is lost", both(without_c, without_head, without_index), "its last commits from its journal, marked as such", differs=OF_C),
    Row("repositories", "git cannot read it, its journal's index is damaged", both(without_c, without_head, damaged_index), "its last commits from its journal, marked as such", differs=OF_C),
    Row("repositories", "git cannot read it, its journal ends in a torn frame", both(without_c, without_head, torn_journal), "its last commits from its journal, marked as such", differs=OF_C),
    Row("repositories", "git cannot read it, its journal is damaged", both(without_c, without_head, damaged_journal), "its last commits from its journal, as far as they are whole", differs=OF_C),
    Row("repositories", "its objects are lost, its journal is there", both(without_c, lost_objects), "its last commits from its journal, marked as such", differs=OF_C),
    Row("repositories", "its objects are lost, and fields of its commits are wrong", both(field(f"{COMMIT_C}/message", None), lost_objects), EXACT + " (from .backup)"),
    Row("repositories", "only git knows it: --from git", both(without_c), "made anew from git", differs=ALL_REBUILT, call={"source": "git"}),
]

PROCESSES = [
    Row("processes", "a save is killed before each of its steps", killed_save, NOTHING, reference=SAVED),
    Row("processes", "recovery is killed before each of its steps", flip(0.9), EXACT + ", by the next one", run=killed_recovery),
    Row("processes", "a save meets a full disk", full_save, NOTHING),
    Row("processes", "recovery meets a full disk", flip(0.9), EXACT + ", when there is room; until then nothing is changed", run=full_recovery),
    Row("processes", "another process holds the collection for a moment", both(flip(0.9), locked(lock, 0.1)), EXACT),
    Row("processes", "another process holds the collection for good", both(flip(0.9), locked(lock, 60)), "refused after three attempts: nothing is changed", False, reference="untouched"),
    Row("processes", "a half-written file of a killed save is left", both(replaced(b"half", "leftover"), flip(0.9)), EXACT),
    Row("processes", "the statistics are damaged", damaged_statistics, EXACT + "; they are counted anew", also=counted_anew),
    Row("processes", "the statistics cannot be written", statistics_in_the_way, EXACT),
    Row("processes", "the copy of strategy checkpoint cannot be saved", both(statistics_in_the_way), "refused: nothing is changed", False, reference="untouched", call={"strategy": "checkpoint"}),
]

OPERATIONS = [
    Row("operations", "a lock that another process holds for a moment", locked(lock, 0.1), "done at a later attempt", run=operation(with_the_lock), is_operation=True),
    Row("operations", "a file that a listing named is gone, and back", both(), "done at a later attempt", run=operation(a_listed_file), is_operation=True),
    Row("operations", "git's own lock on its index", git_holds, "done at a later attempt", run=operation(with_gits_lock), is_operation=True),
    Row("operations", "an invalid changeset", both(), "mended first, then done", run=operation(given_is_valid, git_status="tidy"), is_operation=True),
    Row("operations", "an invalid changeset: strategy fallback", both(), "done with a minimal one, the original beside it", run=operation(given_is_minimal, "fallback", git_status="tidy"), is_operation=True),
    Row("operations", "an invalid changeset: strategy checkpoint", both(), "a copy is saved, mended, then done", run=operation(given_is_copied, "checkpoint", git_status="tidy"), is_operation=True),
    Row("operations", "an invalid changeset: strategy ignore", both(), "done with it as it is", run=operation(given_is_invalid, "ignore", git_status="tidy"), is_operation=True),
    Row("operations", "the operation cannot take the value: strategy fallback", both(), "done with a minimal one, the original beside it", run=operation(takes_only_minimal, "fallback"), is_operation=True),
    Row("operations", "an invalid changeset: strategy abort", both(), "refused: the operation does not run", False, run=operation(never, "abort", git_status="tidy"), is_operation=True),
    Row("operations", "a full disk", both(), "failed at once: it would fail again", False, run=operation(no_room), is_operation=True),
]
# fmt: on
ROWS = [*FIELDS, *BYTES, *REPOSITORIES, *PROCESSES, *OPERATIONS]


def page() -> str:
    """docs/recovery-scenarios.md."""
    good = sum(row.recovered for row in ROWS)
    lines = [
        "# Failure scenarios of the pipeline",
        "",
        "What befalls a saved collection, or an operation on a changeset, and what [recovery](pipeline.md#recovery) makes of it. Each scenario is a test",
        "(`tests/pipeline/test_recovery_scenarios.py`): it is injected from outside of the program, and what comes of it is compared with the original,",
        "field by field. In none is anything lost that was whole: every file that was there is in place or beside it, to the byte.",
        "",
        f"{good} of {len(ROWS)} recover ({100 * good / len(ROWS):.0f} %). The collection holds three repositories: *a*, which went on between the last two saves; *b*, with a",
        "staged file whose content is embedded; *c*, which has a journal. The strategy is `repair` where no other is named; under `fallback` a minimal",
        "changeset, which keeps the original in it, counts as recovered; an empty collection does not.",
    ]
    for group, title in _TITLES.items():
        lines += ["", f"## {title}", "", "| scenario | expected outcome | recovered |", "|---|---|---|"]
        rows = [row for row in ROWS if row.group == group]
        lines += [f"| {row.name} | {row.outcome} | {'yes' if row.recovered else 'no'} |" for row in rows]
    return "\n".join([*lines, ""])


_TITLES = {
    "fields": "Fields that are wrong",
    "bytes": "Files that are damaged or gone",
    "repositories": "Repositories that are damaged or gone",
    "processes": "Processes that are killed, locks and full disks",
    "operations": "Operations on a changeset that fail",
}

if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
