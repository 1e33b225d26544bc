"""The manufacturing library: the bare radio of a co-processor, for sniffers and measurements."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.air.fcs import fcs_ok, with_fcs
from emulator.coordinator.ezsp.commands import VERSIONS
from emulator.coordinator.ezsp.status import SlStatus
from tests.emulator.coordinator.ezsp.ncp_world import SECOND, Host, World

SNIFFER = 0x00DB1234567890FF
BEACON_REQUEST = bytes.fromhex("03082affffffff07")


class Bench(World):
    """A co-processor with a network and a device, and a second co-processor that only listens."""

    def __init__(self, version: int = 13) -> None:
        super().__init__(version)
        self.sniffer = Host(self.kernel, self.dongle(SNIFFER, version=version, name="sniffer"))
        self.air: list[bytes] = []
        self.medium.capture = self
        self.sniffer.connect()

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        del time_us, channel, lqi, rssi_dbm
        self.air.append(psdu)

    def start(self, channel: int = 11, *, listening: bool = True) -> None:
        assert self.sniffer("mfglibStart", rx_callback=listening)["status"] == SlStatus.OK
        assert self.sniffer("mfglibSetChannel", channel=channel)["status"] == SlStatus.OK

    def packets(self) -> list[bytes]:
        return [each["packet_contents"] for each in self.sniffer.heard("mfglibRxHandler")]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_sniffer_hears_every_frame_of_a_network_it_is_not_on(version: int) -> None:
    bench = Bench(version)
    bench.host.form()
    bench.start()
    if version >= 6:
        bench.join(bench.device())
    else:
        bench.device().node.join((11,))
        bench.kernel.run_for(2 * SECOND)
    assert bench.air
    assert bench.packets() == bench.air
    assert all(fcs_ok(packet) for packet in bench.packets())
    heard = bench.sniffer.heard("mfglibRxHandler")[0]
    assert heard["link_quality"] > 0
    assert -100 <= heard["rssi"] < 0


def test_a_sniffer_on_another_channel_hears_nothing_and_may_change_over() -> None:
    bench = Bench()
    bench.host.form(channel=15)
    bench.start(channel=11)
    scanner = bench.device().node.mac
    scanner.scan((15,), 3, lambda _: None)
    bench.kernel.run_for(SECOND)
    assert bench.packets() == []
    assert bench.sniffer("mfglibSetChannel", channel=15)["status"] == SlStatus.OK
    assert bench.sniffer("mfglibGetChannel")["channel"] == 15
    scanner.scan((15,), 3, lambda _: None)
    bench.kernel.run_for(SECOND)
    assert len(bench.packets()) == 2  # the request and the answer


def test_without_the_callback_nothing_is_reported() -> None:
    bench = Bench()
    bench.host.form()
    bench.start(listening=False)
    bench.device().node.mac.scan((11,), 3, lambda _: None)
    bench.kernel.run_for(SECOND)
    assert bench.packets() == []


def test_the_end_gives_the_radio_back() -> None:
    bench = Bench()
    bench.start(channel=20)
    assert bench.sniffer("mfglibEnd")["status"] == SlStatus.OK
    assert bench.sniffer("mfglibGetChannel")["channel"] == 11
    bench.host.form(channel=20)
    bench.device().node.mac.scan((20,), 3, lambda _: None)
    bench.kernel.run_for(SECOND)
    assert bench.packets() == []


@pytest.mark.parametrize(
    ("command", "values"),
    [
        ("mfglibEnd", {}),
        ("mfglibStartTone", {}),
        ("mfglibStopTone", {}),
        ("mfglibStartStream", {}),
        ("mfglibStopStream", {}),
        ("mfglibSendPacket", {"packet_contents": with_fcs(BEACON_REQUEST)}),
        ("mfglibSetChannel", {"channel": 15}),
        ("mfglibSetPower", {"power": 3}),
    ],
)
def test_nothing_works_before_the_start(command: str, values: dict[str, Any]) -> None:
    assert Bench().sniffer(command, **values)["status"] == SlStatus.INVALID_STATE


def test_it_does_not_start_twice_nor_on_a_network_and_ends_when_a_network_comes_up() -> None:
    bench = Bench()
    bench.start()
    assert bench.sniffer("mfglibStart", rx_callback=True)["status"] == SlStatus.INVALID_STATE
    bench.sniffer.form(channel=20)
    assert bench.sniffer("mfglibEnd")["status"] == SlStatus.INVALID_STATE
    assert bench.sniffer("mfglibStart", rx_callback=True)["status"] == SlStatus.INVALID_STATE


def test_a_packet_goes_out_with_a_check_sequence_of_the_radios_own() -> None:
    bench = Bench()
    bench.host.form()
    bench.start()
    sent = bench.sniffer("mfglibSendPacket", packet_contents=BEACON_REQUEST + b"\xaa\xaa")
    assert sent["status"] == SlStatus.OK
    bench.kernel.run_for(SECOND)
    assert with_fcs(BEACON_REQUEST) in bench.air
    beacons = [packet for packet in bench.packets() if packet[0] & 7 == 0]
    assert len(beacons) == 1  # the network answered the request


@pytest.mark.parametrize("octets", [0, 4, 128, 200])
def test_a_packet_that_is_no_frame_is_refused(octets: int) -> None:
    bench = Bench()
    bench.start()
    answer = bench.sniffer("mfglibSendPacket", packet_contents=bytes(octets))
    assert answer["status"] == SlStatus.INVALID_PARAMETER


@pytest.mark.parametrize("kind", ["Tone", "Stream"])
def test_a_carrier_fills_its_channel_until_it_is_stopped(kind: str) -> None:
    bench = Bench()
    bench.host.form()
    bench.start()
    assert bench.sniffer(f"mfglibStart{kind}")["status"] == SlStatus.OK
    assert bench.sniffer("mfglibStartTone")["status"] == SlStatus.INVALID_STATE
    mac = bench.ncp.node.mac
    assert not mac.medium.clear(mac)
    levels: list[dict[int, int]] = []
    mac.energy_scan((11, 12), 3, levels.append)
    bench.kernel.run_for(SECOND)
    assert levels[0][11] > -10
    assert levels[0][12] < -90
    assert bench.packets() == []
    other = "Stream" if kind == "Tone" else "Tone"
    assert bench.sniffer(f"mfglibStop{other}")["status"] == SlStatus.INVALID_STATE
    assert bench.sniffer(f"mfglibStop{kind}")["status"] == SlStatus.OK
    bench.kernel.run_for(20_000)
    assert mac.medium.clear(mac)


def test_a_reset_silences_a_carrier() -> None:
    bench = Bench()
    bench.start()
    bench.sniffer("mfglibStartTone")
    bench.sniffer.connect()
    bench.kernel.run_for(20_000)
    mac = bench.ncp.node.mac
    assert mac.medium.clear(mac)


@pytest.mark.parametrize("command", ["mfglibSetPower", "setRadioPower"])
def test_power_changes_how_well_the_radio_is_heard(command: str) -> None:
    bench = Bench()
    bench.start()
    medium, other = bench.medium, bench.ncp.node.mac
    radio = medium.radio(SNIFFER)
    assert radio is not None
    before = medium.link(radio, other)
    assert bench.sniffer(command, power=-20)["status"] == SlStatus.OK
    assert bench.sniffer("mfglibGetPower")["power"] == -20
    after = medium.link(radio, other)
    assert before is not None
    assert after is not None
    assert after.rssi_dbm < before.rssi_dbm - 20
    assert bench.sniffer(command, power=21)["status"] == SlStatus.TRANSMIT_INVALID_POWER
    assert bench.sniffer(command, power=-100)["status"] == SlStatus.TRANSMIT_INVALID_POWER


def test_a_channel_out_of_range_is_refused() -> None:
    bench = Bench()
    bench.start()
    assert bench.sniffer("mfglibSetChannel", channel=27)["status"] == SlStatus.TRANSMIT_INVALID_CHANNEL
