"""The OTA client machine of a device: events in, effects out, no input or output of its own.

The shell calls `power_up()` once after every start, then `message`, `default_response`, `notify`, `timer`,
`flash_ready`, `verified`... as things happen, and carries out the returned effects in order. Only what
`SaveState` hands over survives a power cut.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.errors import FrameError
from emulator.smart_energy.ota import messages
from emulator.smart_energy.ota.effects import (
    Activate,
    CancelTimer,
    DefaultResponse,
    FindServer,
    ImageComplete,
    OtaPhase,
    OtaTimer,
    SaveState,
    Send,
    SetTimer,
    StatusChanged,
    Stopped,
    StopReason,
)
from emulator.smart_energy.ota.messages import (
    INVALID_TIME,
    WAIT_FOREVER,
    ImageKey,
    ImageUpgradeStatus,
    OtaCommand,
)
from emulator.smart_energy.ota.policy import CLAMP_US, HOUR
from emulator.smart_energy.ota.transfer import BlockTransfer, Effects
from emulator.zcl.frame import ZclStatus

_BLOCK_RESPONSE = int(OtaCommand.IMAGE_BLOCK_RESPONSE)
_BLOCK_REQUEST = int(OtaCommand.IMAGE_BLOCK_REQUEST)
_PAGE_REQUEST = int(OtaCommand.IMAGE_PAGE_REQUEST)
_DOWNLOADED = (OtaPhase.ENDING, OtaPhase.WAITING, OtaPhase.COUNTDOWN, OtaPhase.EXTERNAL)


class OtaClient(BlockTransfer):
    """One device's OTA client; attributes of cluster 0x0019 are its properties."""

    _started = False
    """Whether the server is known: nothing is asked before."""
    _notified = False
    """Whether an Image Notify came before that."""

    @property
    def downloaded_version(self) -> int | None:
        """Version of the complete image in the slot, None while there is none."""
        return self.key.version if self.key is not None and self.phase in _DOWNLOADED else None

    # Events

    def power_up(self) -> Effects:
        """Start after a reset, when the server is known: pick up a saved download, otherwise query.

        It queries after a random delay, or at once when an Image Notify came while the server was still looked for.
        """
        self._started = True
        effects = self._pick_up()
        if self._notified and self.phase == OtaPhase.IDLE:
            effects = [*effects, *self.query()]
        self._notified = False
        return effects

    def left(self) -> Effects:
        """The network was left: what was downloaded and ordered on it is void, until `power_up` on the next."""
        self._started = self._notified = False
        self.key, self.offset, self._saved = None, 0, None
        effects: Effects = [CancelTimer(name) for name in OtaTimer]
        return [*effects, *self._enter(OtaPhase.IDLE), SaveState(None)]

    def _pick_up(self) -> Effects:
        saved = self._saved
        if saved is not None and saved.key.version == self.policy.current_version:
            # The activation that this state was waiting for has happened.
            self._saved = None
            return [SaveState(None), self._query_after_start()]
        if saved is None or saved.phase in {OtaPhase.IDLE, OtaPhase.ERASING, OtaPhase.DOWNLOADING}:
            return [self._query_after_start()]
        self._adopt(saved)
        if saved.phase == OtaPhase.VERIFYING:
            return [*self._enter(OtaPhase.VERIFYING), ImageComplete(saved.key, saved.size)]
        if saved.phase == OtaPhase.COUNTDOWN:
            wait_us = max(0, saved.activate_at - self._scope.unix_seconds) * SECOND
            return [*self._enter(OtaPhase.COUNTDOWN), SetTimer(OtaTimer.ACTIVATE, wait_us)]
        if saved.phase == OtaPhase.EXTERNAL:
            return self._enter(OtaPhase.EXTERNAL)
        return [*self._enter(saved.phase), SetTimer(OtaTimer.END, self._start_delay_us())]

    def notify(self, payload: bytes, *, broadcast: bool) -> Effects:
        """Image Notify arrived; a unicast one always makes an idle client query."""
        message = messages.parse_image_notify(payload)
        if not self._started:
            self._notified = self._notified or not broadcast or self._broadcast_concerns_me(message)
            return []
        if self.phase != OtaPhase.IDLE or (broadcast and not self._broadcast_concerns_me(message)):
            return []
        return self.query()

    def query(self) -> Effects:
        """Ask the server for the next image now; ignored while a download is under way."""
        if self.phase not in {OtaPhase.IDLE, OtaPhase.QUERYING}:
            return []
        policy = self.policy
        key = ImageKey(policy.manufacturer, policy.image_type, policy.current_version)
        request = messages.QueryNextImageRequest(key, policy.hardware_version)
        self.phase = OtaPhase.QUERYING
        return [
            Send(OtaCommand.QUERY_NEXT_IMAGE_REQUEST, request.pack()),
            CancelTimer(OtaTimer.QUERY),
            self._response_timer,
        ]

    def server_found(self) -> Effects:
        """The shell found an OTA server after `FindServer`."""
        return self.query()

    def message(self, command: int, payload: bytes) -> Effects:
        """A command of the server arrived (any but Image Notify, which goes to `notify`).

        Raises `FrameError` when the payload is malformed, which is answered MALFORMED_COMMAND by the shell.
        """
        if command == _BLOCK_RESPONSE:
            return self._block_response(payload)
        handler = self._HANDLERS.get(command)
        if handler is None:
            raise FrameError(f"OTA client: command 0x{command:02X} at offset 0, expected 0x02, 0x05 or 0x07")
        return handler(self, payload)

    def default_response(self, command: int, status: int) -> Effects:
        """The server answered our `command` with a Default Response."""
        if command == OtaCommand.UPGRADE_END_REQUEST:
            return self._end_acknowledged()
        if command == OtaCommand.QUERY_NEXT_IMAGE_REQUEST and self.phase == OtaPhase.QUERYING:
            return self._no_image()
        if self.phase != OtaPhase.DOWNLOADING or not self._awaiting:
            return []
        if command == _PAGE_REQUEST and status == ZclStatus.UNSUP_CLUSTER_COMMAND:
            self._pages = False
            self._page_end = 0
            return self._request()
        if command in {_BLOCK_REQUEST, _PAGE_REQUEST} and status == ZclStatus.NO_IMAGE_AVAILABLE:
            return self._stop(StopReason.NO_IMAGE, "Default Response to a block request")
        return self._block_error()

    def timer(self, name: OtaTimer) -> Effects:
        """The timer `name` ran out."""
        if name == OtaTimer.TRANSFER:
            return self._transfer_timer()
        if name == OtaTimer.QUERY:
            return self.query()
        if name == OtaTimer.END:
            return self._end_timer()
        return self._activation_due()

    def flash_ready(self) -> Effects:
        """The download slot has been erased."""
        return self._request() if self._resume_phase(OtaPhase.ERASING) else []

    def flash_failed(self) -> Effects:
        """A flash operation failed: the download ends with ABORT."""
        if self.phase not in {OtaPhase.ERASING, OtaPhase.DOWNLOADING}:
            return []
        return self._fail(ZclStatus.ABORT, StopReason.FLASH_FAILURE, f"at offset {self.offset}")

    def abandon(self, detail: str) -> Effects:
        """The device ends a download for a reason of its own, such as a low battery; the slot is kept."""
        if self.phase not in {OtaPhase.ERASING, OtaPhase.DOWNLOADING}:
            return []
        return self._stop(StopReason.LOCAL_ABORT, detail)

    def verified(self, status: int) -> Effects:
        """The shell verified the image: SUCCESS, INVALID_IMAGE, ABORT or REQUIRE_MORE_IMAGE."""
        if self.phase != OtaPhase.VERIFYING:
            return []
        if status == ZclStatus.SUCCESS:
            self._missed_answers = 0
            return [*self._enter(OtaPhase.ENDING), *self._save(), *self._send_end()]
        if status == ZclStatus.REQUIRE_MORE_IMAGE:
            effects = self._report_end(status)
            self.status = ImageUpgradeStatus.WAIT_FOR_MORE
            return [*effects, StatusChanged(self.status)]
        reason = StopReason.INVALID_IMAGE if status == ZclStatus.INVALID_IMAGE else StopReason.LOCAL_ABORT
        return self._fail(status, reason, f"{self.key}")

    def activate_now(self) -> Effects:
        """Activate on an order from outside this cluster (a meter command, a button)."""
        return self._activate() if self.phase in _DOWNLOADED else []

    # Querying

    def _query_after_start(self) -> SetTimer:
        return SetTimer(OtaTimer.QUERY, self._start_delay_us())

    def _start_delay_us(self) -> int:
        policy = self.policy
        return self._scope.random.randint(policy.start_delay_min_s, policy.start_delay_max_s) * SECOND

    def _broadcast_concerns_me(self, notify: messages.ImageNotify) -> bool:
        policy = self.policy
        wildcard = (None, messages.WILDCARD_MANUFACTURER)
        if notify.manufacturer not in {policy.manufacturer, *wildcard}:
            return False
        if notify.image_type not in {policy.image_type, *wildcard}:
            return False
        if notify.version == policy.current_version:
            return False
        return notify.jitter >= 100 or self._scope.random.randint(1, 100) <= notify.jitter

    def _query_response(self, payload: bytes) -> Effects:
        if self.phase != OtaPhase.QUERYING:
            return []
        response = messages.parse_query_response(payload)
        if response.key is None:
            return self._no_image()
        self._query_errors = 0
        return self._refusal(response.key, response.size) or self._begin(response.key, response.size)

    def _no_image(self) -> Effects:
        self._query_errors = 0
        self.phase = OtaPhase.IDLE
        return [CancelTimer(OtaTimer.TRANSFER), SetTimer(OtaTimer.QUERY, self.policy.query_interval_us)]

    def _refusal(self, key: ImageKey, size: int) -> Effects:
        policy = self.policy
        if (key.manufacturer, key.image_type) != (policy.manufacturer, policy.image_type):
            return self._refuse(ZclStatus.INVALID_IMAGE, StopReason.WRONG_IMAGE, f"{key}")
        if key.version == policy.current_version:
            return self._refuse(ZclStatus.INVALID_IMAGE, StopReason.SAME_VERSION, f"{key}")
        if policy.refuses_downgrade and key.version < policy.current_version:
            return self._refuse(ZclStatus.INVALID_IMAGE, StopReason.DOWNGRADE_REFUSED, f"{key}")
        if size > policy.storage_size:
            detail = f"{size} octets, storage has {policy.storage_size}"
            return self._refuse(ZclStatus.INSUFFICIENT_SPACE, StopReason.INSUFFICIENT_SPACE, detail)
        return []

    def _refuse(self, status: int, reason: StopReason, detail: str) -> Effects:
        answer = DefaultResponse(OtaCommand.QUERY_NEXT_IMAGE_RESPONSE, status)
        return [answer, Stopped(reason, detail), *self._no_image()]

    # Transferring

    def _resume_phase(self, expected: OtaPhase) -> bool:
        if self.phase != expected:
            return False
        self.phase = OtaPhase.DOWNLOADING
        return True

    def _transfer_timer(self) -> Effects:
        if self.phase == OtaPhase.QUERYING:
            return self._query_unanswered()
        if self.phase != OtaPhase.DOWNLOADING:
            return []
        if not self._awaiting:
            return self._request()
        if self._page_end > self.offset:
            return self._request_missing_block()
        return self._block_error()

    def _query_unanswered(self) -> Effects:
        self.phase = OtaPhase.IDLE
        self._query_errors += 1
        retry = SetTimer(OtaTimer.QUERY, min(self.policy.query_retry_us, self.policy.query_interval_us))
        if self._query_errors < self.policy.max_query_errors:
            return [retry]
        self._query_errors = 0
        return [FindServer(), retry]

    # Ending a download

    def _fail(self, status: int, reason: StopReason, detail: str) -> Effects:
        return [CancelTimer(OtaTimer.TRANSFER), *self._report_end(status), Stopped(reason, detail)]

    def _report_end(self, status: int) -> Effects:
        """Tell the server the download ended with `status`, until it acknowledges."""
        self._report = ZclStatus(status)
        self._missed_answers = 0
        return [*self._discard(), *self._enter(OtaPhase.REPORTING), *self._send_report()]

    def _send_report(self) -> Effects:
        retry_us = self.policy.response_timeout_us + self.policy.retry_backoff_us
        return [self._end_request(self._report), SetTimer(OtaTimer.END, retry_us)]

    def _end_request(self, status: int) -> Send:
        assert self.key is not None
        request = messages.UpgradeEndRequest(status, self.key)
        return Send(OtaCommand.UPGRADE_END_REQUEST, request.pack())

    def _send_end(self) -> Effects:
        held = self.phase == OtaPhase.WAITING
        wait_us = self.policy.held_reask_us if held else self.policy.end_retry_us
        return [self._end_request(ZclStatus.SUCCESS), SetTimer(OtaTimer.END, wait_us)]

    def _end_acknowledged(self) -> Effects:
        """A Default Response answered an Upgrade End Request; only a report of failure ends with that."""
        if self.phase != OtaPhase.REPORTING:
            return []
        more = self._report == ZclStatus.REQUIRE_MORE_IMAGE
        self.phase = OtaPhase.IDLE
        retry_us = SECOND if more else self.policy.query_interval_us
        return [CancelTimer(OtaTimer.END), SetTimer(OtaTimer.QUERY, retry_us)]

    def _end_timer(self) -> Effects:
        if self.phase not in {OtaPhase.REPORTING, OtaPhase.ENDING, OtaPhase.WAITING}:
            return []
        self._missed_answers += 1
        missed_all = self._missed_answers > self.policy.max_missed_end_answers
        if self.phase == OtaPhase.REPORTING:
            return self._end_acknowledged() if missed_all else self._send_report()
        if missed_all and self.policy.apply_after_missed_answers:
            return self._activate()
        return self._send_end()

    # Activating

    def _end_response(self, payload: bytes) -> Effects:
        response = messages.parse_upgrade_end_response(payload)
        if self.key is None or self.phase not in _DOWNLOADED or not self.key.matches(response.key):
            return []
        self._missed_answers = 0
        if self.policy.out_of_band_activation and response.upgrade_time != WAIT_FOREVER:
            refuse = DefaultResponse(OtaCommand.UPGRADE_END_RESPONSE, ZclStatus.NOT_AUTHORIZED)
            external = self._enter(OtaPhase.EXTERNAL)
            return [refuse, CancelTimer(OtaTimer.END), *external, *self._save()]
        if self.policy.quirk_activates_immediately:
            return self._count_down(self.policy.immediate_delay_us)
        if response.upgrade_time == WAIT_FOREVER:
            return self._hold(self.policy.held_reask_us)
        if response.current_time == INVALID_TIME:
            return self._hold(HOUR)
        delay_us = max(0, response.upgrade_time - response.current_time) * SECOND
        if not (self.policy.obeys_timed if delay_us else self.policy.obeys_immediate):
            return self._hold(self.policy.held_reask_us)
        if self.policy.quirk_early_activation_60min:
            delay_us = min(delay_us, CLAMP_US)
        return self._count_down(max(delay_us, self.policy.immediate_delay_us))

    def _hold(self, reask_us: int) -> Effects:
        self._activate_at = 0
        effects = self._enter(OtaPhase.WAITING)
        return [*effects, *self._save(), CancelTimer(OtaTimer.ACTIVATE), SetTimer(OtaTimer.END, reask_us)]

    def _count_down(self, delay_us: int) -> Effects:
        self._activate_at = self._scope.unix_seconds + delay_us // SECOND
        effects = self._enter(OtaPhase.COUNTDOWN)
        return [*effects, *self._save(), CancelTimer(OtaTimer.END), SetTimer(OtaTimer.ACTIVATE, delay_us)]

    def _activation_due(self) -> Effects:
        return self._activate() if self.phase == OtaPhase.COUNTDOWN else []

    def _activate(self) -> Effects:
        assert self.key is not None
        if self.policy.quirk_never_activates:
            return []
        return [CancelTimer(OtaTimer.END), CancelTimer(OtaTimer.ACTIVATE), Activate(self.key)]

    # Bookkeeping

    _HANDLERS: dict[int, Callable[[OtaClient, bytes], Effects]] = {
        OtaCommand.QUERY_NEXT_IMAGE_RESPONSE: _query_response,
        OtaCommand.UPGRADE_END_RESPONSE: _end_response,
    }
