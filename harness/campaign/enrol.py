"""The enrolment as the campaign drives it: the parties reach the devices through the head end, and only so."""

from __future__ import annotations

from emulator.clock.kernel import Kernel
from emulator.devices.control import ControlRole, probe_payload, response_holds
from emulator.eui64 import format_eui64
from emulator.smart_energy.clusters import attribute_ids
from emulator.wan import operations as wan
from emulator.zcl.identifiers import BASIC
from harness.campaign.context import Context, NoAnswerError
from harness.campaign.problems import record
from harness.campaign.read_back import read_back
from harness.errors import UnreachableError
from harness.facts.campaign import Problem
from harness.facts.enrolment import OldHeadEndRefused
from harness.facts.firmware import VersionReadBack
from harness.facts.terms import Severity
from harness.head_end import HeadEnd, HubUnreachableError, NotInControlError, Send
from harness.regime.case import DeviceTest, inventory_version
from harness.regime.parameters import RegimeParameters
from harness.regime.party import Party
from harness.regime.world import Regime
from harness.workspace.workspace import Workspace
from hw_profiles.installation import Installation

(ZCL_VERSION,) = attribute_ids(BASIC, "zcl_version")


def open_regime(workspace: Workspace, kernel: Kernel, installation: Installation) -> Regime:
    """Set up the parties of a run, or find them as they were."""
    suppliers = installation.record.suppliers
    return Regime.open(
        workspace.folder,
        clock=kernel,
        secret=kernel.secret,
        epcl=installation.epcl,
        parameters=RegimeParameters.from_enrolment(installation.record.enrolment),
        responsible_supplier=int(suppliers.responsible.replace("-", ""), 16),
        installing_supplier=int(suppliers.installing.replace("-", ""), 16),
        dno_distributor=installation.record.authorisation.dno_distributor,
    )


class ControllingKeys:
    """The hub's keys with whichever party controls it: the SMSO until it lets go, then S1SP and DCO."""

    def __init__(self, regime: Regime, hub_eui64: int) -> None:
        self._regime = regime
        self._hub = hub_eui64

    def envelope(self, role: ControlRole, payload: bytes) -> bytes:
        """Return the next envelope of the party in control."""
        return self._party(role).control_keys(role).envelope(self._hub, payload)

    def holds(self, role: ControlRole, response: bytes) -> bool:
        """Tell whether the hub made a response with the key of the party in control."""
        key = self._party(role).control_keys(role).held(self._hub).key
        return response_holds(response, key, self._hub)

    async def catch_up(self, role: ControlRole, send: Send) -> None:
        """Take up the hub's counter: the parties share keys while control passes between them."""
        await self._party(role).control_keys(role).exchange(self._hub, probe_payload(), send)

    def _party(self, role: ControlRole) -> Party:
        if self._regime.smso.controls(self._hub):
            return self._regime.smso
        return self._regime.s1sp if role is ControlRole.NON_CRITICAL else self._regime.dco


class FormerKeys:
    """The hub's keys as the SMSO had them, for proving that they no longer open anything."""

    def __init__(self, regime: Regime, hub_eui64: int) -> None:
        self._smso = regime.smso
        self._hub = hub_eui64

    def envelope(self, role: ControlRole, payload: bytes) -> bytes:
        """Return an envelope under the old key."""
        return self._smso.control_keys(role).envelope(self._hub, payload)

    def holds(self, role: ControlRole, response: bytes) -> bool:
        """Tell whether a response was made with the old key."""
        return response_holds(response, self._smso.control_keys(role).held(self._hub).key, self._hub)

    async def catch_up(self, role: ControlRole, send: Send) -> None:
        """Take up the hub's counter, if the old key still can."""
        await self._smso.control_keys(role).exchange(self._hub, probe_payload(), send)


class HomeByWan:
    """The outside world of the parties: device tests and control envelopes over the wide-area link."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def device_test(self, eui64: int) -> DeviceTest:
        """Have a device read out its ZCL version; the hub, its status."""
        hub = self._context.installation.hub
        if eui64 == hub.address:
            status = await self._context.head_end.call(wan.Status())
            return DeviceTest(True, f"{len(status.devices)} devices in its list")
        entry = next(item for item in self._context.installation.record.devices if item.address == eui64)
        endpoint = self._context.found_of(entry).endpoint_serving(BASIC)
        if endpoint is None:
            return DeviceTest(False, "it was not found when the home was discovered")
        try:
            value = await self._context.read(entry, endpoint, BASIC, ZCL_VERSION)
        except NoAnswerError as error:
            return DeviceTest(False, str(error))
        return DeviceTest(True, f"ZCL version {value}")

    async def firmware(self, eui64: int) -> str | None:
        """Read a device's OTA version back and return the inventory's name for it; None without an OTA client."""
        entry = next(item for item in self._context.installation.record.devices if item.address == eui64)
        if not self._context.tells_version(entry):
            return None
        try:
            version = await read_back(self._context, entry)
        except NoAnswerError as error:
            raise UnreachableError(f"{format_eui64(eui64)}: {error}") from error
        self._context.journal.write(VersionReadBack(format_eui64(eui64), version))
        return inventory_version(self._context.installation.models[entry.name], version)

    async def send_control(self, eui64: int, envelope: bytes) -> bytes:
        """Carry an envelope to a device and return its response."""
        return await self._context.head_end.send_control(eui64, envelope)


async def prove_lock_out(context: Context, regime: Regime) -> None:
    """Have the old head end ask for the hub's status and be refused."""
    head_end: HeadEnd = context.head_end
    keys, hub = head_end.keys, context.installation.hub.address
    head_end.keys = FormerKeys(regime, hub)
    try:
        await head_end.call(wan.Status(), timeout_s=120.0)
    except NotInControlError as error:
        refusal = error.status.name
    except HubUnreachableError:
        refusal = "no answer"
    else:
        refusal = ""
    finally:
        head_end.keys = keys
    context.journal.write(OldHeadEndRefused(format_eui64(hub), refusal or "obeyed"))
    if not refusal:
        problem = Problem(
            format_eui64(hub),
            "The old head end still commands the hub",
            "It asked for the status under its old key and was answered",
            "Stop, rotate the hub's keys again and investigate",
            Severity.ERROR,
        )
        record(problem, context.journal)
