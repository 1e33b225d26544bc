"""The enrolment of one installation, step by step, each step journalled and safe to repeat.

The table in `lifecycle` says what follows what; this module performs the step that belongs to each state. A
killed enrolment is resumed by calling `enrol` again with the same folder: the state is what the journal says,
files already published are found, and keys already rotated stay rotated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from emulator.devices.control import ControlStatus
from emulator.eui64 import parse_eui64
from harness.errors import FileRejectedError, RegimeError, UnreachableError
from harness.exchange.document import ANSWERS, Answer, Document, FileKind, Row
from harness.exchange.folder import file_name
from harness.journal import Journal, Json, Kind
from harness.roles.case import (
    DeviceTest,
    EnrolmentCase,
    EnrolmentProblem,
    EnrolmentResult,
    HandedOver,
    MigratingDevice,
    OutsideWorld,
    Placement,
    PostCommissioningObligation,
)
from harness.roles.control import NEW_CONTROLLER, OLD_CONTROLLER, transfer_key
from harness.roles.controllers import Controller
from harness.roles.lifecycle import RESTING, Event, State, advance
from harness.roles.parties import ROLE_TEXT, device_rows, installation_row
from harness.roles.party import Party
from harness.roles.regime import Regime
from harness.roles.validation import Finding
from hw_profiles.model import DeviceKind

Pause = Callable[[float], Awaitable[None]]
Watch = Callable[[str, str], None]
T = TypeVar("T")


async def enrol(
    regime: Regime,
    journal: Journal,
    case: EnrolmentCase,
    world: OutsideWorld,
    *,
    pause: Pause = asyncio.sleep,
    watch: Watch = lambda step, text: None,
) -> EnrolmentResult:
    """Take an installation from where the journal says it stands to a state in which it rests.

    `pause` waits a number of seconds of scenario time between retries; `watch` hears (state, text) for live
    progress. Raises `UnreachableError` or `RegimeError` when a step after cut-over cannot be finished now:
    control has passed, and another call goes forward from there.
    """
    regime.take_on(case)
    return await _Enrolment(regime, journal, case, world, pause=pause, watch=watch).run()


def announce_firmware(regime: Regime, journal: Journal, case: EnrolmentCase) -> Answer:
    """Tell the suppliers that a dormant installation's firmware is going to be upgraded; once per attempt.

    The devices of `case` are named with the firmware they run before the upgrade.
    """
    run = _Enrolment(regime, journal, case, _NoWorld(), pause=asyncio.sleep, watch=lambda step, text: None)
    return run.announce_firmware()


class _NoWorld:
    """The world of a step that touches no device."""

    async def device_test(self, eui64: int) -> DeviceTest:
        raise UnreachableError("no device is reached in this step")

    async def send_control(self, eui64: int, envelope: bytes) -> bytes:
        raise UnreachableError("no device is reached in this step")


def retry(journal: Journal, case: EnrolmentCase) -> State:
    """Put an installation that came to rest before cut-over back at the start of a new attempt.

    Raises `RegimeError` where the table allows no retry.
    """
    standing = _Standing.read(journal, case.installation)
    return standing.move(journal, Event.RETRY, {})


class _Standing:
    """State and attempt of an installation, as the journal's transitions give them."""

    def __init__(self, installation: str) -> None:
        self.installation = installation
        self.state = State.DISCOVERED
        self.attempt = 1

    @classmethod
    def read(cls, journal: Journal, installation: str) -> _Standing:
        standing = cls(installation)
        for entry in journal.entries(Kind.DECISION):
            if entry.action == "transition" and entry.subject == installation:
                standing._follow(Event(str(entry.details["event"])))
        return standing

    def _follow(self, event: Event) -> None:
        self.state = advance(self.state, event)
        self.attempt += event is Event.RETRY

    def move(self, journal: Journal, event: Event, details: Mapping[str, Json]) -> State:
        before, attempt = self.state, self.attempt
        self._follow(event)
        journal.decide(
            self.installation,
            "transition",
            {"from": str(before), "event": str(event), "to": str(self.state), "attempt": attempt, **details},
        )
        return self.state


class _Enrolment:
    def __init__(
        self,
        regime: Regime,
        journal: Journal,
        case: EnrolmentCase,
        world: OutsideWorld,
        *,
        pause: Pause,
        watch: Watch,
    ) -> None:
        self._regime = regime
        self._journal = journal
        self._case = case
        self._world = world
        self._pause = pause
        self._watch = watch
        self._standing = _Standing.read(journal, case.installation)
        self._parameters = regime.office.parameters
        self._steps: dict[State, Callable[[], Awaitable[Event]]] = {
            State.DISCOVERED: self._classify,
            State.ACTIVE: self._check_combination,
            State.DORMANT: self._check_combination,
            State.INELIGIBLE: self._check_combination,
            State.ELIGIBLE: self._notify_migration,
            State.MIGRATION_SCHEDULED: self._authorise,
            State.AUTHORISED: self._issue_common_file,
            State.COMMON_FILE_SENT: self._validate,
            State.COMMON_VALIDATED: self._issue_group_files,
            State.GROUP_FILES_RECEIVED: self._test_devices,
            State.VIABLE: self._transfer_control,
            State.CUT_OVER: self._rotate_keys,
            State.KEYS_ROTATED: self._request_commissioning,
            State.COMMISSIONING: self._commission,
        }

    async def run(self) -> EnrolmentResult:
        """Perform steps until the installation rests."""
        rested = False
        while not rested and self._standing.state in self._steps:
            self._watch(str(self._standing.state), self._case.installation)
            event = await self._steps[self._standing.state]()
            if event is Event.COMBINATION_UNLISTED and self._standing.state is State.INELIGIBLE:
                break
            rested = self._standing.move(self._journal, event, {}) in RESTING
        self._after_failure()
        self._journal.checkpoint(f"enrolment {self._standing.state}")
        self._watch(str(self._standing.state), self._case.installation)
        return self._result()

    def _after_failure(self) -> None:
        failed = self._standing.state in (State.COMMON_REJECTED, State.NOT_VIABLE)
        if failed and self._standing.attempt >= self._parameters.attempts_before_exclusion:
            self._standing.move(self._journal, Event.TOO_MANY_ATTEMPTS, {})

    # Files

    def _key(self, kind: FileKind) -> str:
        return f"file/{kind.prefix}/{self._case.installation}/{self._standing.attempt}"

    def _answer(self, kind: FileKind) -> Answer | None:
        done = self._journal.done(self._key(kind))
        return None if done is None else Answer(str(done["name"]), str(done["sha256"]))

    def _publish(self, party: Party, kind: FileKind, rows: Callable[[], Sequence[Row]]) -> Answer:
        """Have a party publish a file once; a file found there after a crash is the file."""
        published = self._answer(kind)
        if published is not None:
            return published
        answers = [self._answer(other) for other in ANSWERS[kind]]
        present = tuple(answer for answer in answers if answer is not None)
        office = self._regime.office
        announced: dict[str, Json] = {
            "counter": party.next_counter(kind),
            "created": office.unix_seconds,
            "answers": [answer.name for answer in present],
        }
        key = self._key(kind)
        with self._journal.effect(party.name, "publish", announced, key=key) as effect:
            details = effect.intent.details
            document = Document(
                kind=kind,
                sender=party.address,
                group_id=self._case.group_id,
                installation=self._case.installation,
                attempt=self._standing.attempt,
                counter=int(str(details["counter"])),
                created_unix_seconds=int(str(details["created"])),
                answers=present,
            )
            name = file_name(document, self._parameters.service_provider)
            if effect.in_doubt and name in office.exchange.names():
                answer = Answer(name, party.read(name, kind).sha256)
            else:
                answer = party.publish(name, _with_rows(document, rows()))
            effect.done({"name": answer.name, "sha256": answer.sha256})
        return answer

    def _receive(self, party: Party, kind: FileKind) -> Document:
        answer = self._answer(kind)
        if answer is None:
            raise RegimeError(f"{self._case.installation}: no {kind.prefix} was issued; resume the campaign")
        document = party.receive(answer.name, kind)
        self._journal.file(party.name, "receive", {"name": answer.name, "sha256": answer.sha256})
        return document

    def _problem(self, finding: Finding) -> None:
        check = finding.check
        self._journal.exception(
            finding.device or self._case.installation,
            "enrolment-problem",
            {
                "code": finding.code,
                "owner": check.owner,
                "retry": str(check.retry),
                "text": finding.text,
                "attempt": self._standing.attempt,
            },
        )

    # Steps

    def announce_firmware(self) -> Answer:
        """Publish the firmware schedule notification and have both suppliers take it."""
        rows = [installation_row(self._case), *device_rows(self._case)]
        answer = self._publish(self._regime.requesting_party, FileKind.FIRMWARE_SCHEDULE, lambda: rows)
        for supplier in (self._regime.responsible_supplier, self._regime.installing_supplier):
            self._receive(supplier, FileKind.FIRMWARE_SCHEDULE)
        return answer

    async def _classify(self) -> Event:
        return Event.CLASSIFIED_DORMANT if self._case.dormant else Event.CLASSIFIED_ACTIVE

    async def _check_combination(self) -> Event:
        combination = self._regime.requesting_party.eligible(self._case, self._regime.epcl)
        if combination is None:
            self._problem(Finding("V09", "the devices do not form an eligible combination"))
            return Event.COMBINATION_UNLISTED
        self._journal.decide(self._case.installation, "eligible", {"combination": combination})
        return Event.COMBINATION_LISTED

    async def _notify_migration(self) -> Event:
        if self._case.dormant:
            hours = self._parameters.certificate_cut_off_hours
            cut_off = self._regime.office.unix_seconds + hours * 3600
            row = installation_row(self._case, cutOff=_utc(cut_off))
            self._publish(self._regime.requesting_party, FileKind.MIGRATION_SCHEDULE, lambda: [row])
        return Event.MIGRATION_NOTIFIED

    async def _authorise(self) -> Event:
        supplier = self._regime.responsible_supplier
        if self._case.dormant:
            self._receive(supplier, FileKind.MIGRATION_SCHEDULE)
        certificates = self._regime.certificates()
        self._publish(
            supplier,
            FileKind.AUTHORISATION,
            lambda: supplier.authorisation_rows(self._case, certificates),
        )
        return Event.AUTHORISATION_RECEIVED

    async def _issue_common_file(self) -> Event:
        party = self._regime.requesting_party
        authorisation = self._receive(party, FileKind.AUTHORISATION)
        self._publish(party, FileKind.COMMON, lambda: party.common_rows(authorisation, self._case))
        return Event.COMMON_FILE_ISSUED

    async def _validate(self) -> Event:
        party = self._regime.commissioning_party
        authorisation = self._receive(party, FileKind.AUTHORISATION)
        try:
            common = self._receive(party, FileKind.COMMON)
            findings = party.validate(common, authorisation, self._regime.epcl, self._regime.dsp.commissioned)
        except FileRejectedError as error:
            findings = [Finding(error.code, str(error))]
        for finding in findings:
            self._problem(finding)
        rows = _result_rows(self._case.installation, findings)
        self._publish(party, FileKind.VALIDATION, lambda: rows)
        try:
            passed = _passed(self._receive(self._regime.requesting_party, FileKind.VALIDATION))
        except FileRejectedError as error:
            # The validation file answers a common file that is no longer what was validated.
            self._problem(Finding(error.code, str(error)))
            passed = False
        return Event.VALIDATION_PASSED if passed else Event.VALIDATION_FAILED

    async def _issue_group_files(self) -> Event:
        regime, euis = self._regime, [device.eui64 for device in self._case.controlled()]
        self._receive(regime.smso, FileKind.VALIDATION)
        self._publish(regime.smso, FileKind.HANDOVER, lambda: regime.smso.handover_rows(euis))
        party = regime.requesting_party
        handover = self._receive(party, FileKind.HANDOVER)
        self._publish(party, FileKind.GROUP, lambda: party.group_rows(handover, self._case))
        for controller, kinds in self._controllers():
            rows = party.encrypted_rows(handover, controller.name)
            self._publish(party, kinds[0], lambda rows=rows: rows)  # type: ignore[misc]
        return Event.GROUP_FILES_COMPLETE

    def _controllers(self) -> tuple[tuple[Controller, tuple[FileKind, FileKind, FileKind]], ...]:
        """Each new controller with its encrypted, viable and commissioning files."""
        s1sp = (FileKind.ENCRYPTED_S1SP, FileKind.VIABLE_S1SP, FileKind.COMMISSIONING_S1SP)
        dco = (FileKind.ENCRYPTED_DCO, FileKind.VIABLE_DCO, FileKind.COMMISSIONING_DCO)
        return (self._regime.s1sp, s1sp), (self._regime.dco, dco)

    async def _test_devices(self) -> Event:
        tests = await self._device_tests()
        viable = True
        for controller, kinds in self._controllers():
            if self._answer(kinds[1]) is None:
                findings = await self._viability(controller, kinds[0], tests)
                rows = self._device_result_rows(findings)
                self._publish(controller, kinds[1], lambda rows=rows: rows)  # type: ignore[misc]
            viable = _passed(self._receive(self._regime.smso, kinds[1])) and viable
        return Event.TESTS_PASSED if viable else Event.TESTS_FAILED

    async def _device_tests(self) -> dict[str, Finding]:
        if self._answer(FileKind.VIABLE_S1SP) is not None and self._answer(FileKind.VIABLE_DCO) is not None:
            return {}
        findings: dict[str, Finding] = {}
        for device in self._case.devices:
            finding = await self._test(device)
            passed = finding is None
            self._journal.observe(device.name, "device-test", {"passed": passed})
            if finding is not None:
                findings[device.name] = finding
                self._problem(finding)
        return findings

    async def _test(self, device: MigratingDevice) -> Finding | None:
        try:
            test = await self._patiently(lambda: self._world.device_test(device.eui64))
        except UnreachableError as error:
            return Finding("V13", str(error)[:250], device.name)
        if test.answered:
            return None
        code = {DeviceKind.GSME: "GT01", DeviceKind.ESME: "V14", DeviceKind.CHF: "V13"}.get(
            device.kind, "W02"
        )
        return Finding(code, f"no answer {test.detail}".strip()[:250], device.name)

    async def _patiently(self, attempt: Callable[[], Awaitable[DeviceTest]]) -> DeviceTest:
        for remaining in reversed(range(self._parameters.device_test_attempts)):
            try:
                test = await attempt()
            except UnreachableError:
                if remaining == 0:
                    raise
            else:
                if test.answered or remaining == 0:
                    return test
            await self._pause(self._parameters.retry_backoff_seconds)
        raise RegimeError("device_test_attempts is 0; set it to 1 or more")

    async def _viability(
        self, controller: Controller, encrypted: FileKind, tests: Mapping[str, Finding]
    ) -> dict[str, Finding]:
        """Check a controller's required file set, its secrets and its keys."""
        try:
            for kind in (FileKind.COMMON, FileKind.VALIDATION):
                self._receive(controller, kind)
            group = self._receive(controller, FileKind.GROUP)
            missing = controller.take_secrets(self._receive(controller, encrypted), group)
        except FileRejectedError as error:
            return {self._case.installation: Finding(error.code, str(error))}
        findings = {name: Finding("V12", "its control key is missing", name) for name in missing}
        for device in self._case.controlled():
            if device.name in tests or device.name in findings:
                findings.setdefault(device.name, tests.get(device.name, Finding("V12", "", device.name)))
            elif not await self._keys_agree(controller, device):
                findings[device.name] = Finding("V15", f"the {controller.name}'s key is not its", device.name)
        for name, finding in findings.items():
            if name not in tests:
                self._problem(finding)
        return findings

    async def _keys_agree(self, controller: Controller, device: MigratingDevice) -> bool:
        try:
            return await controller.keys_agree(device.eui64, self._world.send_control)
        except UnreachableError:
            return False

    def _device_result_rows(self, findings: Mapping[str, Finding]) -> list[Row]:
        """Gas alone may be left out; anything else stops the installation."""
        kinds = {device.name: device.kind for device in self._case.devices}
        blocking = [finding for name, finding in findings.items() if kinds.get(name) is not DeviceKind.GSME]
        rows = _result_rows(self._case.installation, blocking[:1])
        for device in self._case.controlled():
            listed = [findings[device.name]] if device.name in findings else []
            rows += _result_rows(self._case.installation, listed, device.name)
        return rows

    def _viable_devices(self) -> list[MigratingDevice]:
        """Return the devices that both controllers found viable: the subset that goes on."""
        passed: list[set[str]] = []
        for controller, kinds in self._controllers():
            answer = self._answer(kinds[1])
            if answer is None:
                raise RegimeError(f"{controller.name} has issued no {kinds[1].prefix}; resume the campaign")
            document = controller.read(answer.name, kinds[1]).document
            passed.append({row["device"] for row in document.having("Result") if _device_passed(row)})
        return [device for device in self._case.controlled() if all(device.name in names for names in passed)]

    async def _transfer_control(self) -> Event:
        smso = self._regime.smso
        devices = self._viable_devices()
        for device in devices:
            if self._journal.done(transfer_key(device.name)) is not None:
                continue
            with self._journal.effect(
                device.name,
                "control-transfer",
                {"from": OLD_CONTROLLER, "to": NEW_CONTROLLER},
                key=transfer_key(device.name),
                irreversible=True,
            ) as effect:
                smso.release(device.eui64)
                effect.done({"controller": NEW_CONTROLLER})
        rows = [Row("Released", {"eui64": device.name}) for device in devices]
        self._publish(smso, FileKind.RELEASE, lambda: rows)
        self._journal.checkpoint("control transferred")
        return Event.CONTROL_TRANSFERRED

    async def _rotate_keys(self) -> Event:
        devices = self._viable_devices()
        for controller, _ in self._controllers():
            self._receive(controller, FileKind.RELEASE)
        for device in devices:
            for controller, _ in self._controllers():
                await self._rotate(controller, device)
        for device in devices:
            await self._prove_control(device)
        names = [device.name for device in devices]
        for controller, kinds in self._controllers():
            self._publish(controller, kinds[2], lambda c=controller: c.rotated_rows(names))  # type: ignore[misc]
        self._journal.checkpoint("keys rotated")
        return Event.ROTATION_COMPLETE

    async def _rotate(self, controller: Controller, device: MigratingDevice) -> None:
        role = ROLE_TEXT[controller.role]
        key = f"rotate-key/{role}/{device.name}"
        if self._journal.done(key) is not None:
            return
        announced: dict[str, Json] = {
            "sender": controller.name,
            "role": role,
            "generation": controller.next_generation(device.eui64),
        }
        with self._journal.effect(device.name, "rotate-key", announced, key=key, irreversible=True) as effect:
            target = int(str(effect.intent.details["generation"]))
            generation = await self._persistently(
                lambda: controller.rotate(device.eui64, target, self._world.send_control)
            )
            effect.done({"generation": generation})

    async def _persistently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for remaining in reversed(range(self._parameters.control_attempts)):
            try:
                return await attempt()
            except UnreachableError:
                if remaining == 0:
                    raise
            await self._pause(self._parameters.retry_backoff_seconds)
        raise RegimeError("control_attempts is 0; set it to 1 or more")

    async def _prove_control(self, device: MigratingDevice) -> None:
        """Show that the new keys work and the old ones do not."""
        send = self._world.send_control
        for controller, _ in self._controllers():
            role = controller.role
            agrees = await self._persistently(lambda c=controller: c.keys_agree(device.eui64, send))  # type: ignore[misc]
            refused = await self._persistently(
                lambda r=role: self._regime.smso.locked_out(device.eui64, r, send)  # type: ignore[misc]
            )
            self._journal.observe(
                device.name,
                "control-proof",
                {
                    "role": ROLE_TEXT[role],
                    "holder": controller.name,
                    "new_key_works": agrees,
                    "old_key_answer": refused.name,
                },
            )
            if not agrees or refused is ControlStatus.OK:
                raise RegimeError(
                    f"{device.name}: after rotation the {ROLE_TEXT[role]} key is not the "
                    f"{controller.name}'s alone; "
                    "stop and investigate"
                )

    async def _request_commissioning(self) -> Event:
        regime, party = self._regime, self._regime.commissioning_party
        rotated = [
            {row["eui64"] for row in self._receive(party, kinds[2]).having("Rotated")}
            for _, kinds in self._controllers()
        ]
        devices = [d for d in self._viable_devices() if all(d.name in names for names in rotated)]
        common = self._receive(party, FileKind.COMMON)
        rows = [_commission_row(self._case, device) for device in devices]
        names = [device.name for device in devices]
        rows += party.placement_rows(common, names, regime.distribution_areas)
        self._publish(party, FileKind.REQUEST, lambda: rows)
        return Event.COMMISSIONING_REQUESTED

    async def _commission(self) -> Event:
        regime, dsp, party = self._regime, self._regime.dsp, self._regime.commissioning_party
        request = self._receive(dsp, FileKind.REQUEST)
        placements = list(request.having("Placement"))
        for row in request.having("Commission"):
            self._commission_device(row["eui64"], placements)
        inventory = [
            Row("Inventory", {"eui64": row["eui64"], "status": self._status(row["eui64"])})
            for row in request.having("Commission")
        ]
        self._publish(dsp, FileKind.RESPONSE, lambda: [*inventory, *placements])
        response = self._receive(party, FileKind.RESPONSE)
        self._publish(party, FileKind.OUTCOME, lambda: self._outcome_rows(response))
        outcome = self._receive(regime.responsible_supplier, FileKind.OUTCOME)
        regime.responsible_supplier.take_obligations(outcome)
        for other in (regime.requesting_party, regime.dno, regime.gas_transporter):
            self._receive(other, FileKind.OUTCOME)
        self._note_placements(outcome)
        left_out = len(inventory) < len(self._case.controlled())
        return Event.GAS_EXCLUDED if left_out else Event.ALL_COMMISSIONED

    def _commission_device(self, name: str, placements: Sequence[Row]) -> None:
        key = f"commission/{name}"
        if self._journal.done(key) is not None:
            return
        credentials = {
            row["role"]: row["certificate"]
            for row in placements
            if row["device"] == name and row["placed"] == "true"
        }
        placed: dict[str, Json] = dict(credentials)
        with self._journal.effect(
            name, "commission", {"certificates": placed}, key=key, irreversible=True
        ) as effect:
            record = self._regime.dsp.commission(parse_eui64(name), credentials)
            effect.done({"status": str(record.status)})

    def _status(self, name: str) -> str:
        record = self._regime.dsp.record(parse_eui64(name))
        return "" if record is None or record.status is None else str(record.status)

    def _outcome_rows(self, response: Document) -> list[Row]:
        party, name = self._regime.commissioning_party, self._case.installation
        inventory, placements = list(response.having("Inventory")), list(response.having("Placement"))
        commissioned = {row["eui64"] for row in inventory if row["status"] == "Commissioned"}
        rows = _result_rows(name, [])
        for device in self._case.controlled():
            findings = [] if device.name in commissioned else [Finding("GT01", "excluded", device.name)]
            rows += _result_rows(name, findings, device.name)
        return [*rows, *inventory, *placements, *party.obligation_rows(placements)]

    def _note_placements(self, outcome: Document) -> None:
        for row in outcome.having("Placement"):
            self._journal.observe(row["device"], "certificate-placement", dict(row.values))
            if row.get("warning"):
                self._problem(Finding("W01", row["warning"], row["device"]))
        for row in outcome.having("Obligation"):
            self._journal.decide(row["device"], "obligation", dict(row.values))

    # Result

    def _result(self) -> EnrolmentResult:
        outcome = self._outcome()
        control = {
            device.name: NEW_CONTROLLER if self._journal.done(transfer_key(device.name)) else OLD_CONTROLLER
            for device in self._case.controlled()
        }
        return EnrolmentResult(
            state=self._standing.state,
            attempts=self._standing.attempt,
            control=control,
            inventory={device.name: self._status(device.name) for device in self._case.devices},
            placements=tuple(map(_placement, outcome.having("Placement"))) if outcome else (),
            obligations=tuple(map(_obligation, outcome.having("Obligation"))) if outcome else (),
            problems=tuple(self._problems()),
            files=tuple(self._files()),
        )

    def _outcome(self) -> Document | None:
        answer = self._answer(FileKind.OUTCOME)
        party = self._regime.commissioning_party
        return None if answer is None else party.read(answer.name, FileKind.OUTCOME).document

    def _problems(self) -> list[EnrolmentProblem]:
        """Return each problem once, however often a resumed run met it."""
        problems: dict[EnrolmentProblem, None] = {}
        for entry in self._journal.entries(Kind.EXCEPTION):
            if entry.action == "enrolment-problem":
                details = entry.details
                code, owner, how = str(details["code"]), str(details["owner"]), str(details["retry"])
                problem = EnrolmentProblem(code, entry.subject, owner, how, str(details["text"]))
                problems[problem] = None
        return list(problems)

    def _files(self) -> list[HandedOver]:
        """Return each file with each receiver, in the order they were first received."""
        senders = {
            str(result["name"]): entry.subject
            for entry in self._journal.entries(Kind.OUTCOME)
            if entry.action == "publish" and isinstance(result := entry.details["result"], dict)
        }
        handed: dict[HandedOver, None] = {}
        for entry in self._journal.entries(Kind.FILE):
            if entry.action == "receive":
                name, sha256 = str(entry.details["name"]), str(entry.details["sha256"])
                handed[HandedOver(name, senders.get(name, ""), entry.subject, sha256)] = None
        return list(handed)


def _with_rows(document: Document, rows: Sequence[Row]) -> Document:
    return replace(document, rows=tuple(rows))


def _utc(unix_seconds: int) -> str:
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _result_rows(installation: str, findings: Sequence[Finding], device: str = "") -> list[Row]:
    about = {"installation": installation} | ({"device": device} if device else {})
    if not findings:
        return [Row("Result", {**about, "outcome": "pass"})]
    return [
        Row("Result", {**about, "outcome": "fail", "code": finding.code, "text": finding.text[:250]})
        for finding in findings
    ]


def _passed(document: Document) -> bool:
    results = [row for row in document.having("Result") if row.get("device") is None]
    return bool(results) and all(row["outcome"] == "pass" for row in results)


def _device_passed(row: Row) -> bool:
    return row.get("device") is not None and row["outcome"] == "pass"


def _commission_row(case: EnrolmentCase, device: MigratingDevice) -> Row:
    mpxn = {DeviceKind.ESME: case.mpan, DeviceKind.GSME: case.mprn}.get(device.kind)
    values = {"eui64": device.name, "kind": str(device.kind), "firmwareVersion": device.firmware}
    return Row("Commission", values | ({} if mpxn is None else {"mpxn": mpxn}))


def _placement(row: Row) -> Placement:
    placed = row["placed"] == "true"
    return Placement(row["role"], row["device"], placed, row.get("holder") or "", row.get("warning") or "")


def _obligation(row: Row) -> PostCommissioningObligation:
    due = int(datetime.fromisoformat(row["due"].replace("Z", "+00:00")).timestamp())
    return PostCommissioningObligation(row["owner"], row["role"], row["device"], due)
