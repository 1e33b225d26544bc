"""The steps that pass control: from the old head end to the new controllers, and its proof."""

from __future__ import annotations

from functools import partial

from emulator.devices.control import ControlStatus
from harness.errors import RegimeError
from harness.exchange.document import FileKind, Row
from harness.facts.enrolment import ControlProof, ControlTransfer, KeyRotated, KeyRotation, Released
from harness.facts.terms import Event
from harness.regime.case import MigratingDevice
from harness.regime.control import NEW_CONTROLLER, OLD_CONTROLLER
from harness.regime.controllers import Controller
from harness.regime.dossier import Stage
from harness.regime.parties import ROLE_TEXT


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
        """Rotate both keys of each device, and prove that nobody else holds them."""
        devices = self._dossier.viable_devices()
        for controller, *_ in self._dossier.controllers():
            self._dossier.receive(controller, FileKind.RELEASE)
        for device in devices:
            for controller, *_ in self._dossier.controllers():
                await self._rotate(controller, device)
        for device in devices:
            await self._prove_control(device)
        names = [device.name for device in devices]
        for controller, _, _, commissioning in self._dossier.controllers():
            self._dossier.publish(controller, commissioning, partial(controller.rotated_rows, names))
        self._journal.checkpoint("keys rotated")
        return Event.ROTATION_COMPLETE

    async def _rotate(self, controller: Controller, device: MigratingDevice) -> None:
        role = ROLE_TEXT[controller.role]
        if self._journal.done(KeyRotation.key_of(role, device.name)) is not None:
            return
        generation = controller.next_generation(device.eui64)
        rotation = KeyRotation(device.name, sender=controller.name, role=role, generation=generation)
        with self._journal.effect(rotation) as effect:
            reached = await self._dossier.persistently(
                lambda: controller.rotate(
                    device.eui64, effect.act.generation, self._dossier.world.send_control
                ),
                self._dossier.parameters.control_attempts,
            )
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
