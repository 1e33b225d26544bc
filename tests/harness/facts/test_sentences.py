"""What people are told of each fact: the sentence, and how much they should care."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.wan.results import LinkHeard, TransferCounts
from harness.facts import FACTS, Act, Fact, Failed, Result, Sentence
from harness.facts.campaign import Checkpoint, Ended, Planned, Problem, Stopped
from harness.facts.configuration import StepDone, StepPerformed, StepRetried
from harness.facts.discovery import BatteryRead, Found, Topology
from harness.facts.enrolment import (
    Commissioned,
    CommissioningOf,
    ControlProof,
    ControlTransfer,
    CredentialsUpdate,
    DeviceTested,
    Eligible,
    EnrolmentProblem,
    KeyRotated,
    KeyRotation,
    LateCertificatePlaced,
    ObligationNoted,
    OldHeadEndRefused,
    Placement,
    PlacementNoted,
    Released,
    Transition,
)
from harness.facts.faults import Injected, InjectionEnded
from harness.facts.files import Publication, Published, Received, Sealed
from harness.facts.firmware import (
    Activated,
    Activation,
    DeviceJoined,
    DeviceReason,
    ImageAtHub,
    ImageUpload,
    JobOutcome,
    Transfer,
    TransferAttemptFailed,
    Transferred,
    TransferStarted,
    VersionReadBack,
    WithdrawRefused,
)
from harness.facts.plan import DevicePlan, Plan
from harness.facts.terms import (
    CertificateRole,
    Event,
    KeyRole,
    Reading,
    Retry,
    Severity,
    State,
    StepResult,
    Verdict,
)
from hw_profiles.model import DeviceKind
from hw_profiles.sequence import Action
from tests.harness.facts.samples import DEVICE, HOP

COUNTS = TransferCounts(0, 0, 0, 0, 0, 0, 0)
INFO, NOTICE, WARNING, ERROR = Severity.INFO, Severity.NOTICE, Severity.WARNING, Severity.ERROR
METER = DevicePlan("gas", DEVICE, DeviceKind.GSME, 1, "1.0.0", 2, "2.0.0", (HOP, HOP))
SUPPLIER, OPERATOR = CertificateRole.SUPPLIER, CertificateRole.NETWORK_OPERATOR


class Called:
    """Calls every version by its number, with a v before it."""

    def version(self, subject: str, version: int) -> str:
        assert subject == DEVICE
        return f"v{version}"


def step(action: Action, name: str = "") -> StepPerformed:
    return StepPerformed(DEVICE, "prepare", "set-mode", action, name)


def found(**changes: Any) -> Found:
    return Found(DEVICE, **{"answered": True, "model_identifier": "Liberty", **changes})


SEEN: list[tuple[Fact, str, Severity]] = [
    (found(version=3), "Found: Liberty, running v3", INFO),
    (found(), "Found: Liberty", INFO),
    (found(model_identifier=""), "Found: no model name", INFO),
    (found(answered=False, detail="no route"), "Does not answer: no route", INFO),
    (Topology((LinkHeard("a", "b", 200, "child", 1),)), "1 links reported", INFO),
    (Topology((), ("a", "b")), "0 links reported, 2 routers did not answer", INFO),
    (Topology(detail="time-out"), "The hub tells no links: time-out", INFO),
    (BatteryRead(DEVICE, Reading.BEFORE, 181), "Battery at 90.5 % before the upgrade", INFO),
    (BatteryRead(DEVICE, Reading.AFTER, None, "asleep"), "Battery does not say its charge: asleep", INFO),
    (VersionReadBack(DEVICE, 2), "Reports firmware v2", INFO),
    (ImageUpload(DEVICE, HOP), "Image meter.ota goes to the hub, 10000 octets", INFO),
    (Transfer(DEVICE, HOP), "Transfer of meter.ota (2.0.0) scheduled", INFO),
    (Activation(DEVICE, HOP), "Activation of 2.0.0 released", INFO),
    (TransferStarted(DEVICE, 2, 1024), "Download begins at octet 1024", INFO),
    (
        TransferAttemptFailed(DEVICE, 2, 0x95, "ABORT"),
        "The device gave the download up (ABORT); it tries again",
        WARNING,
    ),
    (DeviceJoined(DEVICE), "Came back to the network", INFO),
    (
        DeviceReason(DEVICE, 4, 0, "image_refused", "older version"),
        "The device's log says image refused (older version)",
        WARNING,
    ),
    (DeviceReason(DEVICE, 4, 0, "battery_low", ""), "The device's log says battery low", WARNING),
    (
        WithdrawRefused(DEVICE, "activated"),
        "The hub does not take the release back: activated",
        WARNING,
    ),
    (Checkpoint("upgraded", "00"), "Journal signed: upgraded", INFO),
    (Planned(Plan("pair-1", (METER,), ("a/b on gas",))), "Plan: 2 upgrades, 1 steps", INFO),
    (Ended(Verdict.ELECTRICITY_ONLY, "gas excluded"), "Ended: electricity-only", INFO),
    (Stopped("disk full"), "Stopped: disk full", ERROR),
    (Problem(DEVICE, "gas meter", "silent", "visit it"), "gas meter: silent", WARNING),
    (Problem(DEVICE, "gas meter", "silent", "visit it", ERROR), "gas meter: silent", ERROR),
    (StepRetried(DEVICE, "set-mode", "no answer"), "Step set-mode is tried again: no answer", WARNING),
    (
        Transition("home", State.VIABLE, Event.CONTROL_TRANSFERRED, State.CUT_OVER, 1),
        "Installation: cut over",
        INFO,
    ),
    (Eligible("home", "pair-1"), "Eligible as combination pair-1", INFO),
    (DeviceTested(DEVICE, True), "Answers the device test", INFO),
    (DeviceTested(DEVICE, False), "Does not answer the device test", INFO),
    (
        EnrolmentProblem(DEVICE, "V07", "supplier", Retry.RESOLUTION, "wrong role", 1),
        "V07: wrong role",
        WARNING,
    ),
    (ControlTransfer(DEVICE, "SMSO", "S1SP + DCO"), "Control passes from SMSO to S1SP + DCO", INFO),
    (KeyRotation(DEVICE, "DCO", KeyRole.CRITICAL, 1), "DCO rotates the critical key", INFO),
    (
        ControlProof(DEVICE, KeyRole.NON_CRITICAL, "S1SP", True, "not-authorised"),
        "non-critical key: S1SP is obeyed, the old key gets not-authorised",
        INFO,
    ),
    (
        OldHeadEndRefused(DEVICE, "not-authorised"),
        "The old head end asks for the status and gets not-authorised",
        INFO,
    ),
    (PlacementNoted(DEVICE, Placement(SUPPLIER, DEVICE, True)), "supplier certificate placed", INFO),
    (PlacementNoted(DEVICE, Placement(OPERATOR, DEVICE, False)), "DNO certificate not placed", INFO),
    (
        ObligationNoted(DEVICE, "DNO", OPERATOR, "2026-02-01"),
        "DNO owes the DNO certificate by 2026-02-01",
        NOTICE,
    ),
    (Received("S1SP", "MCF_AA_home_1.xml", "00"), "Received MCF_AA_home_1.xml", INFO),
    (Sealed({"run.json": "00", "capture.pcapng": "00"}, None), "2 files of the run sealed", INFO),
    (
        Injected(DEVICE, "power_cut", 5, {"off_s": "60"}),
        "Rehearsal: power cut begins (off_s 60)",
        NOTICE,
    ),
    (Injected(DEVICE, "unplugged", 5, {}), "Rehearsal: unplugged begins", NOTICE),
    (InjectionEnded(DEVICE, "link_loss", 5), "Rehearsal: link loss is over", NOTICE),
]


@pytest.mark.parametrize(("fact", "text", "severity"), SEEN, ids=[row[1] for row in SEEN])
def test_what_a_person_is_told(fact: Fact, text: str, severity: Severity) -> None:
    sentence = fact.told(Called())
    assert sentence is not None
    assert (sentence.text, sentence.severity) == (text, severity)


def test_every_fact_that_tells_people_something_has_its_sentence_above() -> None:
    tells = {kind for kind in FACTS if kind.told is not Fact.told}
    assert tells == {type(row[0]) for row in SEEN}


@pytest.mark.parametrize("outcome", ["ActivationSuccess", "FirmwareImageDiscarded"])
def test_how_a_job_ended_is_told_by_the_act_that_waited_for_it(outcome: str) -> None:
    assert JobOutcome(DEVICE, 2, outcome, COUNTS, "what the hub adds").told(Called()) is None


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (
            Failed("the device found the image invalid", "FirmwareImageDiscarded"),
            "Transfer failed: the device found the image invalid (FirmwareImageDiscarded)",
        ),
        (Failed("nothing happened", "FileTransferFailure"), "Transfer failed: nothing happened"),
        (Failed("no answer"), "Transfer failed: no answer"),
    ],
)
def test_a_transfer_that_failed_is_one_sentence(failure: Failed, text: str) -> None:
    assert Transfer(DEVICE, HOP).told_failed(failure) == Sentence(text, Severity.WARNING)


DONE: list[tuple[Act, Result, str]] = [
    (ImageUpload(DEVICE, HOP), ImageAtHub((1, 2, 3)), "Image complete at the hub"),
    (
        Transfer(DEVICE, HOP),
        Transferred("FileTransferSuccess", 0, COUNTS),
        "Image complete on the device, activation held",
    ),
    (Activation(DEVICE, HOP), Activated("ActivationSuccess", 2), "Activated: runs v2"),
    (step(Action.WRITE_ATTRIBUTE, "Mode"), StepDone(StepResult.APPLIED, "credit"), "Mode: set to credit"),
    (step(Action.WRITE_ATTRIBUTE), StepDone(StepResult.ALREADY, "credit"), "already credit"),
    (step(Action.SEND_COMMAND, "Clear"), StepDone(StepResult.APPLIED, ""), "Clear: command carried out"),
    (step(Action.SEND_COMMAND, "Clear"), StepDone(StepResult.ALREADY, ""), "Clear: already so"),
    (step(Action.CHECK, "Time"), StepDone(StepResult.APPLIED, ""), "Time: checked"),
    (step(Action.WAIT), StepDone(StepResult.APPLIED, "60 s"), "waited 60 s"),
    (KeyRotation(DEVICE, "DCO", KeyRole.CRITICAL, 1), KeyRotated(2), "Key rotated, generation 2"),
    (
        CommissioningOf(DEVICE, {"supplier": "0A"}),
        Commissioned("Commissioned", "02000000"),
        "Inventory status Commissioned, firmware 02000000",
    ),
    (
        CredentialsUpdate(DEVICE, OPERATOR, "0A", "90-B3"),
        LateCertificatePlaced(OPERATOR, "90-B3"),
        "DNO certificate of 90-B3 placed",
    ),
    (
        Publication("RP", "MCF", "home", 1, 1, 0),
        Published("MCF_AA_home_1.xml", "00"),
        "Issued MCF_AA_home_1.xml",
    ),
]


@pytest.mark.parametrize(("act", "result", "text"), DONE, ids=[row[2] for row in DONE])
def test_what_a_person_is_told_once_an_act_is_done(act: Act, result: Result, text: str) -> None:
    sentence = act.told_done(result, Called())
    assert sentence is not None
    assert (sentence.text, sentence.severity) == (text, NOTICE)


def test_only_the_passing_of_control_is_not_told_twice() -> None:
    transfer = ControlTransfer(DEVICE, "SMSO", "S1SP + DCO")
    assert transfer.told_done(Released("S1SP + DCO"), Called()) is None
    silent = {kind for kind in FACTS if issubclass(kind, Act) and kind.told_done is Act.told_done}
    assert silent == {ControlTransfer}


@pytest.mark.parametrize(
    ("act", "failure", "text"),
    [
        (Activation(DEVICE, HOP), Failed("no answer"), "Activate failed: no answer"),
        (Transfer(DEVICE, HOP), Failed("", "FileTransferFailure"), "Transfer failed: FileTransferFailure"),
        (ControlTransfer(DEVICE, "a", "b"), Failed("refused"), "Control transfer failed: refused"),
        (step(Action.SEND_COMMAND, "Clear"), Failed("refused"), "Clear failed: refused"),
        (step(Action.WRITE_ATTRIBUTE), Failed("refused"), "Write attribute failed: refused"),
        (KeyRotation(DEVICE, "DCO", KeyRole.CRITICAL, 1), Failed("busy"), "Rotate key failed: busy"),
    ],
)
def test_an_act_that_did_not_happen_is_a_warning_with_its_cause(act: Act, failure: Failed, text: str) -> None:
    sentence = act.told_failed(failure)
    assert (sentence.text, sentence.severity) == (text, WARNING)


@pytest.mark.parametrize(
    ("act", "key"),
    [
        (ImageUpload(DEVICE, HOP), f"image/{HOP.sha256}"),
        (Transfer(DEVICE, HOP), f"transfer/{DEVICE}/00000002"),
        (Activation(DEVICE, HOP), f"activate/{DEVICE}/00000002"),
        (step(Action.CHECK), f"configure/prepare/set-mode/{DEVICE}"),
        (ControlTransfer(DEVICE, "a", "b"), f"control-transfer/{DEVICE}"),
        (KeyRotation(DEVICE, "DCO", KeyRole.CRITICAL, 7), f"rotate-key/critical/{DEVICE}"),
        (KeyRotation(DEVICE, "S1SP", KeyRole.NON_CRITICAL, 7), f"rotate-key/non-critical/{DEVICE}"),
        (CommissioningOf(DEVICE, {}), f"commission/{DEVICE}"),
        (CredentialsUpdate(DEVICE, OPERATOR, "0A", "x"), f"update-credentials/{DEVICE}/DNO"),
        (Publication("RP", "MCF", "home", 3, 1, 0), "file/MCF/home/3"),
    ],
)
def test_the_key_of_an_act_names_what_may_be_done_once(act: Act, key: str) -> None:
    assert act.key == key


def test_exactly_what_cannot_be_undone_is_marked_so() -> None:
    acts = [kind for kind in FACTS if issubclass(kind, Act)]
    irreversible = {kind for kind in acts if kind.IRREVERSIBLE}
    assert irreversible == {Activation, ControlTransfer, KeyRotation, CommissioningOf}


@pytest.mark.parametrize(
    ("kinds", "stages"),
    [
        ("CHF ESME GSME IHD", ["CHF", "ESME GSME", "IHD"]),
        ("IHD CAD CHF", ["CHF", "IHD CAD"]),
        ("GSME", ["GSME"]),
        ("", []),
    ],
)
def test_the_hub_is_upgraded_first_and_displays_last(kinds: str, stages: list[str]) -> None:
    devices = tuple(
        DevicePlan(kind, f"{kind}-address", DeviceKind(kind), 1, "1", 2, "2", (HOP,))
        for kind in kinds.split()
    )
    resting = DevicePlan("resting", "resting-address", DeviceKind.ESME, 2, "2", 2, "2")
    plan = Plan("pair-1", (*devices, resting))
    assert [" ".join(device.name for device in stage) for stage in plan.stages] == stages
    assert plan.device("resting-address") is resting
    assert plan.device("nobody's") is None


def test_a_found_device_tells_its_endpoints_by_what_they_serve_and_use() -> None:
    device = found(endpoints=((1, 0x0501, (0x0702, 0x0000), (0x0019,)), (2, 0x0501, (0x0702,), (0x000A,))))
    assert [device.endpoint_serving(cluster) for cluster in (0x0702, 0x0000, 0x0019)] == [1, 1, None]
    assert [device.endpoint_using(cluster) for cluster in (0x0019, 0x000A, 0x0702)] == [1, 2, None]
