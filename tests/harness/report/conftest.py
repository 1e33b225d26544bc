"""A finished campaign on a dormant home of four devices, and ways it can end otherwise."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from firmware_catalog.gate import Grounds
from harness.facts.enrolment import HandedOver, Placement
from harness.facts.files import CaptureSummary
from harness.facts.plan import Admitted, Hop
from harness.facts.terms import CertificateRole, Severity, StepResult, Verdict
from harness.report.model import (
    CampaignReport,
    ConfigurationResult,
    DeviceReport,
    EndpointSummary,
    Link,
    Obligation,
    PhaseReport,
    ReportedException,
    TimelineEntry,
    TransferMark,
    TransferReport,
)
from hw_profiles.model import DeviceKind

HUB = "00-DB-12-34-56-78-90-A0"
ESME = "00-DB-12-34-56-78-90-A1"
GSME = "00-DB-12-34-56-78-90-A2"
IHD = "00-DB-12-34-56-78-90-A3"
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

GROUNDS = Grounds(
    "Installing Supplier Ltd",
    "Field record 9: 36 devices since 2025-06-30, an estate, says Installing Supplier Ltd",
    "5b" * 32,
    "Firmware Board",
    "5c" * 32,
    "DCC",
    ("from-versions waived by Firmware Board: a lost step",),
    ("5d" * 32,),
)


def _devices() -> tuple[DeviceReport, ...]:
    hub = DeviceReport(
        eui64=HUB,
        role=DeviceKind.CHF,
        manufacturer="Generic",
        model="SMETS1 comms hub",
        position_m=(0.0, 0.0),
        endpoints=(EndpointSummary(number=1, device="Energy service interface", server_clusters=("Time",)),),
        links=(Link(peer=ESME, lqi=238), Link(peer=IHD, lqi=181), Link(peer=GSME, lqi=64)),
        version_before="1.4.2",
        version_after="1.4.2",
        control_owner="S1SP + DCO",
        inventory_status="Commissioned",
    )
    esme = DeviceReport(
        eui64=ESME,
        role=DeviceKind.ESME,
        manufacturer="Generic",
        model="SMETS1 single-phase meter",
        position_m=(1.0, 0.4),
        parent=HUB,
        links=(Link(peer=HUB, lqi=233), Link(peer=GSME, lqi=142)),
        version_before="4.0.5",
        version_target="4.0.7",
        version_after="4.0.7",
        planned_hops=hops("4.0.5", "4.0.6", "4.0.7"),
        configuration=(
            ConfigurationResult(
                step="Load limit threshold",
                action="write attribute",
                result=StepResult.APPLIED,
                detail="100 A",
            ),
            ConfigurationResult(
                step="Tariff label",
                action="write attribute",
                result=StepResult.ALREADY,
                detail="Standard <flat> & night",
            ),
            ConfigurationResult(
                step="Clear event log",
                action="send command",
                result=StepResult.APPLIED,
                detail="12 events kept",
            ),
        ),
        control_owner="S1SP + DCO",
        inventory_status="Commissioned",
        off_air_seconds=94.0,
    )
    gsme = DeviceReport(
        eui64=GSME,
        role=DeviceKind.GSME,
        manufacturer="Generic",
        model="SMETS1 gas meter",
        position_m=(4.0, -6.0),
        parent=ESME,
        links=(Link(peer=ESME, lqi=139),),
        version_before="2.1.0",
        version_target="2.3.1",
        version_after="2.3.1",
        planned_hops=hops("2.1.0", "2.3.1"),
        admitted=(Admitted(GSME, "5a" * 32, "2.3.1", GROUNDS),),
        configuration=(
            ConfigurationResult(
                step="Calorific value",
                action="write attribute",
                result=StepResult.APPLIED,
                detail="39.5 MJ/m3",
            ),
            ConfigurationResult(
                step="Billing period",
                action="send command",
                result=StepResult.SKIPPED,
                detail="not on this model",
            ),
        ),
        control_owner="S1SP + DCO",
        inventory_status="Commissioned",
        battery_before_percent=83.0,
        battery_after_percent=81.4,
        off_air_seconds=212.0,
    )
    ihd = DeviceReport(
        eui64=IHD,
        role=DeviceKind.IHD,
        manufacturer="Generic",
        model="In-home display",
        position_m=(-5.0, 3.0),
        parent=HUB,
        links=(Link(peer=HUB, lqi=178),),
        version_before="1.0.9",
        version_after="1.0.9",
        inventory_status="Not in inventory",
    )
    return hub, esme, gsme, ihd


def _transfer(device: str, start: int, hours: float, size: int, versions: tuple[str, str]) -> TransferReport:
    length = int(hours * HOUR)
    stalls = (0.31, 0.58, 0.8)
    points, held = [], 0.0
    for step in range(201):
        stalled = any(stall <= step / 200 < stall + 0.06 for stall in stalls)
        held += 0 if stalled else 1
        points.append((start + step * length // 200, held))
    final = points[-1][1]
    progress = tuple((at, int(count / final * size)) for at, count in points)
    marks = tuple(
        TransferMark(at_us=progress[int(stall * 200)][0], offset=progress[int(stall * 200)][1], kind=kind)
        for stall, kind in zip(stalls, ("WAIT_FOR_DATA", "retry", "reboot"), strict=True)
    )
    return TransferReport(
        device=device,
        hop=replace(hops(*versions)[0], octets=size),
        started_us=start,
        ended_us=start + length,
        progress=progress,
        marks=marks,
        retries={"no MAC acknowledgement": 3, "block response lost": 1},
        blocks=size // 48,
        octets_per_second=size / (length / SECOND),
        activation_requested_us=start + length + 2 * MINUTE,
        activation_actual_us=start + length + 5 * MINUTE,
        result="running",
    )


def hops(*versions: str) -> tuple[Hop, ...]:
    """Return the hops from each version to the next."""
    pairs = enumerate(pairwise(versions), start=1)
    return tuple(
        Hop("9f" * 32, f"{after}.ota", 1000, number, before, number + 1, after)
        for number, (before, after) in pairs
    )


def _phases() -> tuple[PhaseReport, ...]:
    day = 24 * HOUR
    return (
        PhaseReport(name="bring up", started_us=0, ended_us=4 * MINUTE, result="done"),
        PhaseReport(name="discover", started_us=4 * MINUTE, ended_us=11 * MINUTE, result="done"),
        PhaseReport(name="plan", started_us=11 * MINUTE, ended_us=12 * MINUTE, result="done"),
        PhaseReport(name="upgrade", started_us=12 * MINUTE, ended_us=2 * day + 8 * HOUR, result="done"),
        PhaseReport(
            name="configure", started_us=2 * day + 8 * HOUR, ended_us=2 * day + 9 * HOUR, result="done"
        ),
        PhaseReport(name="enrol", started_us=2 * day + 9 * HOUR, ended_us=2 * day + 11 * HOUR, result="done"),
        PhaseReport(
            name="4.0.5 to 4.0.6", subject=ESME, started_us=12 * MINUTE, ended_us=4 * HOUR, result="running"
        ),
        PhaseReport(
            name="4.0.6 to 4.0.7", subject=ESME, started_us=4 * HOUR, ended_us=9 * HOUR, result="running"
        ),
        PhaseReport(
            name="2.1.0 to 2.3.1",
            subject=GSME,
            started_us=20 * MINUTE,
            ended_us=2 * day + 8 * HOUR,
            result="running",
        ),
        PhaseReport(
            name="device tests",
            subject="S1SP",
            started_us=2 * day + 9 * HOUR,
            ended_us=2 * day + 10 * HOUR,
            result="done",
        ),
        PhaseReport(
            name="commission",
            subject="Commissioning Party",
            started_us=2 * day + 10 * HOUR,
            ended_us=2 * day + 11 * HOUR,
            result="done",
        ),
    )


def _timeline() -> tuple[TimelineEntry, ...]:
    day = 24 * HOUR
    return (
        TimelineEntry(at_us=5 * MINUTE, subject=ESME, phase="discover", text="answers Match Descriptor"),
        TimelineEntry(
            at_us=3 * HOUR,
            subject=ESME,
            phase="upgrade",
            text="activated 4.0.6, off the air 47 s",
            severity=Severity.NOTICE,
        ),
        TimelineEntry(
            at_us=18 * HOUR,
            subject=GSME,
            phase="upgrade",
            text="asked to wait 600 s: hub is busy",
            severity=Severity.WARNING,
        ),
        TimelineEntry(
            at_us=40 * HOUR,
            subject=GSME,
            phase="upgrade",
            text="rebooted at offset 168 000, resumed",
            severity=Severity.ERROR,
        ),
        TimelineEntry(
            at_us=2 * day + 10 * HOUR,
            subject="S1SP",
            phase="enrol",
            text="device keys rotated",
            severity=Severity.NOTICE,
        ),
    )


@pytest.fixture
def report() -> CampaignReport:
    """A commissioned installation after a multi-day gas transfer."""
    return build_report()


def build_report() -> CampaignReport:
    """Return the sample campaign."""
    day = 24 * HOUR
    return CampaignReport(
        product_version="0.1.0",
        installation_id="dormant-semi",
        mpan="1000001234567",
        mprn="1234567810",
        seed=1,
        radio="inproc:",
        result=Verdict.COMMISSIONED,
        epoch_unix_seconds=1_767_225_600,
        started_us=0,
        ended_us=2 * day + 11 * HOUR,
        devices=_devices(),
        transfers=(
            _transfer(ESME, 12 * MINUTE, 3.4, 180_544, ("4.0.5", "4.0.6")),
            _transfer(ESME, 4 * HOUR, 4.6, 246_544, ("4.0.6", "4.0.7")),
            _transfer(GSME, 20 * MINUTE, 55.2, 239_872, ("2.1.0", "2.3.1")),
        ),
        phases=_phases(),
        timeline=_timeline(),
        certificates=(
            Placement(
                role=CertificateRole.SUPPLIER,
                device=ESME,
                placed=True,
                holder="Example Supplier 90-B3-D5-1F-30-01-00-00",
            ),
            Placement(
                role=CertificateRole.NETWORK_OPERATOR,
                device=ESME,
                placed=True,
                holder="UK Power Networks 90-B3-D5-1F-30-02-00-00",
            ),
            Placement(
                role=CertificateRole.SUPPLIER,
                device=GSME,
                placed=True,
                holder="Example Supplier 90-B3-D5-1F-30-01-00-00",
            ),
            Placement(
                role=CertificateRole.GAS_TRANSPORTER,
                device=GSME,
                placed=False,
                reason="not supplied before the cut-off",
            ),
        ),
        obligations=(
            Obligation(
                owner="Responsible Supplier",
                what="Place the gas transporter's certificate on the gas meter",
                due_us=9 * day + 11 * HOUR,
            ),
        ),
        exceptions=(
            ReportedException(
                at_us=40 * HOUR,
                subject=GSME,
                what="The gas meter rebooted during the transfer",
                cause="Brown-out of the battery supply while the radio was transmitting",
                action="None needed: it resumed at its saved offset. Check the battery if it happens again.",
            ),
        ),
        files=(
            HandedOver(
                name="authorisation.xml",
                sender="Responsible Supplier",
                receiver="DCC",
                sha256="0a" * 32,
            ),
            HandedOver(
                name="common.xml",
                sender="Requesting Party",
                receiver="Commissioning Party",
                sha256="1b" * 32,
            ),
            HandedOver(
                name="outcome.xml",
                sender="Commissioning Party",
                receiver="Requesting Party",
                sha256="2c" * 32,
            ),
        ),
        journal_head="c4" * 32,
        journal_entries=412,
        capture=CaptureSummary(frames=88_412, octets=7_443_201, sha256="5e" * 32),
        end_state={"devices": {ESME: {"version": "4.0.7"}, GSME: {"version": "2.3.1"}}},
    )
