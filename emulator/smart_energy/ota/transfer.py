"""The transfer of an image, block by block or page by page: the inner half of the OTA client machine."""

from __future__ import annotations

from struct import Struct

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Scope
from emulator.errors import FrameError
from emulator.smart_energy.ota import messages
from emulator.smart_energy.ota.effects import (
    CancelTimer,
    ClientEffect,
    EraseFlash,
    ImageComplete,
    OtaPhase,
    OtaTimer,
    Progress,
    SavedTransfer,
    SaveState,
    Send,
    SetTimer,
    StatusChanged,
    Stopped,
    StopReason,
    WriteFlash,
)
from emulator.smart_energy.ota.messages import (
    BLOCK_HEADER,
    INVALID_TIME,
    ImageKey,
    ImageUpgradeStatus,
    OtaCommand,
    unpack_block_response,
)
from emulator.smart_energy.ota.policy import MINUTE, OtaClientPolicy
from emulator.zcl.frame import ZclStatus

Effects = list[ClientEffect]

_OFFSET_MAXIMUM = Struct("<IB").pack
_OFFSET_PAGE = Struct("<IBHH").pack
_BLOCK_REQUEST = int(OtaCommand.IMAGE_BLOCK_REQUEST)
_PAGE_REQUEST = int(OtaCommand.IMAGE_PAGE_REQUEST)
_INVALID_TIME_WAIT_US = 5 * MINUTE

_STATUS = {
    OtaPhase.IDLE: ImageUpgradeStatus.NORMAL,
    OtaPhase.QUERYING: ImageUpgradeStatus.NORMAL,
    OtaPhase.ERASING: ImageUpgradeStatus.DOWNLOAD_IN_PROGRESS,
    OtaPhase.DOWNLOADING: ImageUpgradeStatus.DOWNLOAD_IN_PROGRESS,
    OtaPhase.VERIFYING: ImageUpgradeStatus.DOWNLOAD_COMPLETE,
    OtaPhase.ENDING: ImageUpgradeStatus.DOWNLOAD_COMPLETE,
    OtaPhase.WAITING: ImageUpgradeStatus.WAITING_TO_UPGRADE,
    OtaPhase.COUNTDOWN: ImageUpgradeStatus.COUNT_DOWN,
    OtaPhase.EXTERNAL: ImageUpgradeStatus.WAITING_VIA_EXTERNAL_EVENT,
    OtaPhase.REPORTING: ImageUpgradeStatus.NORMAL,
}


class BlockTransfer:
    """Fetches one image into the download slot; `OtaClient` adds what comes before and after.

    Attributes of cluster 0x0019 are its attributes.
    """

    def __init__(self, policy: OtaClientPolicy, scope: Scope, saved: SavedTransfer | None = None) -> None:
        """`scope` gives time and randomness only; `saved` is the last `SaveState`, or None."""
        self.policy = policy
        self.phase = OtaPhase.IDLE
        self.offset = 0
        self.size = 0
        self.key: ImageKey | None = None
        self.minimum_block_period = 0
        self.status = ImageUpgradeStatus.NORMAL
        self._scope = scope
        self._saved = saved
        self._save_at = 0
        self._interval_us = policy.request_interval_us
        self._last_request_us = -1 << 62
        self._awaiting = False
        self._errors = 0
        self._query_errors = 0
        self._missed_answers = 0
        self._page_end = 0
        self._pages = policy.page_size > 0
        self._report = ZclStatus.SUCCESS
        self._activate_at = 0
        self._prefix = b""
        self._request_head = b""
        self._request_tail = b""
        self._response_timer = SetTimer(OtaTimer.TRANSFER, policy.response_timeout_us)
        self._page_timer = SetTimer(OtaTimer.TRANSFER, policy.page_timeout_us)

    def _begin(self, key: ImageKey, size: int) -> Effects:
        saved = self._saved
        if self.policy.resumes and saved is not None and (saved.key, saved.size) == (key, size):
            self._adopt(saved)
            return [*self._enter(OtaPhase.DOWNLOADING), *self._next()]
        self._adopt(SavedTransfer(OtaPhase.DOWNLOADING, key, size, 0))
        effects = self._enter(OtaPhase.ERASING)
        return [CancelTimer(OtaTimer.TRANSFER), *effects, *self._save(), EraseFlash(size)]

    def _adopt(self, saved: SavedTransfer) -> None:
        policy = self.policy
        self.key, self.size, self.offset = saved.key, saved.size, saved.offset
        self._activate_at = saved.activate_at
        self._save_at = self._next_save(saved.offset)
        self._prefix = messages.KEY.pack(*saved.key)
        self._errors = self._page_end = 0
        self._pages = policy.page_size > 0
        self._shape_requests()

    def _shape_requests(self) -> None:
        """Prepare the constant head and tail of the block requests of this download."""
        policy = self.policy
        period = self.minimum_block_period if policy.minimum_block_period_supported else None
        assert self.key is not None
        whole = messages.ImageBlockRequest(self.key, 0, 0, policy.node_address, period).pack()
        self._request_head, self._request_tail = whole[:9], whole[BLOCK_HEADER:]
        period_us = self.minimum_block_period * policy.minimum_block_period_unit_us
        self._interval_us = max(policy.request_interval_us, period_us if period is not None else 0)

    def _next_save(self, offset: int) -> int:
        granularity = self.policy.save_granularity
        return (offset // granularity + 1) * granularity

    def _next(self) -> Effects:
        """Ask for what follows `offset` as soon as the spacing allows, or finish."""
        if self.offset >= self.size:
            return self._complete()
        if self._interval_us:
            wait_us = self._last_request_us + self._interval_us - self._scope.now
            if wait_us > 0:
                self._awaiting = False
                return [SetTimer(OtaTimer.TRANSFER, wait_us)]
        return self._request()

    def _request(self) -> Effects:
        self._awaiting = True
        if self._interval_us:
            self._last_request_us = self._scope.now
        offset = self.offset
        left = self.size - offset
        block = self.policy.block_size
        maximum = block if block < left else left
        if self._pages:
            return self._request_page(maximum, left)
        payload = self._request_head + _OFFSET_MAXIMUM(offset, maximum) + self._request_tail
        return [Send(_BLOCK_REQUEST, payload), self._response_timer]

    def _request_page(self, maximum: int, left: int) -> Effects:
        policy = self.policy
        page = min(policy.page_size, left)
        self._page_end = self.offset + page
        control = bytes((self._request_head[0] & 1,))
        fields = _OFFSET_PAGE(self.offset, maximum, page, policy.page_spacing_ms)
        node = self._request_tail[:8] if control[0] else b""
        return [Send(_PAGE_REQUEST, control + self._prefix + fields + node), self._page_timer]

    def _block_response(self, payload: bytes) -> Effects:
        if self.phase != OtaPhase.DOWNLOADING:
            return []
        if len(payload) < BLOCK_HEADER or payload[0]:
            return self._other_block_response(payload)
        offset = self.offset
        _, _, _, _, at, length = unpack_block_response(payload)
        data = payload[BLOCK_HEADER : BLOCK_HEADER + length]
        if len(data) != length:
            raise FrameError(f"OTA Image Block Response: {len(data)} data octets, expected {length}")
        left = self.size - offset
        block = self.policy.block_size
        # A late duplicate, another image or more than was asked for: keep waiting for the right one.
        if (
            at != offset
            or payload[1:9] != self._prefix
            or not 0 < length <= (block if block < left else left)
        ):
            return []
        self._errors = 0
        self.offset = offset = offset + length
        effects: Effects = [WriteFlash(at, data)]
        if offset >= self._save_at or offset >= self.size:
            effects += self._save()
            effects.append(Progress(offset, self.size))
        if offset < self._page_end and offset < self.size:
            effects.append(self._page_timer)
        else:
            effects += self._next()
        return effects

    def _other_block_response(self, payload: bytes) -> Effects:
        response = messages.parse_image_block_response(payload)
        if isinstance(response, messages.WaitForData):
            return self._wait_for_data(response)
        if isinstance(response, messages.BlockRefused) and response.status == ZclStatus.ABORT:
            return [*self._discard(), *self._stop(StopReason.SERVER_ABORT, f"at offset {self.offset}")]
        return self._block_error()

    def _wait_for_data(self, response: messages.WaitForData) -> Effects:
        policy = self.policy
        if not policy.wait_for_data_supported:
            return self._block_error()
        if policy.minimum_block_period_supported and response.minimum_block_period is not None:
            self.minimum_block_period = response.minimum_block_period
            self._shape_requests()
        self._errors = 0
        self._page_end = 0
        if policy.quirk_ignores_wait_for_data:
            return self._next()
        if response.current_time == INVALID_TIME:
            wait_us = _INVALID_TIME_WAIT_US
        else:
            wait_us = max(0, response.request_time - response.current_time) * SECOND
        if not wait_us:
            return self._next()
        self._awaiting = False
        return [SetTimer(OtaTimer.TRANSFER, wait_us)]

    def _request_missing_block(self) -> Effects:
        """A page stalled: fetch the block it is missing by itself, then go on with a new page."""
        self._page_end = 0
        pages, self._pages = self._pages, False
        effects = self._request()
        self._pages = pages
        return effects

    def _block_error(self) -> Effects:
        self._errors += 1
        self._awaiting = False
        self._page_end = 0
        if self._errors >= self.policy.max_retries:
            return self._stop(StopReason.NO_RESPONSE, f"{self._errors} errors at offset {self.offset}")
        return [SetTimer(OtaTimer.TRANSFER, max(self.policy.retry_backoff_us, self._interval_us))]

    def _complete(self) -> Effects:
        assert self.key is not None
        cancel = CancelTimer(OtaTimer.TRANSFER)
        return [cancel, *self._enter(OtaPhase.VERIFYING), *self._save(), ImageComplete(self.key, self.size)]

    def _stop(self, reason: StopReason, detail: str) -> Effects:
        """Give up for now; what was saved stays and a later query may resume it."""
        effects = self._enter(OtaPhase.IDLE)
        retry = SetTimer(OtaTimer.QUERY, self.policy.query_interval_us)
        return [CancelTimer(OtaTimer.TRANSFER), *effects, Stopped(reason, detail), retry]

    def _discard(self) -> Effects:
        self._saved = None
        return [SaveState(None)]

    def _enter(self, phase: OtaPhase) -> Effects:
        self.phase = phase
        status = _STATUS[phase]
        if status == self.status:
            return []
        self.status = status
        return [StatusChanged(status)]

    def _save(self) -> Effects:
        assert self.key is not None
        self._save_at = self._next_save(self.offset)
        self._saved = SavedTransfer(self.phase, self.key, self.size, self.offset, self._activate_at)
        return [SaveState(self._saved)]
