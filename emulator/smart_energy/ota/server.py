"""The OTA server machine of a comms hub: events in, effects out, no input or output of its own.

A device is served only the image the head end authorised for it. Devices are named by EUI-64. The block path
works on payload octets; everything the hub must remember is in `snapshot()`.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.clock.kernel import Scope
from emulator.errors import EmulatorError, FrameError
from emulator.smart_energy.ota import messages
from emulator.smart_energy.ota.effects import (
    HOLD,
    Activation,
    ActivationKind,
    DefaultResponse,
    JobOutcome,
    JobState,
    Outcome,
    Persist,
    ServerEffect,
    ServerPageTimer,
    ServerReply,
    ServerSend,
    TransferAttemptFailed,
    TransferProgress,
    TransferStarted,
)
from emulator.smart_energy.ota.jobs import (
    Job,
    OtaDeviceConfig,
    OtaServerConfig,
    StoredImage,
    dump_jobs,
    load_jobs,
)
from emulator.smart_energy.ota.messages import (
    BLOCK_HEADER,
    WAIT_FOREVER,
    ImageKey,
    OtaCommand,
    pack_block_response,
    unpack_block_request,
)
from emulator.smart_energy.ota.sessions import Session, Sessions, zigbee_time
from emulator.zcl.frame import ZclStatus, status_name

Effects = list[ServerEffect]

_BLOCK_REQUEST = int(OtaCommand.IMAGE_BLOCK_REQUEST)
_BLOCK_RESPONSE = int(OtaCommand.IMAGE_BLOCK_RESPONSE)
_ABORT = messages.BlockRefused(ZclStatus.ABORT).pack()


class OtaServer:
    """OTA upgrade server for the devices of one home."""

    def __init__(self, scope: Scope, config: OtaServerConfig | None = None) -> None:
        """`scope` gives time only."""
        self.jobs: dict[int, Job] = {}
        self._scope = scope
        self.images: dict[ImageKey, StoredImage] = {}
        self._sessions = Sessions(scope, config or OtaServerConfig())
        self._silence_us = self._sessions.config.silence_us

    @property
    def config(self) -> OtaServerConfig:
        """The limits it keeps; may be replaced at any time."""
        return self._sessions.config

    @config.setter
    def config(self, config: OtaServerConfig) -> None:
        self._sessions.config = config
        self._silence_us = config.silence_us

    # Orders from the head end

    def store_image(self, image: StoredImage) -> None:
        """Keep an image; one with the same key is replaced. Raises `EmulatorError` for an empty one."""
        if not image.data:
            raise EmulatorError(f"OTA image {image.key}: no octets, expected an OTA file")
        self.images[image.key] = image

    def configure(self, device: int, config: OtaDeviceConfig) -> None:
        """Set how `device` is treated from its next request on."""
        self._sessions.configure(device, config)

    def authorise(self, device: int, key: ImageKey, activation: Activation = HOLD) -> Effects:
        """Let `device` download the stored image `key`, in place of any earlier job of that device.

        The same order again leaves progress as it is. Raises `EmulatorError` when the image is not stored.
        """
        if key not in self.images:
            raise EmulatorError(f"OTA image {key} is not stored; store it before authorising {device:016X}")
        job = self.jobs.get(device)
        if job is not None and job.key == key and not job.state.is_over:
            job.activation = activation
            return [Persist()]
        self.jobs[device] = Job(device, key, activation)
        self._sessions.end(device)
        return [Persist()]

    def withdraw(self, device: int, detail: str = "withdrawn by the head end") -> Effects:
        """Cancel the job of `device`; a download under way is answered ABORT."""
        job = self.jobs.get(device)
        if job is None or job.state.is_over:
            return []
        job.state = JobState.WITHDRAWN
        job.detail = detail
        self._sessions.end(device)
        return [Persist()]

    def release(self, device: int, activation: Activation) -> Effects:
        """Say when `device` may activate; one that holds the image already is told at once.

        A sleepy device may miss it, and learns it when it asks again. Raises `EmulatorError` without a job.
        """
        job = self.jobs.get(device)
        if job is None or job.state.is_over:
            raise EmulatorError(f"device {device:016X} has no OTA job to release; authorise one first")
        job.activation = activation
        if job.state not in {JobState.HELD, JobState.RELEASED}:
            return [Persist()]
        job.state = JobState.HELD if activation.kind is ActivationKind.HOLD else JobState.RELEASED
        return [Persist(), ServerSend(device, OtaCommand.UPGRADE_END_RESPONSE, self._end_payload(job))]

    def notify(self, device: int, *, jitter: int = 100) -> Effects:
        """Send `device` an Image Notify that names its image; nothing without an unfinished job."""
        job = self.jobs.get(device)
        if job is None or job.state.is_over:
            return []
        payload = messages.ImageNotify(jitter, *job.key).pack()
        return [ServerSend(device, OtaCommand.IMAGE_NOTIFY, payload)]

    def snapshot(self) -> bytes:
        """Return the jobs for non-volatile memory."""
        return dump_jobs(self.jobs)

    def restore(self, data: bytes) -> None:
        """Take up the jobs of an earlier `snapshot()`; raises `NonVolatileError`."""
        self.jobs = load_jobs(data)
        self._sessions.clear()

    # Messages of devices

    def message(self, device: int, command: int, payload: bytes) -> Effects:
        """A command of the client on `device` arrived.

        Raises `FrameError` when it is malformed or unknown, which the shell answers as the ZCL says.
        """
        if command == _BLOCK_REQUEST:
            return self._block_request(device, payload)
        handler = self._HANDLERS.get(command)
        if handler is None:
            raise FrameError(f"OTA server: command 0x{command:02X} at offset 0, expected 0x01 to 0x08")
        return handler(self, device, payload)

    def default_response(self, device: int, command: int, status: int) -> Effects:
        """`device` answered our `command` with a Default Response."""
        job = self.jobs.get(device)
        if job is None or job.state.is_over or status == ZclStatus.SUCCESS:
            return []
        if command == OtaCommand.UPGRADE_END_RESPONSE and status == ZclStatus.NOT_AUTHORIZED:
            job.detail = "the device activates out of band only"
            return [Persist()]
        if command != OtaCommand.QUERY_NEXT_IMAGE_RESPONSE:
            return []
        job.device_status = status_name(status)
        outcome = Outcome.FILE_TRANSFER_FAILURE
        detail = f"the device refused the image: {job.device_status}"
        if status == ZclStatus.INSUFFICIENT_SPACE:
            detail = "the image does not fit the device's storage"
        elif status == ZclStatus.INVALID_IMAGE:
            outcome = Outcome.FIRMWARE_IMAGE_DISCARDED
            detail = "the device refused the image before any block: INVALID_IMAGE, as for an older version"
        return self._finish(job, JobState.FAILED, outcome, detail)

    def page_due(self, device: int) -> Effects:
        """The timer of `ServerPageTimer` ran out: the next block of the page goes out."""
        session = self._sessions.get(device)
        if session is None or session.job.state.is_over or session.page_offset >= session.page_end:
            return []
        offset = session.page_offset
        room = min(session.page_maximum, session.page_end - offset)
        data = session.image.data[offset : offset + room]
        session.page_offset = offset + len(data)
        session.last_us = self._scope.now
        session.job.counts.sent(offset, len(data), session.last_offset)
        session.last_offset = offset
        block = messages.ImageBlock(session.job.key, offset, data).pack()
        effects: Effects = [ServerSend(device, OtaCommand.IMAGE_BLOCK_RESPONSE, block)]
        effects += self._advance(session, offset, session.page_offset)
        if session.page_offset < session.page_end:
            effects.append(ServerPageTimer(device, session.page_spacing_us))
        return effects

    def _query(self, device: int, payload: bytes) -> Effects:
        request = messages.parse_query_next_image_request(payload)
        reply = OtaCommand.QUERY_NEXT_IMAGE_RESPONSE
        return self._offer(device, request.key, request.hardware_version, reply)

    def _query_specific(self, device: int, payload: bytes) -> Effects:
        request = messages.parse_query_specific_file_request(payload)
        return self._offer(device, request.key, None, OtaCommand.QUERY_SPECIFIC_FILE_RESPONSE)

    def _offer(self, device: int, running: ImageKey, hardware: int | None, reply: OtaCommand) -> Effects:
        """Answer a query: the authorised image, if it is for this hardware and not what already runs."""
        refusal = ServerReply(reply, messages.QueryNextImageResponse(ZclStatus.NO_IMAGE_AVAILABLE).pack())
        job = self.jobs.get(device)
        if job is None or job.state.is_over or running[:2] != job.key[:2]:
            return [refusal]
        if running.version == job.key.version and reply is OtaCommand.QUERY_NEXT_IMAGE_RESPONSE:
            detail = "the device reports the new version"
            return [*self._finish(job, JobState.ACTIVATED, Outcome.ACTIVATION_SUCCESS, detail), refusal]
        image = self.images.get(job.key)
        if image is None:
            return [refusal]
        if not image.fits_hardware(hardware):
            wanted = f"{image.hardware_minimum} to {image.hardware_maximum}"
            detail = f"the device's hardware version is {hardware}, the image is for {wanted}"
            failed = self._finish(job, JobState.FAILED, Outcome.HARDWARE_VERSION_MISMATCH, detail)
            return [*failed, refusal]
        offer = messages.QueryNextImageResponse(ZclStatus.SUCCESS, job.key, len(image.data))
        return [ServerReply(reply, offer.pack())]

    # Blocks

    def _block_request(self, device: int, payload: bytes) -> Effects:
        if len(payload) < BLOCK_HEADER:
            raise FrameError(f"OTA Image Block Request: {len(payload)} octets, expected {BLOCK_HEADER}")
        control, manufacturer, image_type, version, offset, maximum = unpack_block_request(payload)
        session = self._sessions.get(device)
        if session is None or payload[1:9] != session.prefix:
            opened = self._open(device, _BLOCK_REQUEST, payload)
            if not isinstance(opened, Session):
                return opened
            session = opened
        if not session.active or session.period_us:
            held_up = self._sessions.hold_up(session, control, payload)
            if held_up:
                return held_up
        now = self._scope.now
        counts = session.job.counts
        if now - session.last_us > self._silence_us and session.last_us:
            counts.silences += 1
        session.last_us = now
        if offset >= session.size or not maximum:
            return [DefaultResponse(_BLOCK_REQUEST, ZclStatus.MALFORMED_COMMAND)]
        cap = session.maximum_block
        data = session.image.data[offset : offset + (maximum if maximum < cap else cap)]
        end = offset + len(data)
        block = pack_block_response(0, manufacturer, image_type, version, offset, len(data)) + data
        counts.sent(offset, len(data), session.last_offset)
        session.last_offset = offset
        effects: Effects = [ServerReply(_BLOCK_RESPONSE, block)]
        if end >= session.report_at:
            effects += self._advance(session, offset, end)
        return effects

    def _open(self, device: int, command: int, payload: bytes) -> Session | Effects:
        """Start a session for an authorised device, or say why not."""
        key = ImageKey(*messages.KEY.unpack_from(payload, 1))
        job = self.jobs.get(device)
        if job is None or job.key != key:
            return [DefaultResponse(command, ZclStatus.NO_IMAGE_AVAILABLE)]
        image = self.images.get(key)
        if job.state.is_over or image is None:
            return [ServerReply(_BLOCK_RESPONSE, _ABORT)]
        return self._sessions.open(job, image, payload[1:9])

    def _advance(self, session: Session, start: int, end: int) -> Effects:
        """Note that `start` to `end` went out, and report progress now and then."""
        job = session.job
        # Where the transfer stands, and what it took to get there, survives the hub's next power cut.
        effects: Effects = [Persist()]
        job.state = JobState.TRANSFERRING if job.state is JobState.SCHEDULED else job.state
        if not session.report_at:
            effects.append(TransferStarted(job.device, job.key, start))
        job.offset = end
        if end >= session.report_at or end >= session.size:
            session.report_at = end + self.config.progress_interval
            if end < session.size < session.report_at:
                session.report_at = session.size
            effects.append(TransferProgress(job.device, job.key, end, session.size))
        return effects

    def _page_request(self, device: int, payload: bytes) -> Effects:
        if not self.config.page_requests:
            return [DefaultResponse(OtaCommand.IMAGE_PAGE_REQUEST, ZclStatus.UNSUP_CLUSTER_COMMAND)]
        request = messages.parse_image_page_request(payload)
        session = self._sessions.get(device)
        if session is None or payload[1:9] != session.prefix:
            opened = self._open(device, OtaCommand.IMAGE_PAGE_REQUEST, payload)
            if not isinstance(opened, Session):
                return opened
            session = opened
        if not session.active:
            held_up = self._sessions.hold_up(session, 0, payload)
            if held_up:
                return held_up
        if request.offset >= session.size or not request.maximum:
            return [DefaultResponse(OtaCommand.IMAGE_PAGE_REQUEST, ZclStatus.MALFORMED_COMMAND)]
        page = min(request.page_size, self.config.maximum_page)
        session.page_offset = request.offset
        session.page_end = min(request.offset + page, session.size)
        session.page_maximum = min(request.maximum, session.maximum_block)
        session.page_spacing_us = 1000 * max(request.spacing_ms, self.config.page_spacing_floor_ms)
        return self.page_due(device)

    # The end of a transfer

    def _upgrade_end(self, device: int, payload: bytes) -> Effects:
        request = messages.parse_upgrade_end_request(payload)
        job = self.jobs.get(device)
        if job is None:
            return [DefaultResponse(OtaCommand.UPGRADE_END_REQUEST, ZclStatus.NO_IMAGE_AVAILABLE)]
        if job.key != request.key or job.state is JobState.WITHDRAWN:
            # Not merely unknown: a device that is only refused may run the image after enough refusals.
            return [DefaultResponse(OtaCommand.UPGRADE_END_REQUEST, ZclStatus.ABORT)]
        self._sessions.end(device)
        if request.status == ZclStatus.SUCCESS:
            return self._transferred(job)
        answer = DefaultResponse(OtaCommand.UPGRADE_END_REQUEST, ZclStatus.SUCCESS)
        return [*self._attempt_failed(job, request.status), answer]

    def _transferred(self, job: Job) -> Effects:
        effects: Effects = []
        if job.state in {JobState.SCHEDULED, JobState.TRANSFERRING, JobState.FAILED}:
            detail = "the device verified the image"
            effects.append(JobOutcome(job.device, job.key, Outcome.FILE_TRANSFER_SUCCESS, detail))
        image = self.images.get(job.key)
        job.offset = len(image.data) if image is not None else job.offset
        if job.state is not JobState.ACTIVATED:
            held = job.activation.kind is ActivationKind.HOLD
            job.state = JobState.HELD if held else JobState.RELEASED
        answer = ServerReply(OtaCommand.UPGRADE_END_RESPONSE, self._end_payload(job))
        return [Persist(), *effects, answer]

    def _attempt_failed(self, job: Job, status: int) -> Effects:
        if job.state.is_over:
            return []
        job.device_status = status_name(status)
        if status == ZclStatus.REQUIRE_MORE_IMAGE:
            return [TransferAttemptFailed(job.device, job.key, status)]
        if status == ZclStatus.INVALID_IMAGE:
            detail = "the device found the image invalid"
            return self._finish(job, JobState.FAILED, Outcome.FIRMWARE_IMAGE_DISCARDED, detail)
        job.attempts += 1
        if job.attempts >= self.config.maximum_attempts:
            detail = f"{job.attempts} attempts ended, the last with {job.device_status}"
            return self._finish(job, JobState.FAILED, Outcome.FILE_TRANSFER_FAILURE, detail)
        return [Persist(), TransferAttemptFailed(job.device, job.key, status)]

    def _end_payload(self, job: Job) -> bytes:
        now = 0 if self.config.relative_times else zigbee_time(self._scope)
        activation = job.activation
        if activation.kind is ActivationKind.NOW:
            return messages.UpgradeEndResponse(job.key, 0, 0).pack()
        if activation.kind is ActivationKind.HOLD:
            return messages.UpgradeEndResponse(job.key, now, WAIT_FOREVER).pack()
        delay_s = max(0, activation.at_unix_seconds - self._scope.unix_seconds)
        # A time beyond the field's range must not read as the one that holds for ever.
        return messages.UpgradeEndResponse(job.key, now, min(now + delay_s, WAIT_FOREVER - 1)).pack()

    def _finish(self, job: Job, state: JobState, outcome: Outcome, detail: str) -> Effects:
        job.state = state
        job.outcome = outcome
        job.detail = detail
        self._sessions.end(job.device)
        return [Persist(), JobOutcome(job.device, job.key, outcome, detail)]

    _HANDLERS: dict[int, Callable[[OtaServer, int, bytes], Effects]] = {
        OtaCommand.QUERY_NEXT_IMAGE_REQUEST: _query,
        OtaCommand.IMAGE_PAGE_REQUEST: _page_request,
        OtaCommand.UPGRADE_END_REQUEST: _upgrade_end,
        OtaCommand.QUERY_SPECIFIC_FILE_REQUEST: _query_specific,
    }
