"""A fake device world for enrolment tests: devices answer control envelopes and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from emulator.clock.kernel import Kernel
from emulator.devices.control import ControlReceiver, ControlRole, provision, rehearsal_identity
from emulator.nonvolatile import MemoryNonVolatile
from harness.errors import UnreachableError
from harness.facts.enrolment import EnrolmentResult, Transition
from harness.facts.terms import Event, State
from harness.journal import Entry, Journal, has_begun, key_from_seed, read_entries, told
from harness.progress import SilentProgress
from harness.regime.case import DeviceTest, EnrolmentCase, MigratingDevice
from harness.regime.dossier import Dossier
from harness.regime.driver import Stages, lead
from harness.regime.enrolment_result import result_of
from harness.regime.parameters import RegimeParameters
from harness.regime.preparation import Preparation
from harness.regime.stages import at_the_desk, migration
from harness.regime.world import Regime
from hw_profiles.epcl import Combination, EligibleDevice, Epcl
from hw_profiles.installation import Authorisation, Supply
from hw_profiles.model import DeviceKind
from tests.harness.facts.samples import begun

KINDS = (DeviceKind.CHF, DeviceKind.ESME, DeviceKind.GSME, DeviceKind.IHD)
DEVICES = tuple(
    MigratingDevice(0x00DB1234567890A0 + index, kind, "106C", f"GEN-{kind}", 1, "00000002")
    for index, kind in enumerate(KINDS)
)
CHF, ESME, GSME, IHD = DEVICES
CASE = EnrolmentCase(
    installation="example-home",
    mpan="1300001234560",
    mprn="1234567810",
    group_id="AA",
    wan_provider="TESTNET",
    dormant=True,
    responsible_supplier=0x90B3D51F30010000,
    installing_supplier=0x90B3D51F30030000,
    devices=DEVICES,
    certificates=Authorisation(Supply.BEFORE_CUT_OFF, Supply.BEFORE_CUT_OFF, Supply.BEFORE_CUT_OFF),
)
EPCL = Epcl(
    "test list",
    "1",
    (
        Combination(
            "C-1",
            "TESTNET",
            date(2025, 1, 1),
            tuple(
                EligibleDevice(d.kind, d.manufacturer, d.model, d.hardware_version, ("00000002",))
                for d in DEVICES
            ),
        ),
    ),
)


class Crash(BaseException):
    """The process dies here."""


def saying(event: Event) -> Callable[[], Awaitable[Event]]:
    """Return a stage that does nothing and comes to `event`."""

    async def stage() -> Event:
        return event

    return stage


@dataclass
class World:
    """Devices with their memory, which outlives a crash of the campaign."""

    kernel: Kernel
    silent: list[int] = field(default_factory=list)
    lose: Callable[[int], bool] = lambda count: False
    """Whether the response to the n-th envelope is lost on the way back."""
    sent: int = 0
    running: dict[int, str] = field(default_factory=dict)
    """Firmware of devices that run another than their case says."""

    def __post_init__(self) -> None:
        self.memory = {device.eui64: MemoryNonVolatile() for device in DEVICES}
        for device in DEVICES:
            provision(self.memory[device.eui64], rehearsal_identity(self.kernel.secret, device.eui64))

    async def device_test(self, eui64: int) -> DeviceTest:
        return DeviceTest(eui64 not in self.silent)

    async def firmware(self, eui64: int) -> str | None:
        listed = next(device.firmware for device in DEVICES if device.eui64 == eui64)
        return self.running.get(eui64, listed)

    async def send_control(self, eui64: int, envelope: bytes) -> bytes:
        if eui64 in self.silent:
            raise UnreachableError("no answer over the WAN link; try again")
        self.sent += 1
        response = ControlReceiver(eui64, self.memory[eui64]).receive(envelope)
        if self.lose(self.sent):
            raise UnreachableError("no answer over the WAN link; try again")
        return response

    def rotations(self, device: MigratingDevice) -> tuple[int, int]:
        receiver = ControlReceiver(device.eui64, self.memory[device.eui64])
        return receiver.rotations(ControlRole.CRITICAL), receiver.rotations(ControlRole.NON_CRITICAL)


class Bench:
    """A run folder and a world that can be enrolled, killed and resumed."""

    def __init__(self, folder: Path, seed: int = 7, parameters: RegimeParameters | None = None) -> None:
        self.folder = folder
        self.kernel = Kernel(seed)
        self.world = World(self.kernel)
        self.case = CASE
        self.parameters = parameters or RegimeParameters()
        self.dno_distributor: str | None = None
        self.key = key_from_seed(str(seed).encode(), "campaign")

    @property
    def journal_path(self) -> Path:
        return self.folder / "journal.sqlite"

    def regime(self) -> Regime:
        return Regime.open(
            self.folder,
            clock=self.kernel,
            secret=self.kernel.secret,
            epcl=EPCL,
            parameters=self.parameters,
            responsible_supplier=CASE.responsible_supplier,
            installing_supplier=CASE.installing_supplier,
            dno_distributor=self.dno_distributor,
        )

    def journal(self) -> Journal:
        if has_begun(self.journal_path):
            return Journal.open(self.journal_path, clock=self.kernel, key=self.key)
        return Journal.create(self.journal_path, begun(), clock=self.kernel, key=self.key)

    def transitions(self) -> list[Transition]:
        """Return the moves of the installation so far."""
        return [move for _, move in told(read_entries(self.journal_path), Transition)]

    async def pause(self, seconds: float) -> None:
        self.kernel.run_for(int(seconds * 1_000_000))

    async def enrol(self, on_append: Callable[[Entry], None] | None = None) -> EnrolmentResult:
        with self.journal() as journal:
            if on_append is not None:
                journal.on_append = on_append
            self.kernel.run_for(1000)
            dossier = self.dossier(journal)
            await lead(dossier, self.stages(dossier), SilentProgress())
            return result_of(dossier)

    def dossier(self, journal: Journal) -> Dossier:
        """Return the papers of the case, taken on by the parties."""
        regime = self.regime()
        regime.take_on(self.case)
        return Dossier(regime, journal, self.case, world=self.world, pause=self.pause)

    def stages(self, dossier: Dossier) -> Stages:
        """Return the stages of the parties, with a home that is found as it is to be."""
        return {
            **at_the_desk(dossier, dict),
            State.DORMANT: saying(Event.LOOK_FIRST),
            State.UNSCHEDULED: saying(Event.HOME_SURVEYED),
            State.UNSCHEDULED_SURVEYED: saying(Event.NOTHING_DUE),
            State.PREPARED: Preparation(dossier).check_combination,
            State.KEYS_ROTATED: saying(Event.OLD_HEAD_END_TRIED),
            **migration(dossier),
        }

    def with_certificates(self, *supplies: Supply) -> None:
        self.case = replace(self.case, certificates=Authorisation(*supplies))
