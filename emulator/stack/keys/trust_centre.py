"""The trust centre: who may join, and which keys they get (ZigBee PRO 4.6.3, Smart Energy 5.4)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from emulator.clock.kernel import Scope
from emulator.crypto.install_code import install_code_link_key
from emulator.crypto.mmo import verify_key_hash
from emulator.errors import EmulatorError
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps.commands import (
    ConfirmKey,
    RemoveDevice,
    RequestKey,
    TransportApplicationKey,
    TransportNetworkKey,
    TransportTrustCentreKey,
    Tunnel,
    UpdateDevice,
    VerifyKey,
)
from emulator.stack.aps.key_table import KeyTable, LinkKey
from emulator.stack.aps.security import KEY_DATA, KEY_LOAD, KEY_TRANSPORT
from emulator.stack.aps.service import ApsCommandIndication
from emulator.stack.events import (
    DeviceJoined,
    DeviceLeft,
    DeviceRefused,
    KeyKind,
    LinkKeyChanged,
    StackEvent,
)
from emulator.stack.keys.network_key_update import NetworkKeyUpdate
from emulator.stack.keys.views import Announcer, CommandCarrier, TrustCentreNetwork
from emulator.stack.nwk.service import Capability
from emulator.stack.primitives import (
    BROADCAST_ROUTERS,
    COORDINATOR,
    LONGEST_PERMIT_S,
    JoinKind,
    Status,
)
from emulator.stack.zdo.frames import ZdoCluster, permit_joining_request

_INSTALLED = "tc.install."
_DEVICE = "tc.device."
_RECORD = Struct("<HHB")
_UNKNOWN_CAPABILITY = 0


class KnownDevice:
    """A device on the network, as the trust centre knows it. `parent` is a short address."""

    __slots__ = ("capability", "eui64", "parent", "short")

    def __init__(self, eui64: int, short: int, parent: int, capability: int) -> None:
        self.eui64 = eui64
        self.short = short
        self.parent = parent
        self.capability = capability

    @property
    def sleepy(self) -> bool:
        """Whether it sleeps; False as long as it has not announced itself."""
        announced = self.capability != _UNKNOWN_CAPABILITY
        return announced and not self.capability & Capability.RX_ON_WHEN_IDLE

    @property
    def router(self) -> bool:
        """Whether it announced itself as a router."""
        return bool(self.capability & Capability.FULL_FUNCTION)


class TrustCentre:
    """Admission and key transport on the coordinator."""

    def __init__(
        self,
        scope: Scope,
        nwk: TrustCentreNetwork,
        aps: CommandCarrier,
        *,
        keys: KeyTable,
        zdo: Announcer,
        nonvolatile: NonVolatile,
        on_event: Callable[[StackEvent], None],
    ) -> None:
        self._scope = scope
        self._nwk = nwk
        self._aps = aps
        self._keys = keys
        self._zdo = zdo
        self._nonvolatile = nonvolatile
        self._on_event = on_event
        self._proving: dict[int, bytes] = {}
        self.network_key = NetworkKeyUpdate(scope, nwk, aps, keys)
        self.devices: dict[int, KnownDevice] = {}
        """Every device on the network, by EUI-64."""
        self.unknown_link_key: bytes | None = None
        """Key for devices without an entry (an open network); None, the default, refuses them."""
        self.request_key_allowed = True
        """Answer Request-Key for a trust centre link key."""
        self.application_keys_need_cbke = True
        """Give application link keys only to devices that have established a key (Smart Energy 5.4.7.4)."""
        self._restore()

    # ---- what the operator does

    def add_link_key(self, eui64: int, key: bytes) -> None:
        """Let `eui64` join with the preconfigured link key `key` (from its install code); persisted."""
        self._nonvolatile.put(f"{_INSTALLED}{eui64:016x}", key)
        entry = self._keys.get(eui64)
        if entry is None or entry.kind == KeyKind.PRECONFIGURED:
            self._keys.put(eui64, key, KeyKind.PRECONFIGURED)
        else:
            self._keys.on_key(KeyKind.PRECONFIGURED.name.lower(), key, format_eui64(eui64))

    def add_install_code(self, eui64: int, code_with_crc: bytes) -> None:
        """Let `eui64` join with its install code (6, 8, 12 or 16 octets and CRC); raises `CryptoError`."""
        self.add_link_key(eui64, install_code_link_key(code_with_crc))

    def forget(self, eui64: int) -> None:
        """Drop all keys of `eui64`: it can neither join nor rejoin."""
        self.forget_key(eui64)
        self._nonvolatile.delete(f"{_DEVICE}{eui64:016x}")
        self.devices.pop(eui64, None)

    def forget_key(self, eui64: int) -> None:
        """Drop the link key of `eui64` and the one it may join with; where it is on the network stays known."""
        self._nonvolatile.delete(f"{_INSTALLED}{eui64:016x}")
        self._keys.remove(eui64)
        self._proving.pop(eui64, None)

    def forget_network(self) -> None:
        """Forget who was on the network; install codes stay, for the next one."""
        for eui64 in self.devices:
            self._nonvolatile.delete(f"{_DEVICE}{eui64:016x}")
        self.devices.clear()
        self._proving.clear()
        self.network_key.stop()

    def permit_joining(self, seconds: int) -> None:
        """Open this network for `seconds` (0 closes; at most 254), telling every router
        (Mgmt_Permit_Joining).

        Raises `EmulatorError` for more; a longer window is opened again before it ends (fact sheet, devices
        2.8).
        """
        if not 0 <= seconds <= LONGEST_PERMIT_S:
            raise EmulatorError(
                f"permit joining for {seconds} s: expected 0 to {LONGEST_PERMIT_S}, "
                "repeat it for a longer window"
            )
        self._nwk.permit_joining(seconds)
        if self.devices:
            self._zdo.broadcast(
                ZdoCluster.MGMT_PERMIT_JOINING, permit_joining_request(seconds), BROADCAST_ROUTERS
            )

    def remove_device(self, eui64: int) -> None:
        """Make `eui64` leave and forget its keys; a device that is not known is just forgotten."""
        device = self.devices.get(eui64)
        if device is not None:
            self._expel(device)
        self.forget(eui64)

    def _expel(self, device: KnownDevice) -> None:
        """Routers get Remove-Device themselves; an end device is removed by its parent (4.6.3.6)."""
        receiver = device.eui64 if device.router else self._nwk.eui64_of(device.parent)
        if not device.router and device.parent == COORDINATOR:
            self._nwk.remove(device.eui64)
        else:
            short = device.short if device.router else device.parent
            self._aps.command(short, RemoveDevice(device.eui64), key=self._keys.get(receiver))

    def update_network_key(self, key: bytes | None = None) -> None:
        """Send a new network key (random when None) to every known device that is awake, then switch to it.

        Sleepy devices miss it and come back by a trust centre rejoin. An update under way is not disturbed by
        another one; raises `EmulatorError` then, and when no network is up.
        """
        awake = [eui64 for eui64, device in self.devices.items() if not device.sleepy]
        self.network_key.run(awake, key)

    # ---- what devices do

    def arrived(self, eui64: int, short: int, kind: JoinKind, parent: int) -> None:
        """Admit or refuse a device that joined or rejoined through `parent` (0x0000: through this node)."""
        if kind == JoinKind.LEFT:
            device = self.devices.get(eui64)
            if device is None or device.parent == parent:  # else it has moved on to another parent
                self.left(eui64, short, rejoin=False)
            return
        if kind == JoinKind.SECURED_REJOIN:
            self._admit(eui64, short, kind, parent)
            return
        key = self._joining_key(eui64, kind)
        if key is None:
            self._refuse(eui64, short, parent)
            return
        self._admit(eui64, short, kind, parent)
        self._transport(key, short, parent)

    def left(self, eui64: int, short: int, *, rejoin: bool) -> None:
        """Note that a device left; its keys stay, so that it can come back."""
        if not rejoin and self.devices.pop(eui64, None) is not None:
            self._nonvolatile.delete(f"{_DEVICE}{eui64:016x}")
        self._on_event(DeviceLeft(eui64, short, rejoin))

    def announced(self, eui64: int, short: int, capability: int) -> None:
        """Note what a device says of itself in Device_annce."""
        device = self.devices.get(eui64)
        if device is not None:
            self._remember(KnownDevice(eui64, short, device.parent, capability))

    def command(self, indication: ApsCommandIndication) -> None:
        """Take an APS command addressed to the trust centre; anything not protected as it must be is
        ignored.
        """
        command = indication.command
        if not indication.nwk_secured:
            return
        if isinstance(command, VerifyKey):
            self._verify(indication, command)
        elif indication.key is None or indication.key_id != KEY_DATA:
            # A router that shares a link key must use it (certification test TP/R20/BV-01).
            return
        elif isinstance(command, UpdateDevice):
            self.arrived(command.eui64, command.short, command.status, indication.source)
        elif isinstance(command, RequestKey):
            self._requested(indication, command)

    def _joining_key(self, eui64: int, kind: JoinKind) -> LinkKey | None:
        """Return the key under which a device gets the network key.

        A device that associates has lost what it had: it starts from its install code. One that rejoins
        uses the key it holds.
        """
        entry = self._keys.get(eui64)
        if kind == JoinKind.TRUST_CENTRE_REJOIN:
            return entry
        installed = self._nonvolatile.get(f"{_INSTALLED}{eui64:016x}") or self.unknown_link_key
        if installed is None:
            return None
        entry = self._keys.put(eui64, installed, KeyKind.PRECONFIGURED)
        entry.incoming = 0  # the device counts from the start again
        self._keys.save(entry)
        return entry

    def _refuse(self, eui64: int, short: int, parent: int) -> None:
        if parent == COORDINATOR:
            self._nwk.remove(eui64)
        else:
            key = self._keys.get(self._nwk.eui64_of(parent))
            self._aps.command(parent, RemoveDevice(eui64), key=key)
        self._on_event(DeviceRefused(eui64, short, "no link key for this EUI-64: add its install code"))

    def _admit(self, eui64: int, short: int, kind: JoinKind, parent: int) -> None:
        self._nwk.learn(eui64, short)
        old = self.devices.get(eui64)
        self._remember(
            KnownDevice(eui64, short, parent, _UNKNOWN_CAPABILITY if old is None else old.capability)
        )
        self._keys.located(eui64, short)
        self._on_event(DeviceJoined(eui64, short, kind, parent))

    def _transport(self, key: LinkKey, short: int, parent: int) -> None:
        """Send the network key: straight to an own child, through the parent's tunnel to anybody else."""
        parameters = self._nwk.parameters
        if parameters is None:
            return
        command = TransportNetworkKey(
            parameters.network_key, parameters.key_sequence, key.eui64, self._nwk.eui64
        )
        if parent == COORDINATOR:
            self._aps.command(short, command, key=key, key_id=KEY_TRANSPORT, nwk_secure=False)
        else:
            frame = self._aps.command_frame(command, key=key, key_id=KEY_TRANSPORT)
            self._aps.command(parent, Tunnel(key.eui64, frame))

    def _requested(self, indication: ApsCommandIndication, command: RequestKey) -> None:
        asker = indication.source_eui64
        if asker is None:
            return
        if command.partner is not None:
            self._application_key(asker, command.partner)
        elif self.request_key_allowed:
            new_key = self._proving[asker] = self._scope.random.randbytes(16)
            transport = TransportTrustCentreKey(new_key, asker, self._nwk.eui64)
            self._aps.command(indication.source, transport, key=indication.key, key_id=KEY_LOAD)
            self._keys.on_key(KeyKind.UNVERIFIED.name.lower(), new_key, format_eui64(asker))

    def _application_key(self, asker: int, partner: int) -> None:
        """Give a pair of devices a key of their own, each under its own link key."""
        pair = [(asker, partner, True), (partner, asker, False)]
        for eui64, _, _ in pair:
            key = self._keys.get(eui64)
            if key is None or eui64 not in self.devices:
                return
            if self.application_keys_need_cbke and key.kind not in (KeyKind.CBKE, KeyKind.VERIFIED):
                return
        new_key = self._scope.random.randbytes(16)
        for eui64, other, initiator in pair:
            transport = TransportApplicationKey(new_key, other, initiator)
            self._aps.command(
                self.devices[eui64].short, transport, key=self._keys.get(eui64), key_id=KEY_LOAD
            )
        self._keys.on_key(
            KeyKind.APPLICATION.name.lower(), new_key, f"{format_eui64(asker)} {format_eui64(partner)}"
        )

    def _verify(self, indication: ApsCommandIndication, command: VerifyKey) -> None:
        """Answer Verify-Key; the new key is in use from Confirm-Key on, which it protects."""
        new_key = self._proving.pop(command.source, None)
        if new_key is None or command.keyed_hash != verify_key_hash(new_key):
            old = self._keys.get(command.source)
            refusal = ConfirmKey(Status.APS_SECURITY_FAIL, command.source)
            self._aps.command(indication.source, refusal, key=old)
            return
        key = self._keys.put(command.source, new_key, KeyKind.VERIFIED)
        self._aps.command(indication.source, ConfirmKey(Status.SUCCESS, command.source), key=key)
        self._on_event(LinkKeyChanged(command.source, KeyKind.VERIFIED))

    # ---- memory

    def _remember(self, device: KnownDevice) -> None:
        self.devices[device.eui64] = device
        record = _RECORD.pack(device.short, device.parent, device.capability)
        if self._nonvolatile.get(f"{_DEVICE}{device.eui64:016x}") != record:
            self._nonvolatile.put(f"{_DEVICE}{device.eui64:016x}", record)

    def _restore(self) -> None:
        for name in self._nonvolatile.keys(_DEVICE):
            eui64 = int(name.removeprefix(_DEVICE), 16)
            short, parent, capability = _RECORD.unpack(self._nonvolatile.get(name) or bytes(_RECORD.size))
            self.devices[eui64] = KnownDevice(eui64, short, parent, capability)
