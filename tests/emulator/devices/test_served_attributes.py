"""What every model serves is what the cluster definitions say, and no more of it can be written than the model says."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.devices.attributes import table_of
from emulator.devices.electricity_meter import ElectricityMeter
from emulator.devices.gas_meter import GasMeter
from emulator.devices.home import surroundings_of
from emulator.devices.in_home_display import InHomeDisplay
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.nonvolatile import MemoryNonVolatile
from emulator.smart_energy.clusters import Metering, definition_of
from emulator.smart_energy.version import SeVersion
from emulator.zcl import values
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.frame import ZclStatus
from emulator.zcl.identifiers import DEVICE_CONTROL, METERING, TIME
from hw_profiles.loader import load_model, model_ids
from hw_profiles.model import DeviceKind
from tests.emulator.devices.home_world import World, example, installed

KINDS: dict[DeviceKind, tuple[str, type[SmartEnergyDevice]]] = {
    DeviceKind.ESME: ("electricity", ElectricityMeter),
    DeviceKind.GSME: ("gas", GasMeter),
    DeviceKind.IHD: ("display", InHomeDisplay),
    DeviceKind.CAD: ("display", InHomeDisplay),
}
DEVICES = [model_id for model_id in model_ids() if load_model(model_id).kind in KINDS]


def disagreements(endpoint: ZclEndpoint) -> list[str]:
    """Return what an endpoint serves otherwise than defined; manufacturers' own attributes have no definition."""
    found = []
    for side in endpoint.sides():
        if side.cluster == DEVICE_CONTROL:
            continue
        if next(side.attributes.ordered(), None) is None:
            continue
        definition: Any = definition_of(side.cluster)
        for attribute in side.attributes.ordered():
            defined = definition.attributes.get(attribute.identifier)
            where = f"0x{side.cluster:04X}/0x{attribute.identifier:04X} {attribute.name}"
            if defined is None:
                found.append(f"{where}: not defined")
            elif int(defined.zcl_type) != attribute.type_id:
                found.append(
                    f"{where}: type 0x{attribute.type_id:02X}, defined as 0x{int(defined.zcl_type):02X}"
                )
            values.decode(attribute.type_id, attribute.serialise())
    return found


@pytest.mark.parametrize("model_id", DEVICES)
def test_every_model_serves_what_is_defined(model_id: str) -> None:
    model = load_model(model_id)
    name, kind = KINDS[model.kind]
    kernel = Kernel()
    surroundings = surroundings_of(kernel, Medium(kernel), example())
    version = model.firmware[0].ota_version
    device = kind(surroundings, example().device(name), model, MemoryNonVolatile(), version)
    device.power_on()
    kernel.run_for(60_000_000)
    assert device.life is not None
    for described in model.endpoints:
        assert disagreements(device.life.endpoint(described.id)) == []


def test_the_hub_serves_what_is_defined() -> None:
    async def story(world: World) -> None:
        hub = world.home.hub
        for described in hub.model.endpoints:
            assert disagreements(hub.smart_energy.endpoint(described.id)) == []

    installed().run(story)


def test_what_a_definition_leaves_open_to_writing_a_device_does_not() -> None:
    table = table_of(TIME, {"time": 5, "time_zone": 0})
    for attribute in table.ordered():
        assert table.check_write(attribute.identifier, attribute.type_id) == ZclStatus.READ_ONLY
        assert attribute.reportable


def test_attributes_are_served_by_the_names_of_their_cluster_in_the_version_that_has_them() -> None:
    contents = {"current_summ_delivered": 7, "supply_status": 2}
    table = table_of(METERING, contents, Metering.attribute_gate(SeVersion.SE_1_0))
    assert [(each.identifier, each.type_id, each.octets) for each in table.ordered()] == [
        (0x0000, 0x25, b"\x07\0\0\0\0\0")
    ]
    with pytest.raises(KeyError, match="current_summation"):
        table_of(METERING, {"current_summation": 7})
    with pytest.raises(KeyError):
        table_of(0x0006, {})
