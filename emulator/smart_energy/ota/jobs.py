"""What the OTA server holds: images, the jobs the head end scheduled, and limits per device.

Jobs turn into JSON and back, so that the hub keeps them in non-volatile memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.errors import NonVolatileError
from emulator.smart_energy.ota.effects import Activation, JobState, Outcome
from emulator.smart_energy.ota.messages import ImageKey
from hw_profiles.bounds import Choice
from hw_profiles.records import decode, encode

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One OTA file at the server; `data` is the file as it goes over the air, from the header on."""

    key: ImageKey
    data: bytes
    hardware_minimum: int | None = None
    hardware_maximum: int | None = None

    def fits_hardware(self, version: int | None) -> bool:
        """Whether the image may go to hardware `version`; None on either side means not stated."""
        if version is None or self.hardware_minimum is None or self.hardware_maximum is None:
            return True
        return self.hardware_minimum <= version <= self.hardware_maximum


@dataclass(frozen=True, slots=True)
class OtaServerConfig:
    """Limits of the server; defaults are those of the most widespread one (fact sheet, 4.2)."""

    maximum_sessions: int = 5
    no_slot_wait_s: int = 60
    session_idle_us: int = 120 * SECOND
    """A session silent for this long gives up its slot, not its progress."""
    silence_us: int = 900 * SECOND
    """A pause between two block requests that is counted as a silence: longer than any sleepy device's polls."""
    progress_interval: int = 4096
    """Octets between two progress reports of one device."""
    maximum_attempts: int = 10
    """Upgrade End ABORTs after which a job has failed."""
    page_requests: bool = False
    page_spacing_floor_ms: int = 10
    maximum_page: int = 1024
    relative_times: bool = False
    """Answer with delays (current time 0), for clients whose clock is not trusted."""


@dataclass(frozen=True, slots=True)
class OtaDeviceConfig:
    """How the server treats one device."""

    maximum_block: int = 48
    """Cap on the data of a block: 48 octets fit with APS security and an extended nonce."""
    minimum_block_period_us: int = 0
    minimum_block_period_unit_us: int = 1000
    """Unit the client takes MinimumBlockPeriod in: 1000 us or 1 000 000 us, by cluster revision."""


@dataclass(slots=True)
class TransferCounts:
    """What the server counted of one job's transfer, repeats included; all of it is counted, nothing computed."""

    blocks_sent: int = 0
    """Image Block Responses with data."""
    blocks_repeated: int = 0
    """Those of them that began with octets sent before: after a time-out, or a download taken up again."""
    timeouts: int = 0
    """Requests for the very block sent last: the device did not get it in time."""
    silences: int = 0
    """Pauses between two requests longer than `OtaServerConfig.silence_us`."""
    octets_carried: int = 0
    """Image octets sent."""
    max_block: int = 0
    """Octets of the largest block sent."""
    reached: int = 0
    """Octets of the image sent at least once."""

    def sent(self, offset: int, octets: int, last_offset: int) -> None:
        """Count a block; `last_offset` is where the one before it began."""
        self.blocks_sent += 1
        self.octets_carried += octets
        self.max_block = max(self.max_block, octets)
        if offset < self.reached:
            self.blocks_repeated += 1
            if offset == last_offset:
                self.timeouts += 1
        self.reached = max(self.reached, offset + octets)


@dataclass(slots=True)
class Job:
    """One image for one device, as the head end scheduled it; `device` is its EUI-64."""

    device: int
    key: ImageKey
    activation: Activation
    state: JobState = JobState.SCHEDULED
    offset: int = 0
    attempts: int = 0
    detail: str = ""
    outcome: Outcome | None = None
    """How it ended; None while it goes on, and for one that was withdrawn."""
    device_status: str = ""
    """Name of the status the device gave last: with its Upgrade End Request, or refusing the offer."""
    counts: TransferCounts = field(default_factory=TransferCounts)


@dataclass(frozen=True, slots=True)
class _Saved:
    """The jobs as the hub keeps them."""

    format: Annotated[int, Choice((_FORMAT,))]
    jobs: tuple[Job, ...]


def dump_jobs(jobs: dict[int, Job]) -> bytes:
    """Return the jobs as canonical JSON."""
    saved = _Saved(_FORMAT, tuple(jobs[device] for device in sorted(jobs)))
    return json.dumps(encode(saved), sort_keys=True, separators=(",", ":")).encode()


def load_jobs(data: bytes) -> dict[int, Job]:
    """Return the jobs that `dump_jobs` wrote; raises `NonVolatileError` for anything else."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NonVolatileError(f"OTA jobs: {len(data)} octets that are not JSON: {error}") from error
    return {job.device: job for job in decode(_Saved, document, "OTA jobs", NonVolatileError).jobs}
