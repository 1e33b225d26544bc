"""What is really there: every device as it answers through the hub, against what the installation file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from emulator.eui64 import format_eui64
from emulator.smart_energy.clusters import attribute_ids
from emulator.wan import operations as wan
from emulator.wan.results import AttributeValue, HubStatus
from emulator.zcl.identifiers import BASIC, OTA_UPGRADE
from harness.facts.campaign import Problem
from harness.facts.discovery import Found, Topology
from harness.facts.terms import Severity
from harness.head_end import HeadEnd, HubRefusedError
from harness.journal import Journal
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind, Model
from hw_profiles.records import Json

HW_VERSION, MANUFACTURER, MODEL = attribute_ids(BASIC, "hw_version", "manufacturer", "model")
(CURRENT_FILE_VERSION,) = attribute_ids(OTA_UPGRADE, "current_file_version")


async def discover(
    installation: Installation, head_end: HeadEnd, journal: Journal, found: dict[str, Found]
) -> None:
    """Ask every device that is not in `found` what it is, and keep the answers there and in the journal.

    Devices are known by their EUI-64 as text. Raises `HubUnreachableError` when the hub itself gives no answer.
    """
    status = await head_end.call(wan.Status())
    known = {item.device for item in status.devices}
    for entry in installation.record.devices:
        name = format_eui64(entry.address)
        if name in found:
            continue
        if entry.role is DeviceKind.CHF:
            found[name] = _hub(name, status, installation.models[entry.name])
        elif name in known:
            found[name] = await _ask(name, head_end)
        else:
            found[name] = Found(name, False, detail="the hub does not know it")
        journal.write(found[name])


async def discover_topology(head_end: HeadEnd, journal: Journal, timeout_s: float) -> None:
    """Ask who hears whom and how well, and journal the answer; a hub that cannot tell is no obstacle.

    Every router is asked in turn, page by page, and up to three times, which `timeout_s` must allow.
    """
    try:
        answer = await head_end.call(wan.Topology(), timeout_s=timeout_s)
    except HubRefusedError as error:
        journal.write(Topology(detail=error.text))
        return
    journal.write(Topology(answer.links, answer.silent))


def _hub(name: str, status: HubStatus, model: Model) -> Found:
    endpoints = tuple((each.id, each.device_id, each.server, each.client) for each in model.endpoints)
    return Found(
        name,
        True,
        status.firmware,
        model.identity.manufacturer_code,
        model.identity.manufacturer_name,
        model.identity.model_identifier,
        endpoints=endpoints,
    )


async def _ask(name: str, head_end: HeadEnd) -> Found:
    try:
        answer = await head_end.call(wan.Discover(name))
    except HubRefusedError as error:
        return Found(name, False, detail=error.text)
    basic, ota = answer.basic or {}, answer.ota or {}
    version = _value(ota, CURRENT_FILE_VERSION)
    hardware = _value(basic, HW_VERSION)
    return Found(
        name,
        True,
        version if isinstance(version, int) else None,
        answer.manufacturer,
        str(_value(basic, MANUFACTURER) or ""),
        str(_value(basic, MODEL) or ""),
        hardware if isinstance(hardware, int) else None,
        answer.sleepy,
        tuple((each.endpoint, each.device, each.server, each.client) for each in answer.endpoints),
    )


def _value(attributes: Mapping[str, AttributeValue], attribute: int) -> Json:
    read = attributes.get(f"{attribute:04x}")
    return read.value if read is not None and read.status == 0 else None


def compare(installation: Installation, found: Mapping[str, Found]) -> Iterator[Problem]:
    """Yield every difference between what is there and what the installation file says."""
    for entry in installation.record.devices:
        name = format_eui64(entry.address)
        yield from _differences(entry, installation.models[entry.name], found[name])


def _differences(entry: DeviceEntry, model: Model, found: Found) -> Iterator[Problem]:
    if not found.answered:
        essential = entry.role in (DeviceKind.ESME, DeviceKind.GSME)
        yield Problem(
            found.subject,
            f"The {entry.name} device does not answer",
            found.detail or "no answer through the hub",
            "Check that it has power and is in radio range, then run the campaign again",
            Severity.ERROR if essential else Severity.WARNING,
        )
        return
    names = {model.identity.model_identifier} | {
        known.model_identifier for known in model.firmware if known.model_identifier
    }
    code = model.identity.manufacturer_code
    for what, value, expected in (
        ("manufacturer code", found.manufacturer_code, {code}),
        ("model", found.model_identifier or None, names),
        ("hardware version", found.hardware_version, {model.identity.hardware_version & 0xFF}),
    ):
        if value is not None and value not in expected:
            wanted = " or ".join(sorted(map(str, expected)))
            yield Problem(
                found.subject,
                f"Unexpected {what} of the {entry.name} device",
                f"It says {value}, the installation file's model {model.id} says {wanted}",
                "Correct the model in the installation file before any firmware is sent",
                Severity.ERROR,
            )
    yield from _firmware_difference(entry, model, found)


def _firmware_difference(entry: DeviceEntry, model: Model, found: Found) -> Iterator[Problem]:
    listed = model.firmware_displayed(entry.firmware)
    if found.version is None or listed is None or found.version == listed.ota_version:
        return
    yield Problem(
        found.subject,
        f"Unexpected firmware on the {entry.name} device",
        f"It runs {model.display_of(found.version)}, the installation file says {entry.firmware}",
        "None needed: the plan starts from what the device says; correct the file",
        Severity.NOTICE,
    )
