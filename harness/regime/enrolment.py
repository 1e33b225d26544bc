"""The enrolment of one installation, step by step, each step journalled and safe to repeat.

The table in `lifecycle` says what follows what; this module says which step belongs to each state. The steps
are in `preparation`, `viability`, `cut_over` and `commissioning`. A killed enrolment is resumed by calling
`enrol` again with the same folder: the state is what the journal says, files already published are found, and
keys already rotated stay rotated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from harness.errors import CertificateError, FileRejectedError, RegimeError, UnreachableError
from harness.exchange.document import Answer
from harness.facts.enrolment import EnrolmentResult
from harness.facts.terms import Event, State
from harness.journal import Journal
from harness.regime.case import DeviceTest, EnrolmentCase, OutsideWorld
from harness.regime.commissioning import Commissioning
from harness.regime.cut_over import CutOver
from harness.regime.dossier import Dossier, Pause
from harness.regime.enrolment_result import result_of
from harness.regime.lifecycle import FAILED, RESTING, TRANSITIONS
from harness.regime.preparation import Preparation
from harness.regime.standing import Standing
from harness.regime.validation import Finding
from harness.regime.viability import Viability
from harness.regime.world import Regime

Watch = Callable[[str, str], None]
"""Hears (state, text) as an enrolment goes on."""


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
    dossier = Dossier(regime, journal, case, world, pause)
    return await _perform(dossier, watch)


def announce_firmware(regime: Regime, journal: Journal, case: EnrolmentCase) -> Answer:
    """Tell the suppliers that a dormant installation's firmware is going to be upgraded; once per attempt.

    The devices of `case` are named with the firmware they run before the upgrade.
    """
    return Preparation(Dossier(regime, journal, case, _NoWorld(), asyncio.sleep)).announce_firmware()


class _NoWorld:
    """The world of a step that touches no device."""

    async def device_test(self, eui64: int) -> DeviceTest:
        raise UnreachableError("no device is reached in this step")

    async def firmware(self, eui64: int) -> str | None:
        raise UnreachableError("no device is reached in this step")

    async def send_control(self, eui64: int, envelope: bytes) -> bytes:
        raise UnreachableError("no device is reached in this step")


def retry(journal: Journal, case: EnrolmentCase) -> State:
    """Put an installation that came to rest before cut-over back at the start of a new attempt.

    Raises `RegimeError` where the table allows no retry.
    """
    standing = Standing.read(journal, case.installation)
    return standing.move(journal, Event.RETRY)


def _steps(dossier: Dossier) -> dict[State, Callable[[], Awaitable[Event]]]:
    """Return the step that belongs to each state; states without one are where an enrolment rests."""
    preparation, viability = Preparation(dossier), Viability(dossier)
    cut_over, commissioning = CutOver(dossier), Commissioning(dossier)
    return {
        State.DISCOVERED: preparation.classify,
        State.ACTIVE: preparation.check_combination,
        State.DORMANT: preparation.check_combination,
        State.INELIGIBLE: preparation.check_combination,
        State.ELIGIBLE: preparation.notify_migration,
        State.MIGRATION_SCHEDULED: preparation.authorise,
        State.AUTHORISED: preparation.issue_common_file,
        State.COMMON_FILE_SENT: preparation.validate,
        State.COMMON_VALIDATED: viability.issue_group_files,
        State.GROUP_FILES_RECEIVED: viability.test_devices,
        State.VIABLE: cut_over.transfer_control,
        State.CUT_OVER: cut_over.rotate_keys,
        State.KEYS_ROTATED: commissioning.request_commissioning,
        State.COMMISSIONING: commissioning.commission,
    }


async def _step(dossier: Dossier, step: Callable[[], Awaitable[Event]]) -> Event:
    """Perform a step; a file that its receiver refuses ends the attempt while the old head end still controls.

    Raises `RegimeError` for one refused after cut-over: from there an enrolment only goes forward.
    """
    try:
        return await step()
    except FileRejectedError as error:
        finding = Finding(error.code, error.text)
    except CertificateError as error:
        finding = Finding("V04", str(error))
    dossier.problem(finding)
    if (dossier.standing.state, Event.FILE_REFUSED) in TRANSITIONS:
        return Event.FILE_REFUSED
    raise RegimeError(
        f"{dossier.case.installation}: {finding.code}: {finding.text}; control has passed, so put the file or "
        "certificate right and resume the run"
    )


async def _perform(dossier: Dossier, watch: Watch) -> EnrolmentResult:
    """Perform steps until the installation rests."""
    standing, journal, installation = dossier.standing, dossier.journal, dossier.case.installation
    steps = _steps(dossier)
    rested = False
    while not rested and standing.state in steps:
        watch(str(standing.state), installation)
        event = await _step(dossier, steps[standing.state])
        if event is Event.COMBINATION_UNLISTED and standing.state is State.INELIGIBLE:
            break
        rested = standing.move(journal, event) in RESTING
    if standing.state in FAILED and standing.failures >= dossier.parameters.attempts_before_exclusion:
        standing.move(journal, Event.TOO_MANY_ATTEMPTS)
    journal.checkpoint(f"enrolment {standing.state}")
    watch(str(standing.state), installation)
    return result_of(dossier)
