"""What the medium and a transceiver know of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.air.phy import DEFAULT_TX_POWER_DBM

if TYPE_CHECKING:
    from emulator.air.channel import Transmission
    from emulator.air.link import Link
    from emulator.air.medium import Medium

DEAF = 1 << 62
"""`ready_us` of a receiver that is off."""

NO_ACK = 0
ACK = 1
ACK_PENDING = 2


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

    def __init__(self, medium: Medium, eui64: int, position: tuple[float, float]) -> None:
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
