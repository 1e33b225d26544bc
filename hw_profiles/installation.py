"""One installation: the devices of a home, who is responsible for them, and what enrolling them needs.

The TOML file is an `InstallationRecord`; `load_installation` checks it against the models it names and
returns an `Installation` with everything resolved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from hw_profiles.epcl import Epcl, Product, load_epcl
from hw_profiles.errors import ProfileError
from hw_profiles.identifiers import parse_eui64_text, parse_install_code, parse_mpan, parse_mprn
from hw_profiles.loader import load_model
from hw_profiles.model import DeviceKind, FirmwareVersion, Model, ModelId
from hw_profiles.sequence import Sequence as ConfigurationSequence
from hw_profiles.sequence import load_sequence
from hw_profiles.toml_reader import (
    U8,
    U16,
    U48,
    Choice,
    Length,
    Pattern,
    Problem,
    Range,
    Scalar,
    Seconds,
    load_table,
    read_record,
    refuse,
)

DeviceName = Annotated[str, Pattern(r"[a-z][a-z0-9-]*", "lower-case letters, digits and hyphens")]
Eui64Text = Annotated[
    str, Pattern(r"([0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}", "an EUI-64 as 00-DB-12-34-56-78-90-A0")
]
Coordinates = Annotated[tuple[Annotated[float, Range(-1000, 1000)], ...], Length(2, 2)]


class Supply(StrEnum):
    """When a certificate is supplied, relative to the cut-off for commissioning."""

    BEFORE_CUT_OFF = "before-cut-off"
    AFTER_CUT_OFF = "after-cut-off"
    NEVER = "never"


class FaultName(StrEnum):
    """What can be made to go wrong in an emulated home."""

    POWER_CUT = "power_cut"
    """No power for `off_s` seconds (60)."""
    UNPLUGGED = "unplugged"
    """No power, for good."""
    OUT_OF_RANGE = "out_of_range"
    """Hears nobody and is heard by nobody, for good or for `for_s` seconds."""
    LINK_LOSS = "link_loss"
    """Frames to and from the device are lost with probability `loss`, for good or for `for_s` seconds."""
    WAN_OUTAGE = "wan_outage"
    """The hub's wide-area link is down for `for_s` seconds (3600)."""
    CORRUPT_BLOCK = "corrupt_block"
    """Every download has one bit wrong in block `at_block`."""
    STALL = "stall"
    """The first download of each boot falls silent at block `at_block` for `for_s` seconds (3600)."""
    NEVER_ACTIVATES = "never_activates"
    """The device restarts when it is told to activate, but keeps its firmware."""


_FAULT_PARAMETERS: Mapping[FaultName, tuple[str, ...]] = MappingProxyType(
    {
        FaultName.POWER_CUT: ("off_s",),
        FaultName.UNPLUGGED: (),
        FaultName.OUT_OF_RANGE: ("for_s",),
        FaultName.LINK_LOSS: ("loss", "for_s"),
        FaultName.WAN_OUTAGE: ("for_s",),
        FaultName.CORRUPT_BLOCK: (),
        FaultName.STALL: ("for_s",),
        FaultName.NEVER_ACTIVATES: (),
    }
)
FIRMWARE_FAULTS = (FaultName.CORRUPT_BLOCK, FaultName.STALL, FaultName.NEVER_ACTIVATES)
_OF_A_BLOCK = (FaultName.CORRUPT_BLOCK, FaultName.STALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject into a device: what, when, and how.

    `at_s` counts seconds of the scenario; a fault that is due before the home is installed waits for that.
    `at_block` counts OTA blocks of a download from 0. `parameters` are those of the fault's name.
    """

    name: FaultName
    at_s: Seconds = 0.0
    at_block: Annotated[int, Range(0, 10_000_000)] | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))

    def number(self, parameter: str, default: float) -> float:
        """Return a parameter of the fault."""
        return float(self.parameters.get(parameter, default))

    def problems(self) -> Iterator[Problem]:
        """A block for what happens at a block, and only parameters that mean something, as numbers."""
        if (self.at_block is not None) != (self.name in _OF_A_BLOCK):
            wanted = "a block number" if self.name in _OF_A_BLOCK else f"no block number for {self.name}"
            yield Problem("at_block", self.at_block, wanted)
        known = _FAULT_PARAMETERS[self.name]
        for name, value in self.parameters.items():
            if name not in known:
                yield Problem(f"parameters.{name}", value, "one of " + (", ".join(known) or "none"))
            elif isinstance(value, bool | str) or value < 0 or (name == "loss" and value > 1):
                yield Problem(f"parameters.{name}", value, "a number, 0 or more; a loss at most 1")


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One device of the home. `install_code` includes its CRC; `firmware` is the display string now running.

    `registers` start the Metering registers, in register units: `current_summation_delivered`, `tier_1` and
    on. `configuration` gives current values of the model's configuration attributes that differ from the
    defaults.
    """

    name: DeviceName
    role: DeviceKind
    model: ModelId
    eui64: Eui64Text
    firmware: Annotated[str, Length(1, 16)]
    install_code: str = ""
    position: Coordinates = (0.0, 0.0)
    registers: Mapping[str, U48] = field(default_factory=lambda: MappingProxyType({}))
    configuration: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    battery_percent: Annotated[float, Range(0, 100)] = 100.0
    clock_offset_s: Annotated[float, Range(-86_400, 86_400)] = 0.0
    faults: tuple[Fault, ...] = ()

    @property
    def address(self) -> int:
        """The EUI-64 as an integer."""
        return parse_eui64_text(self.eui64)

    @property
    def install_code_octets(self) -> bytes:
        """The install code with its CRC, empty for the hub."""
        return parse_install_code(self.install_code) if self.install_code else b""

    def problems(self) -> Iterator[Problem]:
        """Every device but the hub joins with an install code, whose CRC must be right."""
        if self.role is not DeviceKind.CHF and not self.install_code:
            yield Problem("install_code", "", "the code on the device's label with its CRC, in hexadecimal")
        if self.install_code:
            try:
                parse_install_code(self.install_code)
            except ProfileError as error:
                yield Problem("install_code", self.install_code, f"a valid install code ({error})")


@dataclass(frozen=True, slots=True)
class Link:
    """What the radio path between two devices is like, where it differs from what distance gives."""

    between: Annotated[tuple[DeviceName, ...], Length(2, 2)]
    loss: Annotated[float, Range(0, 1)] = 0.0
    cannot_hear: bool = False
    lqi: U8 | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The network as the old head end left it; what is None, the scenario's seed chooses."""

    extended_pan_id: Eui64Text | None = None
    pan_id: Annotated[int, Range(1, 0xFFFE)] | None = None
    channel: Annotated[int, Range(11, 26)] | None = None
    key_sequence: U8 = 0


@dataclass(frozen=True, slots=True)
class HeadEnd:
    """The party that operated the installation until now."""

    smso: Annotated[str, Length(1, 40)]
    name: Annotated[str, Length(1, 80)]


@dataclass(frozen=True, slots=True)
class Wan:
    """The wide-area link to the hub."""

    provider: Annotated[str, Length(1, 40)]
    latency_ms: Annotated[int, Range(0, 600_000)] = 600
    jitter_ms: Annotated[int, Range(0, 600_000)] = 200
    sms_wake_count: Annotated[int, Range(0, 10)] = 1
    awake_s: Seconds = 600.0


@dataclass(frozen=True, slots=True)
class Suppliers:
    """Energy suppliers, by EUI-64: who is responsible now, and who installed the meters."""

    responsible: Eui64Text
    installing: Eui64Text


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What the Responsible Supplier has sent with its authorisation, and when network certificates come."""

    supplier_certificates: Supply = Supply.BEFORE_CUT_OFF
    dno_certificate: Supply = Supply.BEFORE_CUT_OFF
    gt_certificate: Supply = Supply.NEVER


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Parameters of the enrolment; the regime's own values are not public, so every one is settable (DCC
    facts 7.7).
    """

    group_id: Annotated[str, Pattern(r"[A-Z]{2}", "two capital letters")] = "AA"
    authorisation_valid_days: Annotated[int, Range(1, 3650)] = 90
    certificate_cut_off_hours: Annotated[float, Range(0, 8760)] = 24.0
    file_timeout_hours: Annotated[float, Range(0, 8760)] = 24.0
    device_test_attempts: Annotated[int, Range(1, 100)] = 3
    migration_attempts: Annotated[int, Range(1, 100)] = 5
    post_commissioning_days: Annotated[int, Range(1, 3650)] = 7
    clock_tolerance_s: Seconds = 10.0


@dataclass(frozen=True, slots=True)
class FirmwareAuthority:
    """Who may sign firmware for this home's devices: an issuer's implicit-certificate key, and its signers.

    `public_key` is the compressed point in hexadecimal (22 octets for suite 1, 37 for suite 2). A `rehearsal`
    authority's private key is published: real devices must never be given it.
    """

    suite: Annotated[int, Choice((1, 2))]
    issuer: Eui64Text
    public_key: Annotated[
        str, Pattern(r"0[23]([0-9a-f]{2})+", "a compressed point in lower-case hexadecimal")
    ]
    signers: Annotated[tuple[Eui64Text, ...], Length(1, 3)]
    rehearsal: bool = False

    def problems(self) -> Iterator[Problem]:
        """The point has the size of its curve."""
        octets = {1: 22, 2: 37}[self.suite]
        if len(self.public_key) != 2 * octets:
            yield Problem("public_key", self.public_key, f"{octets} octets for suite {self.suite}")


@dataclass(frozen=True, slots=True)
class InstallationRecord:
    """The installation file. Paths are relative to its folder; `start` is the scenario's wall-clock time."""

    id: Annotated[str, Pattern(r"[a-z0-9]+(-[a-z0-9]+)*", "lower-case words joined by hyphens")]
    description: Annotated[str, Length(1, 300)]
    mpan: str
    mprn: str
    start: datetime
    dormant: bool
    epcl: Annotated[str, Length(1, 300)]
    suppliers: Suppliers
    previous_head_end: HeadEnd
    wan: Wan
    devices: Annotated[tuple[DeviceEntry, ...], Length(2, 17)]
    catalogue: str | None = None
    catalogue_root_sha256: Annotated[str, Pattern(r"[0-9a-f]{64}", "a SHA-256 in lower case")] | None = None
    sequences: tuple[str, ...] = ()
    network: Network = Network()
    links: tuple[Link, ...] = ()
    authorisation: Authorisation = Authorisation()
    enrolment: Enrolment = Enrolment()
    firmware_authorities: tuple[FirmwareAuthority, ...] = ()
    permit_join_s: U16 = 254

    def problems(self) -> Iterator[Problem]:
        """Check digits, unique names, one hub, one electricity meter at least, links between devices that
        exist.
        """
        for key, parse, value in (("mpan", parse_mpan, self.mpan), ("mprn", parse_mprn, self.mprn)):
            try:
                parse(value)
            except ProfileError as error:
                yield Problem(key, value, f"a number with the right check digits ({error})")
        if self.start.tzinfo is None:
            yield Problem("start", str(self.start), "a date and time with an offset, as 2026-03-02T08:00:00Z")
        yield from self._device_problems()

    def _device_problems(self) -> Iterator[Problem]:
        names = [device.name for device in self.devices]
        roles = [device.role for device in self.devices]
        if len(set(names)) != len(names):
            yield Problem("devices", names, "each device name once")
        addresses = [device.eui64.upper() for device in self.devices]
        if len(set(addresses)) != len(addresses):
            yield Problem("devices", addresses, "each EUI-64 once")
        if roles.count(DeviceKind.CHF) != 1:
            yield Problem("devices", [role.value for role in roles], "exactly one device with role CHF")
        if DeviceKind.ESME not in roles:
            yield Problem("devices", [role.value for role in roles], "a device with role ESME")
        for index, link in enumerate(self.links):
            for name in link.between:
                if name not in names:
                    yield Problem(f"links[{index}].between", name, "one of " + ", ".join(names))


@dataclass(frozen=True, slots=True)
class Installation:
    """An installation with its models, eligible combinations and sequences loaded and checked.

    `models` is keyed by device name; `catalogue` is an absolute path or None.
    """

    path: Path
    record: InstallationRecord
    models: Mapping[str, Model]
    epcl: Epcl
    sequences: tuple[ConfigurationSequence, ...]

    @property
    def start_unix_seconds(self) -> int:
        """Wall-clock start of the scenario in Unix seconds."""
        return int(self.record.start.timestamp())

    @property
    def catalogue(self) -> Path | None:
        """Folder of the firmware catalogue, or None when the installation names none."""
        return None if self.record.catalogue is None else self.path.parent / self.record.catalogue

    @property
    def hub(self) -> DeviceEntry:
        """The communications hub."""
        return self.having(DeviceKind.CHF)[0]

    def having(self, role: DeviceKind) -> tuple[DeviceEntry, ...]:
        """Return the devices with `role`, in file order."""
        return tuple(device for device in self.record.devices if device.role is role)

    def device(self, name: str) -> DeviceEntry:
        """Return the device called `name`; raises `ProfileError` when there is none."""
        for device in self.record.devices:
            if device.name == name:
                return device
        names = ", ".join(device.name for device in self.record.devices)
        raise ProfileError(f"{self.path}: device {name!r}: unknown; expected one of {names}")

    def targets(self, target: str) -> tuple[DeviceEntry, ...]:
        """Return the devices a sequence step means: one by name, or all that have a role (`ESME`)."""
        if target in {kind.value for kind in DeviceKind}:
            return self.having(DeviceKind(target))
        return (self.device(target),)

    def installed_firmware(self, name: str) -> FirmwareVersion:
        """Return the firmware that the device called `name` starts with."""
        firmware = self.models[name].firmware_displayed(self.device(name).firmware)
        assert firmware is not None, "checked when the installation was loaded"
        return firmware

    def product(self, name: str, ota_version: int) -> Product | None:
        """Return the device as a product combination names it, running `ota_version`; None when unlisted."""
        return product_of(self.models[name], ota_version)


def product_of(model: Model, ota_version: int) -> Product | None:
    """Return a model running `ota_version` as an EPCL product; None when the model does not know that
    version.
    """
    firmware = model.firmware_version(ota_version)
    if firmware is None:
        return None
    identity = model.identity
    return Product(
        model.kind,
        identity.inventory_manufacturer,
        identity.inventory_model,
        identity.hardware_version,
        firmware.inventory_version,
    )


def load_installation(path: Path, model_folders: Sequence[Path] = ()) -> Installation:
    """Load an installation and everything it names; raises `ProfileError`.

    Models are looked up in `model_folders`, in a `models` folder beside the file, then among the shipped
    ones.
    """
    record = read_record(InstallationRecord, load_table(path), str(path))
    folders = (*model_folders, path.parent / "models")
    models: dict[str, Model] = {}
    for index, device in enumerate(record.devices):
        models[device.name] = _checked_model(device, load_model(device.model, folders), path, index)
    sequences = tuple(load_sequence(path.parent / name) for name in record.sequences)
    installation = Installation(
        path, record, MappingProxyType(models), load_epcl(path.parent / record.epcl), sequences
    )
    for sequence in sequences:
        for step in sequence.steps:
            if step.target is not None:
                installation.targets(step.target)
    return installation


def _checked_model(device: DeviceEntry, model: Model, path: Path, index: int) -> Model:
    key = f"devices[{index}]"
    if model.kind is not device.role:
        raise refuse(str(path), f"{key}.model", device.model, f"a model of kind {device.role.value}")
    if model.firmware_displayed(device.firmware) is None:
        known = ", ".join(firmware.display for firmware in model.firmware)
        raise refuse(str(path), f"{key}.firmware", device.firmware, f"one that {model.id} lists: {known}")
    code = device.install_code_octets
    if code and len(code) - 2 != model.security.install_code_octets:
        expected = f"{model.security.install_code_octets} octets and a CRC, as {model.id} has"
        raise refuse(str(path), f"{key}.install_code", device.install_code, expected)
    names = [attribute.name for attribute in model.configuration]
    for name in device.configuration:
        if name not in names:
            expected = "one of " + (", ".join(names) or "nothing: the model has no configuration")
            raise refuse(str(path), f"{key}.configuration.{name}", device.configuration[name], expected)
    return model
