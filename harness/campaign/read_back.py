"""What the journal has as done, asked of the devices again: a record is believed only while they agree with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from emulator.eui64 import parse_eui64
from harness.campaign.context import Context, NoAnswerError
from harness.campaign.problems import record
from harness.errors import ContradictionError, UnreachableError
from harness.facts.campaign import Problem
from harness.facts.enrolment import KeyRotated, KeyRotation
from harness.facts.firmware import Activation, VersionReadBack
from harness.facts.plan import DevicePlan, Plan
from harness.facts.terms import Severity
from harness.head_end import HubUnreachableError
from harness.regime.controllers import Controller
from harness.regime.parties import ROLE_TEXT
from harness.regime.world import Regime
from hw_profiles.installation import DeviceEntry

R = TypeVar("R")


async def patiently(context: Context, ask: Callable[[], Awaitable[R]]) -> R:
    """Ask the hub; a wide-area link that is down for days is waited for. Raises `HubUnreachableError` in the end."""
    for remaining in reversed(range(context.limits.hub_attempts)):
        try:
            return await ask()
        except HubUnreachableError:
            if remaining == 0:
                raise
        await asyncio.sleep(context.limits.hub_pause_s)
    raise AssertionError("hub_attempts is at least 1")


async def read_back(context: Context, entry: DeviceEntry) -> int:
    """Return the OTA version a device says it runs, asked again while it restarts; raises `NoAnswerError`."""
    for _ in range(context.limits.read_back_attempts - 1):
        try:
            return await context.read_version(entry)
        except NoAnswerError:
            await asyncio.sleep(context.limits.read_back_pause_s)
    return await context.read_version(entry)


async def confirm_done(context: Context, regime: Regime, plan: Plan) -> None:
    """Ask the devices of a resumed run for what its journal has as done: versions activated, keys rotated.

    A device that does not answer contradicts nothing; it is asked again before it is commissioned. Raises
    `ContradictionError` when one does, each contradiction then being in the journal.
    """
    problems = [problem for device in plan.devices if (problem := await _version_of(context, device))]
    for device in plan.devices:
        for controller in (regime.s1sp, regime.dco):
            problem = await _key_of(context, controller, device)
            problems += [] if problem is None else [problem]
    for problem in problems:
        record(problem, context.journal)
    if problems:
        raise ContradictionError(f"{problems[0].what}: {problems[0].cause}")


async def _version_of(context: Context, device: DevicePlan) -> Problem | None:
    expected = list(_may_run(context, device))
    if not expected:
        return None
    try:
        version = await read_back(context, context.installation.device(device.name))
    except NoAnswerError:
        return None
    context.journal.write(VersionReadBack(device.device, version))
    if version in expected:
        return None
    return _contradiction(
        device, f"it runs 0x{version:08X}, and by the journal 0x{expected[0]:08X} was activated"
    )


def _may_run(context: Context, device: DevicePlan) -> Iterator[int]:
    """Yield the version last activated by the journal, and those announced after it; none before any was."""
    journal, name = context.journal, device.device
    keys = {hop.version: Activation.key_of(name, hop) for hop in device.hops}
    versions = list(keys)
    done = [index for index, version in enumerate(versions) if journal.done(keys[version]) is not None]
    if done:
        yield versions[done[-1]]
        yield from (version for version in versions[done[-1] + 1 :] if journal.attempts(keys[version]))


async def _key_of(context: Context, controller: Controller, device: DevicePlan) -> Problem | None:
    role = ROLE_TEXT[controller.role]
    done = context.journal.done(KeyRotation.key_of(role, device.device))
    if not isinstance(done, KeyRotated):
        return None
    eui64 = parse_eui64(device.device)
    held = controller.control_keys(controller.role).held(eui64).generation
    if held != done.generation:
        return _contradiction(
            device,
            f"the {controller.name} holds generation {held} of its {role} key, and the journal says {done.generation}",
        )
    try:
        if await controller.keys_agree(eui64, context.head_end.send_control):
            return None
    except UnreachableError:
        return None
    return _contradiction(
        device, f"its {role} key is not generation {held} that the journal says it was given"
    )


def _contradiction(device: DevicePlan, cause: str) -> Problem:
    return Problem(
        device.device,
        f"The {device.name} device is not as the journal has it",
        cause,
        "Find out what changed it (an old copy of its memory, another device in its place, another head end), "
        "undo that, and resume the run",
        Severity.ERROR,
    )
