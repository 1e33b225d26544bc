"""A whole document of every kind of migration file, as the party that sends it would make it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.exchange.document import ANSWERS, Answer, Document, FileKind, Row

SENDER = "90-B3-D5-1F-30-00-0A-03"
METER = "00-DB-12-34-56-78-90-A1"

INSTALLATION = Row(
    "Installation",
    {
        "mpan": "1300001234560",
        "mprn": "1234567890",
        "dormant": "true",
        "wanProvider": "CGI",
        "responsibleSupplier": "90-B3-D5-1F-30-01-00-00",
        "installingSupplier": "90-B3-D5-1F-30-02-00-00",
        "cutOff": "2026-01-08T00:00:00Z",
        "certificatesToFollow": "false",
    },
)
DEVICE = Row(
    "Device",
    {
        "eui64": METER,
        "kind": "ESME",
        "manufacturer": "1031",
        "model": "Liberty",
        "hardwareVersion": "1",
        "firmwareVersion": "02000000",
    },
)
CERTIFICATE = Row("Certificate", {"role": "supplier", "id": "0A" * 16})
RESULT = Row(
    "Result",
    {"installation": "home", "device": METER, "outcome": "fail", "code": "V07", "text": "wrong role"},
)
POINT = Row("ControlPoint", {"eui64": METER, "point": "04" + "ab" * 64})
SEALED = Row("Sealed", {"recipient": "S1SP", "data": "c2VhbGVk"})
RELEASED = Row("Released", {"eui64": METER})
ROTATED = Row("Rotated", {"eui64": METER, "role": "critical", "generation": "1"})
COMMISSION = Row(
    "Commission", {"eui64": METER, "kind": "ESME", "firmwareVersion": "02000000", "mpxn": "1300001234560"}
)
INVENTORY = Row("Inventory", {"eui64": METER, "status": "Commissioned", "firmwareVersion": "02000000"})
PLACEMENT = Row(
    "Placement",
    {
        "device": METER,
        "role": "DNO",
        "placed": "true",
        "certificate": "0B" * 16,
        "holder": SENDER,
        "warning": "another area",
    },
)
OBLIGATION = Row(
    "Obligation", {"owner": "DNO", "device": METER, "role": "DNO", "due": "2026-02-01T00:00:00Z"}
)

ROWS: dict[FileKind, tuple[Row, ...]] = {
    FileKind.FIRMWARE_SCHEDULE: (INSTALLATION, DEVICE),
    FileKind.MIGRATION_SCHEDULE: (INSTALLATION, DEVICE),
    FileKind.AUTHORISATION: (INSTALLATION, DEVICE, CERTIFICATE),
    FileKind.COMMON: (INSTALLATION, DEVICE, CERTIFICATE),
    FileKind.VALIDATION: (RESULT,),
    FileKind.HANDOVER: (POINT, SEALED),
    FileKind.GROUP: (INSTALLATION, DEVICE, POINT),
    FileKind.ENCRYPTED_S1SP: (SEALED,),
    FileKind.ENCRYPTED_DCO: (SEALED,),
    FileKind.VIABLE_S1SP: (RESULT,),
    FileKind.VIABLE_DCO: (RESULT,),
    FileKind.RELEASE: (RELEASED,),
    FileKind.COMMISSIONING_S1SP: (ROTATED,),
    FileKind.COMMISSIONING_DCO: (ROTATED,),
    FileKind.REQUEST: (COMMISSION, PLACEMENT),
    FileKind.RESPONSE: (INVENTORY, PLACEMENT),
    FileKind.OUTCOME: (RESULT, INVENTORY, PLACEMENT, OBLIGATION),
}
"""Every row that a kind of file may have."""


def whole(kind: FileKind) -> Document:
    """Return a document of a kind with every row, every attribute and every answer it may have."""
    return Document(
        kind=kind,
        sender=SENDER,
        group_id="AA",
        installation="home",
        attempt=1,
        counter=1,
        created_unix_seconds=1_767_225_600,
        answers=tuple(Answer(f"{each.prefix}_AA_home_1.xml", "0f" * 32) for each in ANSWERS[kind]),
        rows=ROWS[kind],
    )


def every_row() -> Iterator[tuple[FileKind, Row]]:
    """Yield each sort of row once, with a kind of file that has it."""
    seen: set[str] = set()
    for kind, rows in ROWS.items():
        for row in rows:
            if row.element not in seen:
                seen.add(row.element)
                yield kind, row
