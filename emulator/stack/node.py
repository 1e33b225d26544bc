"""A complete ZigBee PRO node: MAC, NWK, APS, ZDO and, on a coordinator, the trust centre, with one power
switch.

A node lives in one `Scope`; `power_off()` ends it. A new `Node` on the same non-volatile memory is the
reboot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emulator.air.phy import CHANNELS
from emulator.errors import EmulatorError
from emulator.eui64 import format_eui64
from emulator.stack.events import DownReason, KeyKind, LinkKeyChanged
from emulator.stack.node_config import OTHER_CHANNELS, PREFERRED_CHANNELS, NodeConfig
from emulator.stack.node_layers import Layers
from emulator.stack.nwk.network_update import HIGHEST_PAN_ID
from emulator.stack.primitives import BROADCAST_ALL, FIRST_BROADCAST, NetworkParameters, Status
from emulator.stack.zdo.frames import ZdoCluster
from emulator.stack.zdo.update_frames import channel_change

__all__ = ["PREFERRED_CHANNELS", "Node", "NodeConfig"]


class Node(Layers):
    """One device on the air, from the MAC up to endpoints."""

    @property
    def parameters(self) -> NetworkParameters | None:
        """The network this node is on, with its key; None when it is on none or waits for the key."""
        return self.nwk.parameters if self.nwk.authenticated else None

    @property
    def trust_centre_eui64(self) -> int | None:
        """EUI-64 of the trust centre; on a coordinator its own."""
        return self.eui64 if self.trust_centre is not None else self._joiner.trust_centre

    def form(
        self, channel: int, pan_id: int, extended_pan_id: int, network_key: bytes, key_sequence: int = 0
    ) -> None:
        """Coordinator: form a network and become its trust centre."""
        self.nwk.form(channel, pan_id, extended_pan_id, network_key, key_sequence)
        self.on_key("network", network_key, f"sequence {key_sequence}")
        self._up(rejoined=False)

    def join(
        self,
        channels: Sequence[int] | None = None,
        done: Callable[[Status], None] | None = None,
        *,
        extended_pan_id: int | None = None,
    ) -> None:
        """Scan, associate with the best open network (or the one named) and wait for its key.

        `channels` None means every one: the preferred ones first, then, unless a network there took this
        device in, the rest.

        `done` gets SUCCESS once the network key is here and the device has announced itself, else
        NWK_NO_NETWORKS, NWK_NO_KEY or the status of the association. `NetworkUp` or `JoinFailed` is also
        reported.
        """
        sweeps = (PREFERRED_CHANNELS, OTHER_CHANNELS) if channels is None else (channels,)
        self._joiner.join(sweeps, done, extended_pan_id)

    def rejoin(
        self,
        *,
        secured: bool = True,
        channels: Sequence[int] | None = None,
        done: Callable[[Status], None] | None = None,
    ) -> None:
        """NWK rejoin on the same extended PAN id; unsecured is a trust centre rejoin, which waits for the
        key.

        `channels` None means the current one.
        """
        if channels is None:
            channels = (self.mac.channel,)
        self._joiner.rejoin(secured=secured, channels=channels, done=done)

    @property
    def search_channels(self) -> tuple[int, ...]:
        """Where a network that was lost may be: the channels of its mask, the preferred ones first."""
        allowed = self.nwk.management.channels
        return tuple(channel for channel in PREFERRED_CHANNELS + OTHER_CHANNELS if channel in allowed)

    def restore(self) -> bool:
        """After power-up: take network state and keys from non-volatile memory; True when this node is on a
        network.
        """
        if not self.nwk.restore():
            return False
        for key in self.key_table.all():
            if key.short < FIRST_BROADCAST:
                self.nwk.learn(key.eui64, key.short)
        if self.trust_centre is not None:
            for device in self.trust_centre.devices.values():
                self._located(device.eui64, device.short, sleepy=device.sleepy)
        parameters = self.nwk.parameters
        if parameters is not None:
            self.on_key("network", parameters.network_key, f"sequence {parameters.key_sequence}")
        for child in self.nwk.children:
            if child.eui64 is not None:
                self._served[child.eui64] = None
        self._up(rejoined=True)
        return True

    def leave(self, *, rejoin: bool = False, remove_children: bool = False) -> None:
        """Leave the network by user action, forgetting unless `rejoin` it and all that belongs to it.

        Its children are told to do the same with `remove_children`. `NetworkDown` says when all is void: keys,
        bindings, addresses, what was held for sleepy children and, on a coordinator, who was on its network.
        """
        self._leave(DownReason.LEFT, rejoin, remove_children)

    def change_channel(self, channel: int) -> None:
        """Network manager: move the whole network; `ChannelChanged` tells when this node has moved.

        Devices that sleep through the order find the network again by rejoining. Raises `EmulatorError`.
        """
        parameters = self._network("change of channel", channel)
        order = channel_change(channel, (parameters.update_id + 1) & 0xFF)
        self.zdo.broadcast(ZdoCluster.MGMT_NWK_UPDATE, order.encode(), BROADCAST_ALL)

    def set_channel(self, channel: int) -> None:
        """Move this node alone to another channel, at once; raises `EmulatorError`."""
        self._network("channel", channel)
        self.nwk.updates.set_channel(channel)

    def change_pan_id(self, pan_id: int) -> None:
        """Network manager: give the whole network another PAN id; `PanIdChanged` tells when it is in use.

        Raises `EmulatorError`.
        """
        if not 0 < pan_id <= HIGHEST_PAN_ID:
            raise EmulatorError(f"PAN id {pan_id:#06x}: expected 0x0001 to {HIGHEST_PAN_ID:#06x}")
        self._network("change of PAN id")
        self.nwk.updates.change_pan_id(pan_id)

    def _network(self, what: str, channel: int = CHANNELS[0]) -> NetworkParameters:
        if channel not in CHANNELS:
            raise EmulatorError(f"{what} {channel}: expected 11 to 26")
        if self.parameters is None:
            raise EmulatorError(f"{what}: no network is up, form or join one first")
        return self.parameters

    def set_link_key(self, eui64: int, key: bytes) -> None:
        """Replace the link key shared with `eui64` by one CBKE agreed; persisted, counters start anew."""
        entry = self.key_table.put(eui64, key, KeyKind.CBKE)
        short = self.nwk.short_of(eui64)
        if short is not None:
            self.key_table.located(eui64, short)
        self.on_event(LinkKeyChanged(eui64, entry.kind))

    def link_key(self, eui64: int) -> bytes | None:
        """Return the link key in use with `eui64`, or None."""
        entry = self.key_table.get(eui64)
        return None if entry is None else entry.octets

    def link_key_kind(self, eui64: int) -> KeyKind | None:
        """Return what the link key in use with `eui64` is, or None when there is none."""
        entry = self.key_table.get(eui64)
        return None if entry is None else entry.kind

    def request_application_key(self, partner: int) -> None:
        """Ask the trust centre for a link key shared with the EUI-64 `partner`; `LinkKeyChanged` tells of
        it.
        """
        self._joiner.request_key(partner)

    def set_preconfigured_key(self, key: bytes) -> None:
        """Replace the link key the next join starts from."""
        self._joiner.preconfigured = key
        self.on_key("preconfigured", key, format_eui64(self.eui64))

    def power_off(self) -> None:
        """Lose power: every timer stops and the radio leaves the medium. The object is dead afterwards."""
        self._scope.end()
        self.mac.detach()
