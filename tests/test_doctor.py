"""Each fault that ``doctor`` knows, made for real; what it says, and that ``--fix`` mends it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mgit_hooks import cli
from mgit_hooks.installer import diagnosis, stubs
from mgit_hooks.installer.install import install
from mgit_hooks.judging import gateflag
from mgit_hooks.layout import locate


class Patient:
    def __init__(self, repo, capsysbinary) -> None:  # type: ignore[no-untyped-def]
        self.repo = repo
        self._out = capsysbinary
        self.hooks = Path(repo.path, ".git/hooks")
        self.mgit = Path(repo.path, ".git/mgit")

    def doctor(self, *options: str):  # type: ignore[no-untyped-def]
        self._out.readouterr()
        code = cli.main(["-C", self.repo.path, "doctor", "--json", *options])
        value = json.loads(self._out.readouterr().out)
        assert value["healthy"] is (code == 0)
        return value

    def faults(self, *options: str) -> dict[str, list[str]]:
        value = self.doctor(*options)
        found = {}
        for check in value["checks"]:
            faults = [each for each in check["findings"] if each["severity"] == "fault"]
            assert all(each["message"] and each["remedy"] for each in check["findings"])
            assert all("\n" not in each["message"] + each["remedy"] for each in check["findings"])
            if faults:
                found[check["check"]] = [each["message"] for each in faults]
        return found


@pytest.fixture
def patient(repo, capsysbinary) -> Patient:  # type: ignore[no-untyped-def]
    repo.commit("First", {"a": "1\n"})
    install(locate(repo.path))
    assert cli.main(["-C", repo.path, "drain", "-q"]) == 0
    return Patient(repo, capsysbinary)


def test_a_sound_repository_has_no_fault(patient: Patient) -> None:
    assert patient.faults() == {}
    assert [check["check"] for check in patient.doctor()["checks"]] == [check.name for check in diagnosis.CHECKS]


def missing(patient: Patient) -> None:
    (patient.hooks / "post-commit").unlink()


def foreign(patient: Patient) -> None:
    (patient.hooks / "post-commit").write_text("#!/bin/sh\n")


def modified(patient: Patient) -> None:
    with (patient.hooks / "post-commit").open("a") as file:
        file.write("echo mine\n")


def not_executable(patient: Patient) -> None:
    (patient.hooks / "post-commit").chmod(0o644)


def all_gone(patient: Patient) -> None:
    for hook in stubs.HOOKS:
        (patient.hooks / hook).unlink()


def interpreter_gone(patient: Patient) -> None:
    install(locate(patient.repo.path), python="/nothing/here")


def boot_gone(patient: Patient) -> None:
    install(locate(patient.repo.path), boot="/nothing/boot.py")


def package_gone(patient: Patient) -> None:
    home = patient.mgit.parent / "elsewhere"
    (home / "mgit_hooks").mkdir(parents=True)
    (home / "mgit_hooks/__init__.py").write_text("raise ImportError('half a package')\n")
    (home / "mgit_hooks/boot.py").touch()
    install(locate(patient.repo.path), python=sys.executable, boot=str(home / "mgit_hooks/boot.py"))


def open_to_all(patient: Patient) -> None:
    patient.mgit.chmod(0o755)
    (patient.mgit / "install.json").chmod(0o644)


def stale_mark(patient: Patient) -> None:
    mark = patient.mgit / "draining"
    mark.write_text(f"{os.getpid()}\n")  # alive, and no drain
    mark.chmod(0o600)


def stuck(patient: Patient) -> None:
    (patient.mgit / "draining").write_text(f"{os.getpid()}\n")
    patient.repo.commit("Second")
    (patient.mgit / "draining").unlink()
    old = time.time() - 3600
    os.utime(patient.mgit / "spool/now", (old, old))


def elsewhere(patient: Patient) -> None:
    patient.repo.git("config", "--global", "core.hooksPath", str(patient.mgit.parent.parent / ".githooks"))


# What is done to the repository, the check that finds it, a word of what it says.
def aged_policy(patient: Patient) -> None:
    """Moved into another file's place with the time that it had."""
    policy, old = Path(patient.repo.path, ".mgit-hooks.toml"), time.time() - 60
    for text in ('level = "standard"\n', 'strategy = "abort"\n'):
        policy.write_text(text)
        for path in (policy, Path(patient.repo.path, ".git/config"), os.environ["GIT_CONFIG_GLOBAL"]):
            os.utime(path, (old, old))
        if "level" in text:
            gateflag.refresh(locate(patient.repo.path))


MENDABLE = [
    (aged_policy, "gate flag", "a file older than the gate flag"),
    (missing, "hooks", "not installed: post-commit"),
    (foreign, "hooks", "another tool"),
    (modified, "hooks", "somebody has changed: post-commit"),
    (not_executable, "hooks", "not executable"),
    (all_gone, "hooks", "no hook of ours"),
    (interpreter_gone, "interpreter", "/nothing/here, which is gone"),
    (boot_gone, "interpreter", "/nothing/boot.py, which is gone"),
    (package_gone, "interpreter", "half a package"),
    (open_to_all, "modes", "and 1 more"),
    (stale_mark, "drain", "does not run"),
    (elsewhere, "hooks", "no hook of ours is in"),
    (stuck, "spool", "1 events have waited"),
]


@pytest.mark.parametrize(("harm", "check", "words"), MENDABLE, ids=[row[0].__name__ for row in MENDABLE])
def test_a_fault_is_found_and_mended(patient: Patient, harm: Callable[[Patient], None], check: str, words: str) -> None:
    harm(patient)
    found = patient.faults()
    assert list(found) == [check]
    assert words in found[check][0]
    assert patient.faults("--fix") == {}
    assert patient.faults() == {}
    assert not Path(patient.repo.path, ".githooks").exists()


def bad_configuration(patient: Patient) -> None:
    patient.repo.git("config", "mgit.levle", "strict")


def bad_value(patient: Patient) -> None:
    patient.repo.write(".mgit-hooks.toml", "level = 'hard'\n")


def damaged(patient: Patient) -> None:
    segment = sorted((patient.mgit / "journal").glob("*.seg"))[0]
    content = bytearray(segment.read_bytes())
    content[-5] ^= 0xFF
    segment.write_bytes(content)


UNMENDABLE = [
    (bad_configuration, "configuration", "levle"),
    (bad_value, "configuration", "level"),
    (damaged, "journal", "the journal has"),
]


@pytest.mark.parametrize(("harm", "check", "words"), UNMENDABLE, ids=[row[0].__name__ for row in UNMENDABLE])
def test_a_fault_that_is_for_people_to_mend(
    patient: Patient, harm: Callable[[Patient], None], check: str, words: str
) -> None:
    harm(patient)
    assert words in patient.faults()[check][0]
    assert words in patient.faults("--fix")[check][0]


@pytest.mark.parametrize(("version", "sound"), [("2.38.9", False), ("2.39.0", True), ("2.55.1", True), ("3.0", True)])
def test_the_version_of_git(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, sound: bool
) -> None:
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin/git"
    git.write_text(f"#!/bin/sh\necho git version {version}\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    check = next(check for check in diagnosis.CHECKS if check.name == "git")
    assert (list(check.look(locate)) == []) is sound  # type: ignore[arg-type]


def test_remarks_are_no_faults(repo, capsysbinary) -> None:  # type: ignore[no-untyped-def]
    install(locate(repo.path))
    value = Patient(repo, capsysbinary).doctor()
    assert value["healthy"] is True
    assert {check["check"]: check["status"] for check in value["checks"]}["journal"] == "remark"


def test_for_people(patient: Patient, capsysbinary) -> None:  # type: ignore[no-untyped-def]
    not_executable(patient)
    assert cli.main(["-C", patient.repo.path, "doctor"]) == 1
    told = capsysbinary.readouterr().out.decode()
    assert "fault   hooks: not executable, so that git leaves them out: post-commit\n        run 'mgit-hooks" in told
    assert cli.main(["-C", patient.repo.path, "doctor", "--fix"]) == 0
    assert "mended: not executable" in capsysbinary.readouterr().out.decode()
