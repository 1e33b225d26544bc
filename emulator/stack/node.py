"""A complete ZigBee PRO node: MAC, NWK, APS, ZDO and, on a coordinator, the trust centre, with one power switch.

A node lives in one `Scope`; `power_off()` ends it. A new `Node` on the same non-volatile memory is the reboot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emulator.air.mac import Mac
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.nonvolatile import NonVolatile
from emulator.stack.aps import Aps
from emulator.stack.descriptors import NodeDescriptor, PowerDescriptor, SimpleDescriptor
from emulator.stack.events import StackEvent
from emulator.stack.key_table import KeyTable
from emulator.stack.nwk import NodeType, Nwk
from emulator.stack.primitives import (
    ApsdeIndication,
    ApsdeRequest,
    Confirm,
    NetworkParameters,
    Status,
)
from emulator.stack.trust_centre import TrustCentre
from emulator.stack.zdo import Zdo

KeyObserver = Callable[[str, bytes, str], None]
"""Called with (kind, key, label) for each key that comes into use, so that a Wireshark key file can be written."""

PREFERRED_CHANNELS = (11, 14, 15, 19, 20, 24, 25)
"""Smart Energy's preferred 2.4 GHz channels, scanned first (fact sheet, devices 2.8)."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What a device is before it joins anything. A device's profile supplies all of it.

    `max_incoming_transfer` is the largest ASDU it reassembles, octets. `position` is in metres.
    `own_link_key_request` makes the joiner ask the trust centre for a fresh link key after the join (R21 Request-Key,
    Verify-Key; Smart Energy 1.x devices do not). `strict_leave` is Smart Energy's rule: only an APS-secured
    Remove-Device makes the device leave, except that an end device obeys its parent.
    """

    eui64: int
    device_type: NodeType
    manufacturer_code: int = 0
    endpoints: tuple[SimpleDescriptor, ...] = ()
    name: str = ""
    """Name of the scope and of the device in labels; the EUI-64 when empty."""
    mains_powered: bool = True
    rx_on_when_idle: bool = True
    power: PowerDescriptor = PowerDescriptor()
    preconfigured_link_key: bytes | None = None
    max_incoming_transfer: int = 128
    stack_revision: int = 20
    own_link_key_request: bool = False
    strict_leave: bool = True
    position: tuple[float, float] = (0.0, 0.0)
    long_poll_us: int = 300_000_000
    short_poll_us: int = 1_000_000


class Node:
    """One device on the air, from the MAC up to endpoints."""

    parameters: NetworkParameters | None
    """The network this node is on, with its key; None when it is on none."""
    eui64: int
    mac: Mac
    nwk: Nwk
    aps: Aps
    zdo: Zdo
    key_table: KeyTable
    trust_centre: TrustCentre | None
    """Present on a coordinator only."""
    endpoints: tuple[SimpleDescriptor, ...]
    """What the ZDO answers with; starts as `config.endpoints` and may be replaced (a meter mirror appears)."""
    on_data: Callable[[ApsdeIndication], None]
    """Receives every ASDU for endpoints 1-240 and 255; ZDO frames too when `pass_zdo`. Settable at any time."""
    on_event: Callable[[StackEvent], None]
    """Receives what happens to the network. Settable at any time."""
    on_key: KeyObserver

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

        `pass_zdo` is for a coordinator driven by a host: ZDO responses and announcements also go to `on_data`, on
        endpoint 0 with the transaction number as first octet, while requests to this node are still answered here.
        """
        raise NotImplementedError

    @property
    def short_address(self) -> int:
        """This node's short address; 0xFFFF when it is on no network."""
        raise NotImplementedError

    @property
    def descriptor(self) -> NodeDescriptor:
        """The node descriptor the ZDO answers with."""
        raise NotImplementedError

    def send(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """APSDE-DATA.request: send an ASDU; fragmented when it is too long for one frame and `ack` is set.

        `confirm` gets SUCCESS when the acknowledgement arrived (or, without `ack`, when the next hop took the frame).
        A destination equal to the own short address loops back. `secure` needs a link key with the destination;
        without one the confirm is APS_SECURITY_FAIL.
        """
        raise NotImplementedError

    def form(self, channel: int, pan_id: int, extended_pan_id: int, network_key: bytes, key_sequence: int = 0) -> None:
        """Coordinator: form a network and become its trust centre."""
        raise NotImplementedError

    def join(
        self,
        channels: Sequence[int] = PREFERRED_CHANNELS,
        done: Callable[[Status], None] | None = None,
        *,
        extended_pan_id: int | None = None,
    ) -> None:
        """Scan, associate with the best open network (or the one named) and wait for its key.

        `done` gets SUCCESS once the network key is here and the device has announced itself, else NWK_NO_NETWORKS,
        NWK_NO_KEY or the status of the association. `NetworkUp` or `JoinFailed` is also reported.
        """
        raise NotImplementedError

    def rejoin(
        self,
        *,
        secured: bool = True,
        channels: Sequence[int] | None = None,
        done: Callable[[Status], None] | None = None,
    ) -> None:
        """NWK rejoin on the same extended PAN id; unsecured is a trust centre rejoin, which waits for the key.

        `channels` None means the current one.
        """
        raise NotImplementedError

    def restore(self) -> bool:
        """After power-up: take network state and keys from non-volatile memory; True when this node is on a network."""
        raise NotImplementedError

    def leave(self, *, rejoin: bool = False) -> None:
        """Leave the network by user action, forgetting it unless `rejoin`."""
        raise NotImplementedError

    def set_link_key(self, eui64: int, key: bytes) -> None:
        """Replace the link key shared with `eui64` by one that CBKE agreed; persisted, counters start anew."""
        raise NotImplementedError

    def link_key(self, eui64: int) -> bytes | None:
        """Return the link key in use with `eui64`, or None."""
        raise NotImplementedError

    def request_application_key(self, partner: int) -> None:
        """Ask the trust centre for a link key shared with the EUI-64 `partner`; `LinkKeyChanged` tells of it."""
        raise NotImplementedError

    def power_off(self) -> None:
        """Lose power: every timer stops and the radio leaves the medium. The object is dead afterwards."""
        raise NotImplementedError
