"""What Wireshark makes of a home's capture, given the link keys alone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from emulator.air.capture import PcapngCapture
from emulator.stack.primitives import Status
from tests.emulator.stack.node_world import GAS, METER, SECOND, Home

CBKE_KEYS = {METER: bytes(range(0x40, 0x50)), GAS: bytes(range(0x60, 0x70))}
TSHARK = shutil.which("tshark")


def life_of_a_home(capture: Path) -> Home:
    """Joins, secured and fragmented traffic, a key update, a trust centre rejoin, reboots and a removal."""
    home = Home(capture=capture)
    meter = home.device(METER, router=True, own_link_key_request=True)
    gas = home.device(GAS, sleepy=True, long_poll_us=5 * SECOND)
    home.separate(home.hub, gas)
    assert home.admit(meter) == Status.SUCCESS
    home.kernel.run_for(40 * SECOND)
    assert home.admit(gas) == Status.SUCCESS
    for device in (meter, gas):
        home.establish(device, CBKE_KEYS[device.node.eui64])
        assert (
            device.send(home.hub, b"\x08\x01\x0a\x00\x00\x29\x01\x00", run_us=20 * SECOND) == Status.SUCCESS
        )
        assert home.hub.send(device, b"\x08\x02\x0a\x00\x00\x42\xc8" + b"x" * 200, run_us=60 * SECOND) == 0
        assert device.send(home.hub, b"\x08\x03\x0a\x00\x00\x42\xc8" + b"y" * 200, run_us=60 * SECOND) == 0
    meter.node.request_application_key(GAS)
    home.kernel.run_for(20 * SECOND)
    trust_centre = home.hub.node.trust_centre
    assert trust_centre is not None
    trust_centre.update_network_key()
    home.kernel.run_for(20 * SECOND)
    gas.node.rejoin(secured=False)
    home.kernel.run_for(20 * SECOND)
    for device in (home.hub, meter, gas):
        device.reboot()
        home.kernel.run_for(20 * SECOND)
    assert gas.send(home.hub, b"\x08\x04\x0a\x00\x00\x29\x01\x00", run_us=30 * SECOND) == Status.SUCCESS
    trust_centre = home.hub.node.trust_centre
    assert trust_centre is not None
    trust_centre.remove_device(GAS)
    home.kernel.run_for(30 * SECOND)
    assert isinstance(home.capture, PcapngCapture)
    home.capture.close()
    return home


def tshark(capture: Path, keys: list[bytes], *arguments: str) -> list[str]:
    assert TSHARK is not None
    options = [item for key in keys for item in ("-o", f'uat:zigbee_pc_keys:"{key.hex(":")}","Normal",""')]
    run = subprocess.run(
        [TSHARK, "-r", str(capture), *options, *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout.splitlines()


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
def test_a_capture_decodes_whole_given_the_link_keys(tmp_path: Path) -> None:
    capture = tmp_path / "home.pcapng"
    home = life_of_a_home(capture)
    link_keys = list(dict.fromkeys(key for kind, key, _ in home.keys if kind != "network"))
    every_key = list(dict.fromkeys(key for _, key, _ in home.keys))
    assert tshark(capture, every_key, "-Y", "_ws.expert || _ws.malformed") == []
    # The network key travels under the link keys: before its first transport nobody could know it.
    first, *_ = tshark(
        capture, link_keys, "-Y", "zbee_aps.cmd.id == 0x05", "-T", "fields", "-e", "frame.number"
    )
    later = f"(_ws.expert || _ws.malformed) && frame.number > {first}"
    assert tshark(capture, link_keys, "-Y", later) == []
    commands = set(
        tshark(capture, link_keys, "-Y", "zbee_aps.cmd.id", "-T", "fields", "-e", "zbee_aps.cmd.id")
    )
    seen = {part for line in commands for part in line.split(",")}
    assert seen == {f"0x{number:02x}" for number in (0x05, 0x06, 0x07, 0x08, 0x09, 0x0E, 0x0F, 0x10)}
    assert tshark(capture, link_keys, "-Y", "zbee_aps.reassembled.length")
    assert tshark(capture, link_keys, "-Y", "zbee_aps.type == 2 && zbee_aps.security == 1")
    opaque = f"zbee_nwk.security == 1 && !zbee_aps && !zbee_nwk.cmd.id && frame.number > {first}"
    assert tshark(capture, link_keys, "-Y", opaque) == []
