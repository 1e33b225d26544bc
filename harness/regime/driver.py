"""The one loop that leads an installation through its lifecycle: look the stage up, perform it, move, until it rests.

A killed run is led on by the same loop: the state is what the journal says, and every stage is safe to repeat.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from emulator.errors import EmulatorError, SurroundingsError
from firmware_catalog.errors import CatalogError
from harness.errors import CertificateError, FileRejectedError, HarnessError, RegimeError
from harness.facts.campaign import PhaseFinished, PhaseStarted
from harness.facts.terms import Event, State
from harness.journal import Journal
from harness.regime.dossier import Dossier
from harness.regime.lifecycle import PLACES
from harness.regime.validation import Finding


class Because(NamedTuple):
    """An event with the reason for it, where nothing else in the journal tells why an installation comes to rest."""

    event: Event
    reason: str


Performed = Event | Because
Stages = Mapping[State, Callable[[], Awaitable[Performed]]]
"""What is done in each state; every stage does its part once, however often it is performed."""


class PhaseObserver(Protocol):
    """Hears of phases."""

    def phase_started(self, name: str) -> None:
        """A phase begins."""

    def phase_finished(self, name: str, result: str) -> None:
        """A phase ended, `done` or with its cause."""


async def lead(
    dossier: Dossier,
    stages: Stages,
    observer: PhaseObserver,
    arrive: Callable[[], Awaitable[None]] | None = None,
) -> State:
    """Lead an installation on while there is a stage for where it stands, and return the state it comes to.

    `arrive` is done before the first stage, as part of its phase. Raises `HarnessError` when a stage cannot be
    finished now: nothing is decided, and another call goes on from there.
    """
    standing, phases = dossier.standing, _Phases(dossier.journal, observer)
    with phases.closed():
        while standing.state in stages:
            phases.enter(PLACES[standing.state].phase)
            if arrive is not None:
                await arrive()
                arrive = None
            done = await _performed(dossier, stages)
            event, reason = done if isinstance(done, Because) else (done, "")
            standing.move(dossier.journal, event, reason)
    return standing.state


async def _performed(dossier: Dossier, stages: Stages) -> Performed:
    """Perform the stage of the state; a file that its receiver refuses ends the attempt while that costs no control.

    Raises `RegimeError` for one refused after cut-over: from there an enrolment only goes forward.
    """
    state = dossier.standing.state
    try:
        return await stages[state]()
    except FileRejectedError as error:
        finding = Finding(error.code, error.text)
    except CertificateError as error:
        finding = Finding("V04", str(error))
    dossier.problem(finding)
    if Event.FILE_REFUSED in PLACES[state].ways:
        return Because(Event.FILE_REFUSED, finding.text)
    raise RegimeError(
        f"{dossier.case.installation}: {finding.code}: {finding.text}; control has passed, so put the file or "
        "certificate right and resume the run"
    )


class _Phases:
    """The phase under way: journalled, and told, as states of another phase are entered."""

    def __init__(self, journal: Journal, observer: PhaseObserver) -> None:
        self._journal = journal
        self._observer = observer
        self._current = ""

    def enter(self, name: str) -> None:
        if name != self._current:
            self._end("done")
            self._current = name
            self._journal.write(PhaseStarted(name))
            self._observer.phase_started(name)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """End the last phase, with what ended it."""
        try:
            yield
        except SurroundingsError:
            raise  # nothing can be written down then
        except (HarnessError, CatalogError, EmulatorError) as error:
            self._end(str(error))
            raise
        self._end("done")

    def _end(self, result: str) -> None:
        if self._current:
            self._journal.write(PhaseFinished(self._current, result))
            self._observer.phase_finished(self._current, result)
            self._current = ""
