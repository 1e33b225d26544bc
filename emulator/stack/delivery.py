"""Where an ASDU goes: out through APS, in to the ZDO or the application; and who takes an APS command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.clock.kernel import Scope
from emulator.stack.aps.layer import Aps
from emulator.stack.aps.service import ApsCommandIndication
from emulator.stack.events import ApsSecurityFailure
from emulator.stack.primitives import FIRST_BROADCAST, ApsdeIndication, ApsdeRequest, Confirm, Status
from emulator.stack.reports import Reports
from emulator.stack.zdo.frames import RESPONSE, ZDO_ENDPOINT, ZdoCluster
from emulator.stack.zdo.layer import Zdo


class DeliveryNetwork(Protocol):
    """What delivery asks of the network layer."""

    @property
    def authenticated(self) -> bool:
        """Return whether this node holds the network key by right."""

    def fast_poll(self, duration_us: int) -> None:
        """Poll at the short interval for that long."""


class Delivery:
    """The user of one node's APS sublayer. `aps`, `zdo` and `on_command` are set once, when the node is put together.

    `pass_zdo` gives the application the ZDO's responses and announcements too; `sleeps` has the node poll while an
    answer is due.
    """

    aps: Aps
    zdo: Zdo
    on_command: Callable[[ApsCommandIndication], None]

    def __init__(
        self, scope: Scope, nwk: DeliveryNetwork, reports: Reports, *, pass_zdo: bool, sleeps: bool
    ) -> None:
        self._scope = scope
        self._nwk = nwk
        self._reports = reports
        self._pass_zdo = pass_zdo
        self._sleeps = sleeps

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """Send an ASDU, or refuse it while this node is on no network; see `Node.send`."""
        if not self._nwk.authenticated:
            if confirm is not None:
                self._scope.call_later(0, confirm, Status.NWK_INVALID_REQUEST)
            return
        if request.destination >= FIRST_BROADCAST and request.destination_endpoint == ZDO_ENDPOINT:
            self.zdo.obey(request)
        self.aps.data(request, confirm)

    # ApsUser

    def aps_data(self, indication: ApsdeIndication) -> None:
        """Hand an ASDU to the ZDO or the application."""
        if indication.destination_endpoint != ZDO_ENDPOINT:
            self._reports.data(indication)
            return
        self.zdo.indication(indication)
        heard_by_host = indication.cluster & RESPONSE or indication.cluster == ZdoCluster.DEVICE_ANNCE
        if self._pass_zdo and heard_by_host:
            self._reports.data(indication)

    def aps_command(self, indication: ApsCommandIndication) -> None:
        """Hand a key management command to whoever plays that part here."""
        self.on_command(indication)

    def aps_security_failure(self, source: int, reason: str) -> None:
        """Report a frame that was dropped."""
        self._reports.event(ApsSecurityFailure(source, reason))

    def aps_answer_expected(self, wait_us: int) -> None:
        """Poll often while something is on its way."""
        if self._sleeps:
            self._nwk.fast_poll(wait_us)
