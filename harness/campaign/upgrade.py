"""Firmware onto devices, hop by hop: image to the hub, transfer to the device, activation, version read back.

Each step is an announced effect with a key of its own, so that a resumed campaign finds where it was: the image and
the transfer are repeated harmlessly; an activation in doubt is settled by asking the device which version it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from emulator.wan import alerts
from emulator.wan import operations as wan
from emulator.wan.messages import ATTACHMENT_MAX
from emulator.wan.results import JobStatus
from harness.campaign.context import Context, NoAnswerError
from harness.campaign.device_reasons import device_reasons, telling
from harness.campaign.hop_failures import HUB_REFUSED, STALLED, HopFailed, failure_of
from harness.campaign.problems import record
from harness.campaign.read_back import patiently, read_back
from harness.facts import Fact, Failed
from harness.facts.campaign import Problem
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
    TransferCounted,
    TransferProgress,
    Transferred,
    TransferStarted,
    VersionReadBack,
    WithdrawRefused,
)
from harness.facts.plan import DevicePlan, Hop
from harness.facts.terms import Severity
from harness.head_end import HubRefusedError, HubUnreachableError

R = TypeVar("R")

CHUNK_OCTETS = ATTACHMENT_MAX
TRANSFER_POLL_S = 3600.0
ACTIVATION_POLL_S = 300.0
BLOCK_OCTETS = 48
"""Data octets of a block that fit beside APS security (protocol facts 4.6)."""
HELD_STATES = ("held", "released", "activated")
FAILED_STATES = ("failed", "withdrawn", "none")


TRANSFER_SUCCESS, ACTIVATION_SUCCESS = "FileTransferSuccess", "ActivationSuccess"


async def upgrade(context: Context, stages: Sequence[Sequence[DevicePlan]]) -> list[Problem]:
    """Bring every device to its target, the devices of one stage at the same time.

    Returns the problems that kept devices from it, already journalled; a stage that fails is the last.
    """
    images = _ImageLocks(context)
    for stage in stages:
        runs = [_DeviceUpgrade(context, device, images).run() for device in stage]
        problems = [problem for problem in await asyncio.gather(*runs) if problem is not None]
        if problems:
            return problems
    return []


class _ImageLocks:
    """Images at the hub: each is uploaded once, however many devices wait for it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._turn = asyncio.Lock()

    async def bring(self, hop: Hop, subject: str) -> None:
        async with self._turn:
            await _upload(self._context, hop, subject)


async def _upload(context: Context, hop: Hop, subject: str) -> None:
    """Bring an image to the hub, going on where an earlier attempt stopped."""
    journal = context.journal
    if journal.done(ImageUpload.key_of(hop)) is not None:
        return
    data = context.images.octets(hop.sha256)

    async def call(operation: wan.Operation[R]) -> R:
        return await patiently(context, lambda: context.head_end.call(operation))

    with journal.effect(ImageUpload(subject, hop)) as effect:
        state = await call(wan.ImageBegin(hop.sha256, len(data), hop.name))
        held = state.held
        while not state.complete and held < len(data):
            chunk = data[held : held + CHUNK_OCTETS]
            held = (await call(wan.ImageData(hop.sha256, held, chunk))).held
        effect.done(ImageAtHub((await call(wan.ImageCommit(hop.sha256))).key))


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.3g} hours"


class _DeviceUpgrade:
    """All hops of one device."""

    def __init__(self, context: Context, plan: DevicePlan, images: _ImageLocks) -> None:
        self._context = context
        self._limits = context.limits
        self._plan = plan
        self._images = images
        self._entry = context.installation.device(plan.name)
        self._journal = context.journal
        self._alerted = asyncio.Event()
        self._offset = -1
        self._outcome = ""
        self._downloads = 0

    async def run(self) -> Problem | None:
        unsubscribe: Callable[[], None] = self._context.head_end.on_alert(self._alert)
        try:
            for hop in self._plan.hops:
                await self._install(hop)
        except HopFailed as failure:
            return self._failed(failure, await device_reasons(self._context, self._entry))
        except (HubUnreachableError, NoAnswerError) as error:
            return self._failed(HopFailed("Unreachable", str(error)), [])
        finally:
            unsubscribe()
        return None

    async def _install(self, hop: Hop) -> None:
        if self._journal.done(Activation.key_of(self._plan.device, hop)) is not None:
            return
        for remaining in reversed(range(self._limits.hop_attempts)):
            try:
                await self._images.bring(hop, self._plan.device)
                await self._transfer(hop)
                await self._activate(hop)
            except HopFailed as failure:
                if remaining == 0 or failure.is_final:
                    raise
            except HubRefusedError as error:
                raise HopFailed("FileTransferFailure", error.text, HUB_REFUSED) from error
            else:
                return

    # Transfer

    async def _transfer(self, hop: Hop) -> None:
        if self._journal.done(Transfer.key_of(self._plan.device, hop)) is not None:
            return
        with self._journal.effect(Transfer(self._plan.device, hop)) as effect:
            try:
                await self._ask(wan.Schedule(self._plan.device, hop.sha256, BLOCK_OCTETS, 0))
                job = await self._transferred()
            except HopFailed as failure:
                effect.failed(Failed(failure.cause, failure.outcome))
                raise
            # A job that holds its image tells both.
            assert job.transfer is not None
            assert job.attempts is not None
            effect.done(Transferred(TRANSFER_SUCCESS, job.attempts, job.transfer))

    async def _transferred(self) -> JobStatus:
        """Wait until the device holds the image; a transfer that makes no progress for long has failed."""
        loop = asyncio.get_running_loop()
        offset, moved_s, stayed = self._offset, loop.time(), ""
        while True:
            job = await self._job()
            state = job.state
            if state in HELD_STATES:
                return job
            latest = max(self._offset, job.offset or 0)
            if (latest, state) != (offset, stayed):
                offset, stayed, moved_s = latest, state, loop.time()
            if loop.time() - moved_s > self._limits.transfer_stall_s:
                cause = f"nothing happened for {_hours(self._limits.transfer_stall_s)}"
                self._counted(job)
                raise HopFailed("FileTransferFailure", cause, STALLED)
            await self._alert_or(min(TRANSFER_POLL_S, self._limits.transfer_stall_s))

    async def _activated(self) -> None:
        """Wait until the device runs the image, as the hub sees it; one that only fetches it again has failed."""
        loop = asyncio.get_running_loop()
        downloads, released_s = self._downloads, loop.time()
        while (await self._job()).state != "activated":
            if self._downloads - downloads >= self._limits.downloads_after_release:
                raise HopFailed(
                    "ActivationFailure", "the device fetches the image again instead of running it"
                )
            if loop.time() - released_s > self._limits.activation_s:
                raise HopFailed("ActivationFailure", f"no restart within {_hours(self._limits.activation_s)}")
            await self._alert_or(min(ACTIVATION_POLL_S, self._limits.activation_s))

    async def _ask(self, operation: wan.Operation[R]) -> R:
        return await patiently(self._context, lambda: self._context.head_end.call(operation))

    async def _job(self) -> JobStatus:
        """Ask the hub for the device's job; raises `HopFailed` when it has failed."""
        self._alerted.clear()
        job = await self._ask(wan.Job(self._plan.device))
        if job.state in FAILED_STATES:
            raise failure_of(job, self._outcome)
        return job

    async def _alert_or(self, timeout_s: float) -> None:
        try:
            await asyncio.wait_for(self._alerted.wait(), timeout_s)
        except TimeoutError:
            return

    def _alert(self, alert: alerts.Alert) -> None:
        if alert.device != self._plan.device:
            return
        fact = _fact_of(alert)
        if fact is not None:
            self._journal.write(fact)
        match alert:
            case alerts.TransferProgress():
                self._offset = alert.offset
            case alerts.TransferStarted():
                self._downloads += 1
            case alerts.TransferAttemptFailed():
                self._alerted.set()
            case alerts.JobOutcome():
                self._outcome = alert.outcome
                self._alerted.set()

    # Activation

    async def _activate(self, hop: Hop) -> None:
        with self._journal.effect(Activation(self._plan.device, hop)) as effect:
            if effect.in_doubt and await self._runs(hop):
                effect.done(Activated(ACTIVATION_SUCCESS, hop.version))
                return
            try:
                await self._release(hop)
            except HopFailed as failure:
                effect.failed(Failed(failure.cause, failure.outcome))
                raise
            effect.done(Activated(ACTIVATION_SUCCESS, hop.version))

    async def _release(self, hop: Hop) -> None:
        try:
            await self._ask(wan.Release(self._plan.device))
        except HubRefusedError as error:
            if not await self._runs(hop):
                raise HopFailed("ActivationFailure", error.text) from error
            return
        try:
            await self._activated()
        except HopFailed as failure:
            # The job is the hub's opinion; the truth is what the device says it runs.
            if await self._runs(hop):
                return
            await self._withdraw()
            raise HopFailed("ActivationFailure", failure.cause) from failure
        if not await self._runs(hop):
            raise HopFailed("ActivationFailure", "the device reports the old version after its restart")

    async def _withdraw(self) -> None:
        """Take a release back, so that a device cannot act on it after it was reported as failed."""
        try:
            self._counted(await self._context.head_end.call(wan.Withdraw(self._plan.device)))
        except HubRefusedError as error:
            self._journal.write(WithdrawRefused(self._plan.device, error.text))

    def _counted(self, job: JobStatus) -> None:
        if job.transfer is not None:
            self._journal.write(TransferCounted(self._plan.device, job.transfer))

    async def _runs(self, hop: Hop) -> bool:
        version = await read_back(self._context, self._entry)
        self._journal.write(VersionReadBack(self._plan.device, version))
        return version == hop.version

    # Ends

    def _failed(self, failure: HopFailed, reasons: Sequence[DeviceReason]) -> Problem:
        problem = Problem(
            self._plan.device,
            f"The {self._plan.name} device did not reach firmware {self._plan.target_display}",
            "; ".join((f"{failure.outcome}: {failure.cause}", *telling(reasons))),
            f"{failure.reason.advice}, then run the campaign again; the previous head end keeps control",
            Severity.ERROR,
        )
        record(problem, self._journal)
        return problem


def _fact_of(alert: alerts.Alert) -> Fact | None:
    """Return what an alert is journalled as."""
    match alert:
        case alerts.TransferProgress(device, version, offset, size):
            return TransferProgress(device, version, offset, size)
        case alerts.TransferStarted(device, version, offset):
            return TransferStarted(device, version, offset)
        case alerts.TransferAttemptFailed(device, version, status, name):
            return TransferAttemptFailed(device, version, status, name)
        case alerts.JobOutcome(device, version, outcome, detail, counts, status, silent_ms):
            return JobOutcome(device, version, outcome, counts, detail, status, silent_ms)
        case alerts.DeviceJoined(device):
            return DeviceJoined(device)
    return None
