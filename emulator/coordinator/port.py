"""What the comms hub application needs of a radio, whichever it is.

The hub talks ASDUs through this port, below zigpy's parser: Smart Energy traffic is handled on raw octets, and zigpy
sees only what the hub does not claim. The in-process radio implements it directly on the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from zigpy.application import ControllerApplication

from emulator.coordinator.radio_memory import KnownDevice
from emulator.stack.events import StackEvent
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Confirm
from emulator.stack.zdo.descriptors import NodeDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import NeighbourEntry

Claim = Callable[[ApsdeIndication], bool]
"""Receives an ASDU; returns True when the application has dealt with it."""


class CoordinatorPort(Protocol):
    """A running coordinator and trust centre. EUI-64s are integers; short addresses are known or None."""

    on_data: Claim | None
    on_event: Callable[[StackEvent], None] | None
    on_radio: Callable[[bool], None] | None
    """Told when the radio is lost (False) and when it is back; a radio that is part of the hub is never lost."""

    @property
    def application(self) -> ControllerApplication:
        """The zigpy application of the radio: network settings and backups are zigpy's."""

    @property
    def known_devices(self) -> Mapping[int, KnownDevice]:
        """What the host remembers of devices because its radio may not, by EUI-64."""

    @property
    def eui64(self) -> int:
        """The coordinator's own EUI-64."""

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """Send an ASDU."""

    def short_of(self, eui64: int) -> int | None:
        """Return the short address of a device on this network."""

    def eui64_of(self, short: int) -> int | None:
        """Return the EUI-64 behind a short address."""

    def link_key(self, eui64: int) -> bytes | None:
        """Return the link key shared with a device."""

    def set_link_key(self, eui64: int, key: bytes) -> None:
        """Replace the link key shared with a device after key establishment."""

    async def recall(self, wanted: Collection[int]) -> tuple[int, ...]:
        """Take from the radio the keys and addresses of `wanted` devices that only it knows; returns whose it had.

        So a hub whose own memory is new goes on with devices that are on its network already.
        """

    def allow(self, eui64: int, link_key: bytes) -> None:
        """Let a device join with this preconfigured link key."""

    def permit_joining(self, seconds: int) -> None:
        """Open the network for new devices (0 closes)."""

    def update_network_key(self) -> None:
        """Distribute a new network key and switch to it."""

    def remove(self, eui64: int) -> None:
        """Make a device leave and forget its keys."""

    async def node_descriptor(self, short: int) -> NodeDescriptor | None:
        """Ask a device what it is; None when it does not answer."""

    async def active_endpoints(self, short: int) -> tuple[int, ...] | None:
        """Ask a device for its endpoints; None when it does not answer."""

    async def simple_descriptor(self, short: int, endpoint: int) -> SimpleDescriptor | None:
        """Ask a device what an endpoint is; None when it does not answer."""

    async def neighbours(self, short: int) -> tuple[NeighbourEntry, ...] | None:
        """Ask a router, or the coordinator itself (0x0000), whom it hears; None when it does not answer."""
