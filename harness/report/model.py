"""The record of a finished or stopped campaign: what `report.json` holds and what `report.html` shows.

Times are virtual microseconds since the start of the scenario; `CampaignReport.epoch_unix_seconds` says what
wall-clock time that start was. Devices and parties are named by one text each: devices by EUI-64 as the DCC
writes it (`00-DB-12-34-56-78-90-A0`), parties by role (`SMSO`, `S1SP`, `Commissioning Party`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import ReportError
from harness.facts.enrolment import HandedOver, Placement
from harness.facts.files import CaptureSummary
from harness.facts.plan import Admitted, Hop
from harness.facts.terms import Severity, StepResult, Verdict
from hw_profiles.model import DeviceKind
from hw_profiles.records import Json, decode, encode

SCHEMA_VERSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSummary:
    """One endpoint as discovered: its number, ZigBee device name and cluster names."""

    number: int
    device: str
    server_clusters: tuple[str, ...] = ()
    client_clusters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A radio link as a device reports it: the neighbour's EUI-64, link quality 0-255, and what it is to it."""

    peer: str
    lqi: int
    relationship: str = ""
    """`parent`, `child`, `sibling` or `previous-child`: the neighbour as the reporting device lists it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationResult:
    """One step of the configuration sequence, as it ended."""

    step: str
    action: str
    result: StepResult
    detail: str = ""
    at_us: int | None = None
    provided_by: str = ""
    """Who provided the sequence the step belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """One device of the installation, before and after."""

    eui64: str
    role: DeviceKind
    manufacturer: str
    model: str
    position_m: tuple[float, float] = (0.0, 0.0)
    endpoints: tuple[EndpointSummary, ...] = ()
    parent: str | None = None
    links: tuple[Link, ...] = ()
    version_before: str | None = None
    version_target: str | None = None
    version_after: str | None = None
    planned_hops: tuple[Hop, ...] = ()
    """What is to be installed, in order; empty when nothing is due."""
    admitted: tuple[Admitted, ...] = ()
    """On whose word each of these images goes to the device; empty for a home that is not dormant."""
    configuration: tuple[ConfigurationResult, ...] = ()
    control_owner: str = ""
    """`SMSO`, `S1SP + DCO`, or empty for a device nobody controls remotely."""
    inventory_status: str = ""
    inventory_firmware: str = ""
    """The version the Smart Metering Inventory has, as it writes versions; empty for a device without one."""
    smets_version: str = ""
    """Version of the SMETS that the firmware now running meets, by its profile."""
    battery_before_percent: float | None = None
    battery_after_percent: float | None = None
    off_air_seconds: float = 0.0
    silent_since_us: int | None = None
    """When it was last heard, for a device that did not answer when it was last asked; None for all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferMark:
    """A moment of a transfer worth a mark on the plot: a WAIT_FOR_DATA, a retry, a reboot."""

    at_us: int
    offset: int
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """One image going to one device."""

    device: str
    hop: Hop
    started_us: int
    ended_us: int | None = None
    progress: tuple[tuple[int, int], ...] = ()
    """(virtual microseconds, octets held), ascending in time; enough points to draw, not one a block."""
    marks: tuple[TransferMark, ...] = ()
    retries: Mapping[str, int] = field(default_factory=dict)
    """Block requests or responses repeated, counted by cause."""
    blocks: int = 0
    """Blocks that the hub sent, repeats included, by its own count."""
    octets_carried: int = 0
    """Image octets in them, those of repeated blocks again."""
    octets_per_second: float = 0.0
    activation_requested_us: int | None = None
    activation_actual_us: int | None = None
    off_air_seconds: float | None = None
    """The longest the hub heard nothing of the device between release and its report of the new version."""
    result: str = ""
    first_frame: int | None = None
    last_frame: int | None = None
    """The stretch of the capture in which it took place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One thing that happened, to a device or at a party."""

    at_us: int
    subject: str
    phase: str
    text: str
    severity: Severity = Severity.INFO
    frame: int | None = None
    """Number of the last frame of the capture that was on the air by then, as Wireshark counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseReport:
    """A stretch of time: `subject` is empty for a phase of the whole campaign, else a device or a party."""

    name: str
    started_us: int
    ended_us: int | None = None
    result: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """Something still owed after commissioning, by whom and by when."""

    owner: str
    what: str
    due_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedException:
    """Something that did not go to plan: what, why, and what to do about it."""

    at_us: int
    subject: str
    what: str
    cause: str
    action: str
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignReport:
    """Everything a reader needs to know about one campaign on one installation."""

    product_version: str
    installation_id: str
    mpan: str
    mprn: str | None
    seed: int
    radio: str
    result: Verdict
    result_reason: str = ""
    """One sentence for the reader, why it ended so; may be empty when commissioned."""
    previous_head_end: str = ""
    """Who operated the installation until now: the name, and how it is called among head ends."""
    schema_version: int = SCHEMA_VERSION
    epoch_unix_seconds: int = 0
    started_us: int = 0
    ended_us: int = 0
    devices: tuple[DeviceReport, ...] = ()
    transfers: tuple[TransferReport, ...] = ()
    phases: tuple[PhaseReport, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    certificates: tuple[Placement, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    exceptions: tuple[ReportedException, ...] = ()
    files: tuple[HandedOver, ...] = ()
    journal_head: str = ""
    """Hexadecimal SHA-256 of the journal's last entry, which chains all before it."""
    journal_entries: int = 0
    capture: CaptureSummary | None = None
    end_state: Mapping[str, Json] = field(default_factory=dict)
    """What is true at the end, without any time in it: equal for all runs of a scenario, killed or not."""

    def to_json(self) -> str:
        """Return the canonical text: fields in declaration order, mapping keys sorted, one final newline."""
        return json.dumps(encode(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> CampaignReport:
        """Read `to_json` output; raises `ReportError` naming the place where it is not such a report."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ReportError(f"report: not JSON ({error}); expected the report.json of a run") from error
        found = value.get("schema_version") if isinstance(value, dict) else None
        if found != SCHEMA_VERSION:
            raise ReportError(
                f"report: schema_version is {found!r}, expected {SCHEMA_VERSION}; "
                f"re-render it with the smets1 version that wrote it"
            )
        return decode(cls, value, "report", ReportError)
