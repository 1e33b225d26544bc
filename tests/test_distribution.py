"""What is handed on is whole: the source archive builds, and a wheel alone does the demonstration."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = (".toml", ".xsd", ".html", ".css", ".js", ".json", ".ota")
"""Endings of what the packages need beside their code."""
PACKAGES = ("emulator", "firmware_catalog", "harness", "hw_profiles")
SOURCES = (
    "tests/",
    "docs/",
    "benchmarks/",
    "harness/examples/",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "Makefile",
)


pytestmark = [pytest.mark.sweep, pytest.mark.xdist_group("distribution")]


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def project_files() -> set[str]:
    """Every file under version control, relative to the project's top folder."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what belongs to the project is not listed")
    listed = run("git", "-c", "safe.directory=*", "ls-files", "-z", cwd=ROOT).split("\0")
    return {name for name in listed if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def source_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of a clean copy of the project's files, so that nothing left lying about gets in."""
    copy = tmp_path_factory.mktemp("copy")
    for name in project_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--sdist", "--outdir", copy / "dist", cwd=copy)
    (archive,) = (copy / "dist").glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(source_archive: Path) -> Path:
    """The wheel built from the source archive, as a distributor does."""
    folder = source_archive.parent
    with tarfile.open(source_archive) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / source_archive.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, cwd=unpacked)
    (made,) = folder.glob("*.whl")
    return made


def test_the_source_archive_has_every_file_of_the_project(source_archive: Path) -> None:
    with tarfile.open(source_archive) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    left_out = {name for name in project_files() - names if not name.startswith(".")}
    assert left_out == set()
    assert all(any(name.startswith(part) for name in names) for part in SOURCES)


def test_the_wheel_has_the_packages_and_all_their_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    needed = {
        name
        for name in project_files()
        if name.startswith(tuple(f"{package}/" for package in PACKAGES)) and name.endswith((*DATA, ".py"))
    }
    assert needed - names == set()
    assert {name.partition("/")[0] for name in names} == set(PACKAGES)


def test_a_wheel_alone_does_the_demonstration_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    environment, empty = tmp_path / "venv", tmp_path / "empty"
    venv.create(environment, with_pip=True)
    run(environment / "bin/python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    empty.mkdir()
    shown = run(environment / "bin/smets1", "demo", cwd=empty)
    assert "open out/demo/report.html" in shown
    run(environment / "bin/smets1", "verify", "out/demo", cwd=empty)
    assert [path.name for path in empty.iterdir()] == ["out"]
