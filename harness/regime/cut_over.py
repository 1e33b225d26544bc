"""The steps that pass control: from the old head end to the new controllers, and its proof."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from emulator.devices.control import ControlStatus
from harness.errors import RegimeError, UnreachableError
from harness.exchange.document import FileKind, Row
from harness.facts import Failed
from harness.facts.enrolment import ControlProof, ControlTransfer, KeyRotated, KeyRotation, Released
from harness.facts.terms import Event
from harness.regime.case import MigratingDevice
from harness.regime.control import NEW_CONTROLLER, OLD_CONTROLLER
from harness.regime.controllers import Controller
from harness.regime.dossier import Stage
from harness.regime.parties import ROLE_TEXT
from harness.regime.validation import Finding
from hw_profiles.model import DeviceKind


class CutOver(Stage):
    """From viable devices to devices whose keys only their new controllers hold."""

    async def transfer_control(self) -> Event:
        """Have the SMSO release each device, for good."""
        smso = self._regime.smso
        devices = self._dossier.viable_devices()
        for device in devices:
            transfer = ControlTransfer(device.name, giver=OLD_CONTROLLER, taker=NEW_CONTROLLER)
            if self._journal.done(transfer.key) is not None:
                continue
            with self._journal.effect(transfer) as effect:
                smso.release(device.eui64)
                effect.done(Released(NEW_CONTROLLER))
        rows = [Row("Released", {"eui64": device.name}) for device in devices]
        self._dossier.publish(smso, FileKind.RELEASE, lambda: rows)
        self._journal.checkpoint("control transferred")
        return Event.CONTROL_TRANSFERRED

    async def rotate_keys(self) -> Event:
        """Rotate both keys of each device, and prove that nobody else holds them.

        A gas meter that falls silent meanwhile is left out, and electricity goes on without it; raises
        `UnreachableError` when the hub or the electricity meter does.
        """
        controllers = self._dossier.controllers()
        for controller, *_ in controllers:
            self._dossier.receive(controller, FileKind.RELEASE)
        first, published = controllers[0].controller, self._dossier.answer(controllers[0].commissioning)
        if published is None:
            names = await self._taken_over()
        else:
            document = first.read(published.name, controllers[0].commissioning).document
            names = [row["eui64"] for row in document.having("Rotated")]
        for controller, _, _, commissioning in controllers:
            self._dossier.publish(controller, commissioning, partial(controller.rotated_rows, names))
        self._journal.checkpoint("keys rotated")
        return Event.ROTATION_COMPLETE

    async def _taken_over(self) -> list[str]:
        """Rotate and prove the keys of every viable device; return those of which both is done."""
        devices = self._dossier.viable_devices()
        for step in (self._rotate_both, self._prove_control):
            devices = [device for device in devices if await self._reached(device, step)]
        return [device.name for device in devices]

    async def _reached(
        self, device: MigratingDevice, step: Callable[[MigratingDevice], Awaitable[None]]
    ) -> bool:
        try:
            await step(device)
        except UnreachableError as error:
            if device.kind is not DeviceKind.GSME:
                raise
            text = f"released by the SMSO and silent since, so who controls it is not proven: {error}"
            self._dossier.problem(Finding("K01", text[:250], device.name))
            return False
        return True

    async def _rotate_both(self, device: MigratingDevice) -> None:
        for controller, *_ in self._dossier.controllers():
            await self._rotate(controller, device)

    async def _rotate(self, controller: Controller, device: MigratingDevice) -> None:
        role = ROLE_TEXT[controller.role]
        if self._journal.done(KeyRotation.key_of(role, device.name)) is not None:
            return
        generation = controller.next_generation(device.eui64)
        rotation = KeyRotation(device.name, sender=controller.name, role=role, generation=generation)
        with self._journal.effect(rotation) as effect:
            try:
                reached = await self._dossier.persistently(
                    lambda: controller.rotate(
                        device.eui64, effect.act.generation, self._dossier.world.send_control
                    ),
                    self._dossier.parameters.control_attempts,
                )
            except UnreachableError:
                if device.kind is DeviceKind.GSME:
                    # It is left out for good, not left in doubt for a resumed run to settle.
                    effect.failed(Failed("no answer: whether the key was taken is not known"))
                raise
            effect.done(KeyRotated(reached))

    async def _prove_control(self, device: MigratingDevice) -> None:
        """Show that the new keys work and the old ones do not."""
        send, smso = self._dossier.world.send_control, self._regime.smso
        persistently, attempts = self._dossier.persistently, self._dossier.parameters.control_attempts
        for controller, *_ in self._dossier.controllers():
            role = controller.role
            agrees = await persistently(partial(controller.keys_agree, device.eui64, send), attempts)
            refused = await persistently(partial(smso.locked_out, device.eui64, role, send), attempts)
            self._journal.write(
                ControlProof(
                    device.name,
                    role=ROLE_TEXT[role],
                    holder=controller.name,
                    new_key_works=agrees,
                    old_key_answer=refused.name,
                )
            )
            if not agrees or refused is ControlStatus.OK:
                raise RegimeError(
                    f"{device.name}: after rotation the {ROLE_TEXT[role]} key is not the "
                    f"{controller.name}'s alone; "
                    "stop and investigate"
                )
