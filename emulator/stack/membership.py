"""A node's life on its network: coming up, hearing of others, being told to leave, and what leaving takes with it."""

from __future__ import annotations

from emulator.clock.kernel import Scope
from emulator.stack.aps.layer import Aps
from emulator.stack.events import (
    ChannelChanged,
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
from emulator.stack.nwk.layer import Nwk
from emulator.stack.nwk.service import NetworkStatus
from emulator.stack.primitives import BROADCAST_RX_ON, COORDINATOR, JoinKind, NldeIndication, Status
from emulator.stack.reports import Reports
from emulator.stack.zdo.frames import NwkAddressRequest, ZdoCluster
from emulator.stack.zdo.layer import Zdo


class Membership:
    """Listens to the network layer and to the joiner. The parts after `reports` are set once, by the node."""

    aps: Aps
    zdo: Zdo
    joiner: Joiner
    trust_centre: TrustCentre | None = None

    def __init__(self, scope: Scope, nwk: Nwk, reports: Reports) -> None:
        self._scope = scope
        self._nwk = nwk
        self._reports = reports
        self._reason = DownReason.LEFT
        self._served: dict[int, None] = {}

    def up(self, *, rejoined: bool) -> None:
        """Say that the network is up."""
        parameters = self._nwk.parameters
        if parameters is not None:
            self._reports.event(NetworkUp(parameters, rejoined))

    def restored(self) -> None:
        """Take up the children of the life before, and say that the network is up."""
        self._reports.network_key_in_use(self._nwk.parameters)
        for child in self._nwk.children:
            if child.eui64 is not None:
                self._served[child.eui64] = None
        self.up(rejoined=True)

    def leave(self, reason: DownReason, rejoin: bool, remove_children: bool = False) -> None:
        """Leave the network; `NetworkDown` gives `reason`."""
        self._reason = reason
        self._nwk.leave(rejoin=rejoin, remove_children=remove_children)

    def locate(self, eui64: int) -> None:
        """Ask the network for the short address of `eui64`."""
        self.zdo.request(BROADCAST_RX_ON, ZdoCluster.NWK_ADDR, NwkAddressRequest(eui64).encode())

    # NwkListener

    def nwk_data(self, indication: NldeIndication) -> None:
        """Take an NSDU."""
        self.aps.nwk_data(indication)

    def nwk_joined(self, eui64: int, short: int, kind: JoinKind, parent_is_self: bool) -> None:
        """Decide about a device that joined here (trust centre), or report it to who decides (router)."""
        if self.trust_centre is not None:
            self.trust_centre.arrived(eui64, short, kind, COORDINATOR)
        elif parent_is_self:
            self._served[eui64] = None
            self.joiner.child_joined(eui64, short, kind)

    def nwk_left(self, eui64: int, short: int, rejoin: bool) -> None:
        """Note that another device left."""
        self.aps.sleepy.discard(short)
        if self.trust_centre is not None:
            self.trust_centre.left(eui64, short, rejoin=rejoin)
            return
        self._reports.event(DeviceLeft(eui64, short, rejoin))
        if eui64 in self._served and not rejoin:
            del self._served[eui64]
            self.joiner.child_joined(eui64, short, JoinKind.LEFT)

    def nwk_leave_self(self, rejoin: bool) -> None:
        """Note that this node has left, or rejoin when it was told to."""
        if rejoin:
            self.joiner.rejoin(secured=True, channels=(self._nwk.mac.channel,), done=None)
            return
        reason, self._reason = self._reason, DownReason.LEFT
        self.aps.abandon()
        self.zdo.abandon()
        self.zdo.bindings.clear()
        self._served.clear()
        self.joiner.forget()
        if self.trust_centre is not None:
            self.trust_centre.forget_network()
        self._reports.event(NetworkDown(reason))

    def nwk_channel_changed(self, channel: int) -> None:
        """Report that the network, and this node with it, is on another channel."""
        self._reports.event(ChannelChanged(channel))

    def nwk_key_changed(self, sequence: int) -> None:
        """Report that another network key is in use, and tell the key observer of it."""
        self._reports.network_key_in_use(self._nwk.parameters)
        self._reports.event(NetworkKeyChanged(sequence))

    def nwk_key_missed(self, sequence: int) -> None:
        """Report that the parent uses a network key that this node does not hold."""
        self._reports.event(NetworkKeyMissed(sequence))

    def nwk_status(self, short: int, code: int) -> None:
        """Pass on what concerns the whole node; the rest is NWK's own affair."""
        parameters = self._nwk.parameters
        if code == NetworkStatus.PARENT_LINK_FAILURE:
            self._reports.event(ParentLost())
        elif code == NetworkStatus.PAN_ID_UPDATE and parameters is not None:
            self._reports.event(PanIdChanged(parameters.pan_id))
        elif code == NetworkStatus.ADDRESS_UPDATE:
            self.zdo.announce()

    # JoinerUser

    def joiner_up(self, rejoined: bool) -> None:
        """Announce this node and say that the network is up."""
        self._reports.network_key_in_use(self._nwk.parameters)
        self.zdo.announce()
        self.up(rejoined=rejoined)

    def joiner_failed(self, status: Status, rejoin: bool) -> None:
        """Report a join that came to nothing."""
        self._reports.event(JoinFailed(status, rejoin))

    def joiner_told_to_leave(self, source_eui64: int | None) -> None:
        """Leave because the trust centre says so, under its link key."""
        self._reports.event(LeaveRequested(source_eui64, rejoin=False, obeyed=True))
        self.leave(DownReason.REMOVED, rejoin=False)

    def joiner_event(self, event: StackEvent) -> None:
        """Pass an event on, and look for a partner whose address is not known."""
        if isinstance(event, LinkKeyChanged) and self._nwk.short_of(event.eui64) is None:
            self.locate(event.eui64)
        self._reports.event(event)

    # For the ZDO

    def told_to_leave(self, delay_us: int, rejoin: bool, remove_children: bool) -> None:
        """Leave in a while, because another device says so."""
        self._scope.call_later(delay_us, self.leave, DownReason.REMOVED, rejoin, remove_children)
