"""The trust centre's change of the network key: handing the next one out, then the switch to it (ZigBee PRO 4.6.3.4).

The next key is the one held beside the active key, with the next sequence number: so it outlives a reset between the
two steps. A whole update sends it by unicast to the devices that are awake; an application that does each step itself
may also broadcast it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from emulator.clock.kernel import Scope
from emulator.errors import EmulatorError
from emulator.stack.aps.commands import SwitchKey, TransportNetworkKey
from emulator.stack.aps.key_table import KeyTable
from emulator.stack.aps.security import KEY_TRANSPORT
from emulator.stack.keys.views import CommandCarrier, KeyUpdateNetwork
from emulator.stack.nwk.security import NetworkKey
from emulator.stack.primitives import BROADCAST_RX_ON, NetworkParameters

KEY_UPDATE_SPACING_US = 100_000
SWITCH_DELAY_US = 2_000_000
"""Between the last unicast of a key update and Switch-Key, and between Switch-Key and this node's own switch."""
_EVERYBODY = 0


class KeyReceiver(NamedTuple):
    """A device that a network key is sent to."""

    eui64: int
    short: int


class NetworkKeyUpdate:
    """One change of the network key at a time."""

    def __init__(self, scope: Scope, nwk: KeyUpdateNetwork, aps: CommandCarrier, keys: KeyTable) -> None:
        self._scope = scope
        self._nwk = nwk
        self._aps = aps
        self._keys = keys
        self._under_way = False

    def stop(self) -> None:
        """Give up: the network is left."""
        self._under_way = False

    # A whole update

    def run(self, receivers: Sequence[int], key: bytes | None) -> None:
        """Send a new key (random when None) to `receivers` (EUI-64s) one after the other, then switch.

        Raises `EmulatorError` when no network is up or an update is under way.
        """
        self._network()
        if self._under_way:
            raise EmulatorError("network key update: one is under way, wait for NetworkKeyChanged")
        self._under_way = True
        self._send_to_all(list(receivers), self._hold(key))

    def _send_to_all(self, waiting: list[int], key: NetworkKey) -> None:
        if not waiting:
            self._scope.call_later(SWITCH_DELAY_US, self._announce_switch, key.sequence)
            return
        eui64, *rest = waiting
        short = self._nwk.short_of(eui64)
        if short is not None:
            self._send(KeyReceiver(eui64, short), key.octets, key.sequence)
        self._scope.call_later(KEY_UPDATE_SPACING_US, self._send_to_all, rest, key)

    # Step by step

    def broadcast(self, key: bytes | None = None) -> None:
        """Hand the next key (random when None) out by broadcast, under the present one; raises `EmulatorError`."""
        held = self._next(key)
        command = TransportNetworkKey(held.octets, held.sequence, _EVERYBODY, self._nwk.eui64)
        self._aps.command(BROADCAST_RX_ON, command)

    def send_next(self, receiver: KeyReceiver, key: bytes | None = None) -> bool:
        """Send the next key to one device; False when no link key is shared with it. Raises `EmulatorError`."""
        held = self._next(key)
        return self._send(receiver, held.octets, held.sequence)

    def send_current(self, receiver: KeyReceiver) -> bool:
        """Send the key in force to one device; False when no link key is shared with it. Raises `EmulatorError`."""
        network = self._network()
        return self._send(receiver, network.network_key, network.key_sequence)

    def switch(self) -> bool:
        """Order the switch to the next key; False when none is held. Raises `EmulatorError` when no network is up."""
        held = self._held(self._network())
        if held is None or self._under_way:
            return False
        self._under_way = True
        self._announce_switch(held.sequence)
        return True

    # Parts

    def _network(self) -> NetworkParameters:
        parameters = self._nwk.parameters
        if parameters is None:
            raise EmulatorError("network key update: no network is up, form one first")
        return parameters

    def _held(self, network: NetworkParameters) -> NetworkKey | None:
        return self._nwk.security.by_sequence.get((network.key_sequence + 1) & 0xFF)

    def _next(self, key: bytes | None) -> NetworkKey:
        """Return the next key: the one held already, unless another is given."""
        held = self._held(self._network())
        return held if held is not None and key in (None, held.octets) else self._hold(key)

    def _hold(self, key: bytes | None) -> NetworkKey:
        octets = self._scope.random.randbytes(16) if key is None else key
        sequence = (self._network().key_sequence + 1) & 0xFF
        self._nwk.set_network_key(octets, sequence)
        return self._nwk.security.by_sequence[sequence]

    def _send(self, receiver: KeyReceiver, octets: bytes, sequence: int) -> bool:
        link_key = self._keys.get(receiver.eui64)
        if link_key is None:
            return False
        command = TransportNetworkKey(octets, sequence, receiver.eui64, self._nwk.eui64)
        self._aps.command(receiver.short, command, key=link_key, key_id=KEY_TRANSPORT)
        return True

    def _announce_switch(self, sequence: int) -> None:
        self._aps.command(BROADCAST_RX_ON, SwitchKey(sequence))
        self._scope.call_later(SWITCH_DELAY_US, self._switch, sequence)

    def _switch(self, sequence: int) -> None:
        self._under_way = False
        self._nwk.switch_key(sequence)
