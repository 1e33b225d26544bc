"""The report of a campaign, made from its journal alone: what the journal does not say, the report does not claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from emulator.eui64 import format_eui64
from harness.errors import JournalError
from harness.facts.campaign import Begun, Ended, Stopped
from harness.facts.enrolment import EnrolmentResult
from harness.facts.files import Sealed
from harness.facts.terms import StepResult, Verdict
from harness.journal import Entry, Json
from harness.report.course import exceptions, phases, timeline
from harness.report.devices import device_reports
from harness.report.frames import Frames
from harness.report.history import Done, History
from harness.report.model import (
    CampaignReport,
    DeviceReport,
    Obligation,
)
from harness.report.transfers import transfers
from harness.report.wording import named_device
from hw_profiles.installation import Installation

_HOLDING = (StepResult.APPLIED, StepResult.ALREADY)


def assemble(installation: Installation, entries: Sequence[Entry], frames: Frames) -> CampaignReport:
    """Return the report that follows from the journal's entries; `frames` are those of the capture beside it.

    Raises `JournalError` for entries that are no journal of a campaign.
    """
    history = History(installation, entries)
    record, begun, sealed, last = installation.record, _begun(history), history.last(Sealed), entries[-1]
    enrolment = history.last(EnrolmentResult)
    verdict, reason = _verdict(history)
    moved = tuple(transfers(entries, frames))
    report = CampaignReport(
        product_version=begun.product_version,
        installation_id=record.id,
        mpan=record.mpan,
        mprn=record.mprn,
        seed=begun.request.seed,
        radio=begun.request.radio,
        result=verdict,
        result_reason=reason,
        previous_head_end=f"{record.previous_head_end.name} ({record.previous_head_end.smso})",
        epoch_unix_seconds=installation.start_unix_seconds,
        started_us=entries[0].time_us,
        ended_us=last.time_us,
        devices=device_reports(history, moved),
        transfers=moved,
        phases=tuple(phases(history)),
        timeline=tuple(timeline(history, frames)),
        certificates=() if enrolment is None else enrolment.placements,
        obligations=tuple(_obligations(installation, enrolment)),
        exceptions=tuple(exceptions(history)),
        files=() if enrolment is None else enrolment.files,
        journal_head=last.hash.hex(),
        journal_entries=len(entries),
        capture=None if sealed is None else sealed.capture,
    )
    return replace(report, end_state=_end_state(report, history.done))


def _begun(history: History) -> Begun:
    begun = history.entries[0].fact
    if not isinstance(begun, Begun):
        raise JournalError("journal entry 0 does not say which campaign it is; start a new run")
    return begun


def _verdict(history: History) -> tuple[Verdict, str]:
    ended, stopped = history.last(Ended), history.last(Stopped)
    if ended is not None:
        return ended.verdict, ended.reason
    if stopped is not None:
        return Verdict.STOPPED, stopped.reason
    return Verdict.STOPPED, "the campaign was interrupted; resume it"


def _obligations(installation: Installation, enrolment: EnrolmentResult | None) -> Iterator[Obligation]:
    names = {
        (name := format_eui64(entry.address)): named_device(entry.role, name)
        for entry in installation.record.devices
    }
    for item in () if enrolment is None else enrolment.obligations:
        yield Obligation(
            owner=item.owner,
            what=f"Place the {item.role} certificate for {names.get(item.device, item.device)}",
            due_us=(item.due_unix_seconds - installation.start_unix_seconds) * 1_000_000,
        )


def _end_state(report: CampaignReport, done: Mapping[str, Done]) -> dict[str, Json]:
    """What is true at the end, free of times and of how often anything was tried."""
    return {
        "verdict": str(report.result),
        "devices": {device.eui64: _device_state(device, done) for device in report.devices},
        "certificates": [
            [str(item.role), item.device, item.placed, item.holder] for item in report.certificates
        ],
        "obligations": [[item.owner, item.what] for item in report.obligations],
        "exceptions": [*dict.fromkeys(f"{item.subject}: {item.what}" for item in report.exceptions)],
    }


def _device_state(device: DeviceReport, done: Mapping[str, Done]) -> dict[str, Json]:
    steps: dict[str, Json] = {
        step.step: "holds" if step.result in _HOLDING else str(step.result) for step in device.configuration
    }
    irreversible: list[Json] = []
    irreversible += sorted(
        key for key, each in done.items() if each.act.IRREVERSIBLE and each.entry.subject == device.eui64
    )
    return {
        "firmware": device.version_after,
        "control": device.control_owner,
        "inventory": device.inventory_status,
        "configuration": steps,
        "irreversible": irreversible,
    }
