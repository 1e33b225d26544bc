"""Each number that the field's documents give a name has one home: nothing restates it elsewhere."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from emulator.smart_energy.ota.file import MAGIC
from emulator.zcl import identifiers
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

ROOT = Path(__file__).parents[1]
PACKAGES = ("emulator", "firmware_catalog", "harness", "hw_profiles")
HOMES = ("emulator/zcl/identifiers.py", "hw_profiles/identifiers.py")
BELOW_CLUSTERS = (
    "emulator/stack/",
    "emulator/air/",
    "emulator/coordinator/",
    "emulator/smart_energy/clusters/",
)
"""Where numbers of that size are bits of frames, codes of dongles, or attributes of the clusters defined there."""

OF_ONE_NAME = {
    "FRAME_TYPE_MASK": "of NWK and of APS headers",
    "MAX_FRAME_RETRIES": "of MAC frames and of APS frames",
    "MAX_PAYLOAD_OCTETS": "what a dongle can take, and what its host relies upon",
    "MILLISECOND": "in microseconds; the line has no layer in common with the network",
    "NO_ADDRESS": "of a child at the MAC and of a network address",
    "NO_SLOT": "in the key table of a dongle, as it and as its host say it",
}
"""Different things that share name and number, or the two sides of one line."""


def numbers(source: str) -> Iterator[tuple[int, int]]:
    """Yield every whole number that a module writes with four or more hexadecimal digits, and its line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NUMBER and len(token.string) >= 6 and token.string.lower().startswith("0x"):
            yield int(token.string, 16), token.start[0]


def constants(source: str) -> Iterator[tuple[str, object]]:
    """Yield what a module assigns to names in capitals: name and number or octets."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id.lstrip("_")
        if (
            name.isupper()
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, int | bytes)
        ):
            yield name, node.value.value


def modules() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def test_clusters_devices_and_the_profile_are_numbered_in_their_home_alone() -> None:
    named = {value for name, value in vars(identifiers).items() if name.isupper() and value >= 0x0019}
    named |= {SMART_ENERGY_PROFILE, int.from_bytes(MAGIC, "little")}
    strays = [
        f"{path}:{line}: 0x{value:04X}"
        for path, source in modules()
        if path not in HOMES and not path.startswith(BELOW_CLUSTERS)
        for value, line in numbers(source)
        if value in named
    ]
    assert strays == []


def test_no_constant_is_stated_twice() -> None:
    homes = defaultdict(list)
    for path, source in modules():
        for name, value in constants(source):
            homes[name, value].append(path)
    twice = {name: paths for (name, _), paths in homes.items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in OF_ONE_NAME} == {}
    assert OF_ONE_NAME.keys() <= twice.keys()


def test_a_stray_would_be_found() -> None:
    source = 'X = 0x0019  # 0x0702\n"""0x0109"""\n_OTA = (0x0702,)\nY = 12\nZ = b"a"\n'
    assert list(numbers(source)) == [(0x0019, 1), (0x0702, 3)]
    assert list(constants(source)) == [("X", 0x19), ("Y", 12), ("Z", b"a")]
