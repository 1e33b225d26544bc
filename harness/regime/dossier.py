"""The papers of one installation: each signed file published and received once, and its problems, by the journal.

A killed enrolment finds its dossier as it left it: a file already published is the file, and is not made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from harness.errors import RegimeError, UnreachableError
from harness.exchange.document import ANSWERS, Answer, Document, FileKind, Row
from harness.exchange.folder import file_name
from harness.facts.enrolment import EnrolmentProblem
from harness.facts.files import Publication, Published, Received
from harness.journal import Journal
from harness.regime.case import EnrolmentCase, MigratingDevice, OutsideWorld
from harness.regime.controllers import Controller
from harness.regime.party import Party
from harness.regime.result_rows import device_passed
from harness.regime.standing import Standing
from harness.regime.validation import Finding
from harness.regime.world import Regime

Pause = Callable[[float], Awaitable[None]]
"""Waits a number of seconds of scenario time."""
T = TypeVar("T")


class ControllerFiles(NamedTuple):
    """A new controller, and the files that are its own: secrets for it, what it found viable, what it rotated."""

    controller: Controller
    encrypted: FileKind
    viable: FileKind
    commissioning: FileKind


class Dossier:
    """One attempt at one case, as its stages share it."""

    def __init__(
        self,
        regime: Regime,
        journal: Journal,
        case: EnrolmentCase,
        *,
        world: OutsideWorld | None = None,
        pause: Pause = asyncio.sleep,
        may_wait_days: bool = True,
    ) -> None:
        """`world` may come later, when the home is reached.

        `may_wait_days` says that days cost nothing here; where they are real ones, a run stops instead.
        """
        self.regime = regime
        self.journal = journal
        self.case = case
        """The installation with the firmware it runs, as far as that is known."""
        self._world = world
        self.may_wait_days = may_wait_days
        self.parameters = regime.office.parameters
        self.standing = Standing.read(journal, case.installation)
        self._pause = pause

    @property
    def world(self) -> OutsideWorld:
        """The way to the devices; raises `RegimeError` as long as there is none."""
        if self._world is None:
            raise RegimeError(f"{self.case.installation}: its devices are not reached from here")
        return self._world

    @world.setter
    def world(self, world: OutsideWorld) -> None:
        self._world = world

    def _key(self, kind: FileKind) -> str:
        return Publication.key_of(kind.prefix, self.case.installation, self.standing.attempt)

    def answer(self, kind: FileKind) -> Answer | None:
        """Return name and hash of the file of a kind that this attempt published, None before that."""
        done = self.journal.done(self._key(kind))
        return Answer(done.name, done.sha256) if isinstance(done, Published) else None

    def publish(self, party: Party, kind: FileKind, rows: Callable[[], Sequence[Row]]) -> Answer:
        """Have a party publish a file once; a file found there after a crash is the file."""
        published = self.answer(kind)
        if published is not None:
            return published
        answers = [self.answer(other) for other in ANSWERS[kind]]
        present = tuple(answer for answer in answers if answer is not None)
        office = self.regime.office
        publication = Publication(
            party.name,
            file_kind=kind.prefix,
            installation=self.case.installation,
            attempt=self.standing.attempt,
            counter=party.next_counter(kind),
            created=office.unix_seconds,
            answers=tuple(answer.name for answer in present),
        )
        with self.journal.effect(publication) as effect:
            document = Document(
                kind=kind,
                sender=party.address,
                group_id=self.case.group_id,
                installation=self.case.installation,
                attempt=self.standing.attempt,
                counter=effect.act.counter,
                created_unix_seconds=effect.act.created,
                answers=present,
            )
            name = file_name(document, self.parameters.service_provider)
            if effect.in_doubt and name in office.exchange.names():
                answer = party.adopt(name, kind)
            else:
                answer = party.publish(name, replace(document, rows=tuple(rows())))
            effect.done(Published(answer.name, answer.sha256))
        return answer

    def receive(self, party: Party, kind: FileKind) -> Document:
        """Have a party take and check the file of a kind.

        Raises `FileRejectedError` when it is not what was published, `RegimeError` when none was.
        """
        answer = self._issued(kind)
        document = party.receive(answer.name, kind)
        self.journal.write(Received(party.name, answer.name, answer.sha256))
        return document

    def own(self, party: Party, kind: FileKind) -> Document:
        """Return the file of a kind as the party that published or has received it reads it again.

        Raises `FileRejectedError` for one altered since, `RegimeError` when none was published.
        """
        return party.read(self._issued(kind).name, kind).document

    def _issued(self, kind: FileKind) -> Answer:
        answer = self.answer(kind)
        if answer is None:
            raise RegimeError(f"{self.case.installation}: no {kind.prefix} was issued; resume the campaign")
        return answer

    def problem(self, finding: Finding) -> None:
        """Write a problem with its code, fault owner and retry class."""
        check = finding.check
        self.journal.write(
            EnrolmentProblem(
                finding.device or self.case.installation,
                code=finding.code,
                owner=check.owner,
                retry=check.retry,
                text=finding.text,
                attempt=self.standing.attempt,
            )
        )

    def controllers(self) -> tuple[ControllerFiles, ControllerFiles]:
        """Return the new controllers and their files."""
        regime = self.regime
        return (
            ControllerFiles(
                regime.s1sp, FileKind.ENCRYPTED_S1SP, FileKind.VIABLE_S1SP, FileKind.COMMISSIONING_S1SP
            ),
            ControllerFiles(
                regime.dco, FileKind.ENCRYPTED_DCO, FileKind.VIABLE_DCO, FileKind.COMMISSIONING_DCO
            ),
        )

    def viable_devices(self) -> list[MigratingDevice]:
        """Return the devices that both controllers found viable: the subset that goes on."""
        passed: list[set[str]] = []
        for controller, _, viable, _ in self.controllers():
            document = self.own(controller, viable)
            passed.append({row["device"] for row in document.having("Result") if device_passed(row)})
        return [device for device in self.case.controlled() if all(device.name in names for names in passed)]

    async def wait_until(self, us: int) -> None:
        """Wait until a time of the scenario, in microseconds; one that has passed is not waited for."""
        left_ms = -((self.regime.office.clock.now - us) // 1000)
        if left_ms > 0:
            await self._pause(left_ms / 1000)

    async def persistently(
        self,
        attempt: Callable[[], Awaitable[T]],
        attempts: int,
        *,
        enough: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """Try to reach a device until the answer is `enough`, with the regime's pause between attempts.

        The last attempt's answer is returned whatever it is; when nothing came, it raises `UnreachableError`.
        """
        for remaining in reversed(range(attempts)):
            try:
                answer = await attempt()
            except UnreachableError:
                if not remaining:
                    raise
            else:
                if enough(answer) or not remaining:
                    return answer
            await self._pause(self.parameters.retry_backoff_seconds)
        raise RegimeError(
            f"{attempts} attempts to reach a device: set device_test_attempts and control_attempts to 1 or more"
        )


class Stage:
    """Stages of a lifecycle that belong together. Each does its part once, however often it is performed."""

    def __init__(self, dossier: Dossier) -> None:
        self._dossier = dossier
        self._regime = dossier.regime
        self._journal = dossier.journal

    @property
    def _case(self) -> EnrolmentCase:
        return self._dossier.case
