"""OTA clients brought into a phase by what a server and a device would do, and words for what they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from emulator.clock.kernel import Kernel
from emulator.smart_energy.ota import effects as e
from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.client import OtaClient
from emulator.smart_energy.ota.policy import OtaClientPolicy
from emulator.zcl.frame import ZclStatus

RUNS = m.ImageKey(0x1057, 1, 1)
OFFERED = m.ImageKey(0x1057, 1, 2)
SIZE = 1000
POLICY = OtaClientPolicy(*RUNS)


def client(saved: e.SavedTransfer | None = None, **changes: Any) -> OtaClient:
    """Return a client that has started, of the usual policy with `changes`."""
    machine = OtaClient(replace(POLICY, **changes), Kernel(3).scope("meter"), saved)
    machine.power_up()
    return machine


def querying(**changes: Any) -> OtaClient:
    machine = client(**changes)
    machine.query()
    return machine


def erasing(**changes: Any) -> OtaClient:
    machine = querying(**changes)
    machine.message(m.OtaCommand.QUERY_NEXT_IMAGE_RESPONSE, m.QueryNextImageResponse(0, OFFERED, SIZE).pack())
    return machine


def downloading(**changes: Any) -> OtaClient:
    machine = erasing(**changes)
    machine.flash_ready()
    return machine


def verifying(**changes: Any) -> OtaClient:
    machine = downloading(**changes)
    while machine.offset < SIZE:
        block = m.ImageBlock(OFFERED, machine.offset, bytes(min(48, SIZE - machine.offset)))
        machine.message(m.OtaCommand.IMAGE_BLOCK_RESPONSE, block.pack())
    return machine


def ending(**changes: Any) -> OtaClient:
    machine = verifying(**changes)
    machine.verified(ZclStatus.SUCCESS)
    return machine


def waiting(**changes: Any) -> OtaClient:
    machine = ending(**changes)
    end(machine, m.WAIT_FOREVER)
    return machine


def counting_down(**changes: Any) -> OtaClient:
    machine = ending(**changes)
    end(machine, 600)
    return machine


def external(**changes: Any) -> OtaClient:
    machine = ending(**{"out_of_band_activation": True, **changes})
    end(machine, 0)
    return machine


def reporting(**changes: Any) -> OtaClient:
    machine = verifying(**changes)
    machine.verified(ZclStatus.INVALID_IMAGE)
    return machine


BY_PHASE: dict[e.OtaPhase, Callable[..., OtaClient]] = {
    e.OtaPhase.IDLE: client,
    e.OtaPhase.QUERYING: querying,
    e.OtaPhase.ERASING: erasing,
    e.OtaPhase.DOWNLOADING: downloading,
    e.OtaPhase.VERIFYING: verifying,
    e.OtaPhase.ENDING: ending,
    e.OtaPhase.WAITING: waiting,
    e.OtaPhase.COUNTDOWN: counting_down,
    e.OtaPhase.EXTERNAL: external,
    e.OtaPhase.REPORTING: reporting,
}
"""How a client comes into each phase."""


def end(machine: OtaClient, upgrade_time: int, current_time: int = 0) -> list[e.ClientEffect]:
    """Let the server answer the end of the download; with `current_time` 0, `upgrade_time` is a delay."""
    response = m.UpgradeEndResponse(OFFERED, current_time, upgrade_time)
    return machine.message(m.OtaCommand.UPGRADE_END_RESPONSE, response.pack())


def told(effects: list[e.ClientEffect]) -> list[str]:
    """Return the effects in short: a timer with its name, a command with its number, others by their kind."""
    return [_word(effect) for effect in effects]


def _word(effect: e.ClientEffect) -> str:
    match effect:
        case e.Send(command, _):
            return f"send {command:02X}"
        case e.SetTimer(name, _):
            return f"set {name.name}"
        case e.CancelTimer(name):
            return f"cancel {name.name}"
        case e.SaveState(state):
            return "forget" if state is None else f"save {state.phase.name}"
        case e.StatusChanged(status):
            return f"status {status.name}"
        case e.Stopped(reason, _):
            return f"stopped {reason.name}"
        case e.DefaultResponse(command, status):
            return f"answer {command:02X} {status:02X}"
        case _:
            return type(effect).__name__
