"""bellows' and zigpy's own command lines, unmodified, against the co-processor."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator.coordinator.ezsp.ncp_world import METER, World
from tests.emulator.coordinator.ezsp.served_ncp import served

INSTALL_CODE = "83fed3407a939723a5c639b26916d505c3b5"


def bellows(url: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "bellows.cli.main", "-d", url, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_bellows_command_line_forms_describes_and_opens_a_network_over_tcp(tmp_path: Path) -> None:
    database = tmp_path / "zigbee.db"
    database.touch()
    with served(13) as place:
        bellows(place.url, "form", "-D", str(database), "-c", "15", "-P", "4660")
        information = bellows(place.url, "info")
        assert "panId=0x1234" in information
        assert "radioChannel=15" in information
        assert "EmberZNet version: 7.4.4.0" in information
        assert "Device:" in bellows(place.url, "devices", "-D", str(database))
        node = ":".join(f"{octet:02x}" for octet in METER.to_bytes(8, "big"))
        opened = bellows(place.url, "permit-with-key", "-D", str(database), "-t", "1", node, INSTALL_CODE)
        assert "Joins are permitted for the next 1s" in opened
        assert "Done" in opened
        assert place.ncp.node.link_key(METER) is not None or place.ncp.node.parameters is not None
        assert "zigpy-cli" in bellows(place.url, "backup")


@pytest.mark.skipif(
    shutil.which("zigpy", path=str(Path(sys.executable).parent)) is None, reason="zigpy-cli absent"
)
def test_zigpy_command_line_backs_the_network_up(tmp_path: Path) -> None:
    def form(world: World) -> None:
        world.ncp.attach(world.host.link.feed)
        world.host.connect()
        world.host.form()
        world.ncp.detach()

    backup = tmp_path / "backup.json"
    zigpy = Path(sys.executable).parent / "zigpy"
    with served(13, pty=tmp_path / "dongle", prepare=form) as place:
        command = [str(zigpy), "radio", "ezsp", place.url, "backup", str(backup)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        information = subprocess.run(
            [str(zigpy), "radio", "ezsp", place.url, "info"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "PAN ID" in information.stdout, information.stdout + information.stderr
    content = json.loads(backup.read_text())
    assert content["pan_id"] == "5345"
    assert content["network_key"]["key"] == "01030507090b0d0f00020406080a0c0d"
