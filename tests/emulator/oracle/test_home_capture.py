"""What Wireshark makes of a home's capture, given link keys alone; and that equal seeds give equal captures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator.oracle.home_life import live

TSHARK = shutil.which("tshark")
ROOT = Path(__file__).parents[3]


class Recording:
    """A capture and the link keys of its home, in the order they came into use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        world = live(path)
        self.link_keys = list(dict.fromkeys(key for kind, key in world.keys if kind != "network"))

    def tshark(self, *arguments: str) -> list[str]:
        assert TSHARK is not None
        keys = [
            item
            for key in self.link_keys
            for item in ("-o", f'uat:zigbee_pc_keys:"{key.hex(":")}","Normal",""')
        ]
        return subprocess.run(
            [TSHARK, "-r", str(self.path), *keys, *arguments], capture_output=True, text=True, check=True
        ).stdout.splitlines()

    def since_anybody(self, expression: str) -> list[str]:
        """Return matching frames from the first one of a joining device on.

        Before that the coordinator broadcasts to nobody, under a network key that nobody was given.
        """
        beacon_request = "wpan.cmd == 7"
        first, *_ = self.tshark("-Y", beacon_request, "-T", "fields", "-e", "frame.number")
        assert int(first) <= 3
        return self.tshark("-Y", f"({expression}) && frame.number >= {first}")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    if TSHARK is None:
        pytest.skip("tshark is not installed")
    return Recording(tmp_path_factory.mktemp("oracle") / "home.pcapng")


def test_no_frame_is_malformed_or_suspicious(recording: Recording) -> None:
    assert len(recording.tshark()) > 1000
    assert recording.since_anybody("_ws.malformed || _ws.expert") == []


def test_every_payload_is_decrypted(recording: Recording) -> None:
    opaque = (
        "zbee_nwk.security == 1 && !zbee_aps && !zbee_nwk.cmd.id",
        "zbee_aps.type == 0 && zbee_aps.security == 1 && !zbee_zcl && !zbee_zdp && !zbee_aps.fragment",
        "zbee_aps.type == 1 && !zbee_aps.cmd.id",
    )
    for expression in opaque:
        assert recording.since_anybody(expression) == [], expression


def test_key_establishment_and_upgrade_commands_are_named(recording: Recording) -> None:
    text = "\n".join(recording.tshark("-Y", "zbee_zcl", "-T", "fields", "-e", "_ws.col.Info"))
    for name in (
        "ZCL Key Establishment",
        "ZCL OTA: Query Next Image Request",
        "ZCL OTA: Query Next Image Response",
        "ZCL OTA: Image Block Request",
        "ZCL OTA: Image Block Response",
        "ZCL OTA: Upgrade End Request",
        "ZCL OTA: Upgrade End Response",
        "ZCL OTA: Image Notify",
    ):
        assert name in text, name


def _capture(path: Path, *, seed: int, hash_seed: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "tests.emulator.oracle.home_life", str(path), str(seed)],
        check=True,
        env=environment,
        cwd=ROOT,
    )
    return path.read_bytes()


def test_equal_seeds_give_equal_captures(tmp_path: Path) -> None:
    first = _capture(tmp_path / "first.pcapng", seed=1, hash_seed="1")
    second = _capture(tmp_path / "second.pcapng", seed=1, hash_seed="2")
    other = _capture(tmp_path / "other.pcapng", seed=2, hash_seed="1")
    assert first == second
    assert first != other
