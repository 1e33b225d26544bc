"""Device models: the typed records behind a profile's TOML file.

A `Model` says everything that the emulator needs to be that device on the air, and how sure we are of each
field. Field lists follow the fact sheet, section 3.8; cluster, attribute and event numbers are data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from hw_profiles.attribute_values import ConfigurationAttribute
from hw_profiles.bounds import (
    U8,
    U16,
    U24,
    U32,
    Choice,
    Distinct,
    Length,
    Pattern,
    Problem,
    Range,
    Seconds,
    Slug,
)
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

Cluster = U16
ModelId = Slug
Name32 = Annotated[str, Length(1, 32)]
Display = Annotated[str, Pattern(r"[ -~]{1,16}", "1 to 16 printable characters")]


class DeviceKind(StrEnum):
    """What a device is to the installation."""

    CHF = "CHF"
    ESME = "ESME"
    GSME = "GSME"
    IHD = "IHD"
    CAD = "CAD"


class NodeType(StrEnum):
    """Role in the ZigBee network."""

    COORDINATOR = "coordinator"
    ROUTER = "router"
    END_DEVICE = "end-device"
    SLEEPY = "sleepy"


class PowerSource(StrEnum):
    """How the device is powered (Basic attribute 0x0007: mains 0x01, battery 0x03, DC 0x04)."""

    MAINS = "mains"
    BATTERY = "battery"
    DC = "dc"

    @property
    def zcl(self) -> int:
        """Value of the Basic PowerSource attribute."""
        return {"mains": 0x01, "battery": 0x03, "dc": 0x04}[self.value]


class SeVersion(StrEnum):
    """Smart Energy profile version; compare with `at_least` (fact sheet 2.1)."""

    SE_1_0 = "1.0"
    SE_1_1 = "1.1"
    SE_1_1A = "1.1a"
    SE_1_1B = "1.1b"
    SE_1_2A = "1.2a"
    SE_1_2B = "1.2b"
    SE_1_4 = "1.4"

    def at_least(self, other: SeVersion) -> bool:
        """Say whether an item introduced in `other` exists in this version."""
        order = tuple(SeVersion)
        return order.index(self) >= order.index(other)


class Unit(StrEnum):
    """Unit of measure of a meter (Metering attribute 0x0300)."""

    KWH = "kWh"
    CUBIC_METRE = "m3"

    @property
    def zcl(self) -> int:
        """Value of the UnitOfMeasure attribute: 0x00 kWh, 0x01 cubic metres, both binary."""
        return 0x00 if self is Unit.KWH else 0x01


class BlockPeriodUnit(StrEnum):
    """How a client reads MinimumBlockPeriod: not at all, in milliseconds, or in seconds (fact sheet 4.2)."""

    NONE = "none"
    MILLISECONDS = "ms"
    SECONDS = "s"


class Verification(StrEnum):
    """What a client checks of a finished download before it asks to activate it."""

    NONE = "none"
    STRUCTURE = "structure"
    INTEGRITY = "integrity"
    ECDSA_1 = "ecdsa-1"
    ECDSA_2 = "ecdsa-2"


class IntegrityCoverage(StrEnum):
    """Which octets the image integrity code covers: three readings in the field (protocol facts 2.2)."""

    BEFORE_TAG = "before-tag"
    WITH_TAG_HEADER = "with-tag-header"
    SHORT_PADDING = "short-padding"


class ActivationPolicy(StrEnum):
    """Who decides when a stored image runs (SE 1.2b UpgradeActivationPolicy)."""

    SERVER = "server"
    OUT_OF_BAND = "out-of-band"


class Level(StrEnum):
    """How sure a field's value is."""

    CONFIRMED = "confirmed"
    DERIVED = "derived"
    RECALLED = "recalled"
    PLACEHOLDER = "placeholder"


class Event(StrEnum):
    """Entries of a device's event code book."""

    FIRMWARE_RECEIVED = "firmware_received"
    FIRMWARE_READY = "firmware_ready"
    FIRMWARE_ACTIVATED = "firmware_activated"
    FIRMWARE_CANCELLED = "firmware_cancelled"
    FIRMWARE_REJECTED = "firmware_rejected"
    FIRMWARE_VERIFIED = "firmware_verified"
    FIRMWARE_VERIFICATION_FAILED = "firmware_verification_failed"
    POWER_LOSS = "power_loss"
    POWER_UP = "power_up"
    CLOCK_SET = "clock_set"
    CONFIGURATION_CHANGED = "configuration_changed"
    KEY_CHANGED = "key_changed"
    KEY_CHANGE_FAILED = "key_change_failed"
    JOINED = "joined"
    JOIN_FAILED = "join_failed"
    LEFT = "left"
    BATTERY_LOW = "battery_low"
    BATTERY_FAILED = "battery_failed"
    COVER_OPENED = "cover_opened"
    COVER_CLOSED = "cover_closed"
    SUPPLY_ENABLED = "supply_enabled"
    SUPPLY_ARMED = "supply_armed"
    SUPPLY_DISABLED = "supply_disabled"
    DEVICE_LOG_CHANGED = "device_log_changed"
    NONVOLATILE_ERROR = "nonvolatile_error"
    MEMORY_ERROR = "memory_error"
    WATCHDOG = "watchdog"


class Quirk(StrEnum):
    """Known departures from the specification that a profile may switch on (fact sheet 2, 4 and 7)."""

    EARLY_ACTIVATION_60MIN = "early_activation_60min"
    ACTIVATES_WITHOUT_ANSWER = "activates_without_answer"
    CONVERSION_FACTOR_HEX_DEFAULT = "conversion_factor_hex_default"
    IGNORES_IMAGE_NOTIFY = "ignores_image_notify"
    IGNORES_WAIT_FOR_DATA = "ignores_wait_for_data"
    REPORTS_OLD_VERSION_UNTIL_READ = "reports_old_version_until_read"
    NO_BLOCK_LARGER_THAN_50 = "no_block_larger_than_50"


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure a field is, and where it comes from."""

    level: Level
    source: Annotated[str, Length(1, 300)]


NOT_STATED = Confidence(Level.PLACEHOLDER, "schema default; the profile does not state it")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the device says it is: node descriptor, Basic cluster and inventory strings.

    `hardware_version` is the 16-bit number that OTA headers are compared with; Basic HWVersion shows its low
    octet. `inventory_manufacturer` and `inventory_model` are the DCC inventory's names.
    """

    manufacturer_code: U16
    manufacturer_name: Name32
    model_identifier: Name32
    hardware_version: U16
    smets_version: Annotated[str, Length(1, 20)]
    inventory_manufacturer: Annotated[str, Length(1, 30)]
    inventory_model: Annotated[str, Length(1, 30)]
    date_code: Annotated[str, Length(0, 16)] = ""
    application_version: U8 = 1
    stack_version: U8 = 2
    zcl_version: U8 = 1


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """Place in the network: node type, power, and how many children a parent takes."""

    type: NodeType
    power_source: PowerSource
    max_children: Annotated[int, Range(0, 32)] = 0
    max_incoming_transfer: Annotated[int, Range(82, 1500)] = 128

    def problems(self) -> Iterator[Problem]:
        """A sleepy node cannot be a parent, and only it sleeps on mains-free power."""
        if self.type in (NodeType.SLEEPY, NodeType.END_DEVICE) and self.max_children:
            yield Problem("max_children", self.max_children, f"0 for a node of type {self.type}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A simple descriptor. Cluster lists are kept in the order written."""

    id: Annotated[int, Range(1, 240)]
    device_id: U16
    server: tuple[Cluster, ...]
    client: tuple[Cluster, ...]
    profile: U16 = SMART_ENERGY_PROFILE
    device_version: Annotated[int, Range(0, 15)] = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Times in seconds; polls count for sleepy nodes only. Defaults as in the fact sheet, 2.8 and 2.11.

    `reporting_interval_s` is a meter's: how often its values are new, a gas meter's in its mirror.
    """

    poll_long_s: Seconds = 300.0
    poll_short_s: Seconds = 1.0
    wake_s: Seconds = 3.0
    missed_polls_to_rejoin: Annotated[int, Range(1, 100)] = 3
    reporting_interval_s: Seconds = 30.0
    keep_alive_s: Seconds = 600.0
    keep_alive_jitter_s: Seconds = 60.0
    rejoin_interval_s: Seconds = 60.0
    rejoin_max_interval_s: Seconds = 900.0
    registration_start_s: Seconds = 4.0
    boot_s: Seconds = 5.0
    reboot_s: Seconds = 20.0


@dataclass(frozen=True, slots=True)
class Battery:
    """Battery model: charge in mAh, costs in microampere-hours."""

    capacity_mah: Annotated[float, Range(1, 100_000)]
    cost_poll_uah: Annotated[float, Range(0, 10_000)]
    cost_octet_tx_uah: Annotated[float, Range(0, 1_000)]
    cost_octet_rx_uah: Annotated[float, Range(0, 1_000)]
    cost_flash_page_uah: Annotated[float, Range(0, 10_000)]
    idle_uah_per_day: Annotated[float, Range(0, 1_000_000)]
    block_ota_below_percent: Annotated[float, Range(0, 100)] = 0.0
    low_percent: Annotated[float, Range(0, 100)] = 10.0
    nominal_mv: Annotated[int, Range(500, 20_000)] = 3600


@dataclass(frozen=True, slots=True)
class Flash:
    """Image storage: octets of one slot and page, milliseconds to write and erase a page."""

    slot_octets: Annotated[int, Range(1024, 16_777_216)]
    page_octets: Annotated[int, Range(64, 65_536)]
    page_write_ms: Annotated[float, Range(0, 60_000)]
    page_erase_ms: Annotated[float, Range(0, 60_000)] = 0.0

    def problems(self) -> Iterator[Problem]:
        """The slot is a whole number of pages."""
        if self.slot_octets % self.page_octets:
            yield Problem("slot_octets", self.slot_octets, f"a multiple of page_octets {self.page_octets}")


@dataclass(frozen=True, slots=True)
class Activation:
    """Which UpgradeEndResponse times the client obeys, and what it does on its own.

    A client without `immediate` or `timed` takes such an answer for a hold: it asks again later. One without
    `held` activates whatever it is told.
    """

    immediate: bool = True
    timed: bool = True
    held: bool = True
    policy: ActivationPolicy = ActivationPolicy.SERVER
    delay_s: Seconds = 3.0
    apply_s: Seconds = 10.0


@dataclass(frozen=True, slots=True)
class Ota:
    """The OTA client; `integrity_coverage` lists the readings it accepts, best first."""

    manufacturer_code: U16
    image_type: U16
    verification: Verification
    block_size: Annotated[int, Range(1, 255)] = 48
    request_interval_ms: Annotated[int, Range(0, 86_400_000)] = 0
    minimum_block_period: BlockPeriodUnit = BlockPeriodUnit.MILLISECONDS
    save_offset_octets: Annotated[int, Range(1, 1_048_576)] = 1024
    response_timeout_s: Seconds = 3.0
    back_off_s: Seconds = 2.0
    error_limit: Annotated[int, Range(1, 1000)] = 10
    query_interval_s: Seconds = 86_400.0
    upgrade_end_reask_s: Seconds = 3600.0
    upgrade_end_retry_s: Seconds = 600.0
    upgrade_end_retries: Annotated[int, Range(0, 1000)] = 10
    activation: Activation = Activation()
    integrity_coverage: tuple[IntegrityCoverage, ...] = (
        IntegrityCoverage.BEFORE_TAG,
        IntegrityCoverage.WITH_TAG_HEADER,
    )
    refuses_downgrade: bool = True
    max_image_octets: U32 = 0
    """Largest image taken; 0 means as large as the flash slot."""


@dataclass(frozen=True, slots=True)
class SecurityProfile:
    """CBKE suites in order of preference, and the install-code length without CRC.

    `serves_unregistered` tells whether protected clusters are served under the install code's key, before a key was
    established with the asker. The framework of the era checks that a frame is under a link key, not under which
    (fact sheet 2.9); its maker says that the install code's key "does not have full access privileges"
    (docs.silabs.com, using installation codes: security use). Both are built.
    """

    cbke_suites: Annotated[
        tuple[Annotated[int, Choice((1, 2))], ...],
        Length(1, 2),
    ] = (1,)
    install_code_octets: Annotated[int, Choice((6, 8, 12, 16))] = 16
    serves_unregistered: bool = True


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """Name of a load curve (`domestic-electricity`, `domestic-gas`, `constant`) and its parameters."""

    name: Annotated[str, Choice(("domestic-electricity", "domestic-gas", "constant"))]
    parameters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Metering:
    """Constants of the Metering cluster and the load that drives its registers.

    Consumption in `unit` is register x `multiplier` / `divisor`. `device_type` is MeteringDeviceType:
    0 electric, 1 gas.
    """

    unit: Unit
    device_type: Annotated[int, Choice((0, 1))]
    load: LoadProfile
    multiplier: U24 = 1
    divisor: Annotated[int, Range(1, 0xFF_FFFF)] = 1000
    summation_formatting: U8 = 0xFB
    demand_formatting: U8 = 0xFB
    tiers: Annotated[int, Range(0, 48)] = 4
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a display reads of its own accord and how often, in seconds; 0 is never. Defaults: fact sheet, 1.2.

    Electricity comes from the meter itself, gas from its mirror at the hub, the time from the hub.
    """

    electricity_s: Seconds = 10.0
    gas_s: Seconds = 1800.0
    time_s: Seconds = 86_400.0

    def problems(self) -> Iterator[Problem]:
        """A reading takes its time on the air: several a second are none that anybody looks at."""
        for each in fields(self):
            if 0 < (value := getattr(self, each.name)) < 1:
                yield Problem(each.name, value, "0 for never, or 1 second or more")


@dataclass(frozen=True, slots=True)
class FirmwareVersion:
    """One firmware: its 32-bit OTA version, what the display shows, and what it changes about the device."""

    ota_version: U32
    display: Display
    inventory_version: Annotated[str, Length(1, 8)]
    smets_version: Annotated[str, Length(1, 20)] | None = None
    se_version: SeVersion | None = None
    model_identifier: Name32 | None = None
    metrology: Display | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A device model; `battery`, `flash`, `ota`, `metering`, `refresh` are None for a device that has no such thing."""

    id: ModelId
    kind: DeviceKind
    title: Annotated[str, Length(1, 80)]
    identity: Identity
    se_version: SeVersion
    node: NodeProfile
    endpoints: Annotated[tuple[Endpoint, ...], Length(1, 240), Distinct("id", "endpoint id")]
    firmware: Annotated[tuple[FirmwareVersion, ...], Length(1, 256), Distinct("ota_version", "ota_version")]
    confidence: Mapping[str, Confidence]
    timings: Timings = Timings()
    security: SecurityProfile = SecurityProfile()
    battery: Battery | None = None
    flash: Flash | None = None
    ota: Ota | None = None
    metering: Metering | None = None
    refresh: Refresh | None = None
    events: Mapping[Event, U16] = field(default_factory=lambda: MappingProxyType({}))
    quirks: tuple[Quirk, ...] = ()
    configuration: tuple[ConfigurationAttribute, ...] = ()

    def firmware_version(self, ota_version: int) -> FirmwareVersion | None:
        """Return what is known of a 32-bit OTA version, or None when the profile does not list it."""
        return next((known for known in self.firmware if known.ota_version == ota_version), None)

    def firmware_displayed(self, display: str) -> FirmwareVersion | None:
        """Return the firmware whose display string is `display`, or None."""
        return next((known for known in self.firmware if known.display == display), None)

    def display_of(self, ota_version: int) -> str:
        """Return how people call a 32-bit OTA version: hexadecimal where the profile does not list it."""
        known = self.firmware_version(ota_version)
        return f"0x{ota_version:08X}" if known is None else known.display

    def endpoint_serving(self, cluster: int) -> Endpoint | None:
        """Return the first endpoint with `cluster` among its servers, or None."""
        return next((endpoint for endpoint in self.endpoints if cluster in endpoint.server), None)

    def confidence_of(self, path: str) -> Confidence:
        """Return the confidence of a dotted path (`ota.image_type`): its own, or its nearest section's."""
        while path:
            if path in self.confidence:
                return self.confidence[path]
            path = path.rpartition(".")[0]
        return NOT_STATED

    def problems(self) -> Iterator[Problem]:
        """Rules between sections that a table of fields cannot say."""
        coordinator = self.node.type is NodeType.COORDINATOR
        if (self.kind is DeviceKind.CHF) != coordinator:
            yield Problem("node.type", self.node.type.value, "coordinator for a CHF, and only for a CHF")
        if self.kind in (DeviceKind.ESME, DeviceKind.GSME) and self.metering is None:
            yield Problem("metering", None, "a [metering] table, for a meter")
        if (self.kind in (DeviceKind.IHD, DeviceKind.CAD)) != (self.refresh is not None):
            yield Problem("refresh", self.refresh, "a [refresh] table for an IHD or CAD, and only for these")
        if self.node.power_source is PowerSource.BATTERY and self.battery is None:
            yield Problem("battery", None, "a [battery] table, for a device on battery power")
        if self.ota is not None and self.flash is None:
            yield Problem("flash", None, "a [flash] table, for a device with an [ota] table")
