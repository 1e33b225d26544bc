"""The steps that commission: the DSP's inventory, certificates placed, and what is still owed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from emulator.eui64 import format_eui64, parse_eui64
from harness.errors import ContradictionError, RegimeError, UnreachableError
from harness.exchange.document import Document, FileKind, Row
from harness.facts import Kind
from harness.facts.enrolment import (
    Commissioned,
    CommissioningOf,
    CredentialsUpdate,
    LateCertificatePlaced,
    ObligationNoted,
    PlacementNoted,
    PostCommissioningObligation,
    Transition,
)
from harness.facts.terms import CertificateRole, Event, State
from harness.journal import told
from harness.pki.profile import holder_of
from harness.regime.case import EnrolmentCase, MigratingDevice
from harness.regime.dossier import Stage
from harness.regime.parties import ROLE_TEXT
from harness.regime.result_rows import obligation_of, placement_of, result_rows, supply_of
from harness.regime.validation import Finding
from hw_profiles.installation import Supply
from hw_profiles.model import DeviceKind


class Commissioning(Stage):
    """From rotated keys to an installation in the Smart Metering Inventory."""

    async def request_commissioning(self) -> Event:
        """Ask the DSP to commission the devices that both controllers rotated."""
        regime, party = self._regime, self._regime.commissioning_party
        rotated = [
            {row["eui64"] for row in self._dossier.receive(party, files.commissioning).having("Rotated")}
            for files in self._dossier.controllers()
        ]
        devices = [d for d in self._dossier.viable_devices() if all(d.name in names for names in rotated)]
        common = self._dossier.receive(party, FileKind.COMMON)
        rows = [_commission_row(self._case, device) for device in devices]
        names = [device.name for device in devices]
        rows += party.placement_rows(common, names, regime.distribution_areas)
        self._dossier.publish(party, FileKind.REQUEST, lambda: rows)
        return Event.COMMISSIONING_REQUESTED

    async def commission(self) -> Event:
        """Commission each device, and let every party know how it ended."""
        regime, dsp, party = self._regime, self._regime.dsp, self._regime.commissioning_party
        request = self._dossier.receive(dsp, FileKind.REQUEST)
        if self._dossier.answer(FileKind.RESPONSE) is None:
            placements = list(request.having("Placement"))
            confirmed = [row for row in request.having("Commission") if await self._confirmed(row)]
            for row in confirmed:
                self._commission_device(row["eui64"], row["firmwareVersion"], placements)
            rows = [self._inventory_row(row["eui64"]) for row in confirmed]
            names = {row["eui64"] for row in confirmed}
            rows += [row for row in placements if row["device"] in names]
            self._dossier.publish(dsp, FileKind.RESPONSE, lambda: rows)
        response = self._dossier.receive(party, FileKind.RESPONSE)
        self._dossier.publish(party, FileKind.OUTCOME, lambda: self._outcome_rows(response))
        outcome = self._dossier.receive(regime.responsible_supplier, FileKind.OUTCOME)
        regime.responsible_supplier.take_obligations(outcome)
        for other in (regime.requesting_party, regime.dno, regime.gas_transporter):
            self._dossier.receive(other, FileKind.OUTCOME)
        self._note_placements(outcome)
        return Event.CERTIFICATES_TO_FOLLOW if self._late(outcome) else self._came_out(outcome)

    def _came_out(self, outcome: Document) -> Event:
        left_out = len(list(outcome.having("Inventory"))) < len(self._case.controlled())
        return Event.GAS_EXCLUDED if left_out else Event.ALL_COMMISSIONED

    def _late(self, outcome: Document) -> list[PostCommissioningObligation]:
        """Return what is owed and will be supplied after the cut-off."""
        owed = map(obligation_of, outcome.having("Obligation"))
        certificates = self._case.certificates
        return [item for item in owed if supply_of(item.role, certificates) is Supply.AFTER_CUT_OFF]

    async def place_late_certificates(self) -> Event:
        """Wait for the cut-off and place what comes after it, one by one, as Service Request 6.15.1 would.

        SMETS1 devices hold no DCC certificates; what changes is the record the DSP keeps for them (fact sheet, DCC
        migration). Each one placed ends the obligation that the outcome laid on the supplier.
        """
        outcome = self._dossier.own(self._regime.responsible_supplier, FileKind.OUTCOME)
        await self._dossier.wait_until(self._cut_off_us())
        for item in self._late(outcome):
            self._place(item)
        return self._came_out(outcome)

    def _cut_off_us(self) -> int:
        """Return when the cut-off is of which a dormant installation's supplier was told, 0 for an active one's."""
        if not self._case.dormant:
            return 0
        scheduled_us = max(
            entry.time_us
            for entry, transition in told(self._journal.entries(Kind.DECISION), Transition)
            if transition.to is State.MIGRATION_SCHEDULED
        )
        return scheduled_us + self._dossier.parameters.certificate_cut_off_hours * 3_600_000_000

    def _place(self, item: PostCommissioningObligation) -> None:
        regime = self._regime
        certificate = regime.certificates()[item.role]
        holder = format_eui64(holder_of(regime.office.directory.lookup(certificate)).eui64)
        update = CredentialsUpdate(item.device, item.role, certificate, holder)
        if self._journal.done(update.key) is not None:
            return
        with self._journal.effect(update) as effect:
            regime.dsp.update_credentials(parse_eui64(item.device), {item.role: certificate})
            regime.responsible_supplier.discharge(item.role, item.device)
            effect.done(LateCertificatePlaced(item.role, holder))

    async def _confirmed(self, row: Row) -> bool:
        """Ask a device for its firmware and keys; a gas meter that has fallen silent is left out.

        Raises `ContradictionError` unless they are as requested.
        """
        if self._journal.done(CommissioningOf.key_of(row["eui64"])) is not None:
            return True
        try:
            await self._confirm(row)
        except UnreachableError as error:
            if row["kind"] != DeviceKind.GSME:
                raise
            self._dossier.problem(
                Finding("GT01", f"silent before it was commissioned: {error}"[:250], row["eui64"])
            )
            return False
        return True

    async def _confirm(self, row: Row) -> None:
        world, parameters = self._dossier.world, self._dossier.parameters
        name, eui64 = row["eui64"], parse_eui64(row["eui64"])
        running = await self._dossier.persistently(
            partial(world.firmware, eui64), parameters.device_test_attempts
        )
        if running not in (None, row["firmwareVersion"]):
            raise ContradictionError(
                f"{name} runs firmware {running}, and its commissioning was requested with "
                f"{row['firmwareVersion']}; find out what changed it since the upgrade"
            )
        for controller, *_ in self._dossier.controllers():
            if not await self._dossier.persistently(
                partial(controller.keys_agree, eui64, world.send_control), parameters.control_attempts
            ):
                raise ContradictionError(
                    f"{name} no longer has the {ROLE_TEXT[controller.role]} key that the {controller.name} gave "
                    "it; find out who changed it since the rotation"
                )

    def _inventory_row(self, name: str) -> Row:
        record = self._regime.dsp.record(parse_eui64(name))
        if record is None:
            raise RegimeError(f"inventory: {name} is gone from it since it was commissioned")
        values = {"eui64": name, "status": str(record.status), "firmwareVersion": record.firmware}
        return Row("Inventory", values)

    def _commission_device(self, name: str, firmware: str, placements: Sequence[Row]) -> None:
        if self._journal.done(CommissioningOf.key_of(name)) is not None:
            return
        credentials = {
            row["role"]: row["certificate"]
            for row in placements
            if row["device"] == name and row["placed"] == "true"
        }
        with self._journal.effect(CommissioningOf(name, credentials)) as effect:
            record = self._regime.dsp.commission(parse_eui64(name), firmware, credentials)
            effect.done(Commissioned(str(record.status), record.firmware))

    def _outcome_rows(self, response: Document) -> list[Row]:
        party, name = self._regime.commissioning_party, self._case.installation
        inventory, placements = list(response.having("Inventory")), list(response.having("Placement"))
        commissioned = {row["eui64"] for row in inventory if row["status"] == "Commissioned"}
        rows = result_rows(name, [])
        for device in self._case.controlled():
            findings = [] if device.name in commissioned else [Finding("GT01", "excluded", device.name)]
            rows += result_rows(name, findings, device.name)
        return [*rows, *inventory, *placements, *party.obligation_rows(placements)]

    def _note_placements(self, outcome: Document) -> None:
        for row in outcome.having("Placement"):
            self._journal.write(PlacementNoted(row["device"], placement_of(row, self._case.certificates)))
            if row.get("warning"):
                self._dossier.problem(Finding("W01", row["warning"], row["device"]))
        for row in outcome.having("Obligation"):
            role = CertificateRole(row["role"])
            self._journal.write(ObligationNoted(row["device"], row["owner"], role, row["due"]))


def _commission_row(case: EnrolmentCase, device: MigratingDevice) -> Row:
    mpxn = {DeviceKind.ESME: case.mpan, DeviceKind.GSME: case.mprn}.get(device.kind)
    values = {"eui64": device.name, "kind": str(device.kind), "firmwareVersion": device.firmware}
    return Row("Commission", values | ({} if mpxn is None else {"mpxn": mpxn}))
