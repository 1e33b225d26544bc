"""Changes to the whole network: a new PAN id, and address conflicts (ZigBee PRO 3.6.1.9, 3.6.1.13)."""

from __future__ import annotations

from emulator.stack.nwk.commands import (
    NetworkReport,
    NetworkStatusCommand,
    NetworkUpdate,
    pack_network_report,
    pack_network_status,
    pack_network_update,
)
from emulator.stack.nwk.service import NetworkStatus, NodeType
from emulator.stack.nwk.state import NwkState
from emulator.stack.primitives import BROADCAST_ALL, BROADCAST_RX_ON, COORDINATOR

_HIGHEST_PAN_ID = 0xFFFE


class NetworkUpdates:
    """PAN identifier changes and short-address conflicts of one node."""

    def __init__(self, nwk: NwkState) -> None:
        self._nwk = nwk

    def change_pan_id(self, pan_id: int) -> None:
        """Coordinator: tell every device the new PAN identifier, and take it ourselves."""
        nwk = self._nwk
        parameters = nwk.parameters
        if parameters is None:
            return
        update = NetworkUpdate(parameters.extended_pan_id, (parameters.update_id + 1) & 0xFF, pan_id)
        nwk.sending.send_command(BROADCAST_ALL, pack_network_update(update))
        nwk.scope.call_later(nwk.timing.broadcast_delivery_us, self._take, update)

    def update_received(self, update: NetworkUpdate) -> None:
        """Handle a Network Update of our network: take the new PAN id once it has reached everybody."""
        nwk = self._nwk
        parameters = nwk.parameters
        if parameters is None or update.extended_pan_id != parameters.extended_pan_id:
            return
        if 0 < (update.update_id - parameters.update_id) % 256 < 128:
            nwk.scope.call_later(nwk.timing.broadcast_delivery_us, self._take, update)

    def _take(self, update: NetworkUpdate) -> None:
        nwk = self._nwk
        parameters = nwk.parameters
        if parameters is None or update.extended_pan_id != parameters.extended_pan_id:
            return
        nwk.set_parameters(parameters._replace(pan_id=update.pan_id, update_id=update.update_id))
        nwk.listener.nwk_status(nwk.short_address, NetworkStatus.PAN_ID_UPDATE)

    def report_conflict(self, pan_ids: tuple[int, ...]) -> None:
        """Router: report to the coordinator that another network uses our PAN identifier."""
        nwk = self._nwk
        if nwk.parameters is not None:
            report = NetworkReport(nwk.parameters.extended_pan_id, pan_ids)
            nwk.sending.send_command(COORDINATOR, pack_network_report(report))

    def report_received(self, report: NetworkReport) -> None:
        """Coordinator: answer a PAN identifier conflict by choosing another one."""
        nwk = self._nwk
        parameters = nwk.parameters
        if (
            nwk.device_type != NodeType.COORDINATOR
            or parameters is None
            or report.extended_pan_id != parameters.extended_pan_id
        ):
            return
        taken = (*report.pan_ids, parameters.pan_id)
        pan_id = nwk.scope.random.randint(1, _HIGHEST_PAN_ID)
        while pan_id in taken:
            pan_id = nwk.scope.random.randint(1, _HIGHEST_PAN_ID)
        self.change_pan_id(pan_id)

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
        """A conflict over `short` is known: a router that has it takes another address."""
        nwk = self._nwk
        if short == nwk.short_address and nwk.device_type == NodeType.ROUTER and nwk.parameters is not None:
            fresh = nwk.scope.random.randint(1, 0xFFF7)
            while nwk.eui64_of(fresh) is not None or fresh == short:
                fresh = nwk.scope.random.randint(1, 0xFFF7)
            nwk.set_parameters(nwk.parameters._replace(short_address=fresh))
