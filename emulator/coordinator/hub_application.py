"""What a zigpy application is given so that the comms hub can run on it, whatever family of radio it drives.

zigpy keeps the life of the radio: connecting, forming, backing up. What its radio interface has no word for (storing
an established link key, changing the network key, long messages, telling which devices it knows) each radio family
adds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import zigpy.application
import zigpy.types as t
import zigpy.zdo.types as zdo_t

from emulator.errors import EmulatorError, SurroundingsError
from emulator.stack.zdo.descriptors import SimpleDescriptor

LOGGER = logging.getLogger(__name__)

RECONNECT_S = (1.0, 2.0, 5.0, 10.0)
"""Waits between attempts to get a lost radio back; the last one repeats."""


class RadioError(EmulatorError):
    """A radio that cannot do what the hub needs; the message says which, what, and what to do."""

    exit_status = 3


class Remembered(NamedTuple):
    """A device that a radio shares a link key with. `short` is None where the radio does not tell."""

    eui64: int
    link_key: bytes
    short: int | None = None
    sleepy: bool = False


class ApplicationPort(Protocol):
    """The port as the application sees it: told of packets, devices and the radio's coming and going."""

    up: bool

    @property
    def eui64(self) -> int:
        """The coordinator's own EUI-64."""

    def received(self, packet: t.ZigbeePacket) -> bool:
        """Take a packet from the radio; False when it is for zigpy."""

    def joined(self, eui64: int, short: int, parent: int | None) -> None:
        """A device joined or came back."""

    def left(self, eui64: int, short: int) -> None:
        """A device left."""

    def radio_lost(self) -> None:
        """The line to the radio is gone."""

    def radio_back(self) -> None:
        """The radio is back on its network."""

    async def stop(self) -> None:
        """Drop what is under way."""


class HubApplication(zigpy.application.ControllerApplication):
    """What a zigpy application is given so that the hub can run on it; put it before the radio library's class."""

    hub_endpoints: tuple[SimpleDescriptor, ...] = ()
    """The hub's own endpoints, registered instead of zigpy's. Set before `startup`."""
    hub_port: ApplicationPort | None = None
    """The hub's port on this application."""
    _ending = False
    _recovery: asyncio.Task[None] | None = None

    # What a radio family adds

    async def learn_device(self, eui64: t.EUI64, short: t.NWK, *, sleepy: bool) -> None:
        """Let the radio know an address pair and how patient it must be; most learn by themselves."""

    async def store_link_key(self, eui64: t.EUI64, key: t.KeyData) -> None:
        """Use this link key with a device from now on; raises `RadioError`."""
        raise RadioError(
            f"{type(self).__name__}: cannot store link keys, so no Smart Energy; use an EZSP dongle"
        )

    async def remembered(self) -> tuple[Remembered, ...]:
        """Return the devices that the radio holds link keys of, as far as it tells."""
        return ()

    async def forget_link_key(self, eui64: t.EUI64) -> None:
        """Forget the link key of a device that was removed."""

    async def change_network_key(self, key: t.KeyData) -> None:
        """Distribute a network key and switch to it; raises `RadioError`."""
        raise RadioError(f"{type(self).__name__}: cannot change the network key; use an EZSP dongle")

    async def send_long(self, packet: t.ZigbeePacket) -> None:
        """Send an ASDU that may not fit one frame; raises what `send_packet` raises."""
        await self.send_packet(packet)

    # zigpy's hooks

    async def register_endpoints(self) -> None:
        """Register the hub's endpoints, or zigpy's own when none were set."""
        if not self.hub_endpoints:
            await super().register_endpoints()
        for endpoint in self.hub_endpoints:
            await self.add_endpoint(zdo_t.SimpleDescriptor.deserialize(endpoint.encode())[0])

    async def permit(self, time_s: int = 60, node: t.EUI64 | str | None = None) -> None:
        """Open or close the network as zigpy does, but never to the well-known key, as radio libraries may."""
        await zigpy.application.ControllerApplication.permit(self, time_s, node)

    async def permit_gp(self, time_s: int) -> None:
        """Smart Energy networks have no Green Power."""

    def packet_received(self, packet: t.ZigbeePacket) -> None:
        """Give a packet to the hub; zigpy sees what the hub does not claim, and all while the radio comes back."""
        if self.hub_port is None or not self.hub_port.up or not self.hub_port.received(packet):
            super().packet_received(packet)

    def handle_join(
        self, nwk: t.NWK, ieee: t.EUI64, parent_nwk: t.NWK, *, handle_rejoin: bool = True
    ) -> None:
        """Tell the hub of a device that joined; zigpy would interview it."""
        if self.hub_port is None:
            super().handle_join(nwk, ieee, parent_nwk, handle_rejoin=handle_rejoin)
        elif int(nwk) != 0 or from_zigpy(ieee) != self.hub_port.eui64:
            self.hub_port.joined(from_zigpy(ieee), int(nwk), parent_nwk)

    def handle_leave(self, nwk: t.NWK, ieee: t.EUI64) -> None:
        """Tell the hub of a device that left."""
        super().handle_leave(nwk, ieee)
        if self.hub_port is not None:
            self.hub_port.left(from_zigpy(ieee), int(nwk))

    def connection_lost(self, exc: Exception | None) -> None:
        """Try to get the radio back until it is back or the hub stops."""
        super().connection_lost(exc)  # type: ignore[arg-type]
        if (
            self._ending
            or self.hub_port is None
            or (self._recovery is not None and not self._recovery.done())
        ):
            return
        LOGGER.warning("radio lost (%r); trying to reach it again", exc)
        self._recovery = asyncio.get_running_loop().create_task(self._recover(self.hub_port))

    async def _recover(self, port: ApplicationPort) -> None:
        port.radio_lost()
        for wait_s in _waits():
            try:
                await self.disconnect()
            except Exception as error:
                # The line is gone: that it cannot be closed properly is expected.
                LOGGER.debug("closing the lost radio: %r", error)
            await asyncio.sleep(wait_s)
            try:
                await self.connect()
                await self.initialize(auto_form=False)
            except SurroundingsError:
                raise
            except Exception as error:
                LOGGER.warning("radio not back yet: %s", str(error) or repr(error))
            else:
                port.radio_back()
                return

    async def shutdown(self, *, db: bool = True) -> None:
        """Stop for good."""
        self._ending = True
        if self._recovery is not None:
            self._recovery.cancel()
        if self.hub_port is not None:
            await self.hub_port.stop()
        await super().shutdown(db=db)


def _waits() -> Iterator[float]:
    yield from RECONNECT_S
    while True:
        yield RECONNECT_S[-1]


def to_zigpy(eui64: int) -> t.EUI64:
    """Return zigpy's form of an EUI-64."""
    return t.EUI64.deserialize(eui64.to_bytes(8, "little"))[0]


def from_zigpy(eui64: t.EUI64) -> int:
    """Return an EUI-64 of zigpy's as an integer."""
    return int.from_bytes(eui64.serialize(), "little")
