"""All parties of one rehearsal, in one run folder.

smki/        public certificates          exchange/    signed files
parties/     one private folder a party
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from emulator.devices.control import rehearsal_identity
from harness.exchange.folder import ExchangeFolder
from harness.journal import Clock
from harness.pki.authority import RehearsalAuthority, Secret, Usage
from harness.pki.directory import CertificateDirectory
from harness.pki.roles import RemotePartyRole as Role
from harness.regime.case import EnrolmentCase
from harness.regime.controllers import Dco, Dsp, S1sp
from harness.regime.inventory import InventoryRecord
from harness.regime.parameters import RegimeParameters
from harness.regime.parties import (
    CommissioningParty,
    Dno,
    GasTransporter,
    InstallingSupplier,
    RequestingParty,
    ResponsibleSupplier,
    Smso,
)
from harness.regime.party import Office, Party
from harness.run_folder import EXCHANGE_FOLDER, PARTIES_FOLDER, SMKI_FOLDER
from hw_profiles.epcl import Epcl
from hw_profiles.model import DeviceKind

P = TypeVar("P", bound=Party)


_BASE = 0x90B3D51F30000000
PARTY_ADDRESSES = {
    "SMSO": _BASE | 0x0A01,
    "Requesting Party": _BASE | 0x0A02,
    "Commissioning Party": _BASE | 0x0A03,
    "S1SP": _BASE | 0x0A04,
    "DCO": _BASE | 0x0A05,
    "DSP": _BASE | 0x0A06,
    "DNO": _BASE | 0x020000,
    "Gas Transporter": _BASE | 0x040000,
}
"""EUI-64s of the rehearsed parties; the DNO's is that of DCC's test tooling, the others are made up."""

_SIGNING = {
    "SMSO": Role.SMSO_FILE_SIGNING,
    "Requesting Party": Role.REQUESTING_PARTY_FILE_SIGNING,
    "Responsible Supplier": Role.SUPPLIER_XML_SIGNING,
    "Installing Supplier": Role.SUPPLIER_XML_SIGNING,
    "Commissioning Party": Role.COMMISSIONING_PARTY_FILE_SIGNING,
    "S1SP": Role.S1SP_FILE_SIGNING,
    "DCO": Role.DCO_FILE_SIGNING,
    "DSP": Role.DSP_XML_SIGNING,
}
_IDENTITY = {
    "Responsible Supplier": Role.SUPPLIER,
    "Installing Supplier": Role.SUPPLIER,
    "DNO": Role.NETWORK_OPERATOR,
    "Gas Transporter": Role.NETWORK_OPERATOR,
}
_AGREEMENT = {"S1SP": Role.S1SP_KEY_AGREEMENT, "DCO": Role.DCO_KEY_AGREEMENT}


class Regime:
    """The parties, each with its keys and state, and what is public between them."""

    def __init__(self, office: Office, epcl: Epcl, folder: Path, suppliers: tuple[int, int], secret: Secret):
        """Use `Regime.open`."""
        self.office = office
        self.epcl = epcl
        self._folder = folder
        self._secret = secret
        self.smso = self._party(Smso)
        self.requesting_party = self._party(RequestingParty)
        self.responsible_supplier = self._party(ResponsibleSupplier, suppliers[0])
        self.installing_supplier = self._party(InstallingSupplier, suppliers[1])
        self.commissioning_party = self._party(CommissioningParty)
        self.s1sp = self._party(S1sp)
        self.dco = self._party(Dco)
        self.dsp = self._party(Dsp)
        self.dno = self._party(Dno)
        self.gas_transporter = self._party(GasTransporter)
        self.distribution_areas: dict[str, str] = {}
        """Which distributor id each network operator (EUI-64 as text) serves, where that is known."""

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        clock: Clock,
        secret: Secret,
        epcl: Epcl,
        parameters: RegimeParameters | None = None,
        responsible_supplier: int,
        installing_supplier: int,
        dno_distributor: str | None = None,
    ) -> Regime:
        """Set the parties up in a run folder, or find them as they were; `secret` makes rehearsal keys.

        `dno_distributor` is the distributor id of the area that the DNO serves, where it is known.
        """
        authority = RehearsalAuthority(secret)
        directory = CertificateDirectory.publish(folder / SMKI_FOLDER, authority)
        exchange = ExchangeFolder(folder / EXCHANGE_FOLDER)
        office = Office(exchange, directory, clock, parameters or RegimeParameters())
        suppliers = (responsible_supplier, installing_supplier)
        regime = cls(office, epcl, folder / PARTIES_FOLDER, suppliers, secret)
        for party in regime.parties():
            regime._enrol(party, authority)
        if dno_distributor is not None:
            regime.distribution_areas[regime.dno.address] = dno_distributor
        return regime

    def _party(self, kind: type[P], eui64: int | None = None) -> P:
        place = self._folder / kind.name.lower().replace(" ", "-")
        number = PARTY_ADDRESSES[kind.name] if eui64 is None else eui64
        return kind(
            self.office, place, number, lambda label, octets: self._secret(f"{kind.name}/{label}", octets)
        )

    def parties(self) -> tuple[Party, ...]:
        """Return every party."""
        return (
            self.smso,
            self.requesting_party,
            self.responsible_supplier,
            self.installing_supplier,
            self.commissioning_party,
            self.s1sp,
            self.dco,
            self.dsp,
            self.dno,
            self.gas_transporter,
        )

    def _enrol(self, party: Party, authority: RehearsalAuthority) -> None:
        wanted = (
            ("signing", _SIGNING.get(party.name), Usage.SIGNING),
            ("identity", _IDENTITY.get(party.name), Usage.SIGNING),
            ("agreement", _AGREEMENT.get(party.name), Usage.AGREEMENT),
        )
        for label, role, usage in wanted:
            if role is None or party.has_credential(label):
                continue
            credential = authority.organisation(role, party.eui64, usage)
            self.office.directory.add(credential)
            party.install(label, credential)

    def take_on(self, case: EnrolmentCase) -> None:
        """Tell the SMSO and the inventory of an installation, as they stood before the migration."""
        for device in case.devices:
            if device.controlled:
                self.smso.take_on(device.eui64, rehearsal_identity(self._secret, device.eui64))
            mpxn = {DeviceKind.ESME: case.mpan, DeviceKind.GSME: case.mprn}.get(device.kind)
            record = InventoryRecord(
                device.eui64, device.kind, device.manufacturer, device.model, device.firmware, mpxn
            )
            self.dsp.notify(record)

    def certificates(self) -> dict[str, str]:
        """Return the ids of the certificates that may be placed, by role text."""
        return {
            "supplier": self.responsible_supplier.certificate(),
            "DNO": self.dno.certificate(),
            "GT": self.gas_transporter.certificate(),
        }
