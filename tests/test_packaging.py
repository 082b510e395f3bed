"""Each way to install this project carries the stubs and the schemas, and starts the program."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from checkout import ROOT, copy_project, once, shared_folder

import mgit_hooks

HOOKS = sorted(path.name for path in (ROOT / "hooks").glob("*.sh"))
SCHEMAS = sorted(path.relative_to(ROOT / "schemas").as_posix() for path in (ROOT / "schemas").rglob("*.json"))


def run(*command: str | Path, **env: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env}, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with ``dist/`` built by its declared backend."""

    def make(folder: Path) -> None:
        copy_project(folder)
        run(sys.executable, "-m", "build", "--outdir", folder / "dist", folder)

    return once(shared_folder(tmp_path_factory) / "built-project", make)


def fresh(folder: Path) -> Path:
    """A virtual environment that has what we depend on, and not us."""
    venv.create(folder, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    # Only a folder on the path: its .pth files, by which an editable install of ours works, are not read.
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder


@pytest.mark.managers
@pytest.mark.parametrize("form", ["wheel", "sdist", "editable"])
def test_an_installed_project_is_whole(form: str, project: Path, tmp_path: Path) -> None:
    found = {"wheel": "*.whl", "sdist": "*.tar.gz"}
    given = [str(next((project / "dist").glob(found[form])))] if form in found else ["-e", str(project)]
    folder = fresh(tmp_path / "venv")
    run(sys.executable, "-m", "pip", f"--python={folder}", "install", "-q", "--no-deps", "--force-reinstall", *given)
    asked = (
        "import os; from pathlib import Path; from mgit_hooks import resources as r; schemas = Path(r.schemas_dir());"
        "print(r.__file__); print(sorted(f for f in os.listdir(r.hooks_dir()) if f.endswith('.sh')));"
        "print(sorted(path.relative_to(schemas).as_posix() for path in schemas.rglob('*.json')))"
    )
    where, hooks, schemas = run(folder / "bin" / "python", "-I", "-c", asked).splitlines()
    assert (hooks, schemas) == (str(HOOKS), str(SCHEMAS))
    assert Path(where).is_relative_to(project if form == "editable" else folder)
    says = f"mgit-hooks {mgit_hooks.__version__}\n"
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert run(folder / "bin" / "mgit-hooks", "--version") == says
    assert run(folder / "bin" / "mgit", "--version") == says
    assert run("git", "mgit", "--version", PATH=path) == says


@pytest.mark.managers
def test_the_archives_hold_what_they_should(project: Path) -> None:
    wheel = zipfile.ZipFile(next((project / "dist").glob("*.whl"))).namelist()
    assert {f"mgit_hooks/_hooks/{name}" for name in HOOKS} <= set(wheel)
    assert {f"mgit_hooks/_schemas/{name}" for name in SCHEMAS} <= set(wheel)
    assert "mgit_hooks/py.typed" in wheel
    with tarfile.open(next((project / "dist").glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"hooks/{name}" for name in HOOKS} | {f"schemas/{name}" for name in SCHEMAS} <= names
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mgit_hooks").rglob("*.py")}
    assert modules <= names
    assert modules <= set(wheel)
