"""Dongles as a user meets them: probed, backed up, restored, refused; emulated ones stand in."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.clock.kernel import Kernel
from emulator.clock.loop import run as run_virtually
from emulator.coordinator.ezsp_line import PtyConnection
from emulator.coordinator.monikers import parse
from harness.command.main import main
from harness.examples import DORMANT_SEMI as HOME
from harness.homes import backups
from harness.homes.attached import at, attached, probed
from harness.homes.dongle import (
    NetworkHeldError,
    RadioUnavailableError,
    check_network,
    connected,
    inspect,
)
from harness.homes.emulation import Emulation, EmulationOptions, Stranger
from harness.homes.preflight import Outcome, by_hand, check_installation, check_radio, check_surroundings
from hw_profiles.installation import Installation, load_installation
from hw_profiles.records import encode


@pytest.fixture(scope="module")
def installation() -> Installation:
    return load_installation(HOME)


class Bench:
    """One emulated dongle on a line, and the loop it lives on."""

    def __init__(self, installation: Installation, *, version: int = 13, cbke: bool = True) -> None:
        options = EmulationOptions(Stranger(parse("pty:/unused")), ezsp_version=version, cbke=cbke)
        self.emulation = Emulation(installation, options)
        self.line = PtyConnection()
        self.site = self.emulation._site

    def run(self, story: Any) -> Any:
        async def live() -> Any:
            path = await self.line.open(self.emulation.dongle)
            try:
                return await story(path)
            finally:
                await self.line.close()

        return run_virtually(live(), self.emulation.kernel)


def formed(bench: Bench) -> Any:
    async def form(path: str) -> None:
        async with connected(path, bench.site.network) as application:
            await application.form_network()

    return form


@pytest.mark.parametrize("version", [8, 13, 14, 19])
def test_a_dongle_says_what_it_is(installation: Installation, version: int) -> None:
    report = Bench(installation, version=version).run(inspect)
    assert report.protocol_version == version
    assert report.eui64 == "00:db:12:34:56:78:90:a0"
    assert report.network is None
    assert (report.cbke, report.cbke_283k1) == (True, True)
    assert json.dumps(encode(report))


def test_a_version_too_old_is_refused(installation: Installation) -> None:
    with pytest.raises(RadioUnavailableError, match="EZSP version 7, expected 8 to 19"):
        Bench(installation, version=7).run(inspect)


def test_somebody_elses_network_is_not_overwritten_unasked(installation: Installation) -> None:
    bench = Bench(installation)

    async def story(path: str) -> None:
        await formed(bench)(path)
        await check_network(path, bench.site, overwrite=False)  # the hub's own: nothing to object
        stranger = bench.site._replace(
            network={**bench.site.network, "extended_pan_id": "00:11:22:33:44:55:66:77"}
        )
        with pytest.raises(NetworkHeldError, match=r"network of somebody else.*--overwrite-network"):
            await check_network(path, stranger, overwrite=False)
        assert (await inspect(path)).network is not None
        await check_network(path, stranger, overwrite=True)
        assert (await inspect(path)).network is None

    bench.run(story)


def test_a_backup_makes_another_dongle_the_same_hub(installation: Installation, tmp_path: Path) -> None:
    first, second = Bench(installation), Bench(installation)

    async def save(path: str) -> None:
        await formed(first)(path)
        async with connected(path) as application:
            backups.write(tmp_path / "hub.json", await backups.take(application, 1_772_438_400))

    first.run(save)
    backup = backups.read(tmp_path / "hub.json")

    async def restore(path: str) -> None:
        async with connected(path) as application:
            await backups.restore(application, backup)
        async with connected(path) as application:
            await application.load_network_info(load_devices=True)
            network = application.state.network_info
            assert network.network_key.key == backup.network_info.network_key.key
            assert network.pan_id == backup.network_info.pan_id
            assert network.network_key.tx_counter >= backup.network_info.network_key.tx_counter + 10_000

    second.run(restore)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"metadata": {}}', '{"network_info": 3}'])
def test_what_is_no_backup_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "backup.json"
    path.write_text(text)
    with pytest.raises(backups.BackupError, match="not a backup"):
        backups.read(path)
    with pytest.raises(backups.BackupError, match="no such file"):
        backups.read(tmp_path / "other.json")


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(list(arguments))
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return status, error


def test_ports_that_cannot_be_opened_are_one_line_each(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        status, error = complaint(capsys, "radios", f"tcp:127.0.0.1:{port}")
    assert (status, "nothing listens there" in error) == (3, True)
    status, error = complaint(capsys, "radios", f"serial:{tmp_path / 'none'}")
    assert (status, "no such port" in error) == (3, True)
    (tmp_path / "file").touch()
    status, error = complaint(capsys, "radios", f"serial:{tmp_path / 'file'}")
    assert (status, "not a serial port" in error) == (3, True)
    status, error = complaint(capsys, "radios", "inproc:")
    assert (status, "expected serial:" in error) == (2, True)
    status, error = complaint(capsys, "radios", "--backup", str(tmp_path / "x"))
    assert (status, "take one WHERE" in error) == (2, True)


def test_a_port_without_permission_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    status, error = complaint(capsys, "radios", "serial:/dev/null")
    assert (status, "no permission; add your user to the port's group" in error) == (3, True)


@contextmanager
def babbling(answer: bytes) -> Iterator[int]:
    """A TCP port that says one thing to whatever it hears: not an EZSP dongle."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                client, _ = server.accept()
                with client:
                    while client.recv(100):
                        client.sendall(answer)
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def test_something_that_is_no_ezsp_dongle_is_said_to_be() -> None:
    async def story() -> None:
        with babbling(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
            await inspect(f"socket://127.0.0.1:{port}")

    with pytest.raises(RadioUnavailableError, match="no answer as from an EZSP dongle"):
        run_virtually(story(), Kernel(1), pace=30)


def test_a_port_in_use_is_said_to_be(installation: Installation) -> None:
    async def story(path: str) -> None:
        async with connected(path):
            with pytest.raises(RadioUnavailableError, match="in use by another program"):
                await inspect(path)

    Bench(installation).run(story)


def test_a_served_port_that_is_taken_is_one_line(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, error = complaint(capsys, "emulate", str(HOME), "--ncp", f"tcp:127.0.0.1:{port}")
    assert status in (2, 3)
    assert "cannot listen" in error


def test_known_dongles_are_told_by_their_usb_identity() -> None:
    def port(device: str, vid: int | None, pid: int | None, product: str) -> SimpleNamespace:
        return SimpleNamespace(
            device=device,
            vid=vid,
            pid=pid,
            product=product,
            manufacturer="",
            description="",
            serial_number="1",
        )

    found = attached(
        [
            port("/dev/ttyUSB1", 0x10C4, 0xEA60, "SkyConnect v1.0"),
            port("/dev/ttyUSB0", 0x1CF1, 0x0030, "ConBee II"),
            port("/dev/ttyS0", None, None, "n/a"),
            port("/dev/ttyUSB2", 0x1234, 0x5678, "Something"),
        ]
    )
    assert [(radio.radio, radio.protocol) for radio in found] == [
        ("serial:/dev/ttyUSB0", "deconz"),
        ("serial:/dev/ttyUSB1", "ezsp"),
        ("serial:/dev/ttyUSB2", "unknown"),
    ]
    assert found[2].product == "Something"
    assert "not for Smart Energy" in found[0].abilities


def test_probing_tells_where_key_establishment_is_done(installation: Installation) -> None:
    async def story(path: str) -> Any:
        return await probed(at(parse(f"serial:{path}")), path)

    assert "on the dongle (sect163k1, sect283k1)" in Bench(installation).run(story).abilities
    assert Bench(installation, cbke=False).run(story).abilities.endswith("key establishment by the host")


def test_preflight_passes_a_good_bench_and_changes_nothing(
    installation: Installation, tmp_path: Path
) -> None:
    bench = Bench(installation)

    async def story(path: str) -> Any:
        return await check_radio(installation, parse(f"serial:{path}"), declared=True)

    checks = [
        *check_installation(installation),
        *check_surroundings(installation, tmp_path),
        *bench.run(story),
    ]
    assert [check for check in checks if check.outcome is Outcome.FAILED] == []
    assert {"radio", "address", "network", "key establishment", "channel"} <= {check.name for check in checks}
    assert all(check.outcome is Outcome.BY_HAND for check in by_hand())
    assert list(tmp_path.iterdir()) == []
    assert bench.run(inspect).network is None


@pytest.mark.parametrize("radio", ["tcp:127.0.0.1:1", "pty:/dev/ttyUSB9", "serial:/dev/ttyUSB9"])
def test_preflight_fails_where_a_run_would_be_refused(radio: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more, outcome in (((), "failed"), (("--bench",), "note")):
        main(["preflight", str(HOME), "--radio", radio, "--json", *more])
        checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
        assert checks["control keys"]["outcome"] == outcome
    assert "rehearsal keys" in checks["control keys"]["text"]


def test_preflight_fails_without_a_radio(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status = main(["preflight", str(HOME), "--radio", f"serial:{tmp_path / 'none'}", "--json"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert status == 1
    assert checks["radio"]["outcome"] == "failed"
    assert "no such port" in checks["radio"]["text"]
