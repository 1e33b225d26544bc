"""Changes to the whole network: a new channel, a new PAN id, the network manager's word, address conflicts.

ZigBee PRO 2.4.3.3.9 and annex E (channel), 3.6.1.9 (address conflicts), 3.6.1.13 (PAN identifier conflicts). A
change of channel or PAN id is carried out when the order for it has had time to reach everybody: after the
network broadcast delivery time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.air.beacon import decode_zigbee_beacon
from emulator.clock.kernel import Timer
from emulator.errors import FrameError
from emulator.stack.nwk.commands import (
    NetworkReport,
    NetworkStatusCommand,
    NetworkUpdate,
    pack_network_report,
    pack_network_status,
    pack_network_update,
)
from emulator.stack.nwk.memory import Management
from emulator.stack.nwk.neighbours import Relationship
from emulator.stack.nwk.parenting import Parenting
from emulator.stack.nwk.service import NetworkStatus, NodeType
from emulator.stack.nwk.views import Member, Named, Reporter, Speaker, Timed
from emulator.stack.primitives import BROADCAST_ALL, BROADCAST_RX_ON, NetworkParameters

HIGHEST_PAN_ID = 0xFFFE


def newer(update_id: int, than: int) -> bool:
    """Tell whether an nwkUpdateId succeeds another one; the numbers wrap at 256."""
    return 0 < (update_id - than) % 256 < 128


class UpdateView(Timed, Named, Member, Speaker, Reporter, Protocol):
    """What changes to the whole network work with."""

    management: Management

    def set_parameters(self, parameters: NetworkParameters) -> None:
        """Take these network parameters."""

    def set_management(self, management: Management) -> None:
        """Take what the network manager tells."""


class NetworkUpdates:
    """Channel and PAN identifier changes, and short-address conflicts, of one node."""

    def __init__(self, nwk: UpdateView, parenting: Parenting) -> None:
        self._nwk = nwk
        self._parenting = parenting
        self._channel: Timer | None = None
        self._pan_id: Timer | None = None
        self._ordered: tuple[int, int] | None = None
        self._quiet_until_us = 0

    def stop(self) -> None:
        """Forget changes that are due: the network has been left."""
        self._nwk.scope.cancel(self._channel)
        self._nwk.scope.cancel(self._pan_id)
        self._channel = self._pan_id = self._ordered = None

    # Channel

    def change_channel(self, channel: int, update_id: int) -> None:
        """Move this node to `channel` once everybody has been told; `update_id` becomes nwkUpdateId.

        The same order again, as network managers repeat it, changes nothing; another one takes its place.
        """
        nwk = self._nwk
        if self._ordered == (channel, update_id):
            return
        nwk.scope.cancel(self._channel)
        self._ordered = channel, update_id
        delay_us = nwk.timing.broadcast_delivery_us
        self._channel = nwk.scope.call_later(delay_us, self._change_channel, channel, update_id)

    def _change_channel(self, channel: int, update_id: int) -> None:
        self._channel = self._ordered = None
        self.set_channel(channel, update_id)

    def set_channel(self, channel: int, update_id: int | None = None) -> None:
        """Move this node alone to `channel`, at once."""
        nwk = self._nwk
        before = nwk.parameters
        if before is None:
            return
        update_id = before.update_id if update_id is None else update_id
        nwk.set_parameters(before._replace(channel=channel, update_id=update_id))
        if before.channel != channel:
            nwk.listener.nwk_channel_changed(channel)

    def take_management(self, management: Management, update_id: int) -> None:
        """Take the channel mask and the manager's address that the network manager has told."""
        nwk = self._nwk
        if nwk.parameters is not None:
            nwk.set_management(management)
            nwk.set_parameters(nwk.parameters._replace(update_id=update_id))

    # PAN identifier

    def change_pan_id(self, pan_id: int) -> None:
        """Network manager: tell every device the new PAN identifier, and take it ourselves."""
        nwk = self._nwk
        parameters = nwk.parameters
        if parameters is None:
            return
        update = NetworkUpdate(parameters.extended_pan_id, (parameters.update_id + 1) & 0xFF, pan_id)
        nwk.sending.send_command(BROADCAST_ALL, pack_network_update(update))
        self._await_pan_id(update)

    def update_received(self, update: NetworkUpdate) -> None:
        """Handle a Network Update of our network: take the new PAN id once it has reached everybody."""
        parameters = self._nwk.parameters
        if parameters is None or update.extended_pan_id != parameters.extended_pan_id:
            return
        if newer(update.update_id, parameters.update_id):
            self._await_pan_id(update)

    def _await_pan_id(self, update: NetworkUpdate) -> None:
        nwk = self._nwk
        nwk.scope.cancel(self._pan_id)
        self._pan_id = nwk.scope.call_later(nwk.timing.broadcast_delivery_us, self._take, update)

    def _take(self, update: NetworkUpdate) -> None:
        nwk = self._nwk
        self._pan_id = None
        if nwk.parameters is None:
            return
        nwk.set_parameters(nwk.parameters._replace(pan_id=update.pan_id, update_id=update.update_id))
        nwk.listener.nwk_status(nwk.short_address, NetworkStatus.PAN_ID_UPDATE)

    def beacon_heard(self, payload: bytes) -> None:
        """Router: look whether the beacon is another network's with our PAN identifier (3.6.1.13.1).

        The network manager is told of a conflict once in a broadcast delivery time.
        """
        nwk = self._nwk
        parameters = nwk.parameters
        if parameters is None or not nwk.authenticated or nwk.device_type == NodeType.END_DEVICE:
            return
        try:
            beacon = decode_zigbee_beacon(payload)
        except FrameError:
            return  # a network of some other kind, which knows no extended PAN identifiers
        quiet = self._pan_id is not None or nwk.scope.now < self._quiet_until_us
        if beacon.extended_pan_id != parameters.extended_pan_id and not quiet:
            self._quiet_until_us = nwk.scope.now + nwk.timing.broadcast_delivery_us
            self.report_conflict((parameters.pan_id,))

    def report_conflict(self, pan_ids: tuple[int, ...]) -> None:
        """Report to the network manager, which may be this node, that another network uses our PAN identifier."""
        nwk = self._nwk
        if nwk.parameters is None:
            return
        report = NetworkReport(nwk.parameters.extended_pan_id, pan_ids)
        if nwk.short_address == nwk.management.manager:
            self.report_received(report)
        else:
            nwk.sending.send_command(nwk.management.manager, pack_network_report(report))

    def report_received(self, report: NetworkReport) -> None:
        """Network manager: answer a PAN identifier conflict by choosing another one."""
        nwk = self._nwk
        parameters = nwk.parameters
        if (
            parameters is None
            or nwk.short_address != nwk.management.manager
            or report.extended_pan_id != parameters.extended_pan_id
        ):
            return
        taken = (*report.pan_ids, parameters.pan_id)
        self.change_pan_id(self._drawn(HIGHEST_PAN_ID, lambda pan_id: pan_id in taken))

    # Address conflicts

    def address_conflict(self, short: int) -> None:
        """Two devices were heard with the same short address: say so, and move away when it is ours."""
        nwk = self._nwk
        nwk.counters.drop("address conflict")
        if not nwk.authenticated or nwk.device_type == NodeType.END_DEVICE:
            return
        status = NetworkStatusCommand(NetworkStatus.ADDRESS_CONFLICT, short)
        nwk.sending.send_command(BROADCAST_RX_ON, pack_network_status(status))
        self.conflict_reported(short)

    def conflict_reported(self, short: int) -> None:
        """A conflict over `short` is known: a router that has it takes another address, and says so.

        An end device that has it is given another one by its parent (3.6.1.9.3).
        """
        nwk = self._nwk
        child = nwk.neighbours.by_short.get(short)
        if child is not None and child.relationship == Relationship.CHILD and not child.is_router:
            self._parenting.readdress(child)
        if short == nwk.short_address and nwk.device_type == NodeType.ROUTER and nwk.parameters is not None:
            fresh = self._drawn(0xFFF7, lambda each: each == short or nwk.eui64_of(each) is not None)
            self._readdress(nwk.parameters, fresh)

    def _readdress(self, parameters: NetworkParameters, fresh: int) -> None:
        nwk = self._nwk
        nwk.set_parameters(parameters._replace(short_address=fresh))
        nwk.listener.nwk_status(fresh, NetworkStatus.ADDRESS_UPDATE)

    def _drawn(self, highest: int, taken: Callable[[int], bool]) -> int:
        draw = self._nwk.scope.random.randint
        number = draw(1, highest)
        while taken(number):
            number = draw(1, highest)
        return number
