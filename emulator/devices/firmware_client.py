"""Runs a device's OTA client: flash pages, verification, activation, and what survives a power cut.

The machine (`emulator.smart_energy.ota.client`) decides; this shell owns the download slot and the timers. What has
been received but not yet saved is in RAM and goes with the power.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Scope, Timer
from emulator.errors import FrameError, SecurityError
from emulator.eui64 import format_eui64
from emulator.faults.firmware import NO_FAULTS, FirmwareFaults
from emulator.nonvolatile import NonVolatile
from emulator.smart_energy.ota import effects
from emulator.smart_energy.ota.client import OtaClient
from emulator.smart_energy.ota.effects import OtaTimer, SavedTransfer
from emulator.smart_energy.ota.file import parse as parse_ota_file
from emulator.smart_energy.ota.messages import BLOCK_HEADER, ImageKey, OtaCommand
from emulator.smart_energy.ota.policy import OtaClientPolicy
from emulator.smart_energy.ota.signature import FirmwareTrust, verify_image
from emulator.stack.primitives import FIRST_BROADCAST, ApsdeIndication, ApsdeRequest, Confirm
from emulator.zcl.frame import GeneralCommand, ZclFrame, ZclStatus, cluster_request, default_response
from emulator.zcl.identifiers import OTA_UPGRADE
from hw_profiles.identifiers import SMART_ENERGY_PROFILE
from hw_profiles.model import BlockPeriodUnit, Flash, Model, Ota, Quirk

_SLOT = "download"
SAVED_TRANSFER = "ota.saved"
"""Where a device keeps how far an upgrade has come."""
_MS = 1000

SendAsdu = Callable[[ApsdeRequest, Confirm | None], None]


def policy_of(model: Model, ota: Ota, flash: Flash, current_version: int) -> OtaClientPolicy:
    """Return the client behaviour that a model's profile describes."""
    unit_us = SECOND if ota.minimum_block_period is BlockPeriodUnit.SECONDS else _MS
    activation = ota.activation
    return OtaClientPolicy(
        manufacturer=ota.manufacturer_code,
        image_type=ota.image_type,
        current_version=current_version,
        hardware_version=model.identity.hardware_version,
        storage_size=min(flash.slot_octets, ota.max_image_octets or flash.slot_octets),
        block_size=ota.block_size,
        request_interval_us=ota.request_interval_ms * _MS,
        response_timeout_us=int(ota.response_timeout_s * SECOND),
        retry_backoff_us=int(ota.back_off_s * SECOND),
        max_retries=ota.error_limit,
        save_granularity=ota.save_offset_octets,
        query_interval_us=int(ota.query_interval_s * SECOND),
        minimum_block_period_supported=ota.minimum_block_period is not BlockPeriodUnit.NONE,
        minimum_block_period_unit_us=unit_us,
        end_retry_us=int(ota.upgrade_end_retry_s * SECOND),
        held_reask_us=int(ota.upgrade_end_reask_s * SECOND),
        max_missed_end_answers=ota.upgrade_end_retries,
        apply_after_missed_answers=Quirk.ACTIVATES_WITHOUT_ANSWER in model.quirks,
        out_of_band_activation=activation.policy.value == "out-of-band",
        obeys_immediate=activation.immediate,
        obeys_timed=activation.timed,
        immediate_delay_us=int(activation.delay_s * SECOND),
        refuses_downgrade=ota.refuses_downgrade,
        quirk_early_activation_60min=Quirk.EARLY_ACTIVATION_60MIN in model.quirks,
        quirk_activates_immediately=not activation.held,
        quirk_ignores_wait_for_data=Quirk.IGNORES_WAIT_FOR_DATA in model.quirks,
    )


class FirmwareClient:
    """The OTA upgrade client of one device."""

    def __init__(
        self,
        scope: Scope,
        nonvolatile: NonVolatile,
        model: Model,
        current_version: int,
        *,
        eui64: int,
        trusts: tuple[FirmwareTrust, ...],
        send: SendAsdu,
        endpoint: int,
        faults: FirmwareFaults = NO_FAULTS,
    ) -> None:
        """`current_version` is the running firmware; `eui64` is the device's own, for files made for one device
        only; `trusts` says whose signatures the device takes.

        `faults` is what goes wrong on purpose.
        """
        if model.ota is None or model.flash is None:
            raise ValueError(f"model {model.id} has no OTA client")
        self.on_activate: Callable[[int], None] | None = None
        self.on_received: Callable[[int], None] | None = None
        self.on_verified: Callable[[int, str | None], None] | None = None
        self.on_stopped: Callable[[str], None] | None = None
        self.on_flash_page: Callable[[int], None] | None = None
        self.on_activity: Callable[[], None] | None = None
        self._scope = scope
        self._eui64 = eui64
        self._nonvolatile = nonvolatile
        self._ota = model.ota
        self._flash = model.flash
        short_blocks = Quirk.NO_BLOCK_LARGER_THAN_50 in model.quirks
        self._longest_answer = BLOCK_HEADER + (50 if short_blocks else 255)
        self._ignores_notify = Quirk.IGNORES_IMAGE_NOTIFY in model.quirks
        self._trusts = trusts
        self._send = send
        self._endpoint = endpoint
        self._faults = faults
        self._stalled = False
        self._silent_until_us = 0
        self._writing_until_us = 0
        self._server: tuple[int, int] | None = None
        self._timers: dict[OtaTimer, Timer] = {}
        self._due_us: dict[OtaTimer, int] = {}
        saved = _load(nonvolatile)
        self._pending = bytearray()
        self._pending_offset = saved.offset if saved is not None else 0
        self._tsn = 0
        policy = policy_of(model, model.ota, model.flash, current_version)
        self.machine = OtaClient(policy, scope, saved)

    def start(self, server: int, endpoint: int) -> None:
        """Begin, with the OTA server at short address `server`."""
        first = self._server is None
        self._server = (server, endpoint)
        if first:
            self._run(self.machine.power_up())

    def left(self) -> None:
        """The network was left: forget its server and what came from it."""
        self._server = None
        self._pending.clear()
        self._run(self.machine.left())

    def handle(self, indication: ApsdeIndication, frame: ZclFrame) -> None:
        """A frame of the OTA cluster arrived from the server."""
        try:
            if frame.frame_control & 0x03 == 0:
                if frame.command == GeneralCommand.DEFAULT_RESPONSE and len(frame.payload) >= 2:
                    self._run(self.machine.default_response(frame.payload[0], frame.payload[1]), frame)
            elif frame.command == OtaCommand.IMAGE_NOTIFY:
                self._notified(indication, frame)
            elif len(frame.payload) <= self._longest_answer:
                self._run(self.machine.message(frame.command, frame.payload), frame)
        except FrameError:
            self._transmit(default_response(frame, ZclStatus.MALFORMED_COMMAND))

    def abandon(self, detail: str) -> None:
        """Give up a download for the device's own reasons."""
        self._run(self.machine.abandon(detail))

    def _notified(self, indication: ApsdeIndication, frame: ZclFrame) -> None:
        if not self._ignores_notify:
            self._run(
                self.machine.notify(frame.payload, broadcast=indication.destination >= FIRST_BROADCAST), frame
            )

    def _run(self, wanted: list[effects.ClientEffect], frame: ZclFrame | None = None) -> None:
        for effect in wanted:
            if isinstance(effect, effects.Send):
                self._tsn = (self._tsn + 1) & 0xFF
                self._transmit(cluster_request(self._tsn, effect.command, effect.payload))
            elif isinstance(effect, effects.WriteFlash):
                self._arrived(effect.offset, effect.data)
            elif isinstance(effect, effects.SetTimer):
                self._set_timer(effect.name, effect.delay_us)
            else:
                self._perform(effect, frame)

    def _perform(self, effect: effects.ClientEffect, frame: ZclFrame | None) -> None:
        match effect:
            case effects.CancelTimer(name):
                self._scope.cancel(self._timers.pop(name, None))
            case effects.DefaultResponse(_, status):
                if frame is not None:
                    self._transmit(default_response(frame, status))
            case effects.EraseFlash(octets):
                self._erase(octets)
            case effects.SaveState(state):
                self._save(state)
            case effects.ImageComplete(key, size):
                self._flush()
                if self.on_received is not None:
                    self.on_received(key.version)
                written_us = max(0, self._writing_until_us - self._scope.now)
                self._scope.call_later(written_us, self._verify, key, size)
            case effects.Activate(key):
                if self.on_activate is not None:
                    self.on_activate(key.version)
            case effects.Stopped(reason, detail):
                if self.on_stopped is not None:
                    self.on_stopped(f"{reason.value} ({detail})")
            case effects.FindServer():
                self._run(self.machine.server_found())

    def _set_timer(self, name: OtaTimer, delay_us: int) -> None:
        """Set a timer. One that is only put off, as after every block, is left to find that out when it is due."""
        due_us = self._scope.now + delay_us
        self._due_us[name] = due_us
        timer = self._timers.get(name)
        if timer is None or timer[0] > due_us:
            self._scope.cancel(timer)
            self._timers[name] = self._scope.call_later(delay_us, self._timer, name)

    def _timer(self, name: OtaTimer) -> None:
        left_us = self._due_us[name] - self._scope.now
        if left_us > 0:
            self._timers[name] = self._scope.call_later(left_us, self._timer, name)
            return
        del self._timers[name]
        if self.on_activity is not None:
            self.on_activity()
        self._run(self.machine.timer(name))

    def _transmit(self, asdu: bytes) -> None:
        writing_us = self._writing_until_us - self._scope.now
        if writing_us > 0:
            # The processor stands still while a flash page is written.
            self._scope.call_later(writing_us, self._transmit, asdu)
            return
        if self._server is not None and self._scope.now >= self._silent_until_us:
            short, endpoint = self._server
            self._send(
                ApsdeRequest(
                    short,
                    endpoint,
                    SMART_ENERGY_PROFILE,
                    OTA_UPGRADE,
                    self._endpoint,
                    asdu,
                    ack=False,
                    secure=True,
                ),
                None,
            )

    # Flash

    def _erase(self, octets: int) -> None:
        self._nonvolatile.flash_erase(_SLOT)
        self._pending.clear()
        self._pending_offset = 0
        pages = -(-octets // self._flash.page_octets)
        self._scope.call_later(int(pages * self._flash.page_erase_ms * _MS), self._erased)

    def _erased(self) -> None:
        self._run(self.machine.flash_ready())

    def _arrived(self, offset: int, data: bytes) -> None:
        block = self._ota.block_size
        if not self._stalled and self._faults.stalls_at(offset, block):
            self._stalled = True
            self._silent_until_us = self._scope.now + self._faults.stall_us
        self._keep(offset, self._faults.received(offset, data, block))

    def _keep(self, offset: int, data: bytes) -> None:
        if offset != self._pending_offset + len(self._pending):
            # A download taken up again at its saved offset: what followed comes once more.
            self._pending.clear()
            self._pending_offset = offset
        self._pending += data

    def _flush(self) -> None:
        if self._pending:
            self._nonvolatile.flash_write(_SLOT, self._pending_offset, bytes(self._pending))
            pages = -(-len(self._pending) // self._flash.page_octets)
            self._writing_until_us = self._scope.now + int(pages * self._flash.page_write_ms * _MS)
            if self.on_flash_page is not None:
                self.on_flash_page(pages)
            self._pending_offset += len(self._pending)
            self._pending.clear()

    def _save(self, state: SavedTransfer | None) -> None:
        self._flush()
        if state is None:
            self._nonvolatile.delete(SAVED_TRANSFER)
            return
        self._nonvolatile.put(SAVED_TRANSFER, state.pack())

    def _verify(self, key: ImageKey, size: int) -> None:
        try:
            file = parse_ota_file(self._nonvolatile.flash_read(_SLOT, size))
            verify_image(file, self._ota.verification, self._ota.integrity_coverage, self._trusts)
            header = file.header
            if (header.manufacturer_code, header.image_type, header.file_version) != key:
                raise SecurityError(f"OTA file {header.identity}: not the image that was offered")
            if header.destination is not None and not header.is_for(self._eui64):
                other = f"for the device {format_eui64(header.destination)} only"
                raise SecurityError(f"OTA file {header.identity}: {other}")
        except (FrameError, SecurityError) as error:
            self._verified(key, str(error), ZclStatus.INVALID_IMAGE)
        else:
            self._verified(key, None, ZclStatus.SUCCESS)

    def _verified(self, key: ImageKey, fault: str | None, status: ZclStatus) -> None:
        if self.on_verified is not None:
            self.on_verified(key.version, fault)
        self._run(self.machine.verified(status))


def _load(nonvolatile: NonVolatile) -> SavedTransfer | None:
    octets = nonvolatile.get(SAVED_TRANSFER)
    return None if octets is None else SavedTransfer.unpack(octets)
