"""The transfer of an image, block by block or page by page: the part of the OTA client that runs while it downloads."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(slots=True)
class Download:
    """The download that a client is about: where it stands, and what of it survives a power cut."""

    saved: SavedTransfer | None = None
    """The last `SaveState`."""
    phase: OtaPhase = OtaPhase.IDLE
    status: ImageUpgradeStatus = ImageUpgradeStatus.NORMAL
    key: ImageKey | None = None
    size: int = 0
    offset: int = 0
    activate_at: int = 0

    def take(self, saved: SavedTransfer) -> None:
        """Go on with another download, or with one from before a power cut; the phase stays."""
        self.key, self.size, self.offset = saved.key, saved.size, saved.offset
        self.activate_at = saved.activate_at

    def enter(self, phase: OtaPhase) -> Effects:
        """Go to another phase; returns what tells of it."""
        self.phase = phase
        status = _STATUS[phase]
        if status == self.status:
            return []
        self.status = status
        return [StatusChanged(status)]

    def save(self) -> Effects:
        """Keep what is there."""
        assert self.key is not None
        self.saved = SavedTransfer(self.phase, self.key, self.size, self.offset, self.activate_at)
        return [SaveState(self.saved)]

    def discard(self) -> Effects:
        """Keep nothing."""
        self.saved = None
        return [SaveState(None)]


class BlockTransfer:
    """Fetches one image into the download slot."""

    def __init__(self, policy: OtaClientPolicy, scope: Scope, download: Download) -> None:
        """`scope` gives time only."""
        self.policy = policy
        self.minimum_block_period = 0
        self.response_timer = SetTimer(OtaTimer.TRANSFER, policy.response_timeout_us)
        self._scope = scope
        self._download = download
        self._save_at = 0
        self._interval_us = policy.request_interval_us
        self._last_request_us = -1 << 62
        self._awaiting = False
        self._errors = 0
        self._page_end = 0
        self._pages = policy.page_size > 0
        self._prefix = b""
        self._request_head = b""
        self._request_tail = b""
        self._page_timer = SetTimer(OtaTimer.TRANSFER, policy.page_timeout_us)

    def begin(self, key: ImageKey, size: int) -> Effects:
        """Fetch an image; one that was begun before goes on where it was saved."""
        download = self._download
        saved = download.saved
        begun = saved is not None and (saved.key, saved.size) == (key, size)
        # What was saved while the slot was being erased is no beginning: power may have gone half-way.
        if self.policy.resumes and saved is not None and begun and saved.phase is not OtaPhase.ERASING:
            self.adopt(saved)
            return [*download.enter(OtaPhase.DOWNLOADING), *self._next()]
        self.adopt(SavedTransfer(OtaPhase.DOWNLOADING, key, size, 0))
        effects = download.enter(OtaPhase.ERASING)
        return [CancelTimer(OtaTimer.TRANSFER), *effects, *self._save(), EraseFlash(size)]

    def adopt(self, saved: SavedTransfer) -> None:
        """Take up a download as it was saved."""
        self._download.take(saved)
        self._save_at = self._next_save(saved.offset)
        self._prefix = messages.KEY.pack(*saved.key)
        self._errors = self._page_end = 0
        self._pages = self.policy.page_size > 0
        self._shape_requests()

    def erased(self) -> Effects:
        """The slot is empty: the first block is asked for."""
        self._download.phase = OtaPhase.DOWNLOADING
        return self._request()

    def timer(self) -> Effects:
        """The time for an answer, or until the next question, is over."""
        if not self._awaiting:
            return self._request()
        if self._page_end > self._download.offset:
            return self._request_missing_block()
        return self._block_error()

    def refused(self, command: int, status: int) -> Effects:
        """The server answered `command` with a Default Response."""
        if not self._awaiting:
            return []
        if command == _PAGE_REQUEST and status == ZclStatus.UNSUP_CLUSTER_COMMAND:
            self._pages = False
            self._page_end = 0
            return self._request()
        if command in {_BLOCK_REQUEST, _PAGE_REQUEST} and status == ZclStatus.NO_IMAGE_AVAILABLE:
            return self.stop(StopReason.NO_IMAGE, "Default Response to a block request")
        return self._block_error()

    def stop(self, reason: StopReason, detail: str) -> Effects:
        """Give up for now; what was saved stays and a later query may resume it."""
        effects = self._download.enter(OtaPhase.IDLE)
        retry = SetTimer(OtaTimer.QUERY, self.policy.query_interval_us)
        return [CancelTimer(OtaTimer.TRANSFER), *effects, Stopped(reason, detail), retry]

    def _shape_requests(self) -> None:
        """Prepare the constant head and tail of the block requests of this download."""
        policy = self.policy
        period = self.minimum_block_period if policy.minimum_block_period_supported else None
        assert self._download.key is not None
        whole = messages.ImageBlockRequest(self._download.key, 0, 0, policy.node_address, period).pack()
        self._request_head, self._request_tail = whole[:9], whole[BLOCK_HEADER:]
        period_us = self.minimum_block_period * policy.minimum_block_period_unit_us
        self._interval_us = max(policy.request_interval_us, period_us if period is not None else 0)

    def _next_save(self, offset: int) -> int:
        granularity = self.policy.save_granularity
        return (offset // granularity + 1) * granularity

    def _next(self) -> Effects:
        """Ask for what follows `offset` as soon as the spacing allows, or finish."""
        if self._download.offset >= self._download.size:
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
        offset = self._download.offset
        left = self._download.size - offset
        block = self.policy.block_size
        maximum = block if block < left else left
        if self._pages:
            return self._request_page(maximum, left)
        payload = self._request_head + _OFFSET_MAXIMUM(offset, maximum) + self._request_tail
        return [Send(_BLOCK_REQUEST, payload), self.response_timer]

    def _request_page(self, maximum: int, left: int) -> Effects:
        policy = self.policy
        page = min(policy.page_size, left)
        self._page_end = self._download.offset + page
        control = bytes((self._request_head[0] & 1,))
        fields = _OFFSET_PAGE(self._download.offset, maximum, page, policy.page_spacing_ms)
        node = self._request_tail[:8] if control[0] else b""
        return [Send(_PAGE_REQUEST, control + self._prefix + fields + node), self._page_timer]

    def block_response(self, payload: bytes) -> Effects:
        """An answer to a block or page request arrived; raises `FrameError` when it is malformed."""
        if len(payload) < BLOCK_HEADER or payload[0]:
            return self._other_block_response(payload)
        download = self._download
        offset = download.offset
        _, _, _, _, at, length = unpack_block_response(payload)
        data = payload[BLOCK_HEADER : BLOCK_HEADER + length]
        if len(data) != length:
            raise FrameError(f"OTA Image Block Response: {len(data)} data octets, expected {length}")
        size = download.size
        left = size - offset
        block = self.policy.block_size
        # A late duplicate, another image or more than was asked for: keep waiting for the right one.
        if (
            at != offset
            or payload[1:9] != self._prefix
            or not 0 < length <= (block if block < left else left)
        ):
            return []
        self._errors = 0
        download.offset = offset = offset + length
        effects: Effects = [WriteFlash(at, data)]
        if offset >= self._save_at or offset >= size:
            effects += self._save()
            effects.append(Progress(offset, size))
        if offset < self._page_end and offset < size:
            effects.append(self._page_timer)
        else:
            effects += self._next()
        return effects

    def _other_block_response(self, payload: bytes) -> Effects:
        response = messages.parse_image_block_response(payload)
        if isinstance(response, messages.WaitForData):
            return self._wait_for_data(response)
        if isinstance(response, messages.BlockRefused) and response.status == ZclStatus.ABORT:
            stopped = self.stop(StopReason.SERVER_ABORT, f"at offset {self._download.offset}")
            return [*self._download.discard(), *stopped]
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
            detail = f"{self._errors} errors at offset {self._download.offset}"
            return self.stop(StopReason.NO_RESPONSE, detail)
        return [SetTimer(OtaTimer.TRANSFER, max(self.policy.retry_backoff_us, self._interval_us))]

    def _complete(self) -> Effects:
        download = self._download
        assert download.key is not None
        verifying = download.enter(OtaPhase.VERIFYING)
        complete = ImageComplete(download.key, download.size)
        return [CancelTimer(OtaTimer.TRANSFER), *verifying, *self._save(), complete]

    def _save(self) -> Effects:
        self._save_at = self._next_save(self._download.offset)
        return self._download.save()
