"""The notice that a dormant installation's suppliers are given before its firmware or configuration is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from harness.errors import NoticeRunsError
from harness.exchange.document import Document, FileKind, Row, unix_seconds_of, utc
from harness.facts.terms import Event
from harness.regime.dossier import Dossier, Stage
from harness.regime.parties import device_rows, installation_row

Targets = Callable[[], Mapping[str, str]]
"""Returns the firmware that devices are to be given, as the inventory writes versions, by EUI-64 as text."""


class Notice(Stage):
    """From work that is due to the day on which it may begin."""

    def __init__(self, dossier: Dossier, targets: Targets) -> None:
        super().__init__(dossier)
        self._targets = targets

    async def notify(self) -> Event:
        """Publish the firmware schedule notification and have both suppliers take it."""
        days = self._dossier.parameters.firmware_notice_days
        begins = self._regime.office.unix_seconds + days * 86_400
        self._dossier.publish(
            self._regime.requesting_party,
            FileKind.FIRMWARE_SCHEDULE,
            lambda: [installation_row(self._case, notBefore=utc(begins)), *self._device_rows()],
        )
        for supplier in (self._regime.responsible_supplier, self._regime.installing_supplier):
            self._dossier.receive(supplier, FileKind.FIRMWARE_SCHEDULE)
        return Event.FIRMWARE_NOTIFIED

    def _device_rows(self) -> list[Row]:
        targets = self._targets()
        return [
            Row(row.element, {**row.values, "targetFirmware": targets[row["eui64"]]})
            if row["eui64"] in targets
            else row
            for row in device_rows(self._case)
        ]

    async def wait(self) -> Event:
        """Let the notice run out. Raises `NoticeRunsError` where nobody can wait for days."""
        begins = not_before(self._dossier.own(self._regime.requesting_party, FileKind.FIRMWARE_SCHEDULE))
        clock = self._regime.office.clock
        left_us = begins * 1_000_000 - clock.unix_us
        if left_us > 0 and not self._dossier.may_wait_days:
            raise NoticeRunsError(
                f"the notice of work on {self._case.installation} runs until "
                f"{datetime.fromtimestamp(begins, UTC):%Y-%m-%d %H:%M} UTC; resume the run then"
            )
        await self._dossier.wait_until(clock.now + left_us)
        return Event.NOTICE_OVER


def not_before(notification: Document) -> int:
    """Return when the work may begin that a notification announces, in Unix seconds."""
    row = next(notification.having("Installation"))
    return unix_seconds_of(row["notBefore"])
