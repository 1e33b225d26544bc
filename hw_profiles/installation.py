"""One installation: the devices of a home, who is responsible for them, and what enrolling them needs.

The TOML file is an `InstallationRecord`; `load_installation` checks it against the models it names and
returns an `Installation` with everything resolved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from hw_profiles.bounds import (
    U8,
    U16,
    Choice,
    Distinct,
    Length,
    Pattern,
    Problem,
    Range,
    Scalar,
    Seconds,
    Sha256,
    Slug,
)
from hw_profiles.epcl import Epcl, GroupId, Product, load_epcl
from hw_profiles.errors import ProfileError
from hw_profiles.faults import Fault
from hw_profiles.identifiers import (
    parse_eui64_text,
    parse_install_code,
    parse_mpan,
    parse_mprn,
)
from hw_profiles.limits import DEFAULT_LIMITS, Limits
from hw_profiles.loader import load_model
from hw_profiles.model import DeviceKind, FirmwareVersion, Model, ModelId
from hw_profiles.records import refuse
from hw_profiles.sequence import Sequence as ConfigurationSequence
from hw_profiles.sequence import load_sequence
from hw_profiles.toml_file import load_record

DeviceName = Annotated[str, Pattern(r"[a-z][a-z0-9-]*", "lower-case letters, digits and hyphens")]
Eui64Text = Annotated[
    str,
    Pattern(r"([0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}", "an EUI-64 as 00-DB-12-34-56-78-90-A0"),
    Pattern(
        r"(?!(?:00-){7}00|(?:[Ff]{2}-){7}[Ff]{2}).*",
        "an EUI-64 of somebody: all zeros name nobody, all ones everybody",
    ),
]
RegisterStart = Annotated[int, Range(0, 0xFFFF_FFFF_FFFE)]
"""A 48-bit register; all ones are ZCL's way to say that there is no value (ZCL 2.6.2.3)."""
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Times that a scenario may begin at: ZigBee's clock begins with 2000 and has 32 bits (ZCL 2.6.2.19)."""
Coordinates = Annotated[tuple[Annotated[float, Range(-1000, 1000)], ...], Length(2, 2)]


class Supply(StrEnum):
    """When a certificate is supplied, relative to the cut-off for commissioning."""

    BEFORE_CUT_OFF = "before-cut-off"
    AFTER_CUT_OFF = "after-cut-off"
    NEVER = "never"


class JoinsWith(StrEnum):
    """Which key a device starts from when it joins a network."""

    INSTALL_CODE = "install-code"
    """The key made of the install code on its label: Smart Energy's rule."""
    WELL_KNOWN_KEY = "well-known-key"
    """The key everybody knows, for a coordinator that has no other, such as zigbee-on-host."""


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One device of the home. `install_code` includes its CRC; `firmware` is the display string now running.

    A device that `joins_with` the well-known key needs no install code.
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
    joins_with: JoinsWith = JoinsWith.INSTALL_CODE
    position: Coordinates = (0.0, 0.0)
    registers: Mapping[str, RegisterStart] = field(default_factory=lambda: MappingProxyType({}))
    configuration: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    battery_percent: Annotated[float, Range(0, 100)] = 100.0
    clock_offset_s: Annotated[float, Range(-86_400, 86_400)] = 0.0
    faults: tuple[Fault, ...] = ()

    @property
    def address(self) -> int:
        """The EUI-64 as an integer."""
        return parse_eui64_text(self.eui64)

    @property
    def joins_with_known_key(self) -> bool:
        """Whether it joins with the key everybody knows."""
        return self.joins_with is JoinsWith.WELL_KNOWN_KEY

    @property
    def install_code_octets(self) -> bytes:
        """The install code with its CRC, empty for the hub."""
        return parse_install_code(self.install_code) if self.install_code else b""

    def problems(self) -> Iterator[Problem]:
        """A device joins with an install code, whose CRC must be right, unless it is said to join otherwise."""
        if self.role is DeviceKind.CHF and self.joins_with is not JoinsWith.INSTALL_CODE:
            yield Problem(
                "joins_with", self.joins_with, "no such key: the hub forms the network and joins none"
            )
        elif self.role is not DeviceKind.CHF and not (self.install_code or self.joins_with_known_key):
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
    """The wide-area link to the hub. A waking takes `sms_wake_count` messages within `sms_window_s`."""

    provider: Annotated[str, Length(1, 40)]
    latency_ms: Annotated[int, Range(0, 600_000)] = 600
    jitter_ms: Annotated[int, Range(0, 600_000)] = 200
    sms_wake_count: Annotated[int, Range(0, 10)] = 1
    sms_window_s: Seconds = 300.0
    awake_s: Seconds = 600.0


@dataclass(frozen=True, slots=True)
class Suppliers:
    """Energy suppliers, by EUI-64: who is responsible now, and who installed the meters."""

    responsible: Eui64Text
    installing: Eui64Text


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What the Responsible Supplier has sent with its authorisation, and when network certificates come.

    `dno_distributor` is the distributor id (the first two digits of an MPAN) of the area that the owner of the DNO's
    certificate serves, where that is known: a certificate of another area than the MPAN's is placed with a warning.
    """

    supplier_certificates: Supply = Supply.BEFORE_CUT_OFF
    dno_certificate: Supply = Supply.BEFORE_CUT_OFF
    gt_certificate: Supply = Supply.NEVER
    dno_distributor: Annotated[str, Pattern(r"[0-9]{2}", "two digits")] | None = None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Parameters of the enrolment; the regime's own values are not public, so every one is settable (DCC
    facts 7.7).
    """

    group_id: GroupId = "AA"
    firmware_notice_days: Annotated[int, Range(0, 3650)] = 7
    authorisation_valid_days: Annotated[int, Range(1, 3650)] = 90
    certificate_cut_off_hours: Annotated[float, Range(0, 8760)] = 24.0
    device_test_attempts: Annotated[int, Range(1, 100)] = 3
    migration_attempts: Annotated[int, Range(1, 100)] = 5
    post_commissioning_days: Annotated[int, Range(1, 3650)] = 7


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

    id: Annotated[Slug, Length(1, 40)]
    description: Annotated[str, Length(1, 300)]
    mpan: str
    mprn: str
    start: datetime
    dormant: bool
    epcl: Annotated[str, Length(1, 300)]
    suppliers: Suppliers
    previous_head_end: HeadEnd
    wan: Wan
    devices: Annotated[tuple[DeviceEntry, ...], Length(2, 17), Distinct("name", "device name")]
    catalogue: str | None = None
    catalogue_root_sha256: Sha256 | None = None
    sequences: tuple[str, ...] = ()
    network: Network = Network()
    links: tuple[Link, ...] = ()
    authorisation: Authorisation = Authorisation()
    enrolment: Enrolment = Enrolment()
    limits: Limits = DEFAULT_LIMITS
    firmware_authorities: tuple[FirmwareAuthority, ...] = ()
    permit_join_s: U16 = 254

    def problems(self) -> Iterator[Problem]:
        """Check digits, unique addresses, one hub, one electricity meter at least, links between devices that
        exist.
        """
        for key, parse, value in (("mpan", parse_mpan, self.mpan), ("mprn", parse_mprn, self.mprn)):
            try:
                parse(value)
            except ProfileError as error:
                yield Problem(key, value, f"a number with the right check digits ({error})")
        if self.start.tzinfo is None:
            yield Problem("start", self.start, "a date and time with an offset, as 2026-03-02T08:00:00Z")
        elif not EARLIEST <= self.start < LATEST:
            yield Problem("start", self.start, f"a time from {EARLIEST:%Y} to {LATEST.year - 1}")
        yield from self._device_problems()

    def _device_problems(self) -> Iterator[Problem]:
        names = [device.name for device in self.devices]
        roles = [device.role for device in self.devices]
        addresses = [device.eui64.upper() for device in self.devices]
        if len(set(addresses)) != len(addresses):
            yield Problem("devices", addresses, "each EUI-64 once")
        if roles.count(DeviceKind.CHF) != 1:
            yield Problem("devices", [role.value for role in roles], "exactly one device with role CHF")
        if DeviceKind.ESME not in roles:
            yield Problem("devices", [role.value for role in roles], "a device with role ESME")
        yield from self._link_problems(names)

    def _link_problems(self, names: Sequence[str]) -> Iterator[Problem]:
        seen = set()
        for index, link in enumerate(self.links):
            for name in link.between:
                if name not in names:
                    yield Problem(f"links[{index}].between", name, "one of " + ", ".join(names))
            ends = frozenset(link.between)
            if len(ends) == 1:
                yield Problem(f"links[{index}].between", list(link.between), "two devices")
            if ends in seen:
                yield Problem(f"links[{index}].between", list(link.between), "each pair of devices once")
            seen.add(ends)


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
    record = _plain_numbers(load_record(InstallationRecord, path))
    folders = (*model_folders, path.parent / "models")
    models: dict[str, Model] = {}
    for index, device in enumerate(record.devices):
        model = models[device.name] = load_model(device.model, folders)
        for problem in _entry_problems(device, model):
            key = f"devices[{index}].{problem.key}"
            raise refuse(str(path), key, problem.value, problem.expected)
    sequences = tuple(load_sequence(path.parent / name) for name in record.sequences)
    installation = Installation(
        path, record, MappingProxyType(models), load_epcl(path.parent / record.epcl), sequences
    )
    for name, sequence in zip(record.sequences, sequences, strict=True):
        _check_targets(installation, sequence, str(path.parent / name))
    return installation


def _plain_numbers(record: InstallationRecord) -> InstallationRecord:
    """Return the record with its MPAN and MPRN as digits alone: people group them with spaces."""
    return replace(record, mpan=parse_mpan(record.mpan), mprn=parse_mprn(record.mprn))


def _check_targets(installation: Installation, sequence: ConfigurationSequence, source: str) -> None:
    names = (device.name for device in installation.record.devices)
    targets = (*names, *(kind.value for kind in DeviceKind))
    for index, step in enumerate(sequence.steps):
        if step.target is not None and step.target not in targets:
            expected = f"a device of {installation.path.name} or a role, one of {', '.join(targets)}"
            raise refuse(source, f"steps[{index}].target", step.target, expected)


def _entry_problems(device: DeviceEntry, model: Model) -> Iterator[Problem]:
    """Yield what of a device's entry its model does not bear out; keys are those of the entry."""
    if model.kind is not device.role:
        yield Problem("model", device.model, f"a model of kind {device.role.value}")
    if model.firmware_displayed(device.firmware) is None:
        known = ", ".join(firmware.display for firmware in model.firmware)
        yield Problem("firmware", device.firmware, f"one that {model.id} lists: {known}")
    code = device.install_code_octets
    if code and len(code) - 2 != model.security.install_code_octets:
        expected = f"{model.security.install_code_octets} octets and a CRC, as {model.id} has"
        yield Problem("install_code", device.install_code, expected)
    yield from _configuration_problems(device, model)
    yield from _register_problems(device, model)


def _configuration_problems(device: DeviceEntry, model: Model) -> Iterator[Problem]:
    attributes = {attribute.name: attribute for attribute in model.configuration}
    for name, value in device.configuration.items():
        if name not in attributes:
            expected = "one of " + (", ".join(attributes) or "nothing: the model has no configuration")
        else:
            expected = attributes[name].expected_instead(value) or ""
        if expected:
            yield Problem(f"configuration.{name}", value, expected)


def register_names(model: Model) -> tuple[str, ...]:
    """Return the names of the registers that a device of the model has."""
    if model.metering is None:
        return ()
    return ("current_summation_delivered", *(f"tier_{tier}" for tier in range(1, model.metering.tiers + 1)))


def _register_problems(device: DeviceEntry, model: Model) -> Iterator[Problem]:
    known = register_names(model)
    for name, value in device.registers.items():
        if name not in known:
            expected = "one of " + (", ".join(known) or "nothing: the model has no registers")
            yield Problem(f"registers.{name}", value, expected)
    if all(name in known for name in device.registers):
        yield from _tier_problems(device)


def _tier_problems(device: DeviceEntry) -> Iterator[Problem]:
    """Tiers add up to the total; tier 1 may be left out, and is then the rest of it."""
    total = device.registers.get("current_summation_delivered", 0)
    tiers = sum(value for name, value in device.registers.items() if name.startswith("tier_"))
    if tiers > total or ("tier_1" in device.registers and tiers != total):
        written = " + ".join(name for name in device.registers if name.startswith("tier_"))
        expected = f"tiers that add up to current_summation_delivered, {total}"
        yield Problem(f"registers: {written}", tiers, expected)
