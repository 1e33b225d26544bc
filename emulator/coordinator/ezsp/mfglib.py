"""The manufacturing library: the bare radio for sniffers and measurements, with no network on it.

Hosts use it to capture what is on the air (zigpy-cli `packet-capture`, ember-zli's sniffer) and to measure a
transmitter (bellows `tone` and `stream`). Every command but the start is refused until the library was started (EZSP
reference, manufacturing commands). That it cannot be started while a network is up, and ends when one comes up, is
recalled. A frame goes to the host with its last two octets, where the FCS was; hosts throw them away.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.air.fcs import FCS_OCTETS
from emulator.air.phy import CHANNELS, MAX_PSDU
from emulator.clock.kernel import Timer
from emulator.coordinator.ezsp.core import MAX_POWER_DBM, MIN_POWER_DBM, Answer, Core, Handler, Values
from emulator.coordinator.ezsp.status import SlStatus
from emulator.stack.events import NetworkUp, StackEvent

CARRIER_SLICE_US = 10_000
"""A tone or stream fills the channel in slices of this length, so that it is over soon after it was stopped."""
_MIN_PACKET = 3 + FCS_OCTETS
_ENDED: Answer = {"status": SlStatus.INVALID_STATE}


class Mfglib:
    """The radio as the host's test instrument."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._active = False
        self._carrier: str | None = None
        """Which of tone and stream is on."""
        self._slice: Timer | None = None
        self._channel_before = core.node.mac.channel

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part."""
        return {
            "mfglibStart": self._start,
            "mfglibEnd": self._when_active(self._end),
            "mfglibStartTone": self._when_active(lambda _: self._start_carrier("tone")),
            "mfglibStopTone": self._when_active(lambda _: self._stop_carrier("tone")),
            "mfglibStartStream": self._when_active(lambda _: self._start_carrier("stream")),
            "mfglibStopStream": self._when_active(lambda _: self._stop_carrier("stream")),
            "mfglibSendPacket": self._when_active(self._send),
            "mfglibSetChannel": self._when_active(self._set_channel),
            "mfglibGetChannel": lambda _: {"channel": self._core.node.mac.channel},
            "mfglibSetPower": self._when_active(self._set_power),
            "mfglibGetPower": lambda _: {"power": round(self._core.node.mac.tx_power_dbm)},
        }

    def event(self, event: StackEvent) -> None:
        """Give the radio back when a network comes up on it."""
        if isinstance(event, NetworkUp) and self._active:
            self._release()

    def _when_active(self, handler: Handler) -> Handler:
        return lambda values: handler(values) if self._active else _ENDED

    def _start(self, values: Values) -> Answer:
        if self._active or self._core.on_network:
            return {"status": SlStatus.INVALID_STATE}
        self._active = True
        mac = self._core.node.mac
        self._channel_before = mac.channel
        if values["rx_callback"]:
            mac.listen_to_all(self._received)
        return {}

    def _end(self, _: Values) -> Answer:
        self._release()
        self._core.node.mac.channel = self._channel_before
        return {}

    def _release(self) -> None:
        self._active = False
        self._silence()
        self._core.node.mac.listen_to_all(None)

    # Receiving

    def _received(self, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        if self._carrier is None:  # a radio that sends hears nothing
            heard = {"link_quality": lqi, "rssi": rssi_dbm, "packet_contents": psdu}
            self._core.callback("mfglibRxHandler", heard)

    # Sending

    def _send(self, values: Values) -> Answer:
        """Send one packet; its last two octets are the place of the FCS, which the radio fills in."""
        packet = values["packet_contents"]
        if not _MIN_PACKET <= len(packet) <= MAX_PSDU:
            return {"status": SlStatus.INVALID_PARAMETER}
        if self._carrier is not None:
            return {"status": SlStatus.INVALID_STATE}
        self._core.node.mac.send_mpdu(packet[:-FCS_OCTETS])
        return {}

    def _start_carrier(self, kind: str) -> Answer:
        if self._carrier is not None:
            return {"status": SlStatus.INVALID_STATE}
        self._carrier = kind
        self._fill()
        return {}

    def _stop_carrier(self, kind: str) -> Answer:
        if self._carrier != kind:
            return {"status": SlStatus.INVALID_STATE}
        self._silence()
        return {}

    def _fill(self) -> None:
        """Keep the channel busy for a slice more, whatever is sent there."""
        self._core.medium.jam(self._core.node.mac.channel, CARRIER_SLICE_US)
        self._slice = self._core.scope.call_later(CARRIER_SLICE_US, self._fill)

    def _silence(self) -> None:
        self._carrier = None
        self._core.scope.cancel(self._slice)
        self._slice = None

    # The radio

    def _set_channel(self, values: Values) -> Answer:
        if values["channel"] not in CHANNELS:
            return {"status": SlStatus.TRANSMIT_INVALID_CHANNEL}
        self._core.node.mac.channel = values["channel"]
        return {}

    def _set_power(self, values: Values) -> Answer:
        if not MIN_POWER_DBM <= values["power"] <= MAX_POWER_DBM:
            return {"status": SlStatus.TRANSMIT_INVALID_POWER}
        self._core.set_power(values["power"])
        return {}
