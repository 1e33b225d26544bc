"""What the ZDO may know of its node and have done to it: who it is, its tables, its radio, its place on the network."""

from __future__ import annotations

from collections.abc import Callable

from emulator.air.phy import energy_level
from emulator.stack.aps.key_table import KeyTable
from emulator.stack.aps.layer import Aps
from emulator.stack.events import DeviceAnnounced, LeaveRequested
from emulator.stack.keys.trust_centre import TrustCentre
from emulator.stack.membership import Membership
from emulator.stack.node_config import NodeConfig
from emulator.stack.nwk.layer import Nwk
from emulator.stack.nwk.memory import Management
from emulator.stack.nwk.service import Capability, NodeType
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Confirm, Security
from emulator.stack.reports import Reports
from emulator.stack.zdo.descriptors import NodeDescriptor
from emulator.stack.zdo.frames import (
    LEAVE_REJOIN,
    LEAVE_REMOVE_CHILDREN,
    DeviceAnnouncement,
    NeighbourEntry,
    RouteEntry,
    ZdoStatus,
)
from emulator.stack.zdo.network_tables import child_addresses, neighbour_entries, route_entries

LEAVE_DELAY_US = 100_000
"""Between the response to Mgmt_Leave_req and the leave itself."""


class DeviceObject:
    """The user of one node's ZDO. `trust_centre` is set once, by the node of a coordinator."""

    trust_centre: TrustCentre | None = None

    def __init__(
        self,
        config: NodeConfig,
        nwk: Nwk,
        aps: Aps,
        *,
        keys: KeyTable,
        membership: Membership,
        reports: Reports,
        send: Callable[[ApsdeRequest, Confirm | None], None],
    ) -> None:
        self.eui64 = config.eui64
        self.capability = config.capability
        self.endpoints = config.endpoints
        self.power = config.power
        self._config = config
        self._nwk = nwk
        self._aps = aps
        self._keys = keys
        self._membership = membership
        self._reports = reports
        self._send = send

    @property
    def short_address(self) -> int:
        """This node's short address."""
        return self._nwk.short_address

    @property
    def descriptor(self) -> NodeDescriptor:
        """The node descriptor."""
        return self._config.descriptor(trust_centre=self.trust_centre is not None)

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """APSDE-DATA.request."""
        self._send(request, confirm)

    # Other devices

    def is_sleepy(self, short: int) -> bool:
        """Tell whether the device is known to sleep."""
        return short in self._aps.sleepy

    def located(self, eui64: int, short: int, *, sleepy: bool) -> None:
        """Learn where a device is, and whether it sleeps."""
        self.device_located(eui64, short)
        if sleepy:
            self._aps.sleepy.add(short)
        else:
            self._aps.sleepy.discard(short)

    def device_located(self, eui64: int, short: int) -> None:
        """Learn where a device is."""
        self._nwk.learn(eui64, short)
        self._keys.located(eui64, short)

    def device_announced(self, announcement: DeviceAnnouncement) -> None:
        """Learn what a device says of itself in Device_annce."""
        short, eui64, capability = announcement
        self.located(eui64, short, sleepy=not capability & Capability.RX_ON_WHEN_IDLE)
        if self.trust_centre is not None:
            self.trust_centre.announced(eui64, short, capability)
        self._reports.event(DeviceAnnounced(eui64, short, capability))

    # Tables

    def child_addresses(self) -> list[tuple[int, int]]:
        """Return (EUI-64, short address) of the end devices whose parent this node is."""
        return child_addresses(self._nwk)

    def neighbour_entries(self) -> list[NeighbourEntry]:
        """Return the neighbour table."""
        return neighbour_entries(self._nwk)

    def route_entries(self) -> list[RouteEntry]:
        """Return the active routes."""
        return route_entries(self._nwk)

    # Management

    def asked_to_leave(self, indication: ApsdeIndication, eui64: int, flags: int) -> ZdoStatus:
        """Decide about a Mgmt_Leave_req: Smart Energy devices leave only under link-key security."""
        rejoin, orphan = bool(flags & LEAVE_REJOIN), bool(flags & LEAVE_REMOVE_CHILDREN)
        allowed = not self._config.strict_leave or indication.security == Security.APS
        if eui64 == self.eui64:
            self._reports.event(LeaveRequested(indication.source_eui64, rejoin, obeyed=allowed))
            if allowed:
                self._membership.told_to_leave(LEAVE_DELAY_US, rejoin, orphan)
        elif allowed and not self._nwk.remove(eui64, rejoin=rejoin, remove_children=orphan):
            return ZdoStatus.UNKNOWN_DEVICE
        return ZdoStatus.SUCCESS if allowed else ZdoStatus.NOT_AUTHORIZED

    def asked_to_permit_joining(self, seconds: int) -> ZdoStatus:
        """Open or close this node for joining; an end device takes no children."""
        if self._config.device_type == NodeType.END_DEVICE:
            return ZdoStatus.NOT_SUPPORTED
        self._nwk.permit_joining(seconds)
        return ZdoStatus.SUCCESS

    @property
    def network_manager(self) -> int:
        """The short address of the network manager."""
        return self._nwk.management.manager

    @property
    def traffic(self) -> tuple[int, int]:
        """Frames this node's network layer has sent, and those of them that came to nothing."""
        return self._nwk.counters.sent, self._nwk.counters.failed

    def asked_to_change_channel(self, channel: int, update_id: int) -> None:
        """Move to another channel with the whole network."""
        self._nwk.updates.change_channel(channel, update_id)

    def told_management(self, management: Management, update_id: int) -> None:
        """Take what the network manager tells everybody."""
        self._nwk.updates.take_management(management, update_id)

    def energy_scan(
        self, channels: tuple[int, ...], duration: int, done: Callable[[tuple[int, ...]], None]
    ) -> None:
        """Measure the energy (0-255) of each channel."""

        def measured(levels: dict[int, int]) -> None:
            done(tuple(energy_level(levels[channel]) for channel in channels))

        self._nwk.mac.energy_scan(channels, duration, measured)
