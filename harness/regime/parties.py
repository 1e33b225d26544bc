"""The parties before cut-over: those who hold control, ask, authorise and validate."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from emulator.devices.control import ControlIdentity, ControlRole, ControlStatus, probe_payload
from emulator.devices.sealing import scalar_from, seal
from emulator.errors import EmulatorError
from emulator.eui64 import format_eui64, parse_eui64
from harness.errors import CertificateError, FileRejectedError, RegimeError
from harness.exchange.document import Document, Row, utc
from harness.facts.terms import KeyRole
from harness.journal import canonical_json
from harness.pki.authority import Usage
from harness.pki.directory import certificate_id
from harness.pki.profile import holder_of
from harness.pki.roles import RemotePartyRole
from harness.regime.case import EnrolmentCase
from harness.regime.control_keys import HeldKey, Send
from harness.regime.inventory import COMMISSIONABLE, InventoryRecord
from harness.regime.party import Party
from harness.regime.validation import Finding
from hw_profiles.epcl import Epcl, Product
from hw_profiles.errors import ProfileError
from hw_profiles.identifiers import distributor_id, parse_mpan, parse_mprn
from hw_profiles.installation import Supply
from hw_profiles.model import DeviceKind

ROLE_TEXT = {ControlRole.CRITICAL: KeyRole.CRITICAL, ControlRole.NON_CRITICAL: KeyRole.NON_CRITICAL}
BUNDLE_INFO = {"S1SP": b"smets1 secrets for the S1SP", "DCO": b"smets1 secrets for the DCO"}
Inventory = Callable[[int], InventoryRecord | None]
"""What the Smart Metering Inventory holds of a device, by EUI-64."""
RECIPIENT_ROLE = {"S1SP": ControlRole.NON_CRITICAL, "DCO": ControlRole.CRITICAL}
"""Which secrets each recipient gets: neither can act alone where both are needed."""


def installation_row(case: EnrolmentCase, **more: str) -> Row:
    """Return the row that names an installation."""
    values = {"mpan": case.mpan}
    if case.mprn is not None:
        values["mprn"] = case.mprn
    values |= {
        "dormant": "true" if case.dormant else "false",
        "wanProvider": case.wan_provider,
        "responsibleSupplier": format_eui64(case.responsible_supplier),
        "installingSupplier": format_eui64(case.installing_supplier),
    }
    return Row("Installation", {**values, **more})


def device_rows(case: EnrolmentCase) -> list[Row]:
    """Return a row for each device of an installation."""
    return [
        Row(
            "Device",
            {
                "eui64": device.name,
                "kind": str(device.kind),
                "manufacturer": device.manufacturer,
                "model": device.model,
                "hardwareVersion": str(device.hardware_version),
                "firmwareVersion": device.firmware,
            },
        )
        for device in case.devices
    ]


def product_of_row(row: Row) -> Product:
    """Return a device row as the list of eligible combinations sees it."""
    return Product(
        DeviceKind(row["kind"]),
        row["manufacturer"],
        row["model"],
        int(row["hardwareVersion"]),
        row["firmwareVersion"],
    )


def controlled_rows(document: Document) -> list[Row]:
    """Return the device rows of a document that a head end controls."""
    return [row for row in document.having("Device") if row["kind"] in ("CHF", "ESME", "GSME")]


class Smso(Party):
    """Smart Metering System Operator: holds every control key until it releases the installation."""

    name = "SMSO"

    def take_on(self, eui64: int, identity: ControlIdentity) -> None:
        """Hold the keys of a device from installation on; one already taken on is left as it is."""
        for role in ControlRole:
            key = HeldKey(identity.key(role), 0, 0, identity.public_point)
            self.control_keys(role).take(eui64, key)

    def controls(self, eui64: int) -> bool:
        """Whether this SMSO still has control of a device."""
        return self.control_keys(ControlRole.CRITICAL).holds(eui64) and format_eui64(eui64) not in self.table(
            "released"
        )

    def command(self, eui64: int, role: ControlRole, payload: bytes) -> bytes:
        """Return an envelope that commands a device; raises `RegimeError` once control was released."""
        if not self.controls(eui64):
            raise RegimeError(f"the SMSO has released {format_eui64(eui64)}; ask the S1SP and the DCO")
        return self.control_keys(role).envelope(eui64, payload)

    def handover_rows(self, devices: Iterable[int]) -> list[Row]:
        """Return the secrets, the non-critical sealed to the S1SP and the critical to the DCO."""
        euis = [eui64 for eui64 in devices if self.control_keys(ControlRole.CRITICAL).holds(eui64)]
        rows = [self._point_row(eui64) for eui64 in euis]
        for recipient, role in RECIPIENT_ROLE.items():
            rows.append(self._sealed_row(recipient, role, euis))
        return rows

    def _point_row(self, eui64: int) -> Row:
        point = self.control_keys(ControlRole.CRITICAL).held(eui64).point
        return Row("ControlPoint", {"eui64": format_eui64(eui64), "point": point.hex()})

    def _sealed_row(self, recipient: str, role: ControlRole, euis: Sequence[int]) -> Row:
        keys = self.control_keys(role)
        bundle = canonical_json({format_eui64(eui64): keys.held(eui64).to_json() for eui64 in euis}).encode()
        remote = {
            "S1SP": RemotePartyRole.S1SP_KEY_AGREEMENT,
            "DCO": RemotePartyRole.DCO_KEY_AGREEMENT,
        }[recipient]
        certificate = self.office.directory.find(remote, Usage.AGREEMENT)
        point = certificate.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        # The label holds the text itself: the same bundle gives the same octets, another one another key.
        ephemeral = scalar_from(self._secret(f"bundle/{recipient}/{bundle.hex()}", 48))
        sealed = seal(bundle, point, ephemeral, BUNDLE_INFO[recipient])
        return Row("Sealed", {"recipient": recipient, "data": base64.b64encode(sealed).decode("ascii")})

    def release(self, eui64: int) -> None:
        """Let go of a device for good: from now on this party refuses to command it."""
        self.table("released")[format_eui64(eui64)] = True
        self.save()

    async def locked_out(self, eui64: int, role: ControlRole, send: Send) -> ControlStatus:
        """Try the old key and return how the device refused; `OK` would mean the rotation is a fiction."""
        return await self.control_keys(role).probe_stale(eui64, probe_payload(), send)


class RequestingParty(Party):
    """Asks for the migration on the SMSO's side: schedules, the common file, the group files."""

    name = "Requesting Party"

    def eligible(self, case: EnrolmentCase, epcl: Epcl) -> str | None:
        """Return the id of the eligible combination the installation forms, or None."""
        products = [device.product for device in case.controlled()]
        matching = epcl.matching(products, case.wan_provider)
        return matching[0].id if matching else None

    def common_rows(self, authorisation: Document, case: EnrolmentCase) -> list[Row]:
        """Return the rows of the common file: what is to be migrated, and the authorised certificates."""
        return [installation_row(case), *device_rows(case), *authorisation.having("Certificate")]

    def group_rows(self, handover: Document, case: EnrolmentCase) -> list[Row]:
        """Return the rows of the group file."""
        return [installation_row(case), *device_rows(case), *handover.having("ControlPoint")]

    def encrypted_rows(self, handover: Document, recipient: str) -> list[Row]:
        """Return the sealed secrets of one recipient, which this party cannot read."""
        return [row for row in handover.having("Sealed") if row["recipient"] == recipient]


class Supplier(Party):
    """An energy supplier."""

    def certificate(self) -> str:
        """Return the id of the supplier's signing certificate."""
        return certificate_id(self.credential("identity").certificate)


class ResponsibleSupplier(Supplier):
    """The supplier now registered: authorises the migration and names the certificates to place."""

    name = "Responsible Supplier"

    def authorisation_rows(self, case: EnrolmentCase, certificates: dict[str, str]) -> list[Row]:
        """Return the rows of the migration authorisation; `certificates` are ids by role text.

        Those that come before the cut-off are named, and it is said whether any comes after it.
        """
        supplies = {
            "supplier": case.certificates.supplier_certificates,
            "DNO": case.certificates.dno_certificate,
            "GT": case.certificates.gt_certificate,
        }
        named = [
            Row("Certificate", {"role": role, "id": certificates[role]})
            for role, supply in supplies.items()
            if supply is Supply.BEFORE_CUT_OFF and role in certificates
        ]
        follow = "true" if Supply.AFTER_CUT_OFF in supplies.values() else "false"
        return [installation_row(case, certificatesToFollow=follow), *device_rows(case), *named]

    def take_obligations(self, outcome: Document) -> None:
        """Keep the obligations that an outcome lays on this party."""
        open_items = self.table("obligations")
        for row in outcome.having("Obligation"):
            if row["owner"] == self.name:
                open_items[f"{row['role']}/{row['device']}"] = row["due"]
        self.save()

    def discharge(self, role: str, device: str) -> None:
        """Strike out an obligation: its certificate stands now."""
        self.table("obligations").pop(f"{role}/{device}", None)
        self.save()


class InstallingSupplier(Supplier):
    """The supplier that installed the meters; notified of firmware work on dormant ones."""

    name = "Installing Supplier"


class NetworkParty(Party):
    """A network operator: its certificate stands against the devices it serves."""

    def certificate(self) -> str:
        """Return the id of the operator's certificate."""
        return certificate_id(self.credential("identity").certificate)


class Dno(NetworkParty):
    """The electricity distributor."""

    name = "DNO"


class GasTransporter(NetworkParty):
    """The gas transporter."""

    name = "Gas Transporter"


class CommissioningParty(Party):
    """Validates the common file and drives commissioning."""

    name = "Commissioning Party"

    def validate(
        self, common: Document, authorisation: Document, epcl: Epcl, inventory: Inventory
    ) -> list[Finding]:
        """Return what keeps an installation from proceeding, in the order of validation (V06 to V11).

        `inventory` answers what the Smart Metering Inventory holds of a device.
        """
        row = next(common.having("Installation"))
        checks: tuple[Callable[[], list[Finding]], ...] = (
            lambda: self._authorised(row, authorisation),
            lambda: self._identified(row, common, authorisation),
            lambda: self._commissionable(common, inventory),
            lambda: self._combination(row, common, epcl),
            lambda: self._not_excluded(row),
            lambda: self._capacity(common),
        )
        disabled = self.office.parameters.disabled_checks
        findings = [finding for check in checks for finding in check() if finding.code not in disabled]
        return findings[:1] if findings else []

    def _authorised(self, row: Row, authorisation: Document) -> list[Finding]:
        authorised = next(authorisation.having("Installation"))
        if authorisation.sender != row["responsibleSupplier"]:
            text = f"authorised by {authorisation.sender}, registered is {row['responsibleSupplier']}"
            return [Finding("V06", text)]
        age = self.office.unix_seconds - authorisation.created_unix_seconds
        if age > self.office.parameters.authorisation_valid_days * 86_400:
            return [Finding("V06", f"the authorisation is {age // 86_400} days old")]
        if authorised["mpan"] != row["mpan"] or authorised.get("mprn") != row.get("mprn"):
            return [Finding("V06", "the authorisation names another MPAN or MPRN")]
        if not any(item["role"] == "supplier" for item in authorisation.having("Certificate")):
            return [
                Finding(
                    "V06", "it supplies no certificate of the supplier, and nothing is commissioned without"
                )
            ]
        return []

    def _identified(self, row: Row, common: Document, authorisation: Document) -> list[Finding]:
        try:
            parse_mpan(row["mpan"])
            if row.get("mprn") is not None:
                parse_mprn(row["mprn"])
        except ProfileError as error:
            return [Finding("V07", str(error))]
        names = [device["eui64"] for device in common.having("Device")]
        if len(set(names)) != len(names):
            return [Finding("V07", "an EUI-64 appears twice")]
        if names != [device["eui64"] for device in authorisation.having("Device")]:
            return [Finding("V07", "the devices are not those authorised")]
        return [Finding("V07", text) for text in self._bad_certificates(common, row)]

    def _bad_certificates(self, common: Document, row: Row) -> list[str]:
        at = datetime.fromtimestamp(self.office.unix_seconds, UTC)
        faults = []
        for item in common.having("Certificate"):
            supplier = item["role"] == "supplier"
            expected = RemotePartyRole.SUPPLIER if supplier else RemotePartyRole.NETWORK_OPERATOR
            try:
                _, holder = self.office.directory.verified(item["id"], at, Usage.SIGNING)
            except CertificateError as error:
                faults.append(str(error))
                continue
            if holder.role is not expected:
                faults.append(f"{item['role']} certificate has role {holder.role.text}")
            elif supplier and format_eui64(holder.eui64) != row["responsibleSupplier"]:
                faults.append(f"supplier certificate belongs to {format_eui64(holder.eui64)}")
        return faults

    @staticmethod
    def _commissionable(common: Document, inventory: Inventory) -> list[Finding]:
        """Every device must be one that the inventory can still commission: not past that, not withdrawn."""
        findings = []
        for row in controlled_rows(common):
            record = inventory(parse_eui64(row["eui64"]))
            if record is None:
                findings.append(Finding("V08", "not in the inventory", row["eui64"]))
            elif record.status not in COMMISSIONABLE:
                findings.append(Finding("V08", f"{record.status} in the inventory", row["eui64"]))
        return findings

    @staticmethod
    def _combination(row: Row, common: Document, epcl: Epcl) -> list[Finding]:
        products = [product_of_row(device) for device in controlled_rows(common)]
        if epcl.matching(products, row["wanProvider"]):
            return []
        found = ", ".join(f"{item.kind} {item.model} {item.firmware}" for item in products)
        return [Finding("V09", f"not an eligible combination: {found} with {row['wanProvider']}"[:250])]

    def _not_excluded(self, row: Row) -> list[Finding]:
        category = self.table("exclusions").get(row["mpan"])
        return [] if category is None else [Finding("V10", f"excluded: {category}")]

    def exclude(self, mpan: str, category: str) -> None:
        """Put an installation on the exclusion list."""
        self.table("exclusions")[mpan] = category
        self.save()

    def _capacity(self, common: Document) -> list[Finding]:
        day = str(self.office.unix_seconds // 86_400)
        taken = self.table("capacity").setdefault(day, [])
        assert isinstance(taken, list)
        if common.installation not in taken:
            if len(taken) >= self.office.parameters.daily_capacity:
                return [Finding("V11", f"{len(taken)} installations today already; try tomorrow")]
            taken.append(common.installation)
            self.save()
        return []

    def placement_rows(self, common: Document, devices: Iterable[str], areas: dict[str, str]) -> list[Row]:
        """Return which certificate is to stand against which device; what was not supplied is not placed.

        A network certificate is never derived from the MPAN; one whose owner does not serve the MPAN's area
        (`areas`: owner EUI-64 to distributor id) is placed all the same, with a warning.
        """
        row = next(common.having("Installation"))
        supplied = {item["role"]: item["id"] for item in common.having("Certificate")}
        kinds = {item["eui64"]: item["kind"] for item in common.having("Device")}
        rows = []
        for device in devices:
            network = {"ESME": ("DNO",), "GSME": ("GT",)}.get(kinds[device], ())
            for role in ("supplier", *network):
                rows.append(self._placement(role, device, supplied.get(role), row["mpan"], areas))
        return rows

    def _placement(
        self, role: str, device: str, identifier: str | None, mpan: str, areas: dict[str, str]
    ) -> Row:
        if identifier is None:
            return Row("Placement", {"device": device, "role": role, "placed": "false"})
        holder = format_eui64(holder_of(self.office.directory.lookup(identifier)).eui64)
        values = {
            "device": device,
            "role": role,
            "placed": "true",
            "certificate": identifier,
            "holder": holder,
        }
        area = f"{distributor_id(mpan):02}"
        if role == "DNO" and areas.get(holder, area) != area:
            values["warning"] = f"W01: {holder} serves area {areas[holder]}, the MPAN is in area {area}"
        return Row("Placement", values)

    def obligation_rows(self, placements: Iterable[Row]) -> list[Row]:
        """Return an obligation for each certificate not placed."""
        due = self.office.unix_seconds + self.office.parameters.post_commissioning_days * 86_400
        text = utc(due)
        owner = ResponsibleSupplier.name
        return [
            Row("Obligation", {"owner": owner, "device": row["device"], "role": row["role"], "due": text})
            for row in placements
            if row["placed"] == "false"
        ]


def open_bundle(octets: bytes) -> dict[int, HeldKey]:
    """Read an unsealed bundle of secrets; raises `FileRejectedError`."""
    try:
        data = json.loads(octets)
        return {parse_eui64(name): HeldKey.from_json(value) for name, value in data.items()}
    except (EmulatorError, ValueError, KeyError, AttributeError) as error:
        raise FileRejectedError("V02", f"the secrets are not what they should be: {error}") from error
