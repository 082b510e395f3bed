"""Our hooks in a configuration that others have written: put in, and taken out again without a trace."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import kills
import pytest
import yaml
from checkout import ROOT
from conftest import Repo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reliability import Tally

from mgit_hooks.errors import ConfigError, MgitError, UsageError
from mgit_hooks.framework import adding, configfile, manifest, removing, splicing, yamltext
from mgit_hooks.framework.adding import Wanted
from mgit_hooks.framework.manifest import USUAL, Source
from mgit_hooks.layout import Location, locate

NAME = ".pre-commit-config.yaml"
ALL = Wanted(USUAL)
REMOTE = Wanted(USUAL, Source("https://example.org/mgit-hooks", "v0.1.0"))
ENTRY = {"repo": "a", "rev": "b", "hooks": [{"id": "x"}]}

# What people have, and in which forms YAML lets them have it.
FILES = {
    "pre-commit's own sample": (
        "# top\nrepos:\n-   repo: https://github.com/pre-commit/pre-commit-hooks\n    rev: v3.2.0\n    hooks:\n"
        "    -   id: trailing-whitespace\n    -   id: check-yaml  # last\n"
    ),
    "an empty line between": (
        "repos:\n  - repo: a\n    rev: b\n    hooks:\n      - id: x\n\n  - repo: c\n    rev: 'b'\n    hooks:\n"
        '      - id: x\n        args: [a, "b"]\n      # - id: z\n\n# the service\nci:\n  skip: []\n'
    ),
    "no newline at its end": "repos:\n  - repo: a\n    rev: b\n    hooks: [{id: x}]",
    "nothing": "",
    "a comment": "# nothing yet\n",
    "a comment without newline": "# nothing yet",
    "a document's begin": "---\n",
    "a document's begin and end": "---\nrepos:\n- repo: a\n  rev: b\n  hooks:\n  - id: x\n...\n",
    "empty brackets": "repos: []\n",
    "wide brackets": "repos: [ ]  # none\nfail_fast: true\n",
    "brackets": "repos: [{repo: a, rev: b, hooks: [{id: x}]}]\nci: {skip: []}\n",
    "no value": "repos:\n",
    "no value, a comment": "repos:  # here\nfail_fast: true\n",
    "no value, no newline": "repos:",
    "JSON": json.dumps({"repos": [ENTRY]}),
    "JSON in lines": json.dumps({"repos": [ENTRY], "fail_fast": True}, indent=2) + "\n",
    "JSON without entries": '{"repos": []}',
    "types in brackets": (
        "default_install_hook_types: [pre-commit, commit-msg]  # ours\nrepos:\n  - repo: a\n    rev: b\n    hooks: []\n"
    ),
    "types in lines": "default_install_hook_types:\n- pre-commit # a\n- commit-msg\nrepos: []\n",
    "no types": "default_install_hook_types: []\nrepos: []\n",
    "all types": f"default_install_hook_types: [{', '.join(adding.all_types(USUAL))}]\nrepos: []\n",
    "types in JSON": json.dumps({"default_install_hook_types": list(adding.all_types(USUAL)), "repos": []}),
    "no repos": "fail_fast: true\n",
    "a script at its end": (
        "repos:\n  - repo: local\n    hooks:\n      - id: x\n        name: x\n        language: system\n"
        "        entry: |\n          sh\n\n          x\n\n\nexclude: ^a\n"
    ),
    "a script that keeps its end": (
        "repos:\n  - repo: local\n    hooks:\n      - id: x\n        name: x\n        language: system\n"
        "        entry: |+\n          sh\n\n\n"
    ),
    "all of it indented": "  repos:\n    - repo: a\n      rev: v\n      hooks:\n        - id: x\n",
    "an anchor": "repos: &all\n- &one\n  repo: x\n  rev: v\n  hooks: &h\n  - id: a\n",
    "an alias within": (
        "x-args: &args [a]\nrepos:\n- repo: x\n  rev: v\n  hooks:\n  - {id: a, args: *args}\n  - id: b\n"
        "    args: *args\n"
    ),
    "folded": "repos:\n- repo: x\n  rev: >-\n    v1\n  hooks:\n  - id: y\n    args: [a,\n  b]\nfail_fast: true",
    "comments at every depth": "repos:\n- repo: x\n  rev: v\n  hooks:\n  - id: a\n    # 1\n# 2\n  # 3\n# 4\n",
    "a service": (
        "repos:\n  - repo: a\n    rev: b\n    hooks:\n      - id: x\nci:\n  autofix_prs: false\n  skip: [x]\n"
    ),
    "all there is": (
        "minimum_pre_commit_version: 3.2.0\ndefault_language_version:\n  python: python3\n"
        "default_stages: [pre-commit]\nfiles: ^src/\nexclude: |\n  (?x)^(\n    a|\n    b\n  )$\n"
        "fail_fast: true\nrepos:\n  - repo: a\n    rev: b\n    hooks:\n      - id: x\n"
    ),
    "keys in quotes": '"repos":\n  - \'repo\': a\n    "rev": b\n    \'hooks\':\n      - "id": x\n',
    "not ASCII": "# Prüfungen ☃ 😀\nrepos:\n  - repo: ä\n    rev: b\n    hooks:\n      - id: ü  # ☃\n",
}
REFUSED = {
    "no list": ("repos: null\n", "'repos' is not a list"),
    "a text": ("repos: abc\n", "'repos' is not a list"),
    "an alias": ("x: &r []\nrepos: *r\n", "'repos' is an alias"),
    "an alias of nothing": ("repos: []\nx: *r\n", ":2: *r stands for nothing"),
    "an alias elsewhere": ("repos: &r []\nx: *r\n", "'repos' has an alias elsewhere"),
    "merged": ("x: &r {repos: []}\n<<: *r\n", "merged from elsewhere"),
    "doubled": ("repos: []\nrepos: []\n", "stands there 2 times"),
    "a list at its top": ("- a\n", "no mapping at its top"),
    "types that are none": ("default_install_hook_types: all\nrepos: []\n", "is not a list"),
    "two documents": ("repos: []\n---\nrepos: []\n", "holds 2 documents"),
    "tabs": ("repos:\n\t- repo: a\n", ":2: found character '\\t'"),
    "no YAML": ("repos: [\n", ":2: expected the node content"),
    "a control character": ("repos: []\n\x07", "special characters"),
    "many levels": ("[" * 100_000, "nested more than 32 levels"),
    "many levels of lines": ("- " * 50_000, "nested more than 32 levels"),
    "ten megabytes": ("# x\n" * 2_500_000, "larger than 256 KiB"),
}


@pytest.fixture
def here(repo: Repo) -> Location:
    return locate(repo.path)


def config(location: Location) -> Path:
    return Path(location.root or "", NAME)


# Every byte stays


@pytest.mark.parametrize("case", FILES)
def test_what_is_put_in_comes_out_again(here: Location, case: str) -> None:
    file = config(here)
    for before in forms(FILES[case]):
        for wanted in (ALL, REMOTE):
            file.write_bytes(before)
            assert configfile.install(here, wanted).action == "extended"
            after = file.read_bytes()
            require_only_ours(before, after)
            assert configfile.install(here, wanted).action == "unchanged"
            assert file.read_bytes() == after
            configfile.uninstall(here)
            assert file.read_bytes() == before


def forms(text: str) -> tuple[bytes, ...]:
    raw = text.encode()
    return raw, raw.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + raw


def require_only_ours(before: bytes, after: bytes) -> None:
    assert is_spread_over(before, after)
    if b"\r\n" in before:
        assert b"\n" not in after.replace(b"\r\n", b"")
    read = yaml.safe_load(after.decode("utf-8-sig"))
    found = [hook["id"] for entry in read["repos"] for hook in entry["hooks"] if hook["id"].startswith("mgit-")]
    assert found == list(USUAL)
    assert set(read["default_install_hook_types"]) >= set(manifest.stages(USUAL))
    assert yaml.safe_load(before) is None or without_ours(read) == without_ours(yaml.safe_load(before))


def is_spread_over(before: bytes, after: bytes) -> bool:
    """Whether all of ``before`` stands in ``after``, in its order."""
    rest = iter(after)
    return all(byte in rest for byte in before)


def without_ours(read: dict[str, Any]) -> dict[str, Any]:
    left = {key: value for key, value in read.items() if key not in ("repos", "default_install_hook_types")}
    others = [entry for entry in read.get("repos") or () if not str(entry["hooks"]).count("mgit-")]
    return left | {"repos": others}


def test_both_managers_take_what_is_written(here: Location, tmp_path: Path) -> None:
    files = []
    for number, text in enumerate(FILES.values()):
        if "hooks: []" in text or text == FILES["comments at every depth"]:
            continue
        for source, wanted in (("l", ALL), ("r", REMOTE)):
            config(here).write_text(text)
            configfile.install(here, wanted)
            files.append(tmp_path / f"{number}{source}.yaml")
            files[-1].write_bytes(config(here).read_bytes())
    for command in ([sys.executable, "-m", "pre_commit"], [sys.executable, "-m", "prek"]):
        done = subprocess.run([*command, "validate-config", *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_entry_takes_the_style_of_those_before(here: Location) -> None:
    config(here).write_text(FILES["pre-commit's own sample"])
    configfile.install(here, Wanted(("mgit-verify",), REMOTE.source))
    assert config(here).read_text() == FILES["pre-commit's own sample"] + (
        "-   repo: https://example.org/mgit-hooks\n    rev: v0.1.0\n    hooks:\n    -   id: mgit-verify\n"
    )
    config(here).write_text(FILES["an empty line between"])
    configfile.install(here, Wanted(("mgit-verify",), REMOTE.source))
    head, _, tail = FILES["an empty line between"].partition("\n# the service")
    assert config(here).read_text() == head + (
        "\n  - repo: https://example.org/mgit-hooks\n    rev: v0.1.0\n    hooks:\n      - id: mgit-verify\n"
        f"\n# the service{tail}"
    )


def test_a_hook_that_is_commented_out_stays_with_its_entry(here: Location) -> None:
    config(here).write_text(FILES["an empty line between"])
    configfile.install(here, ALL)
    text = config(here).read_text()
    assert text.index("# - id: z") < text.index("repo: local") < text.index("# the service")


words = st.sampled_from(["a", "'b c'", '"d"', "v1.0", "[e, f]", "{g: h}", "|\n{i}  text\n{i}  more", "", "# none"])


@st.composite
def configurations(draw: Any) -> str:
    """Lists in any of the indentations that people choose, with comments and empty lines anywhere."""
    outer, dash, inner = draw(st.integers(0, 3)), draw(st.integers(2, 4)), draw(st.integers(0, 3))
    gap = draw(st.sampled_from(["", "\n", "    # c\n", "# c\n", "\n\n"]))
    lines = [draw(st.sampled_from(["", "# top\n", "---\n", "fail_fast: true\n"])), "repos:\n"]
    for number in range(draw(st.integers(1, 3))):
        first, rest = " " * outer + "-".ljust(dash), " " * (outer + dash)
        lines.append(f"{first}repo: r{number}\n{rest}rev: {draw(words).replace('{i}', rest)}\n")
        lines.append(f"{rest}hooks:\n" + f"{rest}{' ' * inner}- id: x\n" * draw(st.integers(1, 2)) + gap)
    lines.append(draw(st.sampled_from(["", "files: a\n", "# end\n", "exclude: |\n  a\n\n", "ci:\n", "..."])))
    return "".join(lines)


@given(text=configurations(), cut=st.booleans(), wanted=st.sampled_from([ALL, REMOTE]))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_configuration_survives(here: Location, text: str, cut: bool, wanted: Wanted) -> None:
    before = (text.rstrip("\n") if cut else text).encode()
    config(here).write_bytes(before)
    try:
        configfile.install(here, wanted)
    except ConfigError:
        assert config(here).read_bytes() == before
        return
    assert is_spread_over(before, config(here).read_bytes())
    configfile.uninstall(here)
    assert config(here).read_bytes() == before


# A new file, and one with ours in it


def test_a_new_file_is_the_manifests_and_goes_again(here: Location) -> None:
    assert configfile.install(here, Wanted(tuple(manifest.BY_ID))).action == "written"
    written = yaml.safe_load(config(here).read_text())
    told = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    only_there = ("description", "minimum_pre_commit_version")
    assert written["repos"][0]["hooks"] == [
        {key: value for key, value in hook.items() if key not in only_there} | {"language": "system"} for hook in told
    ]
    configfile.uninstall(here)
    assert not config(here).exists()


def test_a_new_file_that_others_have_added_to_stays(here: Location) -> None:
    configfile.install(here, ALL)
    text = config(here).read_text()
    config(here).write_text(text + "  - repo: a\n    rev: b\n    hooks:\n      - id: x\n")
    assert configfile.uninstall(here).action == "restored"
    assert yaml.safe_load(config(here).read_text()) == {"repos": [ENTRY]}


def test_missing_hooks_go_into_the_entry_that_is_there(here: Location) -> None:
    text = (
        "repos:\n- repo: https://example.org/mgit-hooks.git\n  rev: v0.0.9\n  hooks:\n  -  id: mgit-push # p\n"
        "     # why\n  # end\n- repo: b\n  rev: c\n  hooks: [{id: y}]\n"
    )
    config(here).write_text(text)
    report = configfile.install(here, REMOTE._replace(rev=None))
    assert (report.action, report.rev) == ("extended", None)
    assert report.hooks == ("mgit-validate", "mgit-commit-msg", "mgit-capture")
    expected = text.replace(
        "  # end\n", "  # end\n  -  id: mgit-validate\n  -  id: mgit-commit-msg\n  -  id: mgit-capture\n"
    )
    assert config(here).read_text().startswith(expected)


def test_a_revision_changes_when_it_is_named(here: Location) -> None:
    text = "repos:\n- repo: m  # ours\n  rev: 'v0.0.9'  # old\n  hooks: [{id: mgit-push}]\n"
    config(here).write_text(text + "default_install_hook_types: [pre-push]\n")
    just = Wanted(("mgit-push",))
    assert configfile.install(here, just).action == "unchanged"
    report = configfile.install(here, just._replace(rev="0.10"))
    assert (report.action, report.rev, report.hooks) == ("extended", ("v0.0.9", "0.10"), ())
    assert 'rev: "0.10"  # old\n' in config(here).read_text()
    assert configfile.install(here, just._replace(rev="0.10")).action == "unchanged"


@pytest.mark.parametrize(
    ("text", "wanted", "says"),
    [
        ("repos:\n- repo: m\n  rev: abc  # frozen: v1\n  hooks: [{id: mgit-push}]\n", ALL._replace(rev="v2"), "frozen"),
        ("repos:\n- repo: local\n  hooks: [{id: mgit-push}]\n", ALL._replace(rev="v2"), "no revision"),
        ("repos: []\n", ALL._replace(rev="v2"), "no revision"),
        (None, ALL._replace(rev="v2"), "no revision"),
        ("repos:\n- repo: local\n  hooks: [{id: mgit-push}]\n", REMOTE, "would run twice"),
    ],
)
def test_a_source_that_does_not_fit_is_refused(here: Location, text: str | None, wanted: Wanted, says: str) -> None:
    if text is not None:
        config(here).write_text(text)
    with pytest.raises(UsageError, match=says):
        configfile.install(here, wanted)
    assert (config(here).read_text() if text else None) == text
    assert config(here).exists() == (text is not None)


def test_hooks_in_an_entry_of_others_go_alone(here: Location) -> None:
    text = "repos:\n  - repo: local\n    hooks:\n      - id: x\n        name: x\n{}      - id: z\n        name: z\n"
    ours = "      - id: mgit-push\n        entry: mgit-hooks gate pre-push\n        # no more\n"
    config(here).write_text(text.format(ours))
    assert configfile.uninstall(here).hooks == ("mgit-push",)
    assert config(here).read_text() == text.format("        # no more\n")


@pytest.mark.parametrize("at", ["mgit-validate", "mgit-push"])
def test_hooks_of_others_in_our_entry_keep_nothing_of_ours(here: Location, at: str) -> None:
    """The last of ours and the key behind it, ours as well, go as one piece of text and as two of YAML."""
    config(here).write_text("fail_fast: true\n")
    configfile.install(here, ALL)
    text = config(here).read_text()
    own = "      - id: own\n        entry: own\n"
    config(here).write_text(text.replace(f"      - id: {at}\n", f"{own}      - id: {at}\n"))
    assert configfile.uninstall(here).action == "restored"
    left = config(here).read_text()
    assert left == f"fail_fast: true\nrepos:  # for mgit-hooks\n  - repo: local\n    hooks:\n{own}"


def test_types_that_somebody_else_may_have_named_stay(here: Location) -> None:
    text = "default_install_hook_types: [pre-push]\nrepos:\n- repo: m\n  rev: v\n  hooks: [{id: mgit-push}]\n"
    config(here).write_text(text)
    report = configfile.uninstall(here)
    assert "goes on to name pre-push" in report.notes[0]
    assert config(here).read_text().startswith("default_install_hook_types: [pre-push]\n")


# What is refused leaves the file as it was


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_is_refused(here: Location, case: str, mgit: Any) -> None:
    text, says = REFUSED[case]
    config(here).write_text(text)
    began = time.monotonic()
    told = mgit("-C", here.root, "install", "--mode", "pre-commit")
    assert time.monotonic() - began < 3
    assert (told.code, told.out) == (2, "")
    assert says in told.err
    assert ("- id: mgit-validate" in told.err) == ("left as it was" in told.err)
    assert config(here).read_text() == text


def test_aliases_that_stand_for_billions_are_left_as_they_are(here: Location) -> None:
    laughs = "x0: &x0 [lol, lol]\n" + "".join(f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]\n" for n in range(1, 40))
    config(here).write_text(laughs + "repos: []\n")
    began = time.monotonic()
    configfile.install(here, ALL)
    configfile.uninstall(here)
    assert time.monotonic() - began < 3
    assert config(here).read_text() == laughs + "repos: []\n"


@pytest.mark.parametrize("bug", ["a line too much", "a line lost", "not ours", "no way back"])
def test_a_planted_bug_is_seen_before_anything_is_written(
    here: Location, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    text = "repos:\n  - repo: a\n    rev: b\n    hooks: [{id: x}]\nci:\n  skip: []\n"
    config(here).write_text(text)
    real = adding.add
    if bug == "no way back":
        monkeypatch.setattr(removing, "is_empty", lambda _: True)
        monkeypatch.setattr(removing, "removed_lines", lambda text, start, end: splicing.Splice(start, end - 1, ""))
    else:
        planted = {
            "a line too much": splicing.Splice(len(text), len(text), "fail_fast: true\n"),
            "a line lost": splicing.Splice(text.index("ci:"), len(text), ""),
            "not ours": splicing.Splice(text.index("id: x"), text.index("id: x") + 5, "id: y"),
        }[bug]
        monkeypatch.setattr(adding, "add", lambda *a: real(*a)._replace(splices=(*real(*a).splices, planted)))
    with pytest.raises(configfile.ByHand):
        configfile.install(here, ALL)
    assert config(here).read_text() == text


# The file itself


def test_a_link_within_the_worktree_is_followed(here: Location) -> None:
    real = Path(here.root or "", "ci", "hooks.yaml")
    real.parent.mkdir()
    real.write_text("repos: []\n")
    config(here).symlink_to("ci/hooks.yaml")
    configfile.install(here, ALL)
    assert config(here).is_symlink()
    assert "mgit-validate" in real.read_text()


@pytest.mark.parametrize("target", ["../outside.yaml", "nowhere.yaml", "."])
def test_a_link_to_elsewhere_is_not(here: Location, target: str) -> None:
    Path(here.root or "", "../outside.yaml").write_text("repos: []\n")
    config(here).symlink_to(target)
    with pytest.raises(UsageError):
        configfile.install(here, ALL)
    assert Path(here.root or "", "../outside.yaml").read_text() == "repos: []\n"


def test_a_pipe_holds_nobody_up(here: Location) -> None:
    os.mkfifo(config(here))
    with pytest.raises(UsageError, match="is not a file"):
        configfile.install(here, ALL)


def test_a_read_only_file_stays_as_it_is(here: Location) -> None:
    config(here).write_text("repos: []\n")
    config(here).chmod(0o444)
    with pytest.raises(UsageError, match="is read-only"):
        configfile.install(here, ALL)
    assert config(here).read_text() == "repos: []\n"


def test_its_mode_stays(here: Location) -> None:
    config(here).write_text("repos: []\n")
    config(here).chmod(0o664)
    configfile.install(here, ALL)
    assert config(here).stat().st_mode & 0o777 == 0o664
    assert os.listdir(here.root or "") == [".git", NAME] or set(os.listdir(here.root or "")) == {".git", NAME}


def test_a_link_in_the_scratch_files_place_is_not_written_through(here: Location, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    Path(f"{config(here)}.mgit-tmp").symlink_to(tmp_path / "precious")
    configfile.install(here, ALL)
    assert (tmp_path / "precious").read_text() == "precious"
    assert not Path(f"{config(here)}.mgit-tmp").is_symlink()


def test_what_an_editor_saves_meanwhile_is_not_lost(here: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    config(here).write_text("repos: []\n")
    real = adding.add

    def slowly(*given: Any) -> Any:
        config(here).write_text("repos: []\nfail_fast: true\n")
        return real(*given)

    monkeypatch.setattr(adding, "add", slowly)
    with pytest.raises(MgitError, match="changed just now"):
        configfile.install(here, ALL)
    assert config(here).read_text() == "repos: []\nfail_fast: true\n"


def test_what_is_removed_is_what_was_read(here: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    configfile.install(here, ALL)
    ours, real = config(here).read_text(), removing.remove

    def slowly(*given: Any) -> Any:
        config(here).write_text(f"{ours}fail_fast: true\n")
        return real(*given)

    monkeypatch.setattr(removing, "remove", slowly)
    with pytest.raises(MgitError, match="changed just now"):
        configfile.uninstall(here)
    assert config(here).read_text() == f"{ours}fail_fast: true\n"
    monkeypatch.undo()
    config(here).write_text(ours)
    config(here).chmod(0o444)
    with pytest.raises(UsageError, match="is read-only"):
        configfile.uninstall(here)
    assert config(here).read_text() == ours


def _install(path: str, hook: str) -> None:
    configfile.install(locate(path), Wanted((hook,)))


def test_installs_at_the_same_time_make_one_configuration(here: Location) -> None:
    config(here).write_text("repos: []\n")
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=_install, args=(here.root, hook)) for hook in (*USUAL, *USUAL)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * 8
    found = yaml.safe_load(config(here).read_text())["repos"]
    assert sorted(hook["id"] for entry in found for hook in entry["hooks"]) == sorted(USUAL)
    configfile.uninstall(here)
    assert config(here).read_text() == "repos: []\n"


@pytest.mark.parametrize("work", ["install", "uninstall"])
def test_killed_anywhere_it_is_the_old_file_or_the_new_one(here: Location, work: str) -> None:
    config(here).write_text("repos: []\n")
    configfile.install(here, ALL)
    states = [b"repos: []\n", config(here).read_bytes()]
    before, after = states if work == "install" else states[::-1]
    step, seen = 1, set()
    while True:
        config(here).write_bytes(before)
        given_ = (here, ALL) if work == "install" else (here,)
        killed = kills.killed_at(step, getattr(configfile, work), *given_)
        seen.add(config(here).read_bytes())
        assert seen <= {before, after}
        getattr(configfile, work)(*given_)
        assert config(here).read_bytes() == after
        assert set(os.listdir(here.root or "")) == {".git", NAME}
        if not killed:
            break
        step += 1
    assert step > 3
    assert seen == {before, after}


def test_in_a_linked_worktree_it_is_the_worktrees_own(repo: Repo, tmp_path: Path) -> None:
    repo.commit("one")
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    configfile.install(locate(str(tmp_path / "linked")), ALL)
    assert (tmp_path / "linked" / NAME).exists()
    assert not Path(repo.path, NAME).exists()


def test_without_a_worktree_there_is_no_configuration(bare: Repo) -> None:
    with pytest.raises(UsageError, match="has no worktree"):
        configfile.install(locate(bare.path), ALL)


def test_preks_own_files(here: Location) -> None:
    toml, yml = Path(here.root or "", "prek.toml"), Path(here.root or "", ".pre-commit-config.yml")
    toml.write_text("repos = []\n")
    with pytest.raises(configfile.ByHand, match=r"prek\.toml") as told:
        configfile.install(here, ALL)
    toml.write_text("\n".join(told.value.lines))
    done = subprocess.run(
        [sys.executable, "-m", "prek", "validate-config", toml], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    yml.write_text("repos: []\n")
    report = configfile.install(here, ALL)
    assert report.file == str(yml)
    assert [note.split()[2] for note in report.notes] == [".pre-commit-config.yml;", "prek.toml,"]
    config(here).write_text("repos: []\n")
    assert configfile.install(here, ALL).file == str(config(here))


def test_the_service_that_has_no_program_of_ours_is_told_of(here: Location) -> None:
    config(here).write_text(FILES["a service"])
    assert "ci: skip:" in configfile.install(here, ALL).notes[0]
    config(here).write_text(FILES["a service"])
    assert configfile.install(here, REMOTE).notes == ()


# What is said of it


def test_status_and_doctor_tell_what_a_manager_runs(here: Location, mgit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there = set()
    monkeypatch.setattr("shutil.which", lambda name: name if name in there else None)

    def told() -> tuple[bool, dict[str, Any] | None, list[str]]:
        status = mgit("-C", here.root, "status", "--json").json[0]
        checks = {each["check"]: each for each in mgit("-C", here.root, "doctor", "--json").json[0]["checks"]}
        return status["installed"], status["framework"], [checks[name]["status"] for name in ("hooks", "hook manager")]

    assert told() == (False, None, ["fault", "ok"])
    configfile.install(here, Wanted(("mgit-commit-msg", "mgit-capture")))
    installed, framework, statuses = told()
    assert (installed, statuses) == (False, ["fault", "fault"])
    assert framework is not None
    assert (framework["file"], framework["ids"]) == (NAME, ["mgit-commit-msg", "mgit-capture"])
    assert framework["missing"][:2] == ["commit-msg", "post-commit"]
    said = mgit("-C", here.root, "status")
    assert "no hook of the manager's\n" in said.out
    assert "hint: run 'pre-commit install'" in said.err
    install = [sys.executable, "-m", "prek", "install"]
    subprocess.run(install, cwd=here.root, check=True, capture_output=True)
    installed, framework, statuses = told()
    assert (installed, statuses) == (True, ["remark", "fault"])  # its entries start what is not on PATH
    assert framework is not None
    assert framework["missing"] == []
    there.add("mgit-hooks")
    assert told()[2] == ["remark", "ok"]
    assert "hint" not in mgit("-C", here.root, "status").err
    config(here).write_text(config(here).read_text().replace("  - commit-msg\n", ""))
    assert told()[2] == ["remark", "remark"]
    config(here).write_text("repos: [mgit-push\n")
    assert told() == (False, None, ["fault", "fault"])
    assert ":2: " in mgit("-C", here.root, "status").out


def test_status_takes_no_harm_from_what_stands_in_the_configurations_place(here: Location, mgit: Any) -> None:
    os.mkfifo(config(here))
    assert mgit("-C", here.root, "status", "--json").json[0]["framework"] is None
    config(here).unlink()
    config(here).write_text("repos: []  # mgit-push\n" * 500_000)
    assert mgit("-C", here.root, "status", "--json").json[0]["framework"] is None
    config(here).write_text("[" * 1000 + "mgit-push")
    told = mgit("-C", here.root, "status")
    assert (told.code, "nested more than 32 levels deep" in told.out) == (0, True)


# Whatever people write


_BITS = ("#", " #", ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "|", "\t", "\r", "\n", "\n\n", "'", '"', "?", "%", ",")
_LINES = ("---", "...", "<<: *a", "\x85", "\u2028", "x: y  # for mgit-hooks", "  rev: v1  # frozen: v1")


def _mangled(text: str, chance: random.Random, others: list[str]) -> str:
    for _ in range(chance.randint(1, 4)):
        lines = text.split("\n")
        at, to, place = chance.randrange(len(lines)), chance.randrange(len(lines)), chance.randrange(len(text) + 1)
        match chance.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[to])
            case 2:
                lines[at] = " " * chance.randint(0, 4) + lines[at].lstrip(" ")
            case 3:
                lines[at], lines[to] = lines[to], lines[at]
            case 4:
                lines.insert(at, chance.choice(_LINES))
            case 5:
                lines = [text[:place] + chance.choice(_BITS) + text[place + chance.randint(0, 3) :]]
            case 6:
                lines = [text, chance.choice(others)]
        text = "\n".join(lines)
    return text


def _fault(text: str, wanted: Wanted) -> str | None:
    """What is wrong with what becomes of ``text``; None where all holds that is to. Raises MgitError or Unclear."""
    before = yamltext.read(text, NAME)
    after = configfile.verified(before, adding.add(before, wanted).splices, NAME)
    configfile.require_ours(before, after, wanted)
    if not is_spread_over(text.encode(), after.text.encode()) and wanted.rev is None:
        return "something is gone"
    if adding.add(after, wanted).splices:
        return "the second time changes something"
    return None


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4))
def test_mangled_configurations(seed: int, tally: Tally) -> None:
    chance = random.Random(seed)
    texts = list(FILES.values())
    read = [yamltext.read(text, NAME) for text in texts]
    texts += [splicing.applied(each.text, adding.add(each, ALL).splices) for each in read]
    done = 0
    for _ in range(3000):
        text = _mangled(chance.choice(texts), chance, texts)
        wanted = chance.choice((ALL, REMOTE, Wanted(("mgit-push",)), Wanted(("mgit-verify",), rev="v2")))
        tally.cases += 1
        try:
            fault = _fault(text, wanted)
        except (MgitError, splicing.Unclear):
            continue
        except Exception as error:
            fault = repr(error)
        done += 1
        if fault is not None:
            tally.false.append(f"{fault}: {text!r}")
    assert done > 300
    tally.check()
