"""Firmware at the hub: images received over the WAN, and the OTA server that hands them to devices.

Images and jobs live in non-volatile memory: a hub that loses power goes on where it was. Every change of a job and
every outcome is an alert to the head end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from emulator.clock.kernel import MICROSECONDS, Scope
from emulator.coordinator.port import CoordinatorPort
from emulator.errors import FrameError
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.ota import effects
from emulator.smart_energy.ota.effects import HOLD, NOW, Activation, ActivationKind, JobState, Outcome
from emulator.smart_energy.ota.file import parse as parse_ota_file
from emulator.smart_energy.ota.jobs import Job, OtaDeviceConfig, StoredImage
from emulator.smart_energy.ota.messages import ImageKey
from emulator.smart_energy.ota.server import OtaServer
from emulator.stack.primitives import EVERY_ENDPOINT, ApsdeIndication, ApsdeRequest, Status
from emulator.wan import alerts
from emulator.wan.messages import WanError
from emulator.wan.results import ImageHeld, ImageState, ImageStored, JobStatus, TransferCounts
from emulator.zcl.frame import (
    GeneralCommand,
    ZclFrame,
    ZclStatus,
    cluster_request,
    cluster_response,
    default_response,
    status_name,
)
from emulator.zcl.identifiers import OTA_UPGRADE
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

_JOBS = "firmware.jobs"
_IMAGES = "firmware.images"
_DEVICES = "firmware.devices"
NOTIFY_PERIOD_US = 15 * 60 * MICROSECONDS
"""How often a device that should be downloading, and is silent, is notified of its image again."""
_CLIENT = "firmware.client."
DELIVERY_ATTEMPTS = 28
"""How often an unasked message is sent to a device that does not acknowledge it: enough for a sleepy one."""
_SETTLING_US = 30 * MICROSECONDS
_TRANSFER_STATES = (JobState.SCHEDULED, JobState.TRANSFERRING)

Alert = Callable[[alerts.Alert], None]


class FirmwareService:
    """Stores images, schedules jobs, serves blocks."""

    def __init__(
        self, scope: Scope, port: CoordinatorPort, nonvolatile: NonVolatile, endpoint: int, alert: Alert
    ) -> None:
        """`endpoint` is the hub's endpoint with the OTA server; `alert` tells the head end."""
        self._scope = scope
        self._port = port
        self._nonvolatile = nonvolatile
        self._endpoint = endpoint
        self._alert = alert
        self._tsn = 0
        self._images: dict[str, dict[str, Any]] = {}
        self._device_limits: dict[str, dict[str, int]] = {}
        self._client_endpoints: dict[int, int] = {}
        self._heard_us: dict[int, int] = {}
        self._frame_us: dict[int, int] = {}
        self._silences_us: dict[int, int] = {}
        self.server = OtaServer(scope)
        self._restore()
        scope.call_later(_SETTLING_US, self._remind)

    # Orders from the head end

    def image_begin(self, sha256: str, size: int, name: str) -> ImageState:
        """Announce an image; returns how many octets are held already."""
        if sha256 not in self._images:
            self._images[sha256] = {"size": size, "held": 0, "name": name, "complete": False}
            self._save_images()
        return ImageState(self._images[sha256]["held"], self._images[sha256]["complete"])

    def image_data(self, sha256: str, offset: int, data: bytes) -> ImageHeld:
        """Take the next octets of an image; a repeated piece is ignored."""
        image = self._image(sha256)
        if offset == image["held"] and not image["complete"]:
            self._nonvolatile.flash_write(_area(sha256), offset, data)
            image["held"] += len(data)
            self._save_images()
        return ImageHeld(image["held"])

    def image_commit(self, sha256: str) -> ImageStored:
        """Check a complete image against its hash and header, and give it to the OTA server."""
        image = self._image(sha256)
        if not image["complete"]:
            data = self._nonvolatile.flash_read(_area(sha256), image["held"])
            if image["held"] != image["size"] or hashlib.sha256(data).hexdigest() != sha256:
                self._forget_image(sha256)
                raise WanError("image-hash", f"image {sha256[:16]} arrived damaged; send it again")
            try:
                self._store(sha256, data)
            except FrameError as error:
                self._forget_image(sha256)
                raise WanError("image-malformed", f"image {sha256[:16]} is no OTA file: {error}") from error
            image["complete"] = True
            self._save_images()
        return ImageStored(_identity(self._key(sha256)))

    def schedule(self, device: int, sha256: str, maximum_block: int, block_period_ms: int) -> JobStatus:
        """Let `device` download an image, and hold its activation; scheduling the same again changes nothing."""
        if not self._image(sha256)["complete"]:
            raise WanError("image-missing", f"image {sha256[:16]} is not complete at the hub")
        self._limit(format_eui64(device), {"block": maximum_block, "period_ms": block_period_ms})
        job = self.server.jobs.get(device)
        if job is None or job.key != self._key(sha256) or job.state in (JobState.FAILED, JobState.WITHDRAWN):
            self._run(self.server.authorise(device, self._key(sha256), HOLD))
        self._run(self.server.notify(device))
        return self.status(device)

    def release(self, device: int, at_unix_seconds: int) -> JobStatus:
        """Let `device` activate: now when `at_unix_seconds` is 0."""
        job = self.server.jobs.get(device)
        if job is None or job.state.is_over:
            raise WanError("no-job", f"{format_eui64(device)} has no image to activate")
        when = NOW if at_unix_seconds == 0 else Activation(ActivationKind.AT, at_unix_seconds)
        self._run(self.server.release(device, when))
        self._silences_us.setdefault(device, 0)
        return self.status(device)

    def withdraw(self, device: int) -> JobStatus:
        """Cancel a job that is not over."""
        self._run(self.server.withdraw(device))
        return self.status(device)

    def status(self, device: int) -> JobStatus:
        """Return the job of `device`; state `none` when there is none."""
        job = self.server.jobs.get(device)
        if job is None:
            return JobStatus(format_eui64(device), "none")
        return JobStatus(
            format_eui64(device),
            job.state.value,
            _identity(job.key),
            job.offset,
            job.attempts,
            job.detail,
            None if job.outcome is None else job.outcome.value,
            _counts(job),
            job.device_status,
        )

    # From devices

    def heard(self, device: int) -> None:
        """A frame of `device` arrived, whatever it is: how long it was off the air while it activates."""
        now = self._scope.now
        longest = self._silences_us.get(device)
        if longest is not None:
            self._silences_us[device] = max(longest, now - self._frame_us.get(device, now))
        self._frame_us[device] = now

    def message(self, indication: ApsdeIndication, frame: ZclFrame) -> None:
        """A command of an OTA client arrived: the block path, kept short."""
        device = indication.source_eui64
        if device is None:
            return
        self._heard_us[device] = self._scope.now
        if frame.frame_control & 0x03 == 0:
            if frame.command == GeneralCommand.DEFAULT_RESPONSE and len(frame.payload) >= 2:
                self._run(self.server.default_response(device, frame.payload[0], frame.payload[1]))
            return
        try:
            answers = self.server.message(device, frame.command, frame.payload)
        except FrameError:
            self._reply(indication, default_response(frame, ZclStatus.MALFORMED_COMMAND))
            return
        self._know_endpoint(device, indication.source_endpoint)
        for effect in answers:
            if type(effect) is effects.ServerReply:
                self._reply(indication, cluster_response(frame, effect.command, effect.payload))
            elif type(effect) is effects.DefaultResponse:
                self._reply(indication, default_response(frame, effect.status))
            else:
                self._perform(effect)

    def _reply(self, indication: ApsdeIndication, asdu: bytes) -> None:
        # No APS acknowledgement for block traffic: the client asks again for what it misses.
        self._port.send(
            ApsdeRequest(
                indication.source,
                indication.source_endpoint,
                indication.profile,
                OTA_UPGRADE,
                self._endpoint,
                asdu,
                ack=False,
                secure=True,
            )
        )

    def _run(self, wanted: list[effects.ServerEffect]) -> None:
        for effect in wanted:
            self._perform(effect)

    def _perform(self, effect: effects.ServerEffect) -> None:
        match effect:
            case effects.Persist():
                self._nonvolatile.put(_JOBS, self.server.snapshot())
            case effects.ServerSend(device, command, payload):
                self._send(device, command, payload)
            case effects.ServerPageTimer(device, delay_us):
                self._scope.call_later(delay_us, self._page_due, device)
            case effects.TransferStarted(device, key, offset):
                self._alert(alerts.TransferStarted(format_eui64(device), key.version, offset))
            case effects.TransferProgress(device, key, offset, size):
                self._alert(alerts.TransferProgress(format_eui64(device), key.version, offset, size))
            case effects.TransferAttemptFailed(device, key, status):
                name, said = format_eui64(device), status_name(status)
                self._alert(alerts.TransferAttemptFailed(name, key.version, status, said))
            case effects.JobOutcome(device, key, outcome, detail):
                self._ended(device, key, outcome, detail)

    def _ended(self, device: int, key: ImageKey, outcome: Outcome, detail: str) -> None:
        job = self.server.jobs[device]
        silent_ms = self._silence(device) if outcome is Outcome.ACTIVATION_SUCCESS else None
        self._alert(
            alerts.JobOutcome(
                format_eui64(device),
                key.version,
                outcome.value,
                detail,
                _counts(job),
                job.device_status,
                silent_ms,
            )
        )

    def _silence(self, device: int) -> int | None:
        """The longest the hub heard nothing of an activating device, in ms; None when it was away itself."""
        silence_us = self._silences_us.pop(device, None)
        return None if silence_us is None else silence_us // 1000

    def _remind(self) -> None:
        """Notify devices that should be downloading and have been silent: a sleepy one missed the first notice,
        one whose hub was away has given up for now.
        """
        silent_since = self._scope.now - NOTIFY_PERIOD_US
        for device, job in sorted(self.server.jobs.items()):
            if job.state in _TRANSFER_STATES and self._heard_us.get(device, silent_since) <= silent_since:
                self._run(self.server.notify(device))
        self._scope.call_later(NOTIFY_PERIOD_US, self._remind)

    def _page_due(self, device: int) -> None:
        self._run(self.server.page_due(device))

    def _send(self, device: int, command: int, payload: bytes) -> None:
        self._tsn = (self._tsn + 1) & 0xFF
        self._deliver(device, cluster_request(self._tsn, command, payload, from_server=True), 1)

    def _deliver(self, device: int, asdu: bytes, attempt: int) -> None:
        """Send what nobody asked for, again and again: a sleepy device hears it only when it polls."""
        short = self._port.short_of(device)
        if short is None:
            return
        endpoint = self._client_endpoints.get(device, EVERY_ENDPOINT)
        known = endpoint != EVERY_ENDPOINT
        request = ApsdeRequest(
            short, endpoint, SMART_ENERGY_PROFILE, OTA_UPGRADE, self._endpoint, asdu, ack=known, secure=True
        )

        def confirmed(status: Status) -> None:
            if known and status is not Status.SUCCESS and attempt < DELIVERY_ATTEMPTS:
                self._scope.call_later(MICROSECONDS, self._deliver, device, asdu, attempt + 1)

        self._port.send(request, confirmed)

    def _know_endpoint(self, device: int, endpoint: int) -> None:
        if self._client_endpoints.get(device) != endpoint:
            self._client_endpoints[device] = endpoint
            self._nonvolatile.put(f"{_CLIENT}{device:016x}", bytes((endpoint,)))

    # Non-volatile state

    def _restore(self) -> None:
        self._images = json.loads(self._nonvolatile.get(_IMAGES) or b"{}")
        for sha256, image in self._images.items():
            if image["complete"]:
                self._store(sha256, self._nonvolatile.flash_read(_area(sha256), image["size"]))
        self._device_limits = json.loads(self._nonvolatile.get(_DEVICES) or b"{}")
        for name in self._device_limits:
            self._configure(name)
        for token in self._nonvolatile.keys(_CLIENT):
            endpoint = self._nonvolatile.get(token) or b"\xff"
            self._client_endpoints[int(token.removeprefix(_CLIENT), 16)] = endpoint[0]
        jobs = self._nonvolatile.get(_JOBS)
        if jobs is not None:
            self.server.restore(jobs)

    def _limit(self, name: str, limits: dict[str, int]) -> None:
        if self._device_limits.get(name) != limits:
            self._device_limits[name] = limits
            self._nonvolatile.put(_DEVICES, json.dumps(self._device_limits, sort_keys=True).encode())
            self._configure(name)

    def _configure(self, name: str) -> None:
        limits = self._device_limits[name]
        config = OtaDeviceConfig(
            maximum_block=limits["block"], minimum_block_period_us=limits["period_ms"] * 1000
        )
        self.server.configure(int(name.replace("-", ""), 16), config)

    def _store(self, sha256: str, data: bytes) -> None:
        file = parse_ota_file(data)
        header = file.header
        key = ImageKey(header.manufacturer_code, header.image_type, header.file_version)
        self._images[sha256]["key"] = list(key)
        self.server.store_image(
            StoredImage(key, file.image, header.hardware_minimum, header.hardware_maximum)
        )

    def _key(self, sha256: str) -> ImageKey:
        return ImageKey(*self._image(sha256)["key"])

    def _image(self, sha256: str) -> dict[str, Any]:
        if sha256 not in self._images:
            raise WanError("image-missing", f"image {sha256[:16]} is not at the hub")
        return self._images[sha256]

    def _forget_image(self, sha256: str) -> None:
        self._nonvolatile.flash_erase(_area(sha256))
        del self._images[sha256]
        self._save_images()

    def _save_images(self) -> None:
        self._nonvolatile.put(_IMAGES, json.dumps(self._images, sort_keys=True).encode())


def _identity(key: ImageKey) -> tuple[int, int, int]:
    return (key.manufacturer, key.image_type, key.version)


def _counts(job: Job) -> TransferCounts:
    return TransferCounts(**asdict(job.counts))


def _area(sha256: str) -> str:
    return f"image.{sha256[:32]}"
