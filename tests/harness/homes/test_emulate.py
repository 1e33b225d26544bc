"""`smets1 emulate` and a campaign in another process, on the line between them."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zigpy.types as t
from bellows.zigbee.application import ControllerApplication
from scapy.utils import RawPcapReader

from emulator.air.capture import read_frames
from emulator.air.frame import FrameType, decode_frame
from emulator.clock.kernel import MICROSECONDS
from emulator.clock.loop import run as run_virtually
from emulator.coordinator.ash_frames import Data, Deframer, Error, Rst, RstAck, encode
from emulator.coordinator.ezsp_line import ezsp_config
from emulator.coordinator.hub_application import to_zigpy
from emulator.coordinator.monikers import parse
from emulator.coordinator.spinel.rcp import Rcp
from emulator.crypto.install_code import install_code_link_key
from emulator.devices.electricity_meter import ElectricityMeter
from harness.command.emulate import notices
from harness.command.main import main
from harness.examples import DORMANT_SEMI as HOME
from harness.homes.emulation import Emulation, EmulationOptions, Stranger
from hw_profiles.installation import load_installation
from tests.end_to_end.quick_scenario import build

PROJECT = Path(__file__).parents[3]
SPEED = 20
PATIENCE_S = 60
CHANNEL = 15


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("emulate") / "home")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "harness.command.main", *map(str, arguments)]


@contextmanager
def emulating(home: Path, line: Path, *more: str | Path) -> Iterator[subprocess.Popen[str]]:
    arguments = command("emulate", home, "--ncp", f"pty:{line}", "--speed", str(SPEED), *more)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as running:
        try:
            until = time.monotonic() + PATIENCE_S
            while not line.is_symlink():
                assert running.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            yield running
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGINT)


def test_a_campaign_reaches_the_meters_of_another_process(home: Path, tmp_path: Path) -> None:
    line, out = tmp_path / "dongle", tmp_path / "run"
    with emulating(home, line, "--capture", tmp_path / "air.pcapng") as running:
        arguments = command("run", home, "--radio", f"serial:{line}", "--bench", "--speed", str(SPEED))
        done = subprocess.run(
            [*arguments, "--dry-run", "--json", "--out", str(out)],
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE_S,
            cwd=PROJECT,
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["radio"] == f"serial:{line}"
        running.send_signal(signal.SIGINT)
        shown = running.communicate(timeout=PATIENCE_S)[0]
        assert running.returncode == 0
    for name in ("electricity", "gas", "display"):
        assert re.search(rf"{name}: registered as 0x[0-9A-F]{{4}}", shown)
    assert "install code 41731CD68275F29505C2980A572AADAFAF2D" in shown
    assert not line.is_symlink()
    assert sum(1 for _ in read_frames(tmp_path / "air.pcapng")) > 200
    assert (tmp_path / "zigbee_pc_keys").exists()
    assert (out / "backup-before.json").exists()


def test_a_strangers_host_lets_a_meter_in(tmp_path: Path) -> None:
    """bellows as anybody uses it: no part of the hub."""
    path = tmp_path / "dongle"
    emulation = Emulation(load_installation(HOME), EmulationOptions(Stranger(parse(f"pty:{path}"))))
    entry = emulation.installation.device("electricity")

    async def story() -> None:
        where = await emulation.start()
        application = ControllerApplication(ezsp_config(where, {"channel": 15}, watchdog=False))
        await application.startup(auto_form=True)
        key = install_code_link_key(entry.install_code_octets)
        await application.permit_with_link_key(to_zigpy(entry.address), t.KeyData(key), 200)
        async with asyncio.timeout(600):
            while emulation.nodes()[0].state not in ("joined", "registered"):
                await asyncio.sleep(1)
        assert emulation.nodes()[0].short is not None
        assert emulation.nodes()[1].state == "searching"
        assert emulation.traffic.frames > 0
        assert emulation.coordinator_frames > 0
        await application.shutdown()
        await emulation.stop()

    run_virtually(story(), emulation.kernel)


def test_a_spinel_radio_is_served_as_well(tmp_path: Path) -> None:
    path = tmp_path / "radio"
    emulation = Emulation(load_installation(HOME), EmulationOptions(Stranger(parse(f"pty:{path}"), rcp=True)))
    assert isinstance(emulation.dongle, Rcp)

    async def story() -> None:
        await emulation.start()
        assert path.is_symlink()
        await emulation.stop()
        assert not path.is_symlink()

    run_virtually(story(), emulation.kernel)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.toml", "--ncp", "tcp:127.0.0.1:6638"], "no such file"),
        ([str(HOME), "--ncp", "carrier-pigeon"], "--ncp: 'carrier-pigeon': expected"),
        ([str(HOME), "--rcp", "tcp:"], "--rcp: 'tcp:': expected pty:/path or tcp:HOST:PORT"),
        ([str(HOME), "--ncp", "serial:/dev/ttyUSB0"], "where a host can open it"),
        ([str(HOME), "--ncp", "pty:/proc/dongle"], "cannot make the link"),
    ],
)
def test_lines_that_cannot_be_served_are_one_line_each(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["emulate", *arguments]) in (2, 3)
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--ezsp", "20"], ["--speed", "0"], ["--rcp", "tcp:127.0.0.1:1"]])
def test_options_out_of_range_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["emulate", str(HOME), "--ncp", "tcp:127.0.0.1:6638", *arguments])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("where", "version", "said"),
    [
        ("tcp:127.0.0.1:6638", 13, []),
        ("tcp:localhost:6638", 13, []),
        ("tcp:[::1]:6638", 13, []),
        ("pty:/tmp/dongle", 5, []),
        ("tcp:0.0.0.0:6638", 13, ["everybody on the network can reach this dongle; tcp:127.0.0.1:6638"]),
        ("tcp:[::]:6638", 13, ["everybody on the network"]),
        ("tcp:bench.example:6638", 13, ["everybody on the network"]),
        ("pty:/tmp/dongle", 4, ["no device of the installation will join; 5 or newer can"]),
    ],
)
def test_what_a_user_should_know_is_a_line_each(where: str, version: int, said: list[str]) -> None:
    found = notices(EmulationOptions(Stranger(parse(where)), ezsp_version=version))
    assert len(found) == len(said)
    for line, words in zip(found, said, strict=True):
        assert words in line
        assert "\n" not in line


def test_notes_go_to_the_error_stream(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulate", str(home), "--ncp", "tcp:0.0.0.0:0", "--for", "1"]) == 2
    assert (
        main(["emulate", str(home), "--ncp", f"tcp:0.0.0.0:{free_port()}", "--for", "1", "--speed", "100"])
        == 0
    )
    shown = capsys.readouterr()
    assert "smets1: note: tcp:0.0.0.0:" in shown.err
    assert "note:" not in shown.out


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.parametrize("pulled", [False, True])
def test_time_and_registers_of_a_kept_state_never_go_back(home: Path, tmp_path: Path, pulled: bool) -> None:
    """Also when the process was killed, which leaves no time to tidy up."""
    installation = load_installation(home)
    options = EmulationOptions(Stranger(parse(f"pty:{tmp_path / 'dongle'}")), state=tmp_path / "state")
    times: list[int] = []
    registers: list[int] = []
    for _ in range(3):
        emulation = Emulation(installation, options)
        kernel = emulation.kernel
        times.append(kernel.unix_us)

        async def story(emulation: Emulation = emulation) -> None:
            await emulation.start()
            meter = emulation.devices["electricity"]
            assert isinstance(meter, ElectricityMeter)
            await asyncio.sleep(60)  # its processor starts
            assert meter.registers is not None
            registers.append(meter.registers.active_import)
            await asyncio.sleep(5000)
            registers.append(meter.registers.active_import)
            if not pulled:
                await emulation.stop()

        run_virtually(story(), kernel)
        times.append(kernel.unix_us)
    assert times == sorted(times)
    assert registers == sorted(registers)
    assert registers[0] < registers[-1]


@pytest.mark.skipif(not (Path(sys.executable).parent / "zigpy").exists(), reason="zigpy-cli is not installed")
def test_zigpy_captures_a_home_that_is_being_installed(home: Path, tmp_path: Path) -> None:
    """Unmodified: packet-capture on a second dongle, while a campaign's hub lets the meters in on the first."""
    line, sniffer, pcap = tmp_path / "dongle", tmp_path / "sniffer", tmp_path / "air.pcap"
    zigpy = str(Path(sys.executable).parent / "zigpy")
    with emulating(home, line, "--sniffer", f"pty:{sniffer}"):
        capture = [
            zigpy,
            "radio",
            "ezsp",
            str(sniffer),
            "packet-capture",
            "-c",
            str(CHANNEL),
            "-o",
            str(pcap),
        ]
        with subprocess.Popen(capture, stderr=subprocess.DEVNULL) as capturing:
            arguments = command("run", home, "--radio", f"serial:{line}", "--bench", "--speed", str(SPEED))
            done = subprocess.run(
                [*arguments, "--dry-run", "--json", "--out", str(tmp_path / "run")],
                capture_output=True,
                check=False,
                text=True,
                timeout=PATIENCE_S,
                cwd=PROJECT,
            )
            capturing.send_signal(signal.SIGINT)
            capturing.wait(PATIENCE_S)
    assert done.returncode == 0, done.stderr
    with RawPcapReader(str(pcap)) as packets:
        heard = [decode_frame(octets[int.from_bytes(octets[2:4], "little") :]) for octets, _ in packets]
    hub = [frame for frame in heard if frame.source == 0]
    assert hub
    assert {frame.frame_type for frame in heard} >= {FrameType.DATA, FrameType.COMMAND, FrameType.BEACON}
    assert len({frame.source for frame in heard if frame.frame_type is FrameType.DATA}) >= 4


@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_a_host_may_pause_for_a_moment_at_any_speed(home: Path, tmp_path: Path, speed: float) -> None:
    """An answer that is not acknowledged for 0.3 s of real time is no failure of the line."""
    options = EmulationOptions(Stranger(parse(f"pty:{tmp_path / 'dongle'}")), speed=speed)
    emulation = Emulation(load_installation(home), options)
    dongle, kernel, said = emulation.dongle, emulation.kernel, bytearray()
    dongle.attach(said.extend)
    dongle.feed(encode(Rst()))
    kernel.run_for(int(0.01 * speed * MICROSECONDS))
    dongle.feed(encode(Data(0, False, 0, bytes((0, 0, 0, 13)))))
    kernel.run_for(int(0.3 * speed * MICROSECONDS))
    kinds = [type(frame) for frame in Deframer().feed(bytes(said))]
    assert kinds[:2] == [RstAck, Data]
    assert Error not in kinds
    run_virtually(emulation.stop(), kernel)
