"""The steps that pass control: from the old head end to the new controllers, and its proof."""

from __future__ import annotations

from functools import partial

from emulator.devices.control import ControlStatus
from harness.errors import RegimeError
from harness.exchange.document import FileKind, Row
from harness.journal import Json
from harness.regime.case import MigratingDevice
from harness.regime.control import NEW_CONTROLLER, OLD_CONTROLLER, transfer_key
from harness.regime.controllers import Controller
from harness.regime.dossier import Stage
from harness.regime.lifecycle import Event
from harness.regime.parties import ROLE_TEXT


class CutOver(Stage):
    """From viable devices to devices whose keys only their new controllers hold."""

    async def transfer_control(self) -> Event:
        """Have the SMSO release each device, for good."""
        smso = self._regime.smso
        devices = self._dossier.viable_devices()
        for device in devices:
            if self._journal.done(transfer_key(device.name)) is not None:
                continue
            with self._journal.effect(
                device.name,
                "control-transfer",
                {"from": OLD_CONTROLLER, "to": NEW_CONTROLLER},
                key=transfer_key(device.name),
                irreversible=True,
            ) as effect:
                smso.release(device.eui64)
                effect.done({"controller": NEW_CONTROLLER})
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
        key = f"rotate-key/{role}/{device.name}"
        if self._journal.done(key) is not None:
            return
        announced: dict[str, Json] = {
            "sender": controller.name,
            "role": role,
            "generation": controller.next_generation(device.eui64),
        }
        with self._journal.effect(device.name, "rotate-key", announced, key=key, irreversible=True) as effect:
            target = int(str(effect.intent.details["generation"]))
            generation = await self._dossier.persistently(
                lambda: controller.rotate(device.eui64, target, self._dossier.world.send_control),
                self._dossier.parameters.control_attempts,
            )
            effect.done({"generation": generation})

    async def _prove_control(self, device: MigratingDevice) -> None:
        """Show that the new keys work and the old ones do not."""
        send, smso = self._dossier.world.send_control, self._regime.smso
        persistently, attempts = self._dossier.persistently, self._dossier.parameters.control_attempts
        for controller, *_ in self._dossier.controllers():
            role = controller.role
            agrees = await persistently(partial(controller.keys_agree, device.eui64, send), attempts)
            refused = await persistently(partial(smso.locked_out, device.eui64, role, send), attempts)
            self._journal.observe(
                device.name,
                "control-proof",
                {
                    "role": ROLE_TEXT[role],
                    "holder": controller.name,
                    "new_key_works": agrees,
                    "old_key_answer": refused.name,
                },
            )
            if not agrees or refused is ControlStatus.OK:
                raise RegimeError(
                    f"{device.name}: after rotation the {ROLE_TEXT[role]} key is not the "
                    f"{controller.name}'s alone; "
                    "stop and investigate"
                )
