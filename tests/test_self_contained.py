"""The project stands alone: nothing in it looks for anything outside its own folder."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
ELSEWHERE = re.compile(
    r"""(?<![\w.])/(?:work|root|home|Users|mnt)/\w  # an absolute path of somebody's machine
    |\bshared[/]reference                           # a folder beside the project
    """,
    re.VERBOSE,
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def tracked() -> list[PurePosixPath]:
    """Every file of the project, relative to its top folder; an unpacked source archive has no list of them."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: what belongs to the project is not listed")
    return [PurePosixPath(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def levels_up(node: ast.expr) -> int | None:
    """How many folders above its file an expression such as `Path(__file__).parents[2].parent` leads."""
    match node:
        case ast.Attribute(value=inner, attr="parent"):
            climbed = levels_up(inner)
            return None if climbed is None else climbed + 1
        case ast.Subscript(
            value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(number))
        ):
            climbed = levels_up(inner)
            return None if climbed is None else climbed + number + 1
        case ast.Call(func=ast.Attribute(value=inner, attr="resolve" | "absolute")):
            return levels_up(inner)
        case ast.Call(func=ast.Name("Path"), args=[ast.Name("__file__")]):
            return 0
    return None


def climbs_out(name: PurePosixPath, text: str) -> Iterator[str]:
    """Name each expression of a Python file that leads above the project's top folder."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.expr):
            climbed = levels_up(node)
            if climbed is not None and climbed > len(name.parts):
                yield f"{name}:{node.lineno}: {ast.unparse(node)}"


def looks_elsewhere(name: PurePosixPath, text: str) -> Iterator[str]:
    """Name each line that speaks of a folder outside the project."""
    for number, line in enumerate(text.splitlines(), 1):
        if ELSEWHERE.search(line):
            yield f"{name}:{number}: {line.strip()}"


def leads_out(name: PurePosixPath, text: str) -> Iterator[str]:
    """Name each link of a document to a file that the project does not have."""
    for target in LINK.findall(text):
        path = (ROOT / name.parent / target).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            yield f"{name}: {target}"


def test_nothing_looks_outside_the_project() -> None:
    found: list[str] = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        if name != PurePosixPath(Path(__file__).relative_to(ROOT).as_posix()):
            found += looks_elsewhere(name, text)
        if name.suffix == ".py":
            found += climbs_out(name, text)
        if name.suffix == ".md":
            found += leads_out(name, text)
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "Path(__file__).parents[2]",
        "Path(__file__).parents[1].parent",
        "Path(__file__).resolve().parent.parent.parent",
    ],
)
def test_a_path_that_climbs_out_is_seen(text: str) -> None:
    assert list(climbs_out(PurePosixPath("tests/test_x.py"), text)) == [f"tests/test_x.py:1: {text}"]
    assert not list(climbs_out(PurePosixPath("tests/deeper/test_x.py"), text))


@pytest.mark.parametrize(
    "parts",
    [("", "work", "here"), ("..", "shared", "reference", "x.json"), ("", "home", "me", ".venv", "bin")],
)
def test_a_folder_elsewhere_is_seen(parts: tuple[str, ...]) -> None:
    line = "cd " + "/".join(parts)
    assert list(looks_elsewhere(PurePosixPath("x"), line)) == [f"x:1: {line}"]


def test_a_link_to_a_file_that_is_not_there_is_seen() -> None:
    text = "[a](README.md) [b](../README.md#x) [c](docs/none.md) [d](https://example.org/x) [e](#here)"
    assert list(leads_out(PurePosixPath("x.md"), text)) == ["x.md: ../README.md", "x.md: docs/none.md"]
