"""The layers of one node, wired together: what each reports, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable

from emulator.air.mac import Mac
from emulator.air.medium import Medium
from emulator.air.phy import energy_level
from emulator.clock.kernel import Kernel, Scope
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps.key_table import KeyObserver, KeyTable
from emulator.stack.aps.layer import Aps
from emulator.stack.aps.service import ApsCommandIndication
from emulator.stack.events import (
    ApsSecurityFailure,
    ChannelChanged,
    DeviceAnnounced,
    DeviceLeft,
    DownReason,
    JoinFailed,
    LeaveRequested,
    LinkKeyChanged,
    NetworkDown,
    NetworkKeyChanged,
    NetworkKeyMissed,
    NetworkUp,
    PanIdChanged,
    ParentLost,
    StackEvent,
)
from emulator.stack.keys.joiner import Joiner
from emulator.stack.keys.trust_centre import TrustCentre
from emulator.stack.node_config import NodeConfig
from emulator.stack.nwk.layer import Nwk
from emulator.stack.nwk.memory import Management
from emulator.stack.nwk.service import Capability, NetworkStatus, NodeType, NwkTiming
from emulator.stack.primitives import (
    BROADCAST_RX_ON,
    COORDINATOR,
    FIRST_BROADCAST,
    ApsdeIndication,
    ApsdeRequest,
    Confirm,
    JoinKind,
    NldeIndication,
    Security,
    Status,
)
from emulator.stack.zdo.descriptors import NodeDescriptor
from emulator.stack.zdo.frames import (
    LEAVE_REJOIN,
    LEAVE_REMOVE_CHILDREN,
    RESPONSE,
    ZDO_ENDPOINT,
    DeviceAnnouncement,
    NeighbourEntry,
    NwkAddressRequest,
    RouteEntry,
    ZdoCluster,
    ZdoStatus,
)
from emulator.stack.zdo.layer import Zdo
from emulator.stack.zdo.network_tables import child_addresses, neighbour_entries, route_entries

_LEAVE_DELAY_US = 100_000
"""Between the response to Mgmt_Leave_req and the leave itself."""
TOKEN_BOOTS = "node.boots"


class Layers:
    """MAC, NWK, APS, ZDO and key management of one node, which listens to all of them."""

    def __init__(
        self,
        kernel: Kernel,
        medium: Medium,
        config: NodeConfig,
        nonvolatile: NonVolatile,
        *,
        on_key: KeyObserver | None = None,
        pass_zdo: bool = False,
    ) -> None:
        """Power up. Call `restore()` next, and `form()` or `join()` when that returns False.

        `pass_zdo` is for a coordinator driven by a host: ZDO responses and announcements also go to
        `on_data`, on endpoint 0 with the transaction number as first octet, while requests to this node are
        still answered here.
        """
        self.config = config
        self.eui64 = config.eui64
        self.endpoints = config.endpoints
        """What the ZDO answers with; may be replaced at any time (a meter mirror appears)."""
        self.power = config.power
        self.on_data: Callable[[ApsdeIndication], None] = _ignore
        """Receives every ASDU for endpoints 1-240 and 255; ZDO frames too when `pass_zdo`."""
        self.on_event: Callable[[StackEvent], None] = _ignore
        """Receives what happens to the network."""
        self.on_key: KeyObserver = on_key if on_key is not None else _ignore_key
        self.capability = config.capability
        self._pass_zdo = pass_zdo
        self._reason = DownReason.LEFT
        self._served: dict[int, None] = {}
        self._sleeps = not config.rx_on_when_idle
        self._scope = scope = kernel.scope(_boot_name(config, nonvolatile))
        self.nwk = _network_layer(scope, medium, config, nonvolatile)
        self.nwk.listener = self
        self.mac = self.nwk.mac
        self.key_table = KeyTable(nonvolatile, self._key_in_use)
        self.aps = Aps(
            scope,
            self.nwk,
            self.key_table,
            self,
            max_incoming_transfer=config.max_incoming_transfer,
            own_poll_us=config.short_poll_us if self._sleeps else 0,
        )
        self.zdo = Zdo(scope, self, nonvolatile)
        self._joiner = self._make_joiner(nonvolatile)
        self.trust_centre: TrustCentre | None = None
        """Present on a coordinator only."""
        if config.device_type == NodeType.COORDINATOR:
            self.trust_centre = self._make_trust_centre(nonvolatile)
        if config.preconfigured_link_key is not None:
            self.on_key("preconfigured", config.preconfigured_link_key, format_eui64(config.eui64))

    def _make_joiner(self, nonvolatile: NonVolatile) -> Joiner:
        return Joiner(
            self._scope,
            self.nwk,
            self.aps,
            keys=self.key_table,
            nonvolatile=nonvolatile,
            user=self,
            device_type=self.config.device_type,
            preconfigured=self.config.preconfigured_link_key,
            request_own_key=self.config.own_link_key_request,
        )

    def _make_trust_centre(self, nonvolatile: NonVolatile) -> TrustCentre:
        return TrustCentre(
            self._scope,
            self.nwk,
            self.aps,
            keys=self.key_table,
            zdo=self.zdo,
            nonvolatile=nonvolatile,
            on_event=self.joiner_event,
        )

    @property
    def scope(self) -> Scope:
        """The node's share of the kernel; it ends with the power."""
        return self._scope

    @property
    def short_address(self) -> int:
        """This node's short address; 0xFFFF when it is on no network."""
        return self.nwk.short_address

    @property
    def descriptor(self) -> NodeDescriptor:
        """The node descriptor the ZDO answers with."""
        return self.config.descriptor(trust_centre=self.trust_centre is not None)

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """APSDE-DATA.request: send an ASDU; fragmented when it is too long for one frame.

        `confirm` gets SUCCESS when the acknowledgement arrived (or, without `ack`, when the next hop took
        the frame). A destination equal to the own short address loops back. `secure` needs a link key with
        the destination; without one the confirm is APS_SECURITY_FAIL.
        """
        if not self.nwk.authenticated:
            if confirm is not None:
                self._scope.call_later(0, confirm, Status.NWK_INVALID_REQUEST)
            return
        if request.destination >= FIRST_BROADCAST and request.destination_endpoint == ZDO_ENDPOINT:
            self.zdo.obey(request)
        self.aps.data(request, confirm)

    def locate(self, eui64: int) -> None:
        """Ask the network for the short address of `eui64`; once known, link-key security works with it."""
        self.zdo.request(BROADCAST_RX_ON, ZdoCluster.NWK_ADDR, NwkAddressRequest(eui64).encode())

    # ---- NwkListener

    def nwk_data(self, indication: NldeIndication) -> None:
        """Take an NSDU."""
        self.aps.nwk_data(indication)

    def nwk_joined(self, eui64: int, short: int, kind: JoinKind, parent_is_self: bool) -> None:
        """Decide about a device that joined here (trust centre), or report it to who decides (router)."""
        if self.trust_centre is not None:
            self.trust_centre.arrived(eui64, short, kind, COORDINATOR)
        elif parent_is_self:
            self._served[eui64] = None
            self._joiner.child_joined(eui64, short, kind)

    def nwk_left(self, eui64: int, short: int, rejoin: bool) -> None:
        """Note that another device left."""
        self.aps.sleepy.discard(short)
        if self.trust_centre is not None:
            self.trust_centre.left(eui64, short, rejoin=rejoin)
            return
        self.on_event(DeviceLeft(eui64, short, rejoin))
        if eui64 in self._served and not rejoin:
            del self._served[eui64]
            self._joiner.child_joined(eui64, short, JoinKind.LEFT)

    def nwk_leave_self(self, rejoin: bool) -> None:
        """Note that this node has left, or rejoin when it was told to."""
        if rejoin:
            self._joiner.rejoin(secured=True, channels=(self.mac.channel,), done=None)
            return
        reason, self._reason = self._reason, DownReason.LEFT
        self.aps.abandon()
        self.zdo.abandon()
        self.zdo.bindings.clear()
        self._served.clear()
        self._joiner.forget()
        if self.trust_centre is not None:
            self.trust_centre.forget_network()
        self.on_event(NetworkDown(reason))

    def nwk_status(self, short: int, code: int) -> None:
        """Pass on what concerns the whole node; the rest is NWK's own affair."""
        parameters = self.nwk.parameters
        if code == NetworkStatus.PARENT_LINK_FAILURE:
            self.on_event(ParentLost())
        elif code == NetworkStatus.PAN_ID_UPDATE and parameters is not None:
            self.on_event(PanIdChanged(parameters.pan_id))
        elif code == NetworkStatus.ADDRESS_UPDATE:
            self.zdo.announce()

    def nwk_channel_changed(self, channel: int) -> None:
        """Report that the network, and this node with it, is on another channel."""
        self.on_event(ChannelChanged(channel))

    def nwk_key_changed(self, sequence: int) -> None:
        """Report that another network key is in use, and tell the key observer of it."""
        self._network_key_in_use()
        self.on_event(NetworkKeyChanged(sequence))

    def nwk_key_missed(self, sequence: int) -> None:
        """Report that the parent uses a network key that this node does not hold."""
        self.on_event(NetworkKeyMissed(sequence))

    def _network_key_in_use(self) -> None:
        parameters = self.nwk.parameters
        if parameters is not None:
            self.on_key("network", parameters.network_key, f"sequence {parameters.key_sequence}")

    # ---- ApsUser

    def aps_data(self, indication: ApsdeIndication) -> None:
        """Hand an ASDU to the ZDO or the application."""
        if indication.destination_endpoint != ZDO_ENDPOINT:
            self.on_data(indication)
            return
        self.zdo.indication(indication)
        heard_by_host = indication.cluster & RESPONSE or indication.cluster == ZdoCluster.DEVICE_ANNCE
        if self._pass_zdo and heard_by_host:
            self.on_data(indication)

    def aps_command(self, indication: ApsCommandIndication) -> None:
        """Hand a key management command to whoever plays that part here."""
        if self.trust_centre is not None:
            self.trust_centre.command(indication)
        else:
            self._joiner.command(indication)

    def aps_security_failure(self, source: int, reason: str) -> None:
        """Report a frame that was dropped."""
        self.on_event(ApsSecurityFailure(source, reason))

    def aps_answer_expected(self, wait_us: int) -> None:
        """Poll often while something is on its way."""
        if self._sleeps:
            self.nwk.fast_poll(wait_us)

    # ---- JoinerUser

    def joiner_up(self, rejoined: bool) -> None:
        """Announce this node and say that the network is up."""
        self._network_key_in_use()
        self.zdo.announce()
        self._up(rejoined=rejoined)

    def joiner_failed(self, status: Status, rejoin: bool) -> None:
        """Report a join that came to nothing."""
        self.on_event(JoinFailed(status, rejoin))

    def joiner_told_to_leave(self, source_eui64: int | None) -> None:
        """Leave because the trust centre says so, under its link key."""
        self.on_event(LeaveRequested(source_eui64, rejoin=False, obeyed=True))
        self._leave(DownReason.REMOVED, rejoin=False)

    def joiner_event(self, event: StackEvent) -> None:
        """Pass an event on, and look for a partner whose address is not known."""
        if isinstance(event, LinkKeyChanged) and self.nwk.short_of(event.eui64) is None:
            self.locate(event.eui64)
        self.on_event(event)

    # ---- ZdoUser

    def is_sleepy(self, short: int) -> bool:
        """Tell whether the device is known to sleep."""
        return short in self.aps.sleepy

    def device_announced(self, announcement: DeviceAnnouncement) -> None:
        """Learn where a device is, and whether it sleeps."""
        short, eui64, capability = announcement
        self._located(eui64, short, sleepy=not capability & Capability.RX_ON_WHEN_IDLE)
        if self.trust_centre is not None:
            self.trust_centre.announced(eui64, short, capability)
        self.on_event(DeviceAnnounced(eui64, short, capability))

    def device_located(self, eui64: int, short: int) -> None:
        """Learn where a device is."""
        self.nwk.learn(eui64, short)
        self.key_table.located(eui64, short)

    def child_addresses(self) -> list[tuple[int, int]]:
        """Return (EUI-64, short address) of the end devices whose parent this node is."""
        return child_addresses(self.nwk)

    def neighbour_entries(self) -> list[NeighbourEntry]:
        """Return the neighbour table."""
        return neighbour_entries(self.nwk)

    def route_entries(self) -> list[RouteEntry]:
        """Return the active routes."""
        return route_entries(self.nwk)

    def asked_to_leave(self, indication: ApsdeIndication, eui64: int, flags: int) -> ZdoStatus:
        """Decide about a Mgmt_Leave_req: Smart Energy devices leave only under link-key security."""
        rejoin, orphan = bool(flags & LEAVE_REJOIN), bool(flags & LEAVE_REMOVE_CHILDREN)
        allowed = not self.config.strict_leave or indication.security == Security.APS
        if eui64 == self.eui64:
            self.on_event(LeaveRequested(indication.source_eui64, rejoin, obeyed=allowed))
            if allowed:
                self._scope.call_later(_LEAVE_DELAY_US, self._leave, DownReason.REMOVED, rejoin, orphan)
        elif allowed and not self.nwk.remove(eui64, rejoin=rejoin, remove_children=orphan):
            return ZdoStatus.UNKNOWN_DEVICE
        return ZdoStatus.SUCCESS if allowed else ZdoStatus.NOT_AUTHORIZED

    def asked_to_permit_joining(self, seconds: int) -> ZdoStatus:
        """Open or close this node for joining; an end device takes no children."""
        if self.config.device_type == NodeType.END_DEVICE:
            return ZdoStatus.NOT_SUPPORTED
        self.nwk.permit_joining(seconds)
        return ZdoStatus.SUCCESS

    @property
    def network_manager(self) -> int:
        """The short address of the network manager."""
        return self.nwk.management.manager

    @property
    def traffic(self) -> tuple[int, int]:
        """Frames this node's network layer has sent, and those of them that came to nothing."""
        return self.nwk.counters.sent, self.nwk.counters.failed

    def asked_to_change_channel(self, channel: int, update_id: int) -> None:
        """Move to another channel with the whole network."""
        self.nwk.updates.change_channel(channel, update_id)

    def told_management(self, management: Management, update_id: int) -> None:
        """Take what the network manager tells everybody."""
        self.nwk.updates.take_management(management, update_id)

    def energy_scan(
        self, channels: tuple[int, ...], duration: int, done: Callable[[tuple[int, ...]], None]
    ) -> None:
        """Measure the energy (0-255) of each channel."""

        def measured(levels: dict[int, int]) -> None:
            done(tuple(energy_level(levels[channel]) for channel in channels))

        self.mac.energy_scan(channels, duration, measured)

    # ---- parts

    def _up(self, *, rejoined: bool) -> None:
        parameters = self.nwk.parameters
        if parameters is not None:
            self.on_event(NetworkUp(parameters, rejoined))

    def _leave(self, reason: DownReason, rejoin: bool, remove_children: bool = False) -> None:
        self._reason = reason
        self.nwk.leave(rejoin=rejoin, remove_children=remove_children)

    def _located(self, eui64: int, short: int, *, sleepy: bool) -> None:
        self.device_located(eui64, short)
        if sleepy:
            self.aps.sleepy.add(short)
        else:
            self.aps.sleepy.discard(short)

    def _key_in_use(self, kind: str, key: bytes, label: str) -> None:
        self.on_key(kind, key, label)


def _boot_name(config: NodeConfig, nonvolatile: NonVolatile) -> str:
    """Count the boot, so that each life of a device has a random stream of its own."""
    boots = int.from_bytes(nonvolatile.get(TOKEN_BOOTS) or b"", "big") + 1
    nonvolatile.put(TOKEN_BOOTS, boots.to_bytes(4, "big"))
    return f"{config.name or format_eui64(config.eui64)}/boot {boots}"


def _network_layer(scope: Scope, medium: Medium, config: NodeConfig, nonvolatile: NonVolatile) -> Nwk:
    """Put a MAC on the air and a network layer on it."""
    mac = Mac(scope, medium, config.eui64, rx_on_when_idle=config.rx_on_when_idle, position=config.position)
    timing = NwkTiming(
        max_children=config.max_children,
        poll_long_us=config.long_poll_us,
        poll_short_us=config.short_poll_us,
    )
    nwk = Nwk(
        scope,
        mac,
        nonvolatile,
        device_type=config.device_type,
        capability=config.capability,
        timing=timing,
    )
    nwk.departure.requests_allowed = not config.strict_leave
    return nwk


def _ignore(_: object) -> None:
    """Stand in for an application that is not listening yet."""


def _ignore_key(_kind: str, _key: bytes, _label: str) -> None:
    """Stand in for a key observer."""
