"""What the OTA client and server machines ask of their shell: frozen effects, to be carried out in order."""

from __future__ import annotations

from enum import Enum, IntEnum
from struct import Struct
from typing import NamedTuple

from emulator.errors import NonVolatileError
from emulator.smart_energy.ota.messages import ImageKey, ImageUpgradeStatus

_SAVED = Struct("<BHHIIIQ")


class OtaTimer(IntEnum):
    """Timers of the client; setting one replaces the one of the same name."""

    QUERY = 0
    TRANSFER = 1
    END = 2
    ACTIVATE = 3


class StopReason(Enum):
    """Why a client gave up a download."""

    NO_RESPONSE = "too many block requests in a row went unanswered or were refused"
    SERVER_ABORT = "the server aborted the download"
    NO_IMAGE = "the server no longer has the image"
    WRONG_IMAGE = "the server offered an image for another device"
    DOWNGRADE_REFUSED = "the device refuses versions older than the one it runs"
    SAME_VERSION = "the server offered the version the device runs"
    INSUFFICIENT_SPACE = "the image is larger than the device's storage"
    INVALID_IMAGE = "the image failed verification"
    FLASH_FAILURE = "the device's flash could not be written"
    LOCAL_ABORT = "the device gave up the download itself"


class OtaPhase(IntEnum):
    """Where the client machine is, in more detail than attribute ImageUpgradeStatus; values are stored."""

    IDLE = 0
    QUERYING = 1
    ERASING = 2
    DOWNLOADING = 3
    VERIFYING = 4
    ENDING = 5
    WAITING = 6
    COUNTDOWN = 7
    EXTERNAL = 8
    REPORTING = 9


class SavedTransfer(NamedTuple):
    """What a client keeps of a download in non-volatile memory; `activate_at` is in Unix seconds or 0."""

    phase: OtaPhase
    key: ImageKey
    size: int
    offset: int
    activate_at: int = 0

    def pack(self) -> bytes:
        """Return the state as octets for non-volatile memory."""
        return _SAVED.pack(self.phase, *self.key, self.size, self.offset, self.activate_at)

    @classmethod
    def unpack(cls, data: bytes) -> SavedTransfer:
        """Return the state that `pack` wrote; raises `NonVolatileError` for anything else."""
        if len(data) != _SAVED.size:
            raise NonVolatileError(f"saved OTA transfer: {len(data)} octets, expected {_SAVED.size}")
        phase, manufacturer, image_type, version, size, offset, activate_at = _SAVED.unpack(data)
        if phase not in set(OtaPhase):
            raise NonVolatileError(f"saved OTA transfer: phase {phase}, expected 0 to {max(OtaPhase)}")
        key = ImageKey(manufacturer, image_type, version)
        return cls(OtaPhase(phase), key, size, offset, activate_at)


class Send(NamedTuple):
    """Send a cluster command to the server; the shell chooses the transaction number."""

    command: int
    payload: bytes


class DefaultResponse(NamedTuple):
    """Answer the message just handled, whose command identifier was `command`, with a Default Response."""

    command: int
    status: int


class SetTimer(NamedTuple):
    """Call `timer(name)` on the machine after `delay_us`."""

    name: OtaTimer
    delay_us: int


class CancelTimer(NamedTuple):
    """Drop the timer of that name."""

    name: OtaTimer


class EraseFlash(NamedTuple):
    """Make room for `octets` in the download slot, then call `flash_ready()`."""

    octets: int


class WriteFlash(NamedTuple):
    """Write `data` at `offset` of the download slot; on failure call `flash_failed()`."""

    offset: int
    data: bytes


class SaveState(NamedTuple):
    """Keep `state` in non-volatile memory; None forgets the download."""

    state: SavedTransfer | None


class ImageComplete(NamedTuple):
    """The whole file is in the slot: verify it, then call `verified(status)`."""

    key: ImageKey
    size: int


class Activate(NamedTuple):
    """Swap to the downloaded image and reboot now."""

    key: ImageKey


class StatusChanged(NamedTuple):
    """Attribute ImageUpgradeStatus has a new value."""

    status: ImageUpgradeStatus


class Progress(NamedTuple):
    """`offset` of `size` octets are in the slot; told whenever the offset is saved."""

    offset: int
    size: int


class Stopped(NamedTuple):
    """The download ended without an image; `detail` is for people."""

    reason: StopReason
    detail: str


class FindServer(NamedTuple):
    """Too many queries went unanswered: look for an OTA server again, then call `server_found()`."""


ClientEffect = (
    Send
    | DefaultResponse
    | SetTimer
    | CancelTimer
    | EraseFlash
    | WriteFlash
    | SaveState
    | ImageComplete
    | Activate
    | StatusChanged
    | Progress
    | Stopped
    | FindServer
)


class Outcome(Enum):
    """How a job ended for its device, in the DCC's words (DUIS) plus what happens after the transfer."""

    FILE_TRANSFER_SUCCESS = "FileTransferSuccess"
    FIRMWARE_IMAGE_DISCARDED = "FirmwareImageDiscarded"
    HARDWARE_VERSION_MISMATCH = "HardwareVersionMismatch"
    FILE_TRANSFER_FAILURE = "FileTransferFailure"
    ACTIVATION_SUCCESS = "ActivationSuccess"


class JobState(Enum):
    """Life of a job at the server."""

    SCHEDULED = "scheduled"
    TRANSFERRING = "transferring"
    HELD = "held"
    RELEASED = "released"
    ACTIVATED = "activated"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in {JobState.ACTIVATED, JobState.FAILED, JobState.WITHDRAWN}


class ServerSend(NamedTuple):
    """Send a cluster command to `device` unasked; the shell chooses the transaction number."""

    device: int
    command: int
    payload: bytes


class ServerReply(NamedTuple):
    """Answer the message just handled with this cluster command, in its transaction."""

    command: int
    payload: bytes


class ServerPageTimer(NamedTuple):
    """Call `page_due(device)` after `delay_us`: the next block of a page is to be sent."""

    device: int
    delay_us: int


class TransferStarted(NamedTuple):
    """`device` asked for the image from `offset`, for the first time or after a pause."""

    device: int
    key: ImageKey
    offset: int


class TransferProgress(NamedTuple):
    """`device` has been sent `offset` of `size` octets."""

    device: int
    key: ImageKey
    offset: int
    size: int


class TransferAttemptFailed(NamedTuple):
    """An attempt ended with `status`; the job stays open and the device may resume."""

    device: int
    key: ImageKey
    status: int


class JobOutcome(NamedTuple):
    """A job reached `outcome`; `detail` is for people."""

    device: int
    key: ImageKey
    outcome: Outcome
    detail: str


class Persist(NamedTuple):
    """The jobs changed: write `snapshot()` to non-volatile memory before carrying out what follows."""


ServerEffect = (
    ServerSend
    | ServerReply
    | DefaultResponse
    | ServerPageTimer
    | TransferStarted
    | TransferProgress
    | TransferAttemptFailed
    | JobOutcome
    | Persist
)


class ActivationKind(Enum):
    """What Upgrade End Response tells the device."""

    NOW = "NOW"
    AT = "AT"
    HOLD = "HOLD"


class Activation(NamedTuple):
    """When a device may activate; `at_unix_seconds` matters for AT only."""

    kind: ActivationKind
    at_unix_seconds: int = 0


NOW = Activation(ActivationKind.NOW)
HOLD = Activation(ActivationKind.HOLD)
