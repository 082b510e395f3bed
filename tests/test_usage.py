"""The help of each command, and what is said of a slip of the fingers."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Repo

from mgit_hooks import cli
from mgit_hooks.commands.monitoring import PARTS as MONITORING
from mgit_hooks.commands.pipeline import PARTS as PIPELINE

COMMANDS = [
    *((name,) for name in cli.COMMANDS),
    *(("pipeline", name) for name in PIPELINE),
    *(("monitoring", name) for name in MONITORING),
]


def parser_of(command: tuple[str, ...]) -> argparse.ArgumentParser:
    found = cli.build_parser(command[0])
    for name in command:
        (choices,) = (each.choices for each in found._actions if isinstance(each, argparse._SubParsersAction))
        found = choices[name]
    return found


def faults(parser: argparse.ArgumentParser) -> Iterator[str]:
    text = parser.format_help()
    words = re.sub(r"\s", "", text)
    yield from (f"too wide: {line}" for line in text.splitlines() if len(line) > 80)
    for action in parser._actions:
        name = action.option_strings[-1] if action.option_strings else str(action.metavar or action.dest)
        if not action.help and not action.choices:
            yield f"{name} says nothing"
        if action.metavar is None and action.nargs != 0 and action.choices is None:
            yield f"{name} names its value by the name of a variable"
        said = action.help or ""
        if said.endswith(".") or re.match("(The|A|An|Only|At) ", said):
            yield f"{name} is a sentence"
        if re.search("repeated|several times|more than once", said):
            yield f"{name} does not say 'may be given again'"
        yield from (f"{name} does not name {each}" for each in action.choices or () if str(each) not in words)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_help_is_whole_and_fits_a_terminal(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "82")  # argparse leaves two of them free
    assert list(faults(parser_of(command))) == []


def test_the_help_of_all_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "82")
    assert max(map(len, cli.build_parser(None).format_help().splitlines())) <= 80


def test_the_word_help_does_as_the_option_does(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for words in (["help", "pipeline", "recover"], ["pipeline", "recover", "--help"], ["help"], ["--help"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert not ended.value.code
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] != told[2] == told[3]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("stauts", "did you mean 'mgit-hooks stats' or 'mgit-hooks status'?"),
        ("chek", "did you mean 'mgit-hooks check'?"),
        ("frobnicate", "see 'mgit-hooks --help' for the commands"),
        ("log --evnt commit", "did you mean --event?"),
        ("checkpoint --lst", "did you mean --list?"),
        ("pipeline compress --input-file x --metod=zstd", "did you mean --method?"),
        ("log --graph", "see 'mgit-hooks log --help'"),
        ("verify twice", "see 'mgit-hooks verify --help'"),
        ("pipeline stats twice", "see 'mgit-hooks pipeline stats --help'"),
        ("--jsn", "did you mean --json?"),
    ],
)
def test_a_slip_is_answered_by_what_was_meant(words: str, hint: str, mgit: Any) -> None:
    told = mgit(*words.split())
    assert (told.code, told.out) == (2, "")
    assert told.err.splitlines()[1:] == [f"hint: {hint}"]


def test_a_folder_that_is_not_there_is_asked_for(mgit: Any, tmp_path: Path) -> None:
    told = mgit("-C", str(tmp_path / "nowhere"), "log")
    assert (told.code, told.out) == (128, "")
    assert told.err.endswith("No such file or directory\nhint: name a folder that is there, and that you may enter\n")


def test_a_collection_that_nothing_is_done_with_is_no_slip_unseen(repo: Repo, mgit: Any) -> None:
    assert "nothing is done with the collection 'mine': -s keeps" in mgit("diff", repo.path, "-n", "mine").err
    assert mgit("diff", repo.path, "-n", "mine", "-s").err == ""
