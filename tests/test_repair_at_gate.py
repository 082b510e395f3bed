"""Messages repaired under the real git: what it stores, what is on record of it, and what is never touched."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo
from gated import Gated
from kills import killed_at

from mgit_hooks import erasing
from mgit_hooks.errors import ConfigError
from mgit_hooks.gatekeeper import gate, mending, replacing
from mgit_hooks.gatekeeper.replacing import Kept, prepare
from mgit_hooks.judging import rulefiles, schemas
from mgit_hooks.record import Gate, Oid, Repaired
from mgit_hooks.recorder import event, spool
from mgit_hooks.recorder.event import Verdict

SOB = "Signed-off-by: Ada Lovelace <ada@example.org>"
ADA = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
       for what, value in (("NAME", "Ada Lovelace"), ("EMAIL", "ada@example.org"))}  # fmt: skip
WORDS = "word word word word word word word word word"


def use(rule: str, more: str = "") -> str:
    return f'[[rules]]\nuse = "{rule}"\nstrategy = "repair"\n{more}\n'


SIGN = use("signed-off-by")
WRAP = use("body-width", "with = { most = 20 }")
# What the rule of each repair is, a message that it finds wanting, what git stores of it, and where.
REPAIRS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "sign-off": (SIGN, "S\n", f"S\n\n{SOB}\n", {}),
    "wrap": (WRAP, f"S\n\n{WORDS}\n", "S\n\nword word word word\nword word word word\nword\n", {}),
    "blank-line": (use("blank-line-after-subject"), "S\nb\n", "S\n\nb\n", {}),
    "whitespace": (use("message-whitespace"), "S \n\n\n\nb\t\n", "S\n\nb\n", {"commit.cleanup": "verbatim"}),
    "whitespace before the subject": (use("message-whitespace"), "  S\n", "S\n", {}),
    "issue-from-branch": (use("issue-reference"), "S\n", "S\n\nRefs: PROJ-12\n", {}),
    "trailer-order": (use("trailer-order"), f"S\n\n{SOB}\nAcked-by: x\n", f"S\n\nAcked-by: x\n{SOB}\n", {}),
}


class Mended(Gated):
    """A gated repository, on a branch of an issue, whose rules are these."""

    def __init__(self, repo: Repo, rules: str) -> None:
        self.rules = rules
        super().__init__(repo)

    def install(self, path: str) -> None:
        super().install(path)
        self.repo.git("checkout", "-q", "-b", "PROJ-12-parser")
        self.set(self.rules)

    def set(self, rules: str) -> None:
        Path(self.path, ".git", "rules.toml").write_text(rules)

    def try_commit(self, *args: str, stdin: bytes | None = None, **env: str) -> tuple[int, str]:
        done = self.repo.run("commit", "-q", "--allow-empty", *args, check=False, stdin=stdin, **{**ADA, **env})
        return done.returncode, os.fsdecode(done.stderr)

    def says(self, *args: str, stdin: bytes | None = None, **env: str) -> str:
        """What a commit that is made says meanwhile."""
        code, words = self.try_commit(*args, stdin=stdin, **env)
        assert code == 0, words
        return words

    def stored(self, what: str = "HEAD") -> str:
        raw: bytes = self.repo.run("cat-file", "commit", what).stdout
        return raw.partition(b"\n\n")[2].decode("utf-8", "surrogateescape")

    def gate(self, what: str = "HEAD") -> Gate:
        return self.of(self.head(what)).gate

    def verdicts(self) -> list[Verdict]:
        lines = spool.read(os.path.join(self.path, ".git", "mgit", "spool"), None).events
        return [event.verdict(said) for said in lines if said.hook == "gate"]


@pytest.fixture
def signed(repo: Repo) -> Mended:
    return Mended(repo, SIGN)


def test_git_stores_the_repaired_message(repo: Repo) -> None:
    """The same message without the rule, with it, and once more as it was repaired: then there is nothing to say."""
    work = Mended(repo, "")
    made: dict[str, tuple[Oid, Oid, str]] = {}
    for case, (rules, before, after, config) in REPAIRS.items():
        options = [word for key, value in config.items() for word in ("-c", f"{key}={value}")]
        commit = [*options, "commit", "-q", "--allow-empty", "-F", "-"]
        work.set("")
        assert repo.run(*commit, stdin=before.encode(), **ADA).stderr == b"", case
        assert work.stored() == before, case
        work.set(rules)
        said = repo.run(*commit, stdin=before.encode(), **ADA).stderr.decode()
        assert work.stored() == after, case
        assert said.startswith("mgit-hooks: message repaired: "), case
        assert said.count("\n") == 1, case
        repaired = work.head()
        assert repo.run(*commit, stdin=after.encode(), **ADA).stderr == b"", case
        assert work.stored() == after, case
        made[case] = repaired, work.head(), said
    gates = {record.commit.hash: record.gate for record in work.records() if record.commit is not None}
    for case, (repaired, again, said) in made.items():
        gate = gates[repaired]
        assert (gate.status, gate.reason, gate.original_message) == ("passed", None, REPAIRS[case][1])
        assert [each.repair for each in gate.repaired] == [case.partition(" ")[0]]
        assert said.endswith(f"{gate.repaired[0].what} (rule {gate.repaired[0].rule})\n")
        assert gates[again] == Gate("passed")


def test_all_of_them_together(repo: Repo) -> None:
    """Some of them find something only once another is done: trailers are put in order behind a sign-off."""
    rules = dict.fromkeys(rules for rules, *_ in REPAIRS.values())
    in_order = use("trailer-order", 'with = { order = ["Signed-off-by", "Link"] }')
    work = Mended(repo, "".join(rules).replace(use("trailer-order"), in_order))
    work.says("-F", "-", stdin=f"  S\n{WORDS}\n\nLink: x\n".encode())
    assert work.stored() == f"S\n\nword word word word\nword word word word\nword\n\nRefs: PROJ-12\n{SOB}\nLink: x\n"
    assert [each.repair for each in work.gate().repaired] == [
        "whitespace", "blank-line", "wrap", "issue-from-branch", "sign-off", "trailer-order",
    ]  # fmt: skip


def test_the_record_says_what_was_done_and_what_there_was(signed: Mended) -> None:
    signed.says("-m", "S")
    what = "signed off as Ada Lovelace <ada@example.org>"
    last = signed.verdicts()[-1]
    assert last.message_sha256 is not None
    assert last.detail["original_message"] == "S\n"
    found = signed.of(signed.head())
    assert found.gate.repaired == (Repaired("signed-off-by", "sign-off", what),)
    assert found.gate.original_message == "S\n"
    assert found.validation.is_valid
    assert type(found).from_json(found.to_json()) == found
    signed.check()
    run = [sys.executable, "-m", "mgit_hooks", "-C", signed.path]
    shown = subprocess.run([*run, "show", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert f"repaired   {what} (rule signed-off-by)\nwas        S\n" in shown
    log = subprocess.run([*run, "log", "-n1"], capture_output=True, text=True, check=True).stdout
    assert "[message repaired]" in log
    lines = subprocess.run([*run, "check", "--require-gate", "HEAD", "--allow", "unobserved"], check=False)
    assert lines.returncode == 0


HOW = {
    "-m": ("commit -m S",),
    "-F": ("commit -F $file",),
    "an editor": ("commit",),
    "--amend": ("commit --amend -m S",),
    "-C": ("commit -C HEAD",),
    "--fixup": ("commit --fixup HEAD",),
    "a merge": ("merge --no-ff -m S side",),
    "a revert": ("merge side", "revert -n HEAD", "commit -m S"),
    "a cherry-pick": ("cherry-pick -n side", "commit -c side"),
    "a reword": ("checkout side", "rebase -i --no-ff HEAD~1"),
}
MERGES = """
[[rules]]
id = "merges-too"
strategy = "repair"
repair = "sign-off"
schema.properties.commit.properties.facts.properties.signed_off.const = true
"""


@pytest.mark.parametrize("how", HOW)
def test_every_way_to_a_commit_that_runs_commit_msg(repo: Repo, how: str, tmp_path: Path) -> None:
    work = Mended(repo, MERGES)
    work.git("commit", "-q", "-n", "--allow-empty", "-m", "base")
    work.git("checkout", "-q", "-b", "side")
    work.write("file", "1\n")
    work.git("add", "file")
    work.git("commit", "-q", "-n", "-m", "side")
    work.git("checkout", "-q", "-")
    editor, file = tmp_path / "editor", tmp_path / "file"
    editor.write_text('#!/bin/sh\n{ echo S; echo; cat "$1"; } >"$1.new" && mv "$1.new" "$1"\n')
    editor.chmod(0o755)
    file.write_text("S")
    env = {**ADA, "GIT_EDITOR": str(editor), "GIT_SEQUENCE_EDITOR": "sed -i 1s/pick/reword/"}
    for command in HOW[how]:
        words = command.replace("$file", str(file)).split()
        work.git(words[0], *(["--allow-empty"] if words[0] == "commit" else []), *words[1:], **env)
    stored = work.stored()
    assert stored.endswith(f"\n\n{SOB}\n")
    assert stored.startswith(("S\n", "base\n", "fixup! base\n"))
    assert work.gate().repaired != ()


def test_no_verify_goes_round_it(signed: Mended) -> None:
    assert signed.says("-n", "-m", "S") == ""
    assert signed.stored() == "S\n"
    assert signed.gate().status == "bypassed"


SCISSORS = "# ------------------------ >8 ------------------------"
EDITED = "S\n\n# mine\nb\n# more"
STYLES: dict[str, tuple[dict[str, str], tuple[str, ...], str, str]] = {
    "default": ({}, (), EDITED, f"S\n\nb\n\n{SOB}\n"),
    "strip": ({"commit.cleanup": "strip"}, (), EDITED, f"S\n\nb\n\n{SOB}\n"),
    "verbose": ({}, ("-v",), EDITED, f"S\n\nb\n\n{SOB}\n"),
    "scissors": ({"commit.cleanup": "scissors"}, (), EDITED, f"S\n\n# mine\nb\n\n{SOB}\n# more\n"),
    "another character": ({"core.commentChar": ";"}, (), "S\n; mine", f"S\n\n{SOB}\n"),
    "auto": ({"core.commentChar": "auto"}, (), "S\n# x", f"S\n\n{SOB}\n"),
    "-m": ({}, ("-m", "S\n\n# kept"), "", f"S\n\n{SOB}\n\n# kept\n"),
    "latin-1": ({"i18n.commitEncoding": "ISO-8859-1"}, ("-m", "caf\udce9"), "", f"caf\udce9\n\n{SOB}\n"),
    "--cleanup": ({}, ("--cleanup=verbatim", "-m", "S \n"), "", f"S \n\n{SOB}\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", STYLES)
def test_what_git_strips_it_still_strips(signed: Mended, case: str, tmp_path: Path) -> None:
    """The user's comment lines, the scissors and the diff below them stand in the file as they stood."""
    config, options, edited, stored = STYLES[case]
    for key, value in config.items():
        signed.repo.git("config", key, value)
    editor, was = tmp_path / "editor", tmp_path / "was"
    editor.write_text(f'#!/bin/sh\n{{ printf "%s\\n" "{edited}"; cat "$1"; }} >"{was}"; cat "{was}" >"$1"\n')
    editor.chmod(0o755)
    signed.write("file", "1\n")
    signed.git("add", "file")
    words = signed.says(*options, GIT_EDITOR=str(editor))
    assert "message repaired: signed off" in words
    assert signed.stored() == stored
    assert signed.gate().status == "passed"
    assert signed.gate().repaired != ()
    if edited:
        now = Path(signed.path, ".git", "COMMIT_EDITMSG").read_text()
        assert now.replace(f"\n{SOB}\n", "", 1).replace("\n", "") == was.read_text().replace("\n", "")


DOUBT = {
    "an encoding that it is not in": (b"caf\xe9\n", "it is not in utf-8"),
    "a byte order mark": (b"\xef\xbb\xbfS\n", "it begins with a byte order mark"),
    "line ends of two kinds": (b"S\r\n\nb\n", "its lines end in more than one way"),
    "too long": (b"S\n\n" + b"b\n" * 200_000, "it is longer than 262144 bytes"),
}


def test_in_doubt_the_finding_is_reported(signed: Mended) -> None:
    signed.repo.git("config", "commit.cleanup", "verbatim")
    for raw, why in DOUBT.values():
        words = signed.says("-F", "-", stdin=raw)
        assert f"message not repaired: the message is not clear: {why} (rule signed-off-by)" in words
        assert "report: 1 finding" in words
        assert "Signed-off-by" not in signed.stored()
    assert signed.gate().repaired == ()


@pytest.mark.full
def test_ten_megabytes_end_soon(signed: Mended) -> None:
    words = signed.says("-F", "-", stdin=b"S\n\n" + b"body\n" * 2_000_000)
    assert "not repaired" in words


def test_a_message_of_crlf_keeps_it(signed: Mended) -> None:
    signed.repo.git("config", "commit.cleanup", "verbatim")
    signed.says("-F", "-", stdin=b"S\r\n\r\nb\r\n")
    assert signed.stored() == f"S\r\n\r\nb\r\n\r\n{SOB}\r\n"


def test_a_skip_leaves_out_the_repair(signed: Mended) -> None:
    assert signed.says("-m", "S", MGIT_SKIP="signed-off-by") == ""
    assert signed.stored() == "S\n"
    assert signed.gate().reason == "MGIT_SKIP=signed-off-by"
    assert signed.gate().repaired == ()


@pytest.mark.parametrize("off", ["everywhere", "of the rule"])
def test_without_enforce_it_is_said_what_would_be_done(signed: Mended, off: str) -> None:
    if off == "everywhere":
        signed.repo.git("config", "mgit.enforce", "false")
    else:
        signed.set(use("signed-off-by", "enforce = false"))
    words = signed.says("-m", "S")
    what = "signed off as Ada Lovelace <ada@example.org> (rule signed-off-by)"
    assert f"report: the message would be repaired: {what}; enforce is off" in words
    assert "report: 1 finding" in words
    assert signed.stored() == "S\n"
    assert signed.gate().repaired == ()


SHORT = """
[[rules]]
id = "short"
strategy = "abort"
message = "Keep it short."
schema.properties.commit.properties.message.maxLength = 60
"""


def test_a_refused_message_stays_as_it_was(signed: Mended) -> None:
    signed.set(SIGN + SHORT)
    code, words = signed.try_commit("-m", "S" * 61)
    assert code == 1
    assert "repaired" not in words
    assert Path(signed.path, ".git", "COMMIT_EDITMSG").read_text() == "S" * 61 + "\n"
    assert signed.verdicts()[-1].status == "refused"


def test_a_repair_that_calls_up_another_rule_is_not_made(signed: Mended) -> None:
    """The sign-off would make the message too long: it is left alone, and what was found is reported."""
    signed.set(SIGN + SHORT)
    words = signed.says("-m", "S" * 30)
    assert "message not repaired: short would find something then (rule signed-off-by)" in words
    assert "rule signed-off-by: signed_off is missing" in words
    assert signed.stored() == "S" * 30 + "\n"


def test_one_repair_is_made_where_another_cannot_be(signed: Mended) -> None:
    signed.set(SIGN + use("issue-reference"))
    signed.repo.git("checkout", "-q", "-b", "no-issue")
    words = signed.says("-m", "S")
    assert "not repaired: the name of branch no-issue holds no issue ids (rule issue-reference)" in words
    assert signed.stored() == f"S\n\n{SOB}\n"
    assert [each.rule for each in signed.gate().repaired] == ["signed-off-by"]


UNNUMBERED = """
[[rules]]
id = "unnumbered"
strategy = "repair"
repair = { name = "issue-from-branch", ids = "NONE-[0-9]+" }
schema.properties.commit.properties.message.not.pattern = "^PROJ"
"""


def test_a_repair_that_calls_up_one_that_cannot_be_made_is_not_made(signed: Mended) -> None:
    signed.set(use("issue-reference", 'repair = { name = "issue-from-branch", put = "{id}: {subject}" }') + UNNUMBERED)
    words = signed.says("-m", "S")
    assert "message not repaired: unnumbered would find something then (rule issue-reference)" in words
    assert signed.stored() == "S\n"


def test_a_repair_that_would_make_scissors_of_a_line_is_not_made(signed: Mended) -> None:
    """Without an end it is none: one repair gives it that, and the next no longer knows what is the message."""
    signed.set(use("message-whitespace") + use("issue-reference") + SIGN)
    signed.repo.git("checkout", "-q", "-b", "no-issue")
    raw = b"S  \n\n# ------------------------ >8 ------------------------"
    words = signed.says("--cleanup=verbatim", "-F", "-", stdin=raw)
    assert "not repaired: git's scissors are in it" in words
    assert signed.stored().replace(f"{SOB}\n\n", "") == raw.decode()


def test_two_rules_of_one_schema_repair_or_refuse(signed: Mended) -> None:
    both = (
        WRAP
        + '[[rules]]\nid = "or-refuse"\nuse = "body-width"\nstrategy = "abort"\nrepair = "none"\nwith = { most = 20 }\n'
    )
    signed.set(both)
    assert "message repaired" in signed.says("-m", f"S\n\n{WORDS}")
    code, words = signed.try_commit("-m", "S\n\n```\n" + WORDS + "\n```")
    assert code == 1
    assert "or-refuse" in words


def test_a_policy_of_many_repairs_has_a_bound(signed: Mended) -> None:
    many = "".join(MERGES.replace("merges-too", f"rule-{number:02}") for number in range(25))
    signed.set(many)
    words = signed.says("-m", "S")
    assert words == "mgit-hooks: message repaired: signed off as Ada Lovelace <ada@example.org> (rule rule-00)\n"
    signed.set(many.replace('"sign-off"', '"issue-from-branch"'))
    words = signed.says("-m", "S")
    assert words.count("not repaired: more than 20 repairs are asked for") == 5


def test_an_erasure_looks_for_the_original_too() -> None:
    value = {"gate": {"original_message": "what it said before\n"}, "commit": {"message": "what it says now\n"}}
    assert set(erasing._texts(value)) == {"what it said before", "what it says now"}


def test_the_committer_signs_for_nobody_else(signed: Mended) -> None:
    words = signed.says("-m", "S", "--author", "Grace Hopper <grace@example.org>")
    assert "message not repaired: it would not be enough (rule signed-off-by)" in words
    assert signed.stored() == "S\n"


def test_an_issue_in_a_rebase_is_of_the_branch_that_is_rebased(signed: Mended) -> None:
    signed.set(use("issue-reference"))
    for name in ("a", "b"):
        signed.write(name, "1\n")
        signed.git("add", name)
        signed.git("commit", "-q", "-n", "-m", name)
    signed.git(
        "rebase", "-q", "-i", "--no-ff", "HEAD~1", GIT_SEQUENCE_EDITOR="sed -i 1s/pick/reword/", GIT_EDITOR="true"
    )
    assert signed.stored() == "b\n\nRefs: PROJ-12\n"


def test_a_linked_worktree_repairs_its_own(signed: Mended, tmp_path: Path) -> None:
    signed.git("commit", "-q", "-n", "--allow-empty", "-m", "base")
    signed.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    signed.repo.run("-C", str(tmp_path / "other"), "commit", "-q", "--allow-empty", "-m", "S", **ADA)
    assert signed.stored("other") == f"S\n\n{SOB}\n"


# Who asks for a repair.

BOTH = SIGN + WRAP
UNSAID = BOTH.replace('strategy = "repair"', "")
OFF = UNSAID.replace("[[rules]]", '[[rules]]\nrepair = "none"')
# The user's rules, the worktree's file, the user's strategy: is the message wrapped, signed?
ASKED: dict[str, tuple[str, str, str | None, tuple[bool, bool]]] = {
    "the rule says so": (BOTH, "", None, (True, True)),
    "a default is nobody's word": (UNSAID, "", None, (False, False)),
    "the user's strategy": (UNSAID, "", "repair", (True, True)),
    "the worktree's strategy": (UNSAID, 'strategy = "repair"\n', None, (True, False)),
    "the worktree's rules": ("", BOTH, None, (True, False)),
    "the worktree's rules, the user's strategy": ("", UNSAID, "repair", (True, False)),
    "another strategy": (BOTH.replace("repair", "ignore"), "", "repair", (False, False)),
    "none": (OFF, "", "repair", (False, False)),
}


def test_a_repair_is_asked_for_by_somebody(repo: Repo) -> None:
    work = Mended(repo, "")
    for case, (users, worktrees, strategy, wanted) in ASKED.items():
        work.set(users)
        repo.write(".mgit-hooks.toml", worktrees)
        config = ("-c", f"mgit.strategy={strategy}") if strategy is not None else ()
        repo.run(*config, "commit", "-q", "--allow-empty", "-m", f"S\n\n{WORDS}", **ADA)
        assert ("\nword word word word\n" in work.stored(), SOB in work.stored()) == wanted, case


@pytest.mark.parametrize(
    ("repair", "what"),
    [
        ("wrapping", "unknown repair 'wrapping'"),
        ({"name": "wrap", "width": "x"}, "option 'width' of repair 'wrap' is not a number"),
        ({"name": "wrap", "depth": 1}, "repair 'wrap' has no option 'depth'"),
        ({"name": "wrap", "width": {"x-parameter": "least"}}, "unknown parameter 'least'"),
    ],
)
def test_a_rule_with_a_wrong_repair_is_refused(repair: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        rulefiles.of_library("body-width", schemas.load(), repair=repair)


def test_a_repair_takes_the_rules_parameters() -> None:
    rule = rulefiles.of_library("body-width", schemas.load(), {"most": 60})
    assert rule.repair == ("wrap", {"width": 60})


# The file.


def gated_file(work: Mended, path: Path) -> subprocess.CompletedProcess[bytes]:
    """A gate that somebody starts by hand on a file of theirs."""
    command = [sys.executable, "-m", "mgit_hooks", "-C", work.path, "gate", "commit-msg", str(path)]
    return subprocess.run(command, capture_output=True, check=False, env={**os.environ, **ADA})


def linked(path: Path) -> Path:
    path.with_name("real").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to("real")
    return path


def named_twice(path: Path) -> Path:
    os.link(path, path.with_name("second"))
    return path


def read_only(path: Path) -> Path:
    path.chmod(0o444)
    return path


FILES = {
    "a link": (linked, "is a link"),
    "another name": (named_twice, "has another name"),
    "read-only": (read_only, "is read-only"),
}


def test_a_file_that_is_not_plainly_ours_stays(signed: Mended, tmp_path: Path) -> None:
    for case, (make, why) in FILES.items():
        path = tmp_path / case / "message"
        path.parent.mkdir()
        path.write_text("S\n")
        done = gated_file(signed, make(path))
        assert done.returncode == 0
        assert f"not repaired: the message file {why}".encode() in done.stderr
        assert path.read_text() == "S\n"
        assert signed.verdicts()[-1].detail.get("repaired") is None


def test_a_hook_manager_gets_the_repaired_file(signed: Mended, tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_text("S\n")
    path.chmod(0o640)
    assert b"message repaired" in gated_file(signed, path).stderr
    assert path.read_text() == f"S\n\n{SOB}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("message")] == ["message"]


@pytest.mark.managers
@pytest.mark.parametrize("manager", ["pre_commit", "prek"])
def test_under_a_hook_manager_git_stores_the_repaired_message(
    repo: Repo, manager: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "home"))
    entry = f"{sys.executable} -m mgit_hooks gate commit-msg"
    hook = {"id": "m", "name": "m", "entry": entry, "language": "system", "always_run": True, "verbose": True}
    repo.write(
        ".pre-commit-config.yaml",
        json.dumps({"repos": [{"repo": "local", "hooks": [{**hook, "stages": ["commit-msg"]}]}]}),
    )
    repo.write(".mgit-hooks.toml", WRAP)
    run = [sys.executable, "-m", manager, "install", "-t", "commit-msg"]
    subprocess.run(run, cwd=repo.path, check=True, capture_output=True)
    repo.git("add", "-A")
    done = repo.run("commit", "-m", f"S\n\n{WORDS}")
    assert b"message repaired: 1 line wrapped at 20 characters (rule body-width)" in done.stdout + done.stderr
    assert b"\nword word word word\nword word word word\nword\n" in repo.run("cat-file", "commit", "HEAD").stdout
    assert repo.git("status", "--porcelain") == ""


def test_several_gates_at_once_repair_once(signed: Mended, tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_text("S\n")
    command = [sys.executable, "-m", "mgit_hooks", "-C", signed.path, "gate", "commit-msg", str(path)]
    env = {**os.environ, **ADA}
    gates = [subprocess.Popen(command, stderr=subprocess.DEVNULL, env=env) for _ in range(5)]
    assert [each.wait() for each in gates] == [0] * 5
    assert path.read_text() == f"S\n\n{SOB}\n"
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("message")] == ["message"]


def test_a_manager_and_git_are_one_repair(signed: Mended) -> None:
    """A hook manager's gate repairs, then our own stub finds nothing: the record tells of it all the same."""
    hook = Path(signed.path, ".git", "hooks", "commit-msg.mgit-chained")
    hook.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mgit_hooks gate commit-msg "$1"\n')
    hook.chmod(0o755)
    assert signed.says("-m", "S").count("message repaired") == 1
    assert [each.rule for each in signed.gate().repaired] == ["signed-off-by"]
    assert signed.gate().original_message == "S\n"


def test_what_a_later_hook_makes_of_it_is_told(signed: Mended) -> None:
    """The verdict is on the repaired message: another one was not judged."""
    hook = Path(signed.path, ".git", "hooks", "commit-msg")
    ours = hook.rename(hook.with_name("commit-msg.legacy"))
    hook.write_text(f'#!/bin/sh\n"{ours}" "$@" && echo more >>"$1"\n')
    hook.chmod(0o755)
    signed.says("-m", "S")
    assert signed.stored() == f"S\n\n{SOB}\nmore\n"
    found = signed.gate()
    assert (found.status, found.reason) == ("passed", "the message was changed after it was judged")
    assert found.original_message == "S\n"


def test_killed_anywhere_the_text_is_the_old_or_the_new(signed: Mended, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, and where it is the new one, the verdict with the old one is on the disk."""
    kills = _kill_everywhere(signed, monkeypatch)
    assert kills["old"] >= 4
    assert kills["new"] >= 1


def _kill_everywhere(work: Mended, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    path = Path(work.path, ".git", "COMMIT_EDITMSG")
    monkeypatch.chdir(work.path)
    for name, value in ADA.items():
        monkeypatch.setenv(name, value)
    seen = {"old": 0, "new": 0}
    for step in range(1, 100):
        path.write_text("S\n")
        before = len(work.verdicts())
        killed = killed_at(step, gate.main, "commit-msg", str(os.getpid()), [str(path)])
        text = path.read_text()
        assert text in ("S\n", f"S\n\n{SOB}\n"), f"step {step}: {text!r}"
        if text != "S\n":
            assert work.verdicts()[before:][-1].detail["original_message"] == "S\n", f"step {step}"
        seen["new" if text != "S\n" else "old"] += 1
        if not killed:
            return seen
    raise AssertionError("it does not end")


def test_a_kill_finds_a_planted_bug(signed: Mended, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written in place, as most tools do, a text is lost half way."""

    def in_place(made: replacing.Replacement) -> None:
        with open(made.beside, "rb") as new:
            descriptor = os.open(made.path, os.O_WRONLY | os.O_TRUNC)
            os.write(descriptor, new.read())

    monkeypatch.setattr(replacing.Replacement, "put", in_place)
    with pytest.raises(AssertionError, match="step"):
        _kill_everywhere(signed, monkeypatch)


def test_a_full_disk_keeps_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"S\n")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            prepare(str(path), b"S\n", b"S\n" * 100)
        except Kept as error:
            os._exit(7 if "cannot be written" in str(error) else 1)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert [each.name for each in tmp_path.iterdir()] == ["message"]
    assert path.read_bytes() == b"S\n"


def test_a_spool_that_takes_nothing_leaves_the_message(signed: Mended) -> None:
    """The old message could not be told then."""
    folder = Path(signed.path, ".git", "mgit", "spool")
    kept = folder.rename(folder.with_name("kept"))
    folder.write_text("")
    words = signed.says("-m", "S")
    assert "message not repaired: its verdict, with the old message, cannot be recorded" in words
    assert signed.stored() == "S\n"
    folder.unlink()
    kept.rename(folder)


def test_a_file_that_changed_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"S\n")
    made = prepare(str(path), b"S\n", b"new\n")
    path.write_bytes(b"other\n")
    with pytest.raises(Kept, match="changed meanwhile"):
        made.put()
    made.drop()
    with pytest.raises(Kept, match="changed meanwhile"):
        prepare(str(path), b"S\n", b"new\n")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("message", b"other\n")]


def test_a_gate_that_only_repairs_stops_nobody_where_it_fails(signed: Mended, monkeypatch: pytest.MonkeyPatch) -> None:
    flag = Path(signed.path, ".git", "mgit", "gate", "main-worktree")
    signed.says("-m", "S")
    assert flag.read_text().startswith("mends\n")
    stub = Path(signed.path, ".git", "hooks", "commit-msg")
    stub.write_text(stub.read_text().replace(sys.executable, "/no/such/python"))
    assert signed.says("-m", "S") == ""
    signed.set(SIGN + SHORT)
    signed.says("-n", "-m", "S")
    run = [sys.executable, "-m", "mgit_hooks", "-C", signed.path, "config"]
    subprocess.run(run, check=True, capture_output=True)
    assert flag.read_text().startswith("armed\n")
    assert signed.try_commit("-m", "S")[0] == 1


def test_the_index_and_the_worktree_are_not_touched(signed: Mended) -> None:
    signed.write("staged", "1\n")
    signed.git("add", "staged")
    signed.write("staged", "2\n")
    signed.write("untracked", "1\n")
    before = signed.git("status", "--porcelain=v2")
    gated_file(signed, _message(signed))
    assert signed.git("status", "--porcelain=v2") == before


def _message(work: Mended) -> Path:
    path = Path(work.path, ".git", "COMMIT_EDITMSG")
    path.write_text("S\n")
    return path


def test_check_repairs_nothing(signed: Mended) -> None:
    path = _message(signed)
    run = [sys.executable, "-m", "mgit_hooks", "-C", signed.path, "check", "--message", str(path)]
    done = subprocess.run(run, capture_output=True, check=False, env={**os.environ, **ADA})
    assert b"signed-off-by" in done.stdout or done.returncode == 0
    assert path.read_text() == "S\n"


def test_what_would_be_lost_is_seen(signed: Mended, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last net below all repairs: a text that git would strip is not written."""

    def loses(*_: Any) -> mending.Mended:
        return mending.Mended(f"{SOB}\n\n{SOB}\n", "lost it")

    monkeypatch.setitem(mending.MENDS, "sign-off", loses)  # type: ignore[arg-type]
    monkeypatch.chdir(signed.path)
    path = _message(signed)
    path.write_text("Quite another thing\n")
    for name, value in ADA.items():
        monkeypatch.setenv(name, value)
    assert gate.main("commit-msg", "0", [str(path)]) == 0
    assert path.read_text() == "Quite another thing\n"
