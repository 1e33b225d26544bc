"""The short cuts of the network layer: what a download consists of, sent, received and passed on without detours.

Both do exactly what `Sending.data` and `Receiving.frame` would do with the same frame, in a fraction of the time,
and leave every other frame to them. Tests hold that the short way and the long one come to the same.
"""

from __future__ import annotations

import struct
from typing import Protocol

from emulator.air.mac import Mac
from emulator.errors import SecurityError
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.address_map import AddressMap
from emulator.stack.nwk.frame import HEADER_OCTETS, MAX_NSDU
from emulator.stack.nwk.neighbours import NeighbourTable, Relationship
from emulator.stack.nwk.parent_link import ParentLink
from emulator.stack.nwk.receiving import Receiving
from emulator.stack.nwk.security import COARSE_BITS, NwkSecurity
from emulator.stack.nwk.sending import DISCOVERIES, DataRequest, Sending
from emulator.stack.nwk.service import NodeType
from emulator.stack.nwk.transit import Outgoing
from emulator.stack.nwk.views import Member, Named, Reporter, Timed
from emulator.stack.primitives import FIRST_BROADCAST, Confirm, NldeIndication, Status

_SECURED_DATA = nwk_frame.DATA | nwk_frame.VERSION | nwk_frame.SECURITY
_ANY_DISCOVERY = 0xFFFF & ~nwk_frame.DISCOVER_ROUTE_MASK
_HEADER_AND_AUX = struct.Struct("<HHHBBBIQB")
_NONCE = struct.Struct("<QIB")
_CONTROL = b"\x28"
_CONTROL_RESTORED = 0x2D
_unpack = _HEADER_AND_AUX.unpack_from
_pack = _HEADER_AND_AUX.pack
_pack_nonce = _NONCE.pack


class FastPathView(Timed, Named, Member, Reporter, Protocol):
    """What the short cuts work with."""

    mac: Mac
    addresses: AddressMap
    neighbours: NeighbourTable
    security: NwkSecurity
    sequence: int
    sleepy: bool


class FastPath:
    """NLDE-DATA.request to a neighbour, and MCPS-DATA.indication of secured data for this node."""

    def __init__(
        self, nwk: FastPathView, sending: Sending, receiving: Receiving, parent_link: ParentLink
    ) -> None:
        self._nwk = nwk
        self._sending = sending
        self._receiving = receiving
        self._parent_link = parent_link

    def send(  # noqa: PLR0917 (hot path: positional)
        self,
        destination: int,
        nsdu: bytes,
        confirm: Confirm | None,
        secure: bool,
        radius: int,
        discover_route: bool,
    ) -> None:
        """Secure a whole frame for a neighbour and give it to the MAC; leave every other to `Sending`."""
        nwk = self._nwk
        neighbour = nwk.neighbours.by_short.get(destination)
        key = nwk.security.active
        if (
            neighbour is None
            or not neighbour.direct
            or not (secure and nwk.authenticated)
            or key is None
            or len(nsdu) > MAX_NSDU
            or nwk.security.exhausted
        ):
            self._sending.data(DataRequest(destination, nsdu, confirm, secure, radius, discover_route))
            return
        counter = nwk.security.next_counter()
        nwk.sequence = sequence = (nwk.sequence + 1) & 0xFF
        eui64 = nwk.eui64
        control = _SECURED_DATA | nwk_frame.DISCOVER_ROUTE if discover_route else _SECURED_DATA
        header = _pack(
            control,
            destination,
            nwk.short_address,
            radius,
            sequence,
            _CONTROL_RESTORED,
            counter,
            eui64,
            key.sequence,
        )
        sealed = key.cipher.encrypt(_pack_nonce(eui64, counter, _CONTROL_RESTORED), header, nsdu)
        nwk.counters.sent += 1
        if nwk.sleepy:
            self._parent_link.fast_poll(nwk.timing.wake_us)
        plain = header[:HEADER_OCTETS]

        def sent(status: Status) -> None:
            if status is Status.SUCCESS:
                neighbour.failures = 0
                if confirm is not None:
                    confirm(status)
            else:
                discoveries = DISCOVERIES if discover_route else 0
                frame = Outgoing(plain, nsdu, destination, confirm, discoveries)
                self._sending.unicast_failed(frame, destination, status)

        nwk.mac.data(
            destination,
            plain + _CONTROL + header[HEADER_OCTETS + 1 :] + sealed,
            sent,
            indirect=neighbour.indirect,
        )

    def receive(self, hop: int, mac_destination: int, npdu: bytes, lqi: int) -> None:
        """Take secured data, for this node or to be passed on, from a known neighbour under the key in force.

        Every other frame, and whatever looks wrong, is left to `Receiving`.
        """
        nwk = self._nwk
        key = nwk.security.active
        neighbour = nwk.neighbours.by_short.get(hop)
        if key is None or neighbour is None or len(npdu) < _HEADER_AND_AUX.size:
            self._receiving.frame(hop, mac_destination, npdu, lqi)
            return
        control, target, origin, radius, _, aux_control, counter, eui64, sequence = _unpack(npdu)
        relayed = target != nwk.short_address
        last = key.incoming.get(eui64, -1)
        if (
            control & _ANY_DISCOVERY != _SECURED_DATA
            or origin == target
            or (relayed and not self._is_relayed(target, origin, radius))
            or aux_control & 0xF8 != nwk_frame.AUX_CONTROL
            or key.sequence != sequence
            or neighbour.eui64 != eui64
            or neighbour.relationship is Relationship.UNAUTHENTICATED_CHILD
            or nwk.addresses.short_by_eui64.get(eui64) != hop
            or counter <= last
            or (counter ^ last) >> COARSE_BITS
        ):
            self._receiving.frame(hop, mac_destination, npdu, lqi)
            return
        try:
            nsdu = key.cipher.decrypt(
                _pack_nonce(eui64, counter, _CONTROL_RESTORED),
                npdu[:8] + b"\x2d" + npdu[9:22],
                npdu[22:],
            )
        except SecurityError:
            nwk.counters.drop("integrity")
            return
        key.incoming[eui64] = counter
        neighbour.lqi = (neighbour.lqi * 7 + lqi) >> 3 if neighbour.lqi else lqi
        neighbour.heard_us = nwk.scope.now
        if relayed:
            self._receiving.notice_moved_child(origin, hop)
            nwk.counters.relayed += 1
            header = nwk_frame.with_radius(npdu[:HEADER_OCTETS], radius - 1)
            discoveries = 1 if control & nwk_frame.DISCOVER_ROUTE else 0
            self._sending.route(Outgoing(header, nsdu, target, None, discoveries, origin))
            return
        nwk.counters.received += 1
        origin_eui64: int | None = eui64
        if origin != hop:
            origin_eui64 = nwk.addresses.eui64_by_short.get(origin)
            self._receiving.notice_moved_child(origin, hop)
        nwk.listener.nwk_data(NldeIndication(origin, origin_eui64, target, nsdu, True, lqi))

    def _is_relayed(self, target: int, origin: int, radius: int) -> bool:
        """Whether this node passes on a unicast from `origin` that is for somebody else."""
        nwk = self._nwk
        return (
            target < FIRST_BROADCAST
            and radius > 1
            and origin != nwk.short_address
            and nwk.device_type is not NodeType.END_DEVICE
            and nwk.parameters is not None
        )
