"""The quiet exchange: a frame alone on the air and its acknowledgement, in the event that assessed the channel.

Nearly all frames of a home meet nobody. Where nothing else is due before such a frame and its acknowledgement end, the
kernel goes on in time by itself, and neither becomes an event. What happens, and when, is what `Medium` does the long
way; whatever is not of the plainest kind is given back to it.
"""

from __future__ import annotations

from typing import Protocol

from emulator.air.channel import Channel
from emulator.air.fcs import with_fcs
from emulator.air.link import Link
from emulator.air.phy import ACK_US, TURNAROUND_US
from emulator.air.radio import ACK_PENDING, NO_ACK, Radio, Transmission
from emulator.clock.kernel import Kernel

ACKS = tuple(
    tuple(with_fcs(bytes([control, 0x00, sequence])) for sequence in range(256)) for control in (0x02, 0x12)
)
"""Acknowledgement PSDUs by frame-pending bit and sequence number (fact sheet 4.2: 0x0002, 0x0012)."""


class Capture(Protocol):
    """Where every frame put on the air goes, acknowledgements included."""

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        """Record a frame that ended at `time_us` (Unix microseconds of the scenario)."""


class LongWay(Protocol):
    """What an exchange needs of the air it takes place on: `Medium`."""

    kernel: Kernel
    capture: Capture | None

    def link(self, source: Radio, destination: Radio) -> Link | None:
        """Return how `destination` hears `source`, None when it does not."""

    def frame_ended(self, channel: Channel, transmission: Transmission) -> None:
        """End a frame that is among the channel's active ones."""

    def answer(  # noqa: PLR0917 (hot path: positional)
        self,
        channel: Channel,
        transmission: Transmission,
        receiver: Radio,
        kind: int,
        received: bytes,
        lqi: int,
    ) -> None:
        """Go on with a frame that arrived, as its addressee said."""


def exchange(air: LongWay, channel: Channel, transmission: Transmission) -> None:
    """End a frame that was alone on the air, and its acknowledgement too if nothing else comes before.

    The kernel's time is the frame's end. For a unicast over links that lose nothing; any other frame goes the long way.
    """
    kernel, capture = air.kernel, air.capture
    source, psdu = transmission.source, transmission.psdu
    radios = channel.addressees(psdu)
    receiver = radios[0] if radios is not None and len(radios) == 1 else None
    link = None if receiver is None else air.link(source, receiver)
    if receiver is None or link is None or link.loss or receiver.ready_us > transmission.start_us:
        channel.active.append(transmission)
        air.frame_ended(channel, transmission)
        return
    channel.last_source, channel.last_end_us = source, transmission.end_us
    if capture is not None:
        capture.frame(kernel.epoch_us + kernel.now, channel.number, psdu, link.lqi, link.rssi_dbm)
    kind = receiver.accept(psdu)
    back = air.link(receiver, source)
    ack_end = transmission.end_us + TURNAROUND_US + ACK_US
    if kind == NO_ACK or back is None or back.loss or not kernel.run_on(ack_end):
        air.answer(channel, transmission, receiver, kind, psdu, link.lqi)
        return
    pending = kind == ACK_PENDING
    channel.last_source, channel.last_end_us = receiver, ack_end
    if capture is not None:
        capture.frame(
            kernel.epoch_us + ack_end, channel.number, ACKS[pending][psdu[2]], back.lqi, back.rssi_dbm
        )
    receiver.indicate(psdu, link.lqi)
    if source.attached:
        source.sent(transmission, True, pending)
