"""The APS sublayer: addressed data with acknowledgements, duplicates, fragments and link-key security.

Source: ZigBee PRO 2.2.8 and 4.4, as restated in the fact sheet (protocol 4.5-4.6). The layer stands on an
`Nwk` and reports to an `ApsUser`; what key management commands mean is decided above, by the joiner and the
trust centre.
"""

from __future__ import annotations

from emulator.clock.kernel import Scope
from emulator.crypto.ccm import CcmKey
from emulator.errors import FrameError, SecurityError
from emulator.stack.aps.acknowledged import (
    ACK_WAIT_US,
    MAX_FRAME_RETRIES,
    SLEEPY_ACK_WAIT_US,
    AcknowledgedSending,
)
from emulator.stack.aps.commands import ApsCommand, decode_command
from emulator.stack.aps.duplicates import UNACKNOWLEDGED_US, DuplicateTable
from emulator.stack.aps.fast_path import FastReception, sealed_data
from emulator.stack.aps.fragmentation import Fragment, Reassembler
from emulator.stack.aps.frames import (
    ACK_REQUEST,
    DATA_HEADER_OCTETS,
    DELIVERY_BROADCAST,
    DELIVERY_MASK,
    FRAME_ACK,
    FRAME_COMMAND,
    FRAME_TYPE_MASK,
    NOT_FRAGMENT,
    SECURED,
    ApsHeader,
    decode_header,
    encode_ack_header,
    encode_command_header,
    encode_data_header,
)
from emulator.stack.aps.key_table import KeyTable, LinkKey
from emulator.stack.aps.security import (
    KEY_DATA,
    KEY_LOAD,
    KEY_TRANSPORT,
    SECURITY_OCTETS,
    decode_aux,
    seal,
    seal_extended,
    unseal,
)
from emulator.stack.aps.service import ApsCommandIndication, ApsUser, NwkData
from emulator.stack.primitives import (
    FIRST_BROADCAST,
    ApsdeIndication,
    ApsdeRequest,
    Confirm,
    NldeIndication,
    Security,
    Status,
)

__all__ = ["FIRST_BROADCAST", "MAX_NSDU_OCTETS", "Aps", "ApsCommandIndication"]

MAX_NSDU_OCTETS = 127 - 2 - 9 - 8 - 14 - 4
"""PSDU less FCS, MAC header, NWK header, NWK auxiliary header and MIC: 90 octets."""


class Aps:
    """The APS data and security services of one node."""

    def __init__(
        self,
        scope: Scope,
        nwk: NwkData,
        keys: KeyTable,
        user: ApsUser,
        *,
        max_incoming_transfer: int = 128,
        own_poll_us: int = 0,
    ) -> None:
        """`own_poll_us` is how long an acknowledgement may wait at this node's parent; 0 when it never
        sleeps.
        """
        self._scope = scope
        self._nwk = nwk
        self._keys = keys
        self._user = user
        self._counter = scope.random.randrange(256)
        slowest_us = SLEEPY_ACK_WAIT_US if own_poll_us else ACK_WAIT_US
        self._duplicates = DuplicateTable((MAX_FRAME_RETRIES + 1) * slowest_us)
        self._reassembler = Reassembler(max_incoming_transfer, (MAX_FRAME_RETRIES + 2) * slowest_us)
        self.sleepy: set[int] = set()
        """Short addresses known to sleep."""
        self._acknowledged = AcknowledgedSending(scope, nwk, user, ACK_WAIT_US + own_poll_us, self.sleepy)
        self._fast = FastReception(scope, self, keys, duplicates=self._duplicates, user=user)
        self.joining_key: LinkKey | None = None
        """The preconfigured key, while this node joins and the trust centre has no entry in the key table
        yet.
        """

    # ---- sending

    def data(self, request: ApsdeRequest, confirm: Confirm | None = None) -> None:
        """APSDE-DATA.request; see `Node.send`."""
        destination, endpoint, profile, cluster, source_endpoint, asdu, ack, secure, radius = request
        if destination >= FIRST_BROADCAST:
            self._broadcast(request, confirm)
            return
        if destination == self._nwk.short_address:
            self._scope.call_later(0, self._loop_back, request, confirm)
            return
        key = None
        if secure:
            key = self._keys.get(self._nwk.eui64_of(destination))
            if key is None:
                self._refuse(confirm, Status.APS_SECURITY_FAIL)
                return
        limit = MAX_NSDU_OCTETS - DATA_HEADER_OCTETS - (0 if key is None else SECURITY_OCTETS)
        if ack or len(asdu) > limit:
            self._counter = self._acknowledged.send(request, confirm, key, limit, self._counter)
            return
        self._counter = counter = (self._counter + 1) & 0xFF
        if key is None:
            header = encode_data_header(0, endpoint, cluster, profile, source_endpoint, counter)
            self._nwk.data(destination, header + asdu, confirm, radius=radius)
            return
        frame = sealed_data(key, self._nwk.eui64, request, counter)
        self._nwk.data(destination, frame, confirm, radius=radius)

    def command(
        self,
        destination: int,
        command: ApsCommand,
        *,
        key: LinkKey | None = None,
        key_id: int = KEY_DATA,
        nwk_secure: bool = True,
        confirm: Confirm | None = None,
    ) -> None:
        """Send an APS command, protected by `key` (or the key derived from it that `key_id` names) when
        given.
        """
        self._nwk.data(
            destination, self.command_frame(command, key=key, key_id=key_id), confirm, secure=nwk_secure
        )

    def command_frame(self, command: ApsCommand, *, key: LinkKey | None, key_id: int = KEY_DATA) -> bytes:
        """Return a complete APS command frame; secured ones carry the extended nonce, as seen in captures."""
        self._counter = (self._counter + 1) & 0xFF
        header = encode_command_header(self._counter, secured=key is not None)
        if key is None:
            return header + command.encode()
        return seal_extended(
            _cipher(key, key_id), key_id, key.take_counter(), self._nwk.eui64, header, command.encode()
        )

    def forward(self, destination: int, frame: bytes) -> None:
        """Hand a tunnelled frame to the child it is for, which holds no network key yet (4.6.3.7)."""
        self._nwk.data(destination, frame, None, secure=False)

    def abandon(self) -> None:
        """Give up everything under way, and who sleeps: the network is gone."""
        self._acknowledged.abandon()
        self.sleepy.clear()
        self.joining_key = None

    def _refuse(self, confirm: Confirm | None, status: Status) -> None:
        """Confirm later: a caller never hears of a request before it returns."""
        if confirm is not None:
            self._scope.call_later(0, confirm, status)

    def _broadcast(self, request: ApsdeRequest, confirm: Confirm | None) -> None:
        if request.secure:
            self._refuse(confirm, Status.APS_SECURITY_FAIL)
        elif len(request.asdu) > MAX_NSDU_OCTETS - DATA_HEADER_OCTETS:
            self._refuse(confirm, Status.APS_ASDU_TOO_LONG)
        else:
            self._counter = (self._counter + 1) & 0xFF
            header = encode_data_header(
                DELIVERY_BROADCAST,
                request.destination_endpoint,
                request.cluster,
                request.profile,
                request.source_endpoint,
                self._counter,
            )
            self._nwk.data(request.destination, header + request.asdu, confirm, radius=request.radius)

    def _loop_back(self, request: ApsdeRequest, confirm: Confirm | None) -> None:
        self._counter = (self._counter + 1) & 0xFF
        self._user.aps_data(
            ApsdeIndication(
                source=request.destination,
                source_eui64=self._nwk.eui64,
                destination=request.destination,
                destination_endpoint=request.destination_endpoint,
                profile=request.profile,
                cluster=request.cluster,
                source_endpoint=request.source_endpoint,
                asdu=request.asdu,
                security=Security.APS if request.secure else Security.NWK,
                lqi=255,
                aps_counter=self._counter,
            )
        )
        if confirm is not None:
            confirm(Status.SUCCESS)

    # ---- receiving

    def nwk_data(self, indication: NldeIndication) -> None:
        """Take an NSDU; a malformed or unauthentic one is dropped and reported."""
        try:
            if not self._fast.took(indication):
                self.receive(indication)
        except (FrameError, SecurityError) as error:
            self._user.aps_security_failure(indication.source, str(error))

    def receive(self, indication: NldeIndication) -> None:
        """Take any NSDU, the long way; raises `FrameError` or `SecurityError` for one that is not as it must be."""
        nsdu = indication.nsdu
        header = decode_header(nsdu)
        control = header.frame_control
        kind = control & FRAME_TYPE_MASK
        if kind == FRAME_COMMAND:
            self._receive_command(indication, header)
            return
        if not indication.secured:
            return  # only key transport is heard before a node holds the network key (4.6.3.4)
        key = None
        if control & SECURED:
            key, _, _, payload = self._open(indication, header)
        else:
            payload = nsdu[header.length :]
        if kind == FRAME_ACK:
            self._acknowledged.acknowledge(indication.source, header)
        else:
            self._receive_data(indication, header, key, payload)

    def _open(self, indication: NldeIndication, header: ApsHeader) -> tuple[LinkKey, int, int, bytes]:
        """Return (key, key id, sender's EUI-64, plaintext) of a secured frame whose counter is fresh."""
        nsdu = indication.nsdu
        aux = decode_aux(nsdu, header.length)
        source = aux.source_eui64
        if source is None:
            source = indication.source_eui64
            if source is None:
                source = self._nwk.eui64_of(indication.source)
            if source is None:
                raise SecurityError(f"APS frame from {indication.source:#06x}: its EUI-64 is not known")
        candidates = [key for key in (self.joining_key, self._keys.get(source)) if key is not None]
        if not candidates:
            raise SecurityError(
                f"APS frame from {indication.source:#06x}: no link key with EUI-64 {source:016x}"
            )
        for key in candidates[:-1]:
            try:
                payload = unseal(_cipher(key, aux.key_id), aux, source, nsdu, header.length)
            except SecurityError:
                continue  # the trust centre may still use the key in the table
            break
        else:
            key = candidates[-1]
            payload = unseal(_cipher(key, aux.key_id), aux, source, nsdu, header.length)
        key.accept(aux.frame_counter)
        if aux.source_eui64 is not None and indication.source_eui64 is None and indication.secured:
            self._nwk.learn(source, indication.source)
        return key, aux.key_id, source, payload

    def _receive_data(
        self, indication: NldeIndication, header: ApsHeader, key: LinkKey | None, payload: bytes
    ) -> None:
        source, control = indication.source, header.frame_control
        now = self._scope.now
        if header.fragmentation != NOT_FRAGMENT:
            fragment = Fragment(header.fragmentation, header.block, payload)
            outcome = self._reassembler.block(now, source, header.counter, fragment)
            if outcome.acknowledge:
                self._acknowledge(source, header, key)
            if outcome.asdu is None:
                return
            payload = outcome.asdu
        else:
            wanted = control & ACK_REQUEST and control & DELIVERY_MASK == 0
            lifetime_us = 0 if wanted else UNACKNOWLEDGED_US
            duplicate = self._duplicates.seen(now, source, header.counter, payload, lifetime_us)
            if wanted:
                self._acknowledge(source, header, key)
            if duplicate:
                return
        eui64 = indication.source_eui64
        if eui64 is None:
            eui64 = key.eui64 if key is not None else self._nwk.eui64_of(source)
        self._user.aps_data(
            ApsdeIndication(
                source,
                eui64,
                indication.destination,
                header.destination_endpoint,
                header.profile,
                header.cluster,
                header.source_endpoint,
                payload,
                Security.APS if key is not None else Security.NWK,
                indication.lqi,
                header.counter,
            )
        )

    def _acknowledge(self, destination: int, header: ApsHeader, key: LinkKey | None) -> None:
        """Send the acknowledgement, secured as the frame was."""
        block = None
        if header.fragmentation != NOT_FRAGMENT:
            block = 0 if header.fragmentation == 1 else header.block
        ack = encode_ack_header(header, secured=key is not None, block=block)
        if key is not None:
            ack = seal(key.cipher, KEY_DATA, key.take_counter(), self._nwk.eui64, ack, b"")
        self._nwk.data(destination, ack, None)

    def _receive_command(self, indication: NldeIndication, header: ApsHeader) -> None:
        key = key_id = None
        eui64 = indication.source_eui64
        if header.frame_control & SECURED:
            key, key_id, eui64, payload = self._open(indication, header)
        elif not indication.secured:
            return
        else:
            payload = indication.nsdu[header.length :]
        if header.frame_control & ACK_REQUEST and indication.secured:
            self._acknowledge(indication.source, header, key if key_id == KEY_DATA else None)
        if self._duplicates.seen(self._scope.now, indication.source, header.counter, payload):
            return
        if eui64 is None:
            eui64 = self._nwk.eui64_of(indication.source)
        self._user.aps_command(
            ApsCommandIndication(
                indication.source, eui64, decode_command(payload), key, key_id, indication.secured
            )
        )


def _cipher(key: LinkKey, key_id: int) -> CcmKey:
    """Return the key that `key_id` names: the link key itself, or one derived from it."""
    if key_id == KEY_DATA:
        return key.cipher
    if key_id == KEY_TRANSPORT:
        return key.transport
    if key_id == KEY_LOAD:
        return key.load
    raise SecurityError(f"APS key identifier {key_id >> 3}: expected data, key-transport or key-load")
