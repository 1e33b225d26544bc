"""Firmware onto devices, hop by hop: image to the hub, transfer to the device, activation, version read back.

Each step is an announced effect with a key of its own, so that a resumed campaign finds where it was: the image and
the transfer are repeated harmlessly; an activation in doubt is settled by asking the device which version it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulator.wan.messages import ATTACHMENT_MAX
from harness.campaign.context import Context, NoAnswerError
from harness.campaign.device_reasons import device_reasons, telling
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
    TransferCounts,
    TransferProgress,
    Transferred,
    TransferStarted,
    VersionReadBack,
    WithdrawRefused,
)
from harness.facts.plan import DevicePlan, Hop
from harness.facts.terms import Severity
from harness.head_end import Fields, HubRefusedError, HubUnreachableError
from harness.records import decode

CHUNK_OCTETS = ATTACHMENT_MAX
TRANSFER_POLL_S = 3600.0
ACTIVATION_POLL_S = 300.0
BLOCK_OCTETS = 48
"""Data octets of a block that fit beside APS security (protocol facts 4.6)."""
HELD_STATES = ("held", "released", "activated")
FINAL_OUTCOMES = ("HardwareVersionMismatch", "ActivationFailure")
"""What another attempt would not change."""
FAILED_STATES = ("failed", "withdrawn", "none")


TRANSFER_SUCCESS, ACTIVATION_SUCCESS = "FileTransferSuccess", "ActivationSuccess"

_ALERTS: Mapping[str, Callable[[Fields], Fact]] = {
    "transfer-started": lambda a: TransferStarted(a["device"], int(a["version"]), int(a["offset"])),
    "transfer-attempt-failed": lambda a: TransferAttemptFailed(
        a["device"], int(a["version"]), int(a["status"]), str(a["status_name"])
    ),
    "job-outcome": lambda a: JobOutcome(
        a["device"],
        int(a["version"]),
        str(a["outcome"]),
        decode(TransferCounts, a["transfer"], "transfer"),
        str(a["detail"]),
        str(a["device_status"]),
        a.get("silent_ms"),
    ),
    "device-joined": lambda a: DeviceJoined(a["device"]),
}
"""What the hub's alerts are journalled as."""

_ADVICE = {
    "Unreachable": "Restore the link or the device",
    "FileTransferFailure": "Find out what keeps the device from the hub: range, power, interference",
    "HardwareVersionMismatch": "Obtain the image for the hardware that is really there",
    "ActivationFailure": "Find out why the device keeps its firmware",
}
"""What to do about a hop that failed, by outcome; a discarded image is the rest."""


class _HopFailed(Exception):  # noqa: N818 - an ending that the caller reports
    def __init__(self, outcome: str, cause: str, *, final: bool = False) -> None:
        """`final` says that another attempt would change nothing."""
        super().__init__(cause)
        self.outcome = outcome
        self.cause = cause
        self.final = final or outcome in FINAL_OUTCOMES


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

    async def call(op: str, **arguments: Any) -> Fields:
        return await patiently(context, lambda: context.head_end.call(op, **arguments))

    with journal.effect(ImageUpload(subject, hop)) as effect:
        state = await call("image_begin", sha256=hop.sha256, size=len(data), name=hop.name)
        held, complete = int(state["held"]), bool(state["complete"])
        while not complete and held < len(data):
            chunk = data[held : held + CHUNK_OCTETS]
            answer = await call("image_data", attachment=chunk, sha256=hop.sha256, offset=held)
            held = int(answer["held"])
        answer = await call("image_commit", sha256=hop.sha256)
        effect.done(ImageAtHub(tuple(answer["key"])))


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
        except _HopFailed as failure:
            return self._failed(failure, await device_reasons(self._context, self._entry))
        except (HubUnreachableError, NoAnswerError) as error:
            return self._failed(_HopFailed("Unreachable", str(error)), [])
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
            except _HopFailed as failure:
                if remaining == 0 or failure.final:
                    raise
            except HubRefusedError as error:
                raise _HopFailed("FileTransferFailure", error.text) from error
            else:
                return

    # Transfer

    async def _transfer(self, hop: Hop) -> None:
        if self._journal.done(Transfer.key_of(self._plan.device, hop)) is not None:
            return
        with self._journal.effect(Transfer(self._plan.device, hop)) as effect:
            try:
                await patiently(
                    self._context,
                    lambda: self._context.head_end.call(
                        "schedule",
                        device=self._plan.device,
                        sha256=hop.sha256,
                        block=BLOCK_OCTETS,
                        period_ms=0,
                    ),
                )
                job = await self._transferred()
            except _HopFailed as failure:
                effect.failed(Failed(failure.cause, failure.outcome))
                raise
            counts = decode(TransferCounts, job["transfer"], "transfer")
            effect.done(Transferred(TRANSFER_SUCCESS, int(job["attempts"]), counts))

    async def _transferred(self) -> Fields:
        """Wait until the device holds the image; a transfer that makes no progress for long has failed."""
        loop = asyncio.get_running_loop()
        offset, moved_s, stayed = self._offset, loop.time(), ""
        while True:
            job = await self._job()
            state = str(job["state"])
            if state in HELD_STATES:
                return job
            latest = max(self._offset, int(job.get("offset", 0)))
            if (latest, state) != (offset, stayed):
                offset, stayed, moved_s = latest, state, loop.time()
            if loop.time() - moved_s > self._limits.transfer_stall_s:
                # The hub has offered the image all this time; asking it to begin again would not reach the device.
                cause = f"nothing happened for {_hours(self._limits.transfer_stall_s)}"
                self._counted(job)
                raise _HopFailed("FileTransferFailure", cause, final=True)
            await self._alert_or(min(TRANSFER_POLL_S, self._limits.transfer_stall_s))

    async def _activated(self) -> None:
        """Wait until the device runs the image, as the hub sees it; one that only fetches it again has failed."""
        loop = asyncio.get_running_loop()
        downloads, released_s = self._downloads, loop.time()
        while str((await self._job())["state"]) != "activated":
            if self._downloads - downloads >= self._limits.downloads_after_release:
                raise _HopFailed(
                    "ActivationFailure", "the device fetches the image again instead of running it"
                )
            if loop.time() - released_s > self._limits.activation_s:
                raise _HopFailed(
                    "ActivationFailure", f"no restart within {_hours(self._limits.activation_s)}"
                )
            await self._alert_or(min(ACTIVATION_POLL_S, self._limits.activation_s))

    async def _job(self) -> Fields:
        """Ask the hub for the device's job; raises `_HopFailed` when it has failed."""
        self._alerted.clear()
        job = await patiently(
            self._context, lambda: self._context.head_end.call("job", device=self._plan.device)
        )
        if str(job["state"]) in FAILED_STATES:
            raise _HopFailed(*_failure_of(job, self._outcome))
        return job

    async def _alert_or(self, timeout_s: float) -> None:
        try:
            await asyncio.wait_for(self._alerted.wait(), timeout_s)
        except TimeoutError:
            return

    def _alert(self, alert: Fields) -> None:
        if alert.get("device") != self._plan.device:
            return
        name = alert["alert"]
        if name == "transfer-progress":
            self._progress(int(alert["version"]), int(alert["offset"]), int(alert["size"]))
        elif name in _ALERTS:
            self._journal.write(_ALERTS[name](alert))
        if name == "transfer-started":
            self._downloads += 1
        if name == "job-outcome":
            self._outcome = str(alert["outcome"])
        if name in ("transfer-attempt-failed", "job-outcome"):
            self._alerted.set()

    def _progress(self, version: int, offset: int, size: int) -> None:
        self._offset = offset
        self._journal.write(TransferProgress(self._plan.device, version, offset, size))

    # Activation

    async def _activate(self, hop: Hop) -> None:
        with self._journal.effect(Activation(self._plan.device, hop)) as effect:
            if effect.in_doubt and await self._runs(hop):
                effect.done(Activated(ACTIVATION_SUCCESS, hop.version))
                return
            try:
                await self._release(hop)
            except _HopFailed as failure:
                effect.failed(Failed(failure.cause, failure.outcome))
                raise
            effect.done(Activated(ACTIVATION_SUCCESS, hop.version))

    async def _release(self, hop: Hop) -> None:
        try:
            await patiently(
                self._context,
                lambda: self._context.head_end.call("release", critical=True, device=self._plan.device, at=0),
            )
        except HubRefusedError as error:
            if not await self._runs(hop):
                raise _HopFailed("ActivationFailure", error.text) from error
            return
        try:
            await self._activated()
        except _HopFailed as failure:
            # The job is the hub's opinion; the truth is what the device says it runs.
            if await self._runs(hop):
                return
            await self._withdraw()
            raise _HopFailed("ActivationFailure", failure.cause) from failure
        if not await self._runs(hop):
            raise _HopFailed("ActivationFailure", "the device reports the old version after its restart")

    async def _withdraw(self) -> None:
        """Take a release back, so that a device cannot act on it after it was reported as failed."""
        try:
            self._counted(
                await self._context.head_end.call("withdraw", critical=True, device=self._plan.device)
            )
        except HubRefusedError as error:
            self._journal.write(WithdrawRefused(self._plan.device, error.text))

    def _counted(self, job: Fields) -> None:
        if "transfer" in job:
            counts = decode(TransferCounts, job["transfer"], "transfer")
            self._journal.write(TransferCounted(self._plan.device, counts))

    async def _runs(self, hop: Hop) -> bool:
        version = await read_back(self._context, self._entry)
        self._journal.write(VersionReadBack(self._plan.device, version))
        return version == hop.version

    # Ends

    def _failed(self, failure: _HopFailed, reasons: Sequence[DeviceReason]) -> Problem:
        advice = _ADVICE.get(failure.outcome, "Find out why the device refuses the image")
        problem = Problem(
            self._plan.device,
            f"The {self._plan.name} device did not reach firmware {self._plan.target_display}",
            "; ".join((f"{failure.outcome}: {failure.cause}", *telling(reasons))),
            f"{advice}, then run the campaign again; the previous head end keeps control",
            Severity.ERROR,
        )
        record(problem, self._journal)
        return problem


def _failure_of(job: Fields, told: str) -> tuple[str, str]:
    """Return outcome and cause of a failed job; `told` is the outcome the hub's last alert named, if it came."""
    detail = str(job.get("detail") or f"the hub's job is {job['state']}")
    named = f"{job.get('outcome') or ''} {told} {detail}".replace(" ", "").lower()
    for outcome in ("HardwareVersionMismatch", "FirmwareImageDiscarded"):
        if outcome.lower() in named:
            return outcome, detail
    return "FileTransferFailure", detail
