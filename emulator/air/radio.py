"""What the medium and a transceiver know of each other: the radio, what it sends, and the air it sends it on."""

from __future__ import annotations

from typing import Protocol

from emulator.air.link import Link
from emulator.air.phy import DEFAULT_TX_POWER_DBM, NOISE_FLOOR_DBM
from emulator.clock.kernel import Kernel

DEAF = 1 << 62
"""`ready_us` of a receiver that is off."""

NO_ACK = 0
ACK = 1
ACK_PENDING = 2


class Air(Protocol):
    """What a radio may ask of the medium; see `emulator.air.medium.Medium`."""

    kernel: Kernel

    def attach(self, radio: Radio) -> None:
        """Put a radio on the air."""

    def detach(self, radio: Radio) -> None:
        """Take a radio off the air."""

    def retune(
        self,
        radio: Radio,
        *,
        channel: int | None = None,
        pan_id: int | None = None,
        short_address: int | None = None,
        promiscuous: bool | None = None,
    ) -> None:
        """Change a radio's channel, PAN, short address or promiscuity, and with them who finds it."""

    def refresh_links(self) -> None:
        """Forget computed links: a radio's `position` or `tx_power_dbm` has changed."""

    def clear(self, radio: Radio) -> bool:
        """Assess the channel as `radio` hears it."""

    def transmit(self, radio: Radio, psdu: bytes, wants_ack: bool) -> Transmission:
        """Send a PSDU; `radio.sent` tells how it ended."""

    def transmit_last(self, radio: Radio, psdu: bytes, wants_ack: bool) -> None:
        """Do as `transmit`, for a call of the kernel that ends with it."""

    def measure(self, radio: Radio) -> EnergyMeter:
        """Start measuring energy on the radio's channel."""

    def read_meter(self, meter: EnergyMeter) -> int:
        """Stop a measurement and return its peak in dBm."""


class Radio:
    """A transceiver on the medium. A subclass says which frames it acknowledges and what it does with them.

    `ready_us` is since when the receiver has been on without a break, `DEAF` when it is off: a frame that
    began earlier is missed. Channel, PAN, short address and promiscuity are properties, so that the medium's
    index always knows who can be found where; the medium and hot paths read the `tuned_` attributes behind
    them.
    """

    __slots__ = (
        "attached",
        "eui64",
        "links",
        "medium",
        "position",
        "ready_us",
        "tuned_channel",
        "tuned_pan",
        "tuned_promiscuous",
        "tuned_short",
        "tx_power_dbm",
    )

    def __init__(self, medium: Air, eui64: int, position: tuple[float, float]) -> None:
        self.medium = medium
        self.eui64 = eui64
        self.position = position
        self.tx_power_dbm: float = DEFAULT_TX_POWER_DBM
        self.tuned_channel = 11
        self.tuned_pan = 0xFFFF
        self.tuned_short = 0xFFFF
        self.tuned_promiscuous = False
        self.ready_us = DEAF
        self.attached = False
        self.links: dict[Radio, Link | None] = {}

    @property
    def channel(self) -> int:
        """phyCurrentChannel, 11 to 26."""
        return self.tuned_channel

    @channel.setter
    def channel(self, channel: int) -> None:
        self.medium.retune(self, channel=channel)

    @property
    def pan_id(self) -> int:
        """macPANId; 0xFFFF when in no network."""
        return self.tuned_pan

    @pan_id.setter
    def pan_id(self, pan_id: int) -> None:
        self.medium.retune(self, pan_id=pan_id)

    @property
    def short_address(self) -> int:
        """macShortAddress; 0xFFFF when there is none."""
        return self.tuned_short

    @short_address.setter
    def short_address(self, short_address: int) -> None:
        self.medium.retune(self, short_address=short_address)

    @property
    def promiscuous(self) -> bool:
        """Whether every intact frame on the channel goes to `overhear`."""
        return self.tuned_promiscuous

    @promiscuous.setter
    def promiscuous(self, promiscuous: bool) -> None:
        self.medium.retune(self, promiscuous=promiscuous)

    def accept(self, psdu: bytes) -> int:
        """Say how to acknowledge a unicast frame that arrived intact: `NO_ACK`, `ACK` or `ACK_PENDING`."""
        raise NotImplementedError(type(self).__name__)

    def indicate(self, psdu: bytes, lqi: int) -> None:
        """Take a frame: a broadcast, or a unicast once its acknowledgement has been sent."""
        raise NotImplementedError(type(self).__name__)

    def overhear(self, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        """Take any intact frame on the channel, acknowledgements included; only when `promiscuous`."""

    def sent(self, transmission: Transmission, acked: bool, pending: bool) -> None:
        """Learn how a transmission of this radio ended, after any wait for its acknowledgement."""
        raise NotImplementedError(type(self).__name__)


class Transmission:
    """One frame on the air, from `start_us` to `end_us`."""

    __slots__ = ("end_us", "interferers", "lqi", "psdu", "received", "source", "start_us", "wants_ack")

    def __init__(self, source: Radio, psdu: bytes, start_us: int, end_us: int, wants_ack: bool) -> None:
        self.source = source
        self.psdu = psdu
        self.start_us = start_us
        self.end_us = end_us
        self.wants_ack = wants_ack
        self.interferers: list[Transmission] | None = None
        # What the addressee got, kept while it sends its acknowledgement.
        self.received = b""
        self.lqi = 0


class EnergyMeter:
    """The strongest power, in dBm, a radio has measured on a channel since the meter was put there."""

    __slots__ = ("peak_dbm", "radio")

    def __init__(self, radio: Radio) -> None:
        self.radio = radio
        self.peak_dbm = NOISE_FLOOR_DBM
