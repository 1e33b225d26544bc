"""The hub on an EZSP dongle, through bellows: what zigpy's radio interface has no word for.

bellows itself is unmodified; this adds link keys after key establishment, network key changes and long messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import bellows.types as b
import zigpy.exceptions
import zigpy.state
import zigpy.types as t
from bellows.zigbee.application import ControllerApplication

from emulator.coordinator.hub_application import HubApplication, RadioError, Remembered, from_zigpy

MAX_PAYLOAD_OCTETS = 82
"""APS payload of one frame without APS security (fact sheet, protocol 4.6)."""
APS_SECURITY_OCTETS = 9
FRAGMENT_OCTETS = 64
"""Payload of one fragment: what is left beside the extended header and APS security, with room for source routes."""
REPORT_TIMEOUT_S = 60.0
"""How long the dongle's report on a message is awaited: longer than any stack tries to reach a sleepy device."""
FULL_ATTEMPTS = 20
FULL_WAIT_S = 0.5
_FULL = (b.sl_Status.ZIGBEE_MAX_MESSAGE_LIMIT_REACHED, b.sl_Status.ALLOCATION_FAILED, b.sl_Status.BUSY)
KEY_SWITCH_S = 10.0
"""Between a new network key and the switch to it: long enough for the broadcast to reach every router."""
FIRST_WITH_INSTALL_CODES = 5
"""EZSP version from which bellows hands keys of joining devices to the dongle; before, it only says that it did."""
_NO_SLOT = 0xFF
FIRST_UNUSED_SHORT = 0xFFF8
"""From here on a short address is nobody's, and what a dongle says of a device it does not know."""


class EzspApplication(HubApplication, ControllerApplication):  # type: ignore[misc]
    """bellows with what the hub needs beyond zigpy's radio interface."""

    @property
    def protocol_version(self) -> int:
        """The EZSP version spoken with the dongle; raises `RadioError` before `connect`."""
        return int(self.ezsp.ezsp_version)

    @property
    def ezsp(self) -> Any:
        """The EZSP connection of bellows; raises `RadioError` when there is none."""
        if self._ezsp is None:
            raise RadioError("EZSP dongle: not connected")
        return self._ezsp

    def _knows(self, command: str) -> bool:
        return command in self.ezsp._protocol.COMMANDS

    async def write_network_info(
        self, *, network_info: zigpy.state.NetworkInfo, node_info: zigpy.state.NodeInfo
    ) -> None:
        """Form the network as bellows does, then start anew: the reset after forming takes the endpoints away."""
        # The class after this one is the radio library's, not the abstract one mypy sees.
        await super().write_network_info(network_info=network_info, node_info=node_info)  # type: ignore[safe-super]
        await self.disconnect()
        await self.connect()

    async def permit_with_link_key(self, node: t.EUI64, link_key: t.KeyData, time_s: int = 60) -> None:
        """Let a device join with its own key; raises `RadioError` where bellows has no way to tell the dongle of it."""
        if self.protocol_version < FIRST_WITH_INSTALL_CODES:
            raise RadioError(
                f"EZSP dongle: {node} cannot be admitted by its install code: bellows tells no dongle of EZSP "
                f"{self.protocol_version} of one; use EZSP {FIRST_WITH_INSTALL_CODES} or newer"
            )
        # The class after this one is the radio library's, not the abstract one mypy sees.
        await super().permit_with_link_key(node, link_key, time_s)  # type: ignore[safe-super]

    async def learn_device(self, eui64: t.EUI64, short: t.NWK, *, sleepy: bool) -> None:
        """Give the dongle the address pair of a sleepy device and have it wait for it."""
        if sleepy:
            await self.ezsp.set_extended_timeout(nwk=short, ieee=eui64, extended_timeout=True)

    async def store_link_key(self, eui64: t.EUI64, key: t.KeyData) -> None:
        """Put a link key into the dongle's key table; raises `RadioError` when it has no room."""
        if self._knows("importLinkKey"):
            slot = await self._slot(eui64)
            (status,) = await self.ezsp.importLinkKey(index=slot, address=eui64, key=key)
        else:
            (status,) = await self.ezsp.addOrUpdateKeyTableEntry(address=eui64, linkKey=True, keyData=key)
        _check(status, f"storing the link key of {eui64}")

    async def _slot(self, eui64: t.EUI64) -> int:
        """Return the key slot of a device, or a free one."""
        (index,) = await self.ezsp.findKeyTableEntry(address=eui64, linkKey=True)
        if index != _NO_SLOT:
            return int(index)
        _, size = await self.ezsp.getConfigurationValue(configId=b.EzspConfigId.CONFIG_KEY_TABLE_SIZE)
        for slot in range(size):
            response = await self.ezsp.exportLinkKeyByIndex(index=slot)
            if b.sl_Status.OK not in response:
                return slot
        raise RadioError(f"EZSP dongle: all {size} key slots are taken; remove devices that are gone")

    async def remembered(self) -> tuple[Remembered, ...]:
        """Return the partners in the dongle's key table, with the addresses of those it has heard of."""
        types = {eui64: kind async for _, eui64, kind in self.ezsp.read_child_data()}
        found = []
        async for key in self.ezsp.read_link_keys():
            (*status, short) = await self.ezsp.lookupNodeIdByEui64(eui64=key.partner_ieee)
            known = all(each == b.sl_Status.OK for each in status) and short < FIRST_UNUSED_SHORT
            found.append(
                Remembered(
                    from_zigpy(key.partner_ieee),
                    key.key.serialize(),
                    int(short) if known else None,
                    types.get(key.partner_ieee) == b.EmberNodeType.SLEEPY_END_DEVICE,
                )
            )
        return tuple(found)

    async def forget_link_key(self, eui64: t.EUI64) -> None:
        """Erase a device's key from the dongle's key table."""
        (index,) = await self.ezsp.findKeyTableEntry(address=eui64, linkKey=True)
        if index != _NO_SLOT:
            await self.ezsp.eraseKeyTableEntry(index=index)

    async def change_network_key(self, key: t.KeyData) -> None:
        """Broadcast a new network key, and after a while the switch to it; raises `RadioError`."""
        (status,) = await self.ezsp.broadcastNextNetworkKey(key=key)
        _check(status, "distributing the network key")
        await asyncio.sleep(KEY_SWITCH_S)
        (status,) = await self.ezsp.broadcastNetworkKeySwitch()
        _check(status, "switching the network key")
        await asyncio.sleep(KEY_SWITCH_S)

    # Messages

    async def send_long(self, packet: t.ZigbeePacket) -> None:
        """Send an ASDU, in fragments when one frame does not hold it; raises `DeliveryError`.

        Unicasts wait for the dongle's report as long as the dongle tries: for a sleepy device that is longer than
        bellows waits.
        """
        assert packet.dst is not None
        if packet.dst.addr_mode is not t.AddrMode.NWK:
            await self.send_packet(packet)
            return
        encrypted = t.TransmitOptions.APS_Encryption in packet.tx_options
        room = MAX_PAYLOAD_OCTETS - (APS_SECURITY_OCTETS if encrypted else 0)
        data = packet.data.serialize()
        frame = _aps_frame(packet)
        if len(data) <= room:
            await self._unicast(packet, frame, data)
            return
        frame.options |= b.EmberApsOption.APS_OPTION_FRAGMENT | b.EmberApsOption.APS_OPTION_RETRY
        fragments = list(_pieces(data))
        for index, fragment in enumerate(fragments):
            frame.groupId = b.uint16_t(len(fragments) << 8 | index)
            frame.sequence = await self._unicast(packet, frame, fragment)

    async def _unicast(self, packet: t.ZigbeePacket, frame: b.EmberApsFrame, data: bytes) -> b.uint8_t:
        """Send one message and wait until it is delivered or given up; returns its APS counter."""
        assert packet.dst is not None
        tag = self.get_sequence()
        pending = (packet.dst.address, tag)
        future = self._pending_requests[pending] = asyncio.get_running_loop().create_future()
        try:
            sequence = await self._enqueue(packet, frame, tag, data)
            async with asyncio.timeout(REPORT_TIMEOUT_S):
                status, _ = await future
            _deliverable(status)
            return sequence
        finally:
            del self._pending_requests[pending]

    async def _enqueue(
        self, packet: t.ZigbeePacket, frame: b.EmberApsFrame, tag: int, data: bytes
    ) -> b.uint8_t:
        """Hand a message to the dongle, later when it has its hands full; returns its APS counter."""
        assert packet.dst is not None
        for _ in range(FULL_ATTEMPTS):
            async with self._limit_concurrency(priority=packet.priority):
                status, sequence = await self.ezsp.send_unicast(
                    nwk=packet.dst.address, aps_frame=frame, message_tag=tag, data=data
                )
            if b.sl_Status.from_ember_status(status) not in _FULL:
                break
            await asyncio.sleep(FULL_WAIT_S)
        _deliverable(status)
        return sequence


def _aps_frame(packet: t.ZigbeePacket) -> b.EmberApsFrame:
    options = b.EmberApsOption.APS_OPTION_ENABLE_ROUTE_DISCOVERY
    if t.TransmitOptions.ACK in packet.tx_options:
        options |= b.EmberApsOption.APS_OPTION_RETRY
    if t.TransmitOptions.APS_Encryption in packet.tx_options:
        options |= b.EmberApsOption.APS_OPTION_ENCRYPTION
    return b.EmberApsFrame(
        profileId=packet.profile_id,
        clusterId=packet.cluster_id,
        sourceEndpoint=packet.src_ep,
        destinationEndpoint=packet.dst_ep,
        options=options,
        groupId=b.uint16_t(0),
        sequence=b.uint8_t(packet.tsn),
    )


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + FRAGMENT_OCTETS] for start in range(0, len(data), FRAGMENT_OCTETS))


def _deliverable(status: Any) -> None:
    status = b.sl_Status.from_ember_status(status)
    if status != b.sl_Status.OK:
        raise zigpy.exceptions.DeliveryError(f"message not delivered: {status!r}", status)


def _check(status: Any, what: str) -> None:
    if b.sl_Status.from_ember_status(status) != b.sl_Status.OK:
        raise RadioError(f"EZSP dongle: {what}: {status!r}")
