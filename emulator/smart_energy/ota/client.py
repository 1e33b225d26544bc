"""The OTA client machine of a device: events in, effects out, no input or output of its own.

The shell calls `power_up()` once after every start, then `message`, `default_response`, `notify`, `timer`,
`flash_ready`, `verified`... as things happen, and carries out the returned effects in order. Only what
`SaveState` hands over survives a power cut.

What each input means in each phase is `OtaClient.TABLE`, at the end of this file; a pair that is not there means
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Scope
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
    SavedTransfer,
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
from emulator.smart_energy.ota.policy import CLAMP_US, HOUR, OtaClientPolicy
from emulator.smart_energy.ota.transfer import BlockTransfer, Download, Effects
from emulator.zcl.frame import ZclStatus

_BLOCK_RESPONSE = int(OtaCommand.IMAGE_BLOCK_RESPONSE)
_DOWNLOADED = (OtaPhase.ENDING, OtaPhase.WAITING, OtaPhase.COUNTDOWN, OtaPhase.EXTERNAL)


class Input(Enum):
    """What can happen to a client once it has started."""

    NOTIFY = auto()
    QUERY = auto()
    """The order to ask for the next image, by the query timer, the shell or a server found again."""
    QUERY_RESPONSE = auto()
    QUERY_REFUSED = auto()
    TRANSFER_REFUSED = auto()
    TRANSFER_TIMER = auto()
    FLASH_READY = auto()
    FLASH_FAILED = auto()
    ABANDON = auto()
    VERIFIED = auto()
    END_RESPONSE = auto()
    END_ACKNOWLEDGED = auto()
    END_ABORTED = auto()
    END_TIMER = auto()
    ACTIVATE_TIMER = auto()
    ACTIVATE_NOW = auto()


_TIMER_INPUTS = {
    OtaTimer.QUERY: Input.QUERY,
    OtaTimer.TRANSFER: Input.TRANSFER_TIMER,
    OtaTimer.END: Input.END_TIMER,
    OtaTimer.ACTIVATE: Input.ACTIVATE_TIMER,
}
_MESSAGE_INPUTS = {
    int(OtaCommand.QUERY_NEXT_IMAGE_RESPONSE): Input.QUERY_RESPONSE,
    int(OtaCommand.UPGRADE_END_RESPONSE): Input.END_RESPONSE,
}


class OtaClient:
    """One device's OTA client; attributes of cluster 0x0019 are its properties."""

    def __init__(self, policy: OtaClientPolicy, scope: Scope, saved: SavedTransfer | None = None) -> None:
        """`scope` gives time and randomness only; `saved` is the last `SaveState`, or None."""
        self.policy = policy
        self._scope = scope
        self._download = Download(saved)
        self._transfer = BlockTransfer(policy, scope, self._download)
        self._started = False
        """Whether the server is known: nothing is asked before."""
        self._notified = False
        """Whether an Image Notify came before that."""
        self._query_errors = 0
        self._missed_answers = 0
        self._report = ZclStatus.SUCCESS

    # What it shows

    @property
    def phase(self) -> OtaPhase:
        """Where the client is."""
        return self._download.phase

    @property
    def status(self) -> ImageUpgradeStatus:
        """Attribute ImageUpgradeStatus."""
        return self._download.status

    @property
    def key(self) -> ImageKey | None:
        """The image that it is about, None before the first."""
        return self._download.key

    @property
    def size(self) -> int:
        """Octets of that image."""
        return self._download.size

    @property
    def offset(self) -> int:
        """Attribute FileOffset: octets of it in the slot."""
        return self._download.offset

    @property
    def minimum_block_period(self) -> int:
        """Attribute MinimumBlockRequestPeriod, as the server last told it."""
        return self._transfer.minimum_block_period

    @property
    def downloaded_version(self) -> int | None:
        """Version of the complete image in the slot, None while there is none."""
        key = self._download.key
        return key.version if key is not None and self._download.phase in _DOWNLOADED else None

    # Events

    def power_up(self) -> Effects:
        """Start after a reset, when the server is known: pick up a saved download, otherwise query.

        It queries after a random delay, or at once when an Image Notify came while the server was still looked for.
        """
        self._started = True
        effects = self._pick_up()
        if self._notified:
            effects += self._take(Input.NOTIFY)
        self._notified = False
        return effects

    def left(self) -> Effects:
        """The network was left: what was downloaded and ordered on it is void, until `power_up` on the next."""
        self._started = self._notified = False
        self._download.key, self._download.offset = None, 0
        cancelled: Effects = [CancelTimer(name) for name in OtaTimer]
        return [*cancelled, *self._download.enter(OtaPhase.IDLE), *self._download.discard()]

    def notify(self, payload: bytes, *, broadcast: bool) -> Effects:
        """Image Notify arrived; a unicast one always makes an idle client query."""
        message = messages.parse_image_notify(payload)
        if self.phase != OtaPhase.IDLE or (broadcast and not self._broadcast_concerns_me(message)):
            return []
        if not self._started:
            self._notified = True
            return []
        return self._take(Input.NOTIFY)

    def query(self) -> Effects:
        """Ask the server for the next image now; ignored while a download is under way."""
        return self._take(Input.QUERY)

    def server_found(self) -> Effects:
        """The shell found an OTA server after `FindServer`."""
        return self._take(Input.QUERY)

    def message(self, command: int, payload: bytes) -> Effects:
        """A command of the server arrived (any but Image Notify, which goes to `notify`).

        Raises `FrameError` when the payload is malformed, which is answered MALFORMED_COMMAND by the shell.
        """
        if command == _BLOCK_RESPONSE:
            # A download consists of these: they do not go through the table.
            downloading = self._download.phase == OtaPhase.DOWNLOADING
            return self._transfer.block_response(payload) if downloading else []
        kind = _MESSAGE_INPUTS.get(command)
        if kind is None:
            raise FrameError(f"OTA client: command 0x{command:02X} at offset 0, expected 0x02, 0x05 or 0x07")
        return self._take(kind, payload)

    def default_response(self, command: int, status: int) -> Effects:
        """The server answered our `command` with a Default Response."""
        if command == OtaCommand.UPGRADE_END_REQUEST:
            aborts = status == ZclStatus.ABORT and self.phase in {OtaPhase.ENDING, OtaPhase.WAITING}
            return self._take(Input.END_ABORTED if aborts else Input.END_ACKNOWLEDGED)
        if command == OtaCommand.QUERY_NEXT_IMAGE_REQUEST and self.phase == OtaPhase.QUERYING:
            return self._take(Input.QUERY_REFUSED)
        return self._take(Input.TRANSFER_REFUSED, command, status)

    def timer(self, name: OtaTimer) -> Effects:
        """The timer `name` ran out."""
        return self._take(_TIMER_INPUTS[name])

    def flash_ready(self) -> Effects:
        """The download slot has been erased."""
        return self._take(Input.FLASH_READY)

    def flash_failed(self) -> Effects:
        """A flash operation failed: the download ends with ABORT."""
        return self._take(Input.FLASH_FAILED)

    def abandon(self, detail: str) -> Effects:
        """The device ends a download for a reason of its own, such as a low battery; the slot is kept."""
        return self._take(Input.ABANDON, detail)

    def verified(self, status: int) -> Effects:
        """The shell verified the image: SUCCESS, INVALID_IMAGE, ABORT or REQUIRE_MORE_IMAGE."""
        return self._take(Input.VERIFIED, status)

    def activate_now(self) -> Effects:
        """Activate on an order from outside this cluster (a meter command, a button)."""
        return self._take(Input.ACTIVATE_NOW)

    def _take(self, kind: Input, *details: Any) -> Effects:
        handler = self.TABLE.get((self._download.phase, kind))
        return [] if handler is None else handler(self, *details)

    # Starting

    def _pick_up(self) -> Effects:
        saved = self._download.saved
        if saved is not None and saved.key.version == self.policy.current_version:
            # The activation that this state was waiting for has happened.
            self._download.saved = None
            return [SaveState(None), self._query_after_start()]
        if saved is None or saved.phase in {OtaPhase.IDLE, OtaPhase.ERASING, OtaPhase.DOWNLOADING}:
            return [self._query_after_start()]
        self._transfer.adopt(saved)
        effects = self._download.enter(saved.phase)
        if saved.phase == OtaPhase.VERIFYING:
            return [*effects, ImageComplete(saved.key, saved.size)]
        if saved.phase == OtaPhase.COUNTDOWN:
            wait_us = max(0, saved.activate_at - self._scope.unix_seconds) * SECOND
            return [*effects, SetTimer(OtaTimer.ACTIVATE, wait_us)]
        if saved.phase == OtaPhase.EXTERNAL:
            return effects
        return [*effects, SetTimer(OtaTimer.END, self._start_delay_us())]

    def _query_after_start(self) -> SetTimer:
        return SetTimer(OtaTimer.QUERY, self._start_delay_us())

    def _start_delay_us(self) -> int:
        policy = self.policy
        return self._scope.random.randint(policy.start_delay_min_s, policy.start_delay_max_s) * SECOND

    # Querying

    def _ask(self) -> Effects:
        policy = self.policy
        key = ImageKey(policy.manufacturer, policy.image_type, policy.current_version)
        request = messages.QueryNextImageRequest(key, policy.hardware_version)
        self._download.phase = OtaPhase.QUERYING
        return [
            Send(OtaCommand.QUERY_NEXT_IMAGE_REQUEST, request.pack()),
            CancelTimer(OtaTimer.QUERY),
            self._transfer.response_timer,
        ]

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
        response = messages.parse_query_response(payload)
        if response.key is None:
            return self._no_image()
        self._query_errors = 0
        return self._refusal(response.key, response.size) or self._transfer.begin(response.key, response.size)

    def _no_image(self) -> Effects:
        self._query_errors = 0
        self._download.phase = OtaPhase.IDLE
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

    def _query_unanswered(self) -> Effects:
        self._download.phase = OtaPhase.IDLE
        self._query_errors += 1
        retry = SetTimer(OtaTimer.QUERY, min(self.policy.query_retry_us, self.policy.query_interval_us))
        if self._query_errors < self.policy.max_query_errors:
            return [retry]
        self._query_errors = 0
        return [FindServer(), retry]

    # Transferring

    def _erased(self) -> Effects:
        return self._transfer.erased()

    def _transfer_timer(self) -> Effects:
        return self._transfer.timer()

    def _transfer_refused(self, command: int, status: int) -> Effects:
        return self._transfer.refused(command, status)

    def _flash_failed(self) -> Effects:
        return self._fail(ZclStatus.ABORT, StopReason.FLASH_FAILURE, f"at offset {self.offset}")

    def _abandoned(self, detail: str) -> Effects:
        return self._transfer.stop(StopReason.LOCAL_ABORT, detail)

    # Ending a download

    def _verified(self, status: int) -> Effects:
        if status == ZclStatus.SUCCESS:
            self._missed_answers = 0
            return [*self._download.enter(OtaPhase.ENDING), *self._download.save(), *self._send_end()]
        if status == ZclStatus.REQUIRE_MORE_IMAGE:
            effects = self._report_end(status)
            self._download.status = ImageUpgradeStatus.WAIT_FOR_MORE
            return [*effects, StatusChanged(self._download.status)]
        reason = StopReason.INVALID_IMAGE if status == ZclStatus.INVALID_IMAGE else StopReason.LOCAL_ABORT
        return self._fail(status, reason, f"{self.key}")

    def _fail(self, status: int, reason: StopReason, detail: str) -> Effects:
        return [CancelTimer(OtaTimer.TRANSFER), *self._report_end(status), Stopped(reason, detail)]

    def _report_end(self, status: int) -> Effects:
        """Tell the server the download ended with `status`, until it acknowledges."""
        self._report = ZclStatus(status)
        self._missed_answers = 0
        download = self._download
        return [*download.discard(), *download.enter(OtaPhase.REPORTING), *self._send_report()]

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
        more = self._report == ZclStatus.REQUIRE_MORE_IMAGE
        self._download.phase = OtaPhase.IDLE
        retry_us = SECOND if more else self.policy.query_interval_us
        return [CancelTimer(OtaTimer.END), SetTimer(OtaTimer.QUERY, retry_us)]

    def _end_aborted(self) -> Effects:
        """The server no longer wants the image that is here to run (conformance case OTA-TC-14C)."""
        stopped = self._transfer.stop(StopReason.SERVER_ABORT, "after the download")
        return [CancelTimer(OtaTimer.END), *self._download.discard(), *stopped]

    def _report_unanswered(self) -> Effects:
        return self._end_acknowledged() if self._missed_all() else self._send_report()

    def _end_unanswered(self) -> Effects:
        if self._missed_all() and self.policy.apply_after_missed_answers:
            return self._activate()
        return self._send_end()

    def _missed_all(self) -> bool:
        self._missed_answers += 1
        return self._missed_answers > self.policy.max_missed_end_answers

    # Activating

    def _end_response(self, payload: bytes) -> Effects:
        response = messages.parse_upgrade_end_response(payload)
        if self.key is None or not self.key.matches(response.key):
            return []
        self._missed_answers = 0
        if self.policy.out_of_band_activation and response.upgrade_time != WAIT_FOREVER:
            refuse = DefaultResponse(OtaCommand.UPGRADE_END_RESPONSE, ZclStatus.NOT_AUTHORIZED)
            external = self._download.enter(OtaPhase.EXTERNAL)
            return [refuse, CancelTimer(OtaTimer.END), *external, *self._download.save()]
        if self.policy.quirk_activates_immediately:
            return self._count_down(self.policy.immediate_delay_us)
        if response.upgrade_time == WAIT_FOREVER:
            return self._hold(self.policy.held_reask_us)
        if response.current_time == INVALID_TIME:
            return self._hold(HOUR)
        return self._obey(max(0, response.upgrade_time - response.current_time) * SECOND)

    def _obey(self, delay_us: int) -> Effects:
        """Activate after `delay_us`, as far as this client obeys such an order."""
        if not (self.policy.obeys_timed if delay_us else self.policy.obeys_immediate):
            return self._hold(self.policy.held_reask_us)
        if self.policy.quirk_early_activation_60min:
            delay_us = min(delay_us, CLAMP_US)
        return self._count_down(max(delay_us, self.policy.immediate_delay_us))

    def _hold(self, reask_us: int) -> Effects:
        self._download.activate_at = 0
        effects = [*self._download.enter(OtaPhase.WAITING), *self._download.save()]
        return [*effects, CancelTimer(OtaTimer.ACTIVATE), SetTimer(OtaTimer.END, reask_us)]

    def _count_down(self, delay_us: int) -> Effects:
        self._download.activate_at = self._scope.unix_seconds + delay_us // SECOND
        effects = [*self._download.enter(OtaPhase.COUNTDOWN), *self._download.save()]
        return [*effects, CancelTimer(OtaTimer.END), SetTimer(OtaTimer.ACTIVATE, delay_us)]

    def _activate(self) -> Effects:
        assert self.key is not None
        if self.policy.quirk_never_activates:
            return []
        return [CancelTimer(OtaTimer.END), CancelTimer(OtaTimer.ACTIVATE), Activate(self.key)]

    TABLE: Mapping[tuple[OtaPhase, Input], Callable[..., Effects]] = MappingProxyType(
        {
            (OtaPhase.IDLE, Input.NOTIFY): _ask,
            (OtaPhase.IDLE, Input.QUERY): _ask,
            (OtaPhase.QUERYING, Input.QUERY): _ask,
            (OtaPhase.QUERYING, Input.QUERY_RESPONSE): _query_response,
            (OtaPhase.QUERYING, Input.QUERY_REFUSED): _no_image,
            (OtaPhase.QUERYING, Input.TRANSFER_TIMER): _query_unanswered,
            (OtaPhase.ERASING, Input.FLASH_READY): _erased,
            (OtaPhase.ERASING, Input.FLASH_FAILED): _flash_failed,
            (OtaPhase.ERASING, Input.ABANDON): _abandoned,
            (OtaPhase.DOWNLOADING, Input.TRANSFER_TIMER): _transfer_timer,
            (OtaPhase.DOWNLOADING, Input.TRANSFER_REFUSED): _transfer_refused,
            (OtaPhase.DOWNLOADING, Input.FLASH_FAILED): _flash_failed,
            (OtaPhase.DOWNLOADING, Input.ABANDON): _abandoned,
            (OtaPhase.VERIFYING, Input.VERIFIED): _verified,
            (OtaPhase.ENDING, Input.END_RESPONSE): _end_response,
            (OtaPhase.ENDING, Input.END_ABORTED): _end_aborted,
            (OtaPhase.ENDING, Input.END_TIMER): _end_unanswered,
            (OtaPhase.ENDING, Input.ACTIVATE_NOW): _activate,
            (OtaPhase.WAITING, Input.END_RESPONSE): _end_response,
            (OtaPhase.WAITING, Input.END_ABORTED): _end_aborted,
            (OtaPhase.WAITING, Input.END_TIMER): _end_unanswered,
            (OtaPhase.WAITING, Input.ACTIVATE_NOW): _activate,
            (OtaPhase.COUNTDOWN, Input.END_RESPONSE): _end_response,
            (OtaPhase.COUNTDOWN, Input.ACTIVATE_TIMER): _activate,
            (OtaPhase.COUNTDOWN, Input.ACTIVATE_NOW): _activate,
            (OtaPhase.EXTERNAL, Input.END_RESPONSE): _end_response,
            (OtaPhase.EXTERNAL, Input.ACTIVATE_NOW): _activate,
            (OtaPhase.REPORTING, Input.END_ACKNOWLEDGED): _end_acknowledged,
            (OtaPhase.REPORTING, Input.END_TIMER): _report_unanswered,
        }
    )
