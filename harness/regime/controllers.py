"""The parties that control devices after cut-over, and the one that keeps the inventory."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace

from emulator.devices.control import ControlRole, ControlStatus, probe_payload
from emulator.devices.sealing import unseal
from emulator.errors import SecurityError
from emulator.eui64 import format_eui64, parse_eui64
from harness.errors import FileRejectedError, RegimeError
from harness.exchange.document import Document, Row
from harness.journal import Json
from harness.regime.control_keys import HeldKey, Send
from harness.regime.inventory import InventoryRecord, InventoryStatus
from harness.regime.parties import BUNDLE_INFO, RECIPIENT_ROLE, ROLE_TEXT, open_bundle
from harness.regime.party import Party
from hw_profiles.model import DeviceKind


class Controller(Party):
    """S1SP or DCO: takes over the control keys of one role."""

    @property
    def role(self) -> ControlRole:
        """Which control keys this party holds."""
        return RECIPIENT_ROLE[self.name]

    def take_secrets(self, encrypted: Document, group: Document) -> list[str]:
        """Unseal and keep the secrets; returns the controlled devices whose secrets are missing.

        Raises `FileRejectedError` (V02) when they are not for this party or were altered.
        """
        sealed = [row["data"] for row in encrypted.having("Sealed") if row["recipient"] == self.name]
        if len(sealed) != 1:
            raise FileRejectedError("V02", f"{len(sealed)} bundles for the {self.name}, expected one")
        try:
            octets = unseal(
                base64.b64decode(sealed[0]), self.credential("agreement").scalar, BUNDLE_INFO[self.name]
            )
        except SecurityError as error:
            raise FileRejectedError("V02", f"secrets for the {self.name}: {error}") from error
        return self._keep(open_bundle(octets), group)

    def _keep(self, bundle: dict[int, HeldKey], group: Document) -> list[str]:
        missing = []
        points = {row["eui64"]: row["point"] for row in group.having("ControlPoint")}
        for row in group.having("Device"):
            if row["kind"] not in ("CHF", "ESME", "GSME"):
                continue
            eui64 = parse_eui64(row["eui64"])
            if eui64 in bundle and row["eui64"] in points:
                self.control_keys(self.role).take(eui64, bundle[eui64])
            else:
                missing.append(row["eui64"])
        return missing

    async def keys_agree(self, eui64: int, send: Send) -> bool:
        """Try the supplied key with a probe that changes nothing."""
        try:
            response = await self.control_keys(self.role).exchange(eui64, probe_payload(), send)
        except RegimeError:
            return False
        return response.status is ControlStatus.OK

    def next_generation(self, eui64: int) -> int:
        """Return the generation that follows the one taken over: what the device is rotated to, however often."""
        return self.control_keys(self.role).held(eui64).taken + 1

    async def settle(self, eui64: int, send: Send) -> None:
        """Finish a rotation that was killed: the device may have the new key already."""
        await self.control_keys(self.role).settle(eui64, send)

    async def rotate(self, eui64: int, generation: int, send: Send) -> int:
        """Replace the device's key and return its generation; safe to repeat."""
        return (await self.control_keys(self.role).rotate(eui64, generation, send)).generation

    def rotated_rows(self, devices: Iterable[str]) -> list[Row]:
        """Return the rows of this party's commissioning file."""
        keys = self.control_keys(self.role)
        return [
            Row(
                "Rotated",
                {
                    "eui64": name,
                    "role": ROLE_TEXT[self.role],
                    "generation": str(keys.held(parse_eui64(name)).generation),
                },
            )
            for name in devices
        ]


class S1sp(Controller):
    """SMETS1 Service Provider: holds the non-critical keys."""

    name = "S1SP"


class Dco(Controller):
    """Dual Control Organisation: holds the critical keys, so that the S1SP alone can do nothing critical."""

    name = "DCO"


class Dsp(Party):
    """Data Service Provider: keeps the Smart Metering Inventory."""

    name = "DSP"

    def record(self, eui64: int) -> InventoryRecord | None:
        """Return a device's record, or None."""
        value = self.table("inventory").get(format_eui64(eui64))
        return _record(eui64, value) if isinstance(value, dict) else None

    def notify(self, record: InventoryRecord) -> None:
        """Pre-notify a device (Service Request 12.2); one already known is left as it is."""
        if self.record(record.eui64) is None:
            self._put(InventoryRecord.notified(record, self.office.unix_seconds))

    def status(self, name: str) -> str:
        """Return the status of a device, named as the DCC writes its EUI-64; empty when it has none."""
        record = self.record(parse_eui64(name))
        return "" if record is None or record.status is None else str(record.status)

    def commission(self, eui64: int, firmware: str, credentials: dict[str, str]) -> InventoryRecord:
        """Move a device to Commissioned, one legal step at a time, with the firmware it runs and its certificates."""
        record = self.record(eui64)
        if record is None:
            raise RegimeError(f"inventory: {format_eui64(eui64)} is not known; pre-notify it first")
        steps = (InventoryStatus.INSTALLED_NOT_COMMISSIONED, InventoryStatus.COMMISSIONED)
        now = self.office.unix_seconds
        for status in steps:
            if record.status not in (status, InventoryStatus.COMMISSIONED):
                record = record.moved(status, now)
        record = replace(record, firmware=firmware, credentials={**record.credentials, **credentials})
        self._put(record)
        return record

    def firmware(self, name: str) -> str:
        """Return the firmware the inventory has for a device, named by its EUI-64; empty when it has none."""
        record = self.record(parse_eui64(name))
        return "" if record is None else record.firmware

    def update_credentials(self, eui64: int, credentials: dict[str, str]) -> None:
        """Change the certificates on a commissioned device's record (as Service Request 6.15.1 does).

        Raises `RegimeError` for a device that is not commissioned.
        """
        record = self.record(eui64)
        if record is None or record.status is not InventoryStatus.COMMISSIONED:
            raise RegimeError(f"inventory: {format_eui64(eui64)} is not commissioned; nothing to update")
        record.credentials.update(credentials)
        self._put(record)

    def _put(self, record: InventoryRecord) -> None:
        value: dict[str, Json] = {
            "kind": str(record.kind),
            "manufacturer": record.manufacturer,
            "model": record.model,
            "firmware": record.firmware,
            "mpxn": record.mpxn,
            "status": None if record.status is None else str(record.status),
            "history": [[at, str(status)] for at, status in record.history],
            "credentials": dict(record.credentials),
        }
        self.table("inventory")[format_eui64(record.eui64)] = value
        self.save()


def _record(eui64: int, value: dict[str, Json]) -> InventoryRecord:
    history, credentials, status = value["history"], value["credentials"], value["status"]
    assert isinstance(history, list)
    assert isinstance(credentials, dict)
    moves = [move for move in history if isinstance(move, list)]
    return InventoryRecord(
        eui64=eui64,
        kind=DeviceKind(str(value["kind"])),
        manufacturer=str(value["manufacturer"]),
        model=str(value["model"]),
        firmware=str(value["firmware"]),
        mpxn=None if value["mpxn"] is None else str(value["mpxn"]),
        status=None if status is None else InventoryStatus(str(status)),
        history=tuple((int(str(at)), InventoryStatus(str(state))) for at, state in moves),
        credentials={role: str(identifier) for role, identifier in credentials.items()},
    )
