"""The shared radio medium of one home.

Frames take their real airtime, are heard or not according to path loss or explicit links, collide when they
overlap at a receiver, and are acknowledged 192 us after they end. One kernel event ends a frame, one ends its
acknowledgement; where nothing else happens in between, both take place in the event that began the frame
(`exchange.py`). A unicast frame is looked up by address and touches only its addressee (and promiscuous radios). A
frame that is acknowledged goes up at its receiver when the acknowledgement has been sent. Propagation delay, below a
microsecond in a home, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emulator.air.channel import Channel, is_broadcast, overlap
from emulator.air.exchange import ACKS, Capture, exchange
from emulator.air.fcs import fcs_ok
from emulator.air.link import Link, LinkOverride, link_at
from emulator.air.phy import (
    ACK_US,
    ACK_WAIT_US,
    CCA_US,
    CHANNELS,
    CO_CHANNEL_REJECTION_DB,
    NOISE_FLOOR_DBM,
    TURNAROUND_US,
    PathLoss,
    airtime_us,
)
from emulator.air.radio import ACK_PENDING, NO_ACK, EnergyMeter, Radio, Transmission
from emulator.clock.kernel import Kernel
from emulator.errors import EmulatorError

NOISE_DBM = 0
"""What an energy scan shows of a jammed channel."""
_BROADCAST_LINK = Link(-40, 255, 0.0)
_INAUDIBLE = Link(NOISE_FLOOR_DBM, 0, 1.0)
"""What a capture says of a frame without one addressee, and of one that its addressee cannot hear."""

Interference = Callable[[int, int, int, bytes], bytes | None]
"""(time in us, source EUI-64, destination EUI-64, PSDU) -> the PSDU as received, or None when it is lost."""


class Medium:
    """The air of one home; `interference` and the link and jam methods are the hooks for faults."""

    def __init__(
        self, kernel: Kernel, *, capture: Capture | None = None, path_loss: PathLoss | None = None
    ) -> None:
        self.kernel = kernel
        self.capture = capture
        self.interference: list[Interference] = []
        self.path_loss = path_loss or PathLoss()
        self._scope = kernel.scope("air")
        self._channels = {number: Channel(number) for number in CHANNELS}
        self._radios: dict[int, Radio] = {}
        self._overrides: dict[tuple[int, int], LinkOverride] = {}

    # Radios

    def attach(self, radio: Radio) -> None:
        """Put a radio on the air; raises `EmulatorError` when its EUI-64 is there already."""
        if radio.eui64 in self._radios:
            raise EmulatorError(
                f"medium: EUI-64 {radio.eui64:016X} is already on the air; detach the old radio first"
            )
        self._radios[radio.eui64] = radio
        radio.attached = True
        self._channels[radio.tuned_channel].add(radio)
        self.refresh_links()

    def detach(self, radio: Radio) -> None:
        """Take a radio off the air: a frame it is sending is cut, and nothing reaches it any more."""
        if not radio.attached:
            return
        self._channels[radio.tuned_channel].remove(radio)
        radio.attached = False
        del self._radios[radio.eui64]
        self.refresh_links()

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
        if channel is not None and channel not in self._channels:
            raise EmulatorError(f"radio {radio.eui64:016X}: channel {channel}, expected 11 to 26")
        if radio.attached:
            self._channels[radio.tuned_channel].remove(radio)
        if channel is not None and channel != radio.tuned_channel:
            radio.tuned_channel = channel
            radio.ready_us = max(radio.ready_us, self.kernel.now)
        if pan_id is not None:
            radio.tuned_pan = pan_id
        if short_address is not None:
            radio.tuned_short = short_address
        if promiscuous is not None:
            radio.tuned_promiscuous = promiscuous
        if radio.attached:
            self._channels[radio.tuned_channel].add(radio)

    def radio(self, eui64: int) -> Radio | None:
        """Return the radio on the air with that EUI-64."""
        return self._radios.get(eui64)

    # Links and faults

    def set_link(
        self,
        source: int,
        destination: int,
        *,
        audible: bool = True,
        rssi_dbm: int | None = None,
        loss: float | None = None,
        both_ways: bool = True,
    ) -> None:
        """Fix a link between two EUI-64s: deaf, at a signal strength, or with a loss probability."""
        if loss is not None and not 0 <= loss <= 1:
            raise EmulatorError(f"link loss {loss}: expected a probability from 0 to 1")
        override = LinkOverride(audible, rssi_dbm, loss)
        self._overrides[source, destination] = override
        if both_ways:
            self._overrides[destination, source] = override
        self.refresh_links()

    def clear_link(self, source: int, destination: int) -> None:
        """Give a link, both ways, back to the path-loss model."""
        self._overrides.pop((source, destination), None)
        self._overrides.pop((destination, source), None)
        self.refresh_links()

    def refresh_links(self) -> None:
        """Forget computed links; call after changing a radio's `position` or `tx_power_dbm`."""
        for radio in self._radios.values():
            radio.links.clear()

    def jam(self, channel: int, duration_us: int) -> None:
        """Fill a channel with noise from now on: it is never clear, and nothing on it is received."""
        jammed = self._channels[channel]
        jammed.jammed_until_us = max(jammed.jammed_until_us, self.kernel.now + duration_us)
        for meter in jammed.meters:
            meter.peak_dbm = max(meter.peak_dbm, NOISE_DBM)

    def link(self, source: Radio, destination: Radio) -> Link | None:
        """Return how `destination` hears `source`, None when it does not."""
        try:
            return source.links[destination]
        except KeyError:
            rssi = self.path_loss.rssi(source.tx_power_dbm, source.position, destination.position)
            link = link_at(rssi, self._overrides.get((source.eui64, destination.eui64)))
            source.links[destination] = link
            return link

    # The air

    def clear(self, radio: Radio) -> bool:
        """Assess the channel as `radio` hears it over the last 128 us (CCA by carrier sense)."""
        channel = self._channels[radio.tuned_channel]
        now = self.kernel.now
        if now < channel.jammed_until_us:
            return False
        last = channel.last_source
        if last is not None and channel.last_end_us > now - CCA_US and self._audible(last, radio):
            return False
        for other in channel.active:
            source = other.source
            if source is radio:
                return False
            if other.start_us < now and source.attached and self.link(source, radio) is not None:
                return False
        return True

    def transmit(self, radio: Radio, psdu: bytes, wants_ack: bool) -> Transmission:
        """Send a PSDU after the turnaround; `radio.sent` tells how it ended."""
        channel = self._channels[radio.tuned_channel]
        start = self.kernel.now + TURNAROUND_US
        end = start + airtime_us(len(psdu))
        transmission = Transmission(radio, psdu, start, end, wants_ack)
        self._begin(channel, transmission)
        self.kernel.schedule(end, self.frame_ended, (channel, transmission), self._scope)
        return transmission

    def transmit_last(self, radio: Radio, psdu: bytes, wants_ack: bool) -> None:
        """Do as `transmit`, for a call of the kernel that ends with it: on a quiet air the frame ends at once."""
        channel = self._channels[radio.tuned_channel]
        kernel = self.kernel
        start = kernel.now + TURNAROUND_US
        end = start + airtime_us(len(psdu))
        transmission = Transmission(radio, psdu, start, end, wants_ack)
        # Who overhears, measures or interferes is left to the long way.
        quiet = not (channel.active or channel.promiscuous or channel.meters or self.interference)
        if quiet and channel.jammed_until_us <= start and kernel.run_on(end):
            exchange(self, channel, transmission)
            return
        self._begin(channel, transmission)
        kernel.schedule(end, self.frame_ended, (channel, transmission), self._scope)

    def frame_ended(self, channel: Channel, transmission: Transmission) -> None:
        """End a frame: its addressee receives and answers it, or everybody when it is a broadcast."""
        channel.active.remove(transmission)
        source = channel.last_source = transmission.source
        channel.last_end_us = transmission.end_us
        if not source.attached:
            return
        radios = channel.addressees(transmission.psdu)
        if radios is None:
            self._record(channel, transmission, _BROADCAST_LINK)
            if is_broadcast(transmission.psdu):
                self._broadcast(channel, transmission)
            self._finish_unacked(transmission)
            return
        receiver = radios[0] if len(radios) == 1 else self._strongest(source, radios)
        link = self.link(source, receiver)
        self._record(channel, transmission, link)
        received = self._reception(channel, transmission, receiver, link)
        if received is None or link is None:
            self._finish_unacked(transmission)
            return
        self.answer(channel, transmission, receiver, receiver.accept(received), received, link.lqi)

    def answer(  # noqa: PLR0917 (hot path: positional)
        self,
        channel: Channel,
        transmission: Transmission,
        receiver: Radio,
        kind: int,
        received: bytes,
        lqi: int,
    ) -> None:
        """Go on with a frame that arrived, as its addressee said: `NO_ACK`, `ACK` or `ACK_PENDING`."""
        if kind == NO_ACK:
            receiver.indicate(received, lqi)
            self._finish_unacked(transmission)
            return
        transmission.received, transmission.lqi = received, lqi
        self._acknowledge(channel, transmission, receiver, kind == ACK_PENDING)

    def measure(self, radio: Radio) -> EnergyMeter:
        """Start measuring energy on the radio's channel; give the meter back to `read_meter`."""
        channel = self._channels[radio.tuned_channel]
        meter = EnergyMeter(radio)
        channel.meters.append(meter)
        for other in channel.active:
            self._measure(channel, other)
        if self.kernel.now < channel.jammed_until_us:
            meter.peak_dbm = NOISE_DBM
        return meter

    def read_meter(self, meter: EnergyMeter) -> int:
        """Stop a measurement and return its peak in dBm."""
        for channel in self._channels.values():
            if meter in channel.meters:
                channel.meters.remove(meter)
        return meter.peak_dbm

    def _begin(self, channel: Channel, transmission: Transmission) -> None:
        active = channel.active
        if active:
            for other in active:
                if other.end_us > transmission.start_us and other.start_us < transmission.end_us:
                    overlap(other, transmission)
        active.append(transmission)
        if channel.meters:
            self._measure(channel, transmission)

    def _measure(self, channel: Channel, transmission: Transmission) -> None:
        for meter in channel.meters:
            link = self.link(transmission.source, meter.radio)
            if link is not None and transmission.source is not meter.radio:
                meter.peak_dbm = max(meter.peak_dbm, link.rssi_dbm)

    def _finish_unacked(self, transmission: Transmission) -> None:
        if transmission.wants_ack:
            self._scope.call_later(ACK_WAIT_US, self._report, transmission, False, False)
        else:
            self._report(transmission, True, False)

    def _acknowledge(
        self, channel: Channel, transmission: Transmission, receiver: Radio, pending: bool
    ) -> None:
        start = transmission.end_us + TURNAROUND_US
        end = start + ACK_US
        ack = Transmission(receiver, ACKS[pending][transmission.psdu[2]], start, end, False)
        self._begin(channel, ack)
        self.kernel.schedule(end, self._ack_ended, (channel, ack, transmission, pending), self._scope)

    def _ack_ended(
        self, channel: Channel, ack: Transmission, transmission: Transmission, pending: bool
    ) -> None:
        """End an acknowledgement: the acknowledged frame goes up at its receiver, and its sender is told."""
        channel.active.remove(ack)
        receiver, sender = ack.source, transmission.source
        channel.last_source, channel.last_end_us = receiver, ack.end_us
        heard = False
        if receiver.attached:
            link = self.link(receiver, sender)
            self._record(channel, ack, link)
            heard = sender.attached and self._reception(channel, ack, sender, link, True) is not None
            receiver.indicate(transmission.received, transmission.lqi)
        if heard:
            if sender.attached:
                sender.sent(transmission, True, pending)
        else:
            remaining = ACK_WAIT_US - TURNAROUND_US - ACK_US
            self._scope.call_later(remaining, self._report, transmission, False, False)

    def _report(self, transmission: Transmission, acked: bool, pending: bool) -> None:
        if transmission.source.attached:
            transmission.source.sent(transmission, acked, pending)

    def _reception(
        self,
        channel: Channel,
        transmission: Transmission,
        receiver: Radio,
        link: Link | None,
        awaited: bool = False,
    ) -> bytes | None:
        """Return the PSDU as `receiver` gets it, or None when it misses it or the FCS fails."""
        if link is None or channel.jammed_until_us > transmission.start_us:
            return None
        # A sender waits for its acknowledgement with its receiver on, however sleepy it is.
        if not awaited and receiver.ready_us > transmission.start_us:
            return None
        if transmission.interferers is not None and self._drowned(transmission, receiver, link):
            return None
        if link.loss and self._scope.random.random() < link.loss:
            return None
        if not self.interference:
            return transmission.psdu
        return self._interfered(transmission, receiver)

    def _interfered(self, transmission: Transmission, receiver: Radio) -> bytes | None:
        psdu: bytes | None = transmission.psdu
        for hook in self.interference:
            if psdu is None:
                return None
            psdu = hook(self.kernel.now, transmission.source.eui64, receiver.eui64, psdu)
        if psdu is None or (psdu is not transmission.psdu and not fcs_ok(psdu)):
            return None
        return psdu

    def _drowned(self, transmission: Transmission, receiver: Radio, link: Link) -> bool:
        for other in transmission.interferers or ():
            if other.source is receiver:
                return True
            unwanted = self.link(other.source, receiver)
            if unwanted is not None and unwanted.rssi_dbm > link.rssi_dbm - CO_CHANNEL_REJECTION_DB:
                return True
        return False

    def _broadcast(self, channel: Channel, transmission: Transmission) -> None:
        source = transmission.source
        for radio in tuple(channel.radios):
            if radio is source or not radio.attached:
                continue
            link = self.link(source, radio)
            received = self._reception(channel, transmission, radio, link)
            if received is not None and link is not None:
                radio.indicate(received, link.lqi)

    def _overhear(self, channel: Channel, transmission: Transmission) -> None:
        for radio in tuple(channel.promiscuous):
            if radio is not transmission.source:
                link = self.link(transmission.source, radio)
                received = self._reception(channel, transmission, radio, link)
                if received is not None and link is not None:
                    radio.overhear(received, link.lqi, link.rssi_dbm)

    def _record(self, channel: Channel, transmission: Transmission, link: Link | None) -> None:
        """Give a frame to the capture, as its addressee hears it, and to promiscuous radios, as they do."""
        capture = self.capture
        if capture is not None:
            kernel = self.kernel
            heard = link or _INAUDIBLE
            capture.frame(
                kernel.epoch_us + kernel.now, channel.number, transmission.psdu, heard.lqi, heard.rssi_dbm
            )
        if channel.promiscuous:
            self._overhear(channel, transmission)

    def _strongest(self, source: Radio, radios: Sequence[Radio]) -> Radio:
        """Return which of the radios with one address hears `source` best."""

        def power(radio: Radio) -> int:
            link = self.link(source, radio)
            return NOISE_FLOOR_DBM - 1 if link is None or radio is source else link.rssi_dbm

        return max(radios, key=power)

    def _audible(self, source: Radio, radio: Radio) -> bool:
        return source is radio or (source.attached and self.link(source, radio) is not None)
