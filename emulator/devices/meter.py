"""What electricity and gas meters share: metrology, registers, supply state and the Metering cluster."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from emulator.clock.kernel import MICROSECONDS
from emulator.devices.attributes import Contents
from emulator.devices.life import Life
from emulator.devices.metrology import DAY_US, LoadCurve, Metrology
from emulator.devices.registers import ROLL_OVER, Registers
from emulator.devices.smart_energy_device import SmartEnergyDevice
from emulator.devices.surroundings import Surroundings
from emulator.nonvolatile import NonVolatile
from emulator.zcl.identifiers import METERING
from hw_profiles.installation import DeviceEntry
from hw_profiles.model import Event, Metering, Model

_SUPPLY = "supply.state"


class SupplyState(IntEnum):
    """SupplyStatus attribute values; an upgrade never changes the supply."""

    DISABLED = 0
    ARMED = 1
    ENABLED = 2


class Meter(SmartEnergyDevice):
    """A meter: it counts whatever its processor does, and keeps its registers through resets."""

    def __init__(
        self,
        surroundings: Surroundings,
        entry: DeviceEntry,
        model: Model,
        nonvolatile: NonVolatile,
        installed: int,
    ) -> None:
        """`entry.registers` gives the register's start; `model.metering` its unit and load."""
        super().__init__(surroundings, entry, model, nonvolatile, installed)
        if model.metering is None:
            raise ValueError(f"model {model.id} has no metering table")
        self.metering: Metering = model.metering
        kernel = surroundings.kernel
        self.metrology = Metrology(
            LoadCurve.named(self.metering.load.name, self.metering.load.parameters),
            self.metering.divisor / self.metering.multiplier,
            f"{kernel.seed}/{entry.name}/load",
            time_of_day_us=kernel.epoch_us % DAY_US,
        )
        self.registers: Registers | None = None

    @property
    def supply_state(self) -> SupplyState:
        """Whether the supply is on, as the load switch or valve stands."""
        stored = self.nonvolatile.get(_SUPPLY)
        return SupplyState(stored[0]) if stored else SupplyState.ENABLED

    def set_supply(self, state: SupplyState) -> None:
        """Move the load switch or valve, and log it."""
        if state is self.supply_state:
            return
        self.nonvolatile.put(_SUPPLY, bytes((state,)))
        self.log.append(Event[f"SUPPLY_{state.name}"], self.unix_seconds)

    def _build(self, life: Life) -> None:
        initial = int(self.entry.registers.get("current_summation_delivered", 0))
        self.registers = Registers(life.scope, self.nonvolatile, self.metrology, initial)
        life.application.serve(self.model.endpoints[0].id, METERING, self.metering_attributes(self.registers))
        super()._build(life)

    def _before_reset(self) -> None:
        if self.registers is not None:
            self.registers.store()

    def metering_attributes(self, registers: Registers) -> Contents:
        """Return the Metering attributes (fact sheet 2.5); demand is in register units an hour."""
        metering = self.metering
        per_hour = metering.divisor / metering.multiplier
        update_period = min(int(self.model.timings.reporting_interval_s), 0xFF)
        demand: Callable[[], int] = lambda: min(int(registers.demand * per_hour), 0x7FFFFF)  # noqa: E731
        return {
            "current_summ_delivered": self._active_import,
            "default_update_period": update_period,
            "fast_poll_update_period": 5,
            "supply_status": lambda: int(self.supply_state),
            **self._tiers(registers),
            "status": 0,
            "unit_of_measure": metering.unit.zcl,
            "multiplier": metering.multiplier,
            "divisor": metering.divisor,
            "summation_formatting": metering.summation_formatting,
            "demand_formatting": metering.demand_formatting,
            "metering_device_type": metering.device_type,
            "meter_serial_number": f"{self.eui64 & 0xFFFFFFFF:010d}".encode(),
            "instantaneous_demand": demand,
        }

    def _active_import(self) -> int:
        return self.registers.active_import if self.registers is not None else 0

    def _tiers(self, registers: Registers) -> Contents:
        """Tiers add up to the total: one tariff is active, and all that is counted goes to tier 1."""
        others = [
            int(self.entry.registers.get(f"tier_{tier}", 0)) for tier in range(2, self.metering.tiers + 1)
        ]
        contents = [lambda: (registers.active_import - sum(others)) % ROLL_OVER, *others]
        return {
            f"current_tier{tier}_summ_delivered": content
            for tier, content in enumerate(contents[: self.metering.tiers], start=1)
        }


def seconds(value: float) -> int:
    """Return seconds as microseconds."""
    return int(value * MICROSECONDS)
