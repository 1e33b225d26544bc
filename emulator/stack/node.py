"""A complete ZigBee PRO node: MAC, NWK, APS, ZDO and, on a coordinator, the trust centre, with one power
switch.

A node lives in one `Scope`; `power_off()` ends it. A new `Node` on the same non-volatile memory is the
reboot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emulator.air.mac import Mac
from emulator.air.medium import Medium
from emulator.air.phy import CHANNELS
from emulator.clock.kernel import Kernel, Scope
from emulator.errors import EmulatorError
from emulator.eui64 import format_eui64
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps.key_table import KeyObserver, KeyTable
from emulator.stack.aps.layer import Aps
from emulator.stack.delivery import Delivery
from emulator.stack.device_object import DeviceObject
from emulator.stack.events import DownReason, KeyKind, LinkKeyChanged, StackEvent
from emulator.stack.keys.joiner import Joiner
from emulator.stack.keys.trust_centre import TrustCentre
from emulator.stack.membership import Membership
from emulator.stack.node_config import OTHER_CHANNELS, PREFERRED_CHANNELS, NodeConfig
from emulator.stack.nwk.layer import Nwk
from emulator.stack.nwk.network_update import HIGHEST_PAN_ID
from emulator.stack.nwk.service import NodeType, NwkTiming
from emulator.stack.primitives import (
    BROADCAST_ALL,
    FIRST_BROADCAST,
    ApsdeIndication,
    ApsdeRequest,
    Confirm,
    NetworkParameters,
    Status,
)
from emulator.stack.reports import Reports
from emulator.stack.zdo.descriptors import NodeDescriptor, PowerDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import ZdoCluster
from emulator.stack.zdo.layer import Zdo
from emulator.stack.zdo.update_frames import channel_change

__all__ = ["PREFERRED_CHANNELS", "TOKEN_BOOTS", "Node", "NodeConfig"]

TOKEN_BOOTS = "node.boots"


class Node:
    """One device on the air, from the MAC up to endpoints: the owner of its layers and of what joins them."""

    def __init__(
        self,
        kernel: Kernel,
        medium: Medium,
        config: NodeConfig,
        nonvolatile: NonVolatile,
        *,
        on_key: KeyObserver | None = None,
        pass_zdo: bool = False,
    ) -> None:
        """Power up. Call `restore()` next, and `form()` or `join()` when that returns False.

        `pass_zdo` is for a coordinator driven by a host: ZDO responses and announcements also go to
        `on_data`, on endpoint 0 with the transaction number as first octet, while requests to this node are
        still answered here.
        """
        self.config = config
        self.eui64 = config.eui64
        self.scope = scope = kernel.scope(_boot_name(config, nonvolatile))
        """The node's share of the kernel; it ends with the power."""
        self._reports = reports = Reports(on_key)
        self.nwk = nwk = _network_layer(scope, medium, config, nonvolatile)
        self.mac = nwk.mac
        self.key_table = KeyTable(nonvolatile, reports.key_in_use)
        sleeps = not config.rx_on_when_idle
        self._delivery = delivery = Delivery(scope, nwk, reports, pass_zdo=pass_zdo, sleeps=sleeps)
        self._membership = membership = Membership(scope, nwk, reports)
        self.aps = aps = Aps(
            scope,
            nwk,
            self.key_table,
            delivery,
            max_incoming_transfer=config.max_incoming_transfer,
            own_poll_us=config.short_poll_us if sleeps else 0,
        )
        self._device = device = DeviceObject(
            config,
            nwk,
            aps,
            keys=self.key_table,
            membership=membership,
            reports=reports,
            send=delivery.send,
        )
        self.zdo = Zdo(scope, device, nonvolatile)
        self._joiner = Joiner(
            scope,
            nwk,
            aps,
            keys=self.key_table,
            nonvolatile=nonvolatile,
            user=membership,
            device_type=config.device_type,
            preconfigured=config.preconfigured_link_key,
            request_own_key=config.own_link_key_request,
        )
        self.trust_centre: TrustCentre | None = None
        """Present on a coordinator only."""
        if config.device_type == NodeType.COORDINATOR:
            self.trust_centre = TrustCentre(
                scope,
                nwk,
                aps,
                keys=self.key_table,
                zdo=self.zdo,
                nonvolatile=nonvolatile,
                on_event=membership.joiner_event,
            )
        self._join_parts()
        if config.preconfigured_link_key is not None:
            reports.key("preconfigured", config.preconfigured_link_key, format_eui64(config.eui64))

    def _join_parts(self) -> None:
        """Show the parts to each other: those that could not be there when the first were made."""
        membership, delivery, trust_centre = self._membership, self._delivery, self.trust_centre
        self.nwk.listener = membership
        membership.aps, membership.zdo, membership.joiner = self.aps, self.zdo, self._joiner
        membership.trust_centre = self._device.trust_centre = trust_centre
        delivery.aps, delivery.zdo = self.aps, self.zdo
        delivery.on_command = self._joiner.command if trust_centre is None else trust_centre.command

    # What the application hears

    @property
    def on_data(self) -> Callable[[ApsdeIndication], None]:
        """Receives every ASDU for endpoints 1-240 and 255; ZDO frames too when `pass_zdo`."""
        return self._reports.data

    @on_data.setter
    def on_data(self, receiver: Callable[[ApsdeIndication], None]) -> None:
        self._reports.data = receiver

    @property
    def on_event(self) -> Callable[[StackEvent], None]:
        """Receives what happens to the network."""
        return self._reports.event

    @on_event.setter
    def on_event(self, receiver: Callable[[StackEvent], None]) -> None:
        self._reports.event = receiver

    @property
    def on_key(self) -> KeyObserver:
        """Receives each key that comes into use."""
        return self._reports.key

    @on_key.setter
    def on_key(self, receiver: KeyObserver) -> None:
        self._reports.key = receiver

    # What the node is

    @property
    def endpoints(self) -> tuple[SimpleDescriptor, ...]:
        """What the ZDO answers with; may be replaced at any time (a meter mirror appears)."""
        return self._device.endpoints

    @endpoints.setter
    def endpoints(self, endpoints: tuple[SimpleDescriptor, ...]) -> None:
        self._device.endpoints = endpoints

    @property
    def power(self) -> PowerDescriptor:
        """The power descriptor; may be replaced at any time (a battery runs down)."""
        return self._device.power

    @power.setter
    def power(self, power: PowerDescriptor) -> None:
        self._device.power = power

    @property
    def capability(self) -> int:
        """The MAC capability octet this node joins and announces itself with."""
        return self._device.capability

    @property
    def descriptor(self) -> NodeDescriptor:
        """The node descriptor the ZDO answers with."""
        return self._device.descriptor

    @property
    def short_address(self) -> int:
        """This node's short address; 0xFFFF when it is on no network."""
        return self.nwk.short_address

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """APSDE-DATA.request: send an ASDU; fragmented when it is too long for one frame.

        `confirm` gets SUCCESS when the acknowledgement arrived (or, without `ack`, when the next hop took
        the frame). A destination equal to the own short address loops back. `secure` needs a link key with
        the destination; without one the confirm is APS_SECURITY_FAIL.
        """
        self._delivery.send(request, confirm)

    def locate(self, eui64: int) -> None:
        """Ask the network for the short address of `eui64`; once known, link-key security works with it."""
        self._membership.locate(eui64)

    # The network

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
        self._membership.up(rejoined=False)

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
                self._device.located(device.eui64, device.short, sleepy=device.sleepy)
        self._membership.restored()
        return True

    def leave(self, *, rejoin: bool = False, remove_children: bool = False) -> None:
        """Leave the network by user action, forgetting unless `rejoin` it and all that belongs to it.

        Its children are told to do the same with `remove_children`. `NetworkDown` says when all is void: keys,
        bindings, addresses, what was held for sleepy children and, on a coordinator, who was on its network.
        """
        self._membership.leave(DownReason.LEFT, rejoin, remove_children)

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
        self.scope.end()
        self.mac.detach()


def _boot_name(config: NodeConfig, nonvolatile: NonVolatile) -> str:
    """Count the boot, so that each life of a device has a random stream of its own."""
    boots = int.from_bytes(nonvolatile.get(TOKEN_BOOTS) or b"", "big") + 1
    nonvolatile.put(TOKEN_BOOTS, boots.to_bytes(4, "big"))
    return f"{config.name or format_eui64(config.eui64)}/boot {boots}"


def _network_layer(scope: Scope, medium: Medium, config: NodeConfig, nonvolatile: NonVolatile) -> Nwk:
    """Put a MAC on the air and a network layer on it."""
    mac = Mac(scope, medium, config.eui64, rx_on_when_idle=config.rx_on_when_idle, position=config.position)
    timing = NwkTiming(
        max_children=config.max_children,
        poll_long_us=config.long_poll_us,
        poll_short_us=config.short_poll_us,
    )
    nwk = Nwk(
        scope,
        mac,
        nonvolatile,
        device_type=config.device_type,
        capability=config.capability,
        timing=timing,
    )
    nwk.departure.requests_allowed = not config.strict_leave
    return nwk
