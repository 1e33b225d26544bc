"""The downloads an OTA server has under way: how many run at once, and how fast each device may ask."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Scope
from emulator.smart_energy.ota import messages
from emulator.smart_energy.ota.effects import ServerEffect, ServerReply
from emulator.smart_energy.ota.jobs import Job, OtaDeviceConfig, OtaServerConfig, StoredImage
from emulator.smart_energy.ota.messages import OtaCommand
from emulator.zcl.values import NO_TIME, utc_time

_BLOCK_RESPONSE = int(OtaCommand.IMAGE_BLOCK_RESPONSE)
_TELL_PERIOD = 3


def zigbee_time(scope: Scope) -> int:
    """Return the scenario's time as ZCL UTC seconds."""
    return utc_time(scope.unix_seconds)


@dataclass(slots=True)
class Session:
    """A device's download as this server sees it since its last start."""

    job: Job
    image: StoredImage
    prefix: bytes
    size: int
    maximum_block: int
    period_us: int
    active: bool = False
    last_us: int = 0
    last_offset: int = -1
    report_at: int = 0
    times_told: int = 0
    page_offset: int = 0
    page_end: int = 0
    page_maximum: int = 0
    page_spacing_us: int = 0


class Sessions:
    """Sessions by device, and the slots and pace they are given."""

    def __init__(self, scope: Scope, config: OtaServerConfig) -> None:
        self._scope = scope
        self.config = config
        self._by_device: dict[int, Session] = {}
        self._devices: dict[int, OtaDeviceConfig] = {}
        self._default_device = OtaDeviceConfig()
        self.get = self._by_device.get
        """The session of a device, or None."""

    def configure(self, device: int, config: OtaDeviceConfig) -> None:
        """Set how `device` is treated; a session under way starts afresh."""
        self._devices[device] = config
        self.end(device)

    def limits(self, device: int) -> OtaDeviceConfig:
        """Return how `device` is treated."""
        return self._devices.get(device, self._default_device)

    def open(self, job: Job, image: StoredImage, prefix: bytes) -> Session:
        """Start the session of a job's device; `prefix` is the image key as its requests carry it."""
        limits = self.limits(job.device)
        session = Session(
            job, image, prefix, len(image.data), limits.maximum_block, limits.minimum_block_period_us
        )
        self._by_device[job.device] = session
        return session

    def end(self, device: int) -> None:
        """Forget the session of a device."""
        self._by_device.pop(device, None)

    def clear(self) -> None:
        """Forget every session."""
        self._by_device.clear()

    def hold_up(self, session: Session, control: int, payload: bytes) -> list[ServerEffect]:
        """WAIT_FOR_DATA when there is no slot or the device asks too often; nothing when it may go on."""
        now = self._scope.now
        if not session.active:
            if not self._take_slot(session, now):
                return self._wait(session, self.config.no_slot_wait_s)
            session.active = True
            return self._wait(session, 0) if self._must_tell_period(session, control, payload) else []
        if self._must_tell_period(session, control, payload):
            return self._wait(session, 0)
        early_us = session.last_us + session.period_us - now
        if control & 0x02 or early_us <= 0:
            return []
        return self._wait(session, -(-early_us // SECOND))

    def _must_tell_period(self, session: Session, control: int, payload: bytes) -> bool:
        """Whether a client with MinimumBlockPeriod reports another one than it is meant to have.

        One that does not take it up after a few times is served regardless.
        """
        if not control & 0x02 or not session.period_us:
            return False
        reported = messages.parse_image_block_request(payload).minimum_block_period
        if reported == self._period_of(session):
            session.times_told = 0
            return False
        session.times_told += 1
        return session.times_told <= _TELL_PERIOD

    def _period_of(self, session: Session) -> int:
        limits = self.limits(session.job.device)
        return int(min(0xFFFF, -(-session.period_us // limits.minimum_block_period_unit_us)))

    def _wait(self, session: Session, seconds: int) -> list[ServerEffect]:
        current = 0 if self.config.relative_times else zigbee_time(self._scope)
        wait = messages.WaitForData(current, min(current + seconds, NO_TIME), self._period_of(session))
        return [ServerReply(_BLOCK_RESPONSE, wait.pack())]

    def _take_slot(self, session: Session, now: int) -> bool:
        """Whether `session` may be active; sessions silent for too long make room."""
        active = [other for other in self._by_device.values() if other.active and other is not session]
        idle_since = now - self.config.session_idle_us
        for other in active:
            if other.last_us < idle_since:
                other.active = False
        return sum(other.active for other in active) < self.config.maximum_sessions
