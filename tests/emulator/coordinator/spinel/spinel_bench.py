"""A co-processor on an air with ordinary MACs, and the host's end of its link."""

from __future__ import annotations

from typing import Any

from emulator.air.mac import Mac
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.coordinator.spinel.codec import (
    SpinelFrame,
    decode_frame,
    encode_frame,
    pack,
    pack_uint,
    unpack,
    unpack_uint,
)
from emulator.coordinator.spinel.hdlc import HdlcDecoder, encode_hdlc
from emulator.coordinator.spinel.properties import Command, Property
from emulator.coordinator.spinel.rcp import Rcp
from emulator.stack.primitives import Status

RADIO = 0x00124B0000C0FFEE
CHILD = 0x00DB000000000001
PAN = 0x1A64
TRANSMIT = "dCCCbbbbLLC"


class Listener:
    """A NWK layer that only remembers."""

    def __init__(self) -> None:
        self.data: list[tuple[int, int, bytes]] = []
        self.statuses: list[Status] = []

    def mac_data(self, source: int, destination: int, payload: bytes, lqi: int) -> None:
        self.data.append((source, destination, payload))

    def mac_associate(self, eui64: int, capability: int) -> None:
        raise AssertionError((eui64, capability))

    def mac_polled(self, source: int) -> None:
        raise AssertionError(source)

    def mac_beacon(self, payload: bytes) -> None:
        pass

    def mac_beacon_request(self) -> None:
        """Somebody scans."""


class Bench:
    """Speaks Spinel to an RCP; `unasked` collects frames of transaction 0 as (property, value)."""

    def __init__(self) -> None:
        self.kernel = Kernel(3)
        self.medium = Medium(self.kernel)
        self.rcp = Rcp(self.kernel, self.medium, RADIO)
        self.rcp.attach(self._output)
        self.unasked: list[tuple[int, bytes]] = []
        self.answers: list[SpinelFrame] = []
        self._link = HdlcDecoder()

    def _output(self, octets: bytes) -> None:
        for frame in map(decode_frame, self._link.receive(octets)):
            if frame.transaction:
                self.answers.append(frame)
            else:
                assert frame.command == Command.PROP_VALUE_IS
                name, end = unpack_uint(frame.payload)
                self.unasked.append((name, frame.payload[end:]))

    def send(self, command: int, payload: bytes = b"", *, transaction: int = 5, interface: int = 0) -> None:
        self.rcp.feed(encode_hdlc(encode_frame(SpinelFrame(transaction, command, payload, interface))))

    def ask(self, command: int, payload: bytes = b"", **options: Any) -> tuple[int, int, bytes]:
        """Return (command, property, value) of the answer."""
        self.answers.clear()
        self.send(command, payload, **options)
        (answer,) = self.answers
        name, end = unpack_uint(answer.payload)
        return answer.command, name, answer.payload[end:]

    def get(self, name: int) -> bytes:
        command, found, value = self.ask(Command.PROP_VALUE_GET, pack_uint(name))
        assert (command, found) == (Command.PROP_VALUE_IS, name)
        return value

    def set(self, name: int, types: str, *values: Any) -> None:
        value = pack(types, *values)
        command, found, echo = self.ask(Command.PROP_VALUE_SET, pack_uint(name) + value)
        assert (command, found, echo) == (Command.PROP_VALUE_IS, name, value)

    def status(self, command: int, payload: bytes = b"", **options: Any) -> int:
        """Return the LAST_STATUS a request is answered with."""
        answer, name, value = self.ask(command, payload, **options)
        assert (answer, name) == (Command.PROP_VALUE_IS, Property.LAST_STATUS)
        return unpack_uint(value)[0]

    def set_status(self, name: int, types: str, *values: Any) -> int:
        return self.status(Command.PROP_VALUE_SET, pack_uint(name) + pack(types, *values))

    def up(self, *, channel: int = 15, short: int = 0) -> None:
        """Bring the radio up as coordinator of the PAN, as zigbee-on-host does (fact sheet 6)."""
        self.set(Property.PHY_ENABLED, "b", True)
        self.set(Property.PHY_CHAN, "C", channel)
        self.set(Property.MAC_15_4_SADDR, "S", short)
        self.set(Property.MAC_15_4_PANID, "S", PAN)
        self.set(Property.MAC_RX_ON_WHEN_IDLE_MODE, "b", True)
        self.set(Property.MAC_RAW_STREAM_ENABLED, "b", True)

    def transmit(
        self,
        mpdu: bytes,
        *,
        transaction: int = 5,
        channel: int = 15,
        backoffs: int = 4,
        retries: int = 3,
        csma: bool = True,
    ) -> None:
        value = pack(
            TRANSMIT, mpdu + b"\x00\x00", channel, 4, retries, csma, True, False, True, 0, 0, channel
        )
        self.send(Command.PROP_VALUE_SET, pack_uint(Property.STREAM_RAW) + value, transaction=transaction)

    def outcome(self) -> tuple[Any, ...]:
        """Return (status, pending, header updated, acknowledgement) of the one transmission that ended."""
        (answer,) = self.answers
        name, end = unpack_uint(answer.payload)
        assert name == Property.LAST_STATUS
        return unpack("ibbD", answer.payload[end:])

    def frames(self) -> list[tuple[Any, ...]]:
        """Return the frames passed up so far as (PSDU, RSSI, noise, flags, PHY data, vendor data)."""
        return [unpack("dccSdd", value) for name, value in self.unasked if name == Property.STREAM_RAW]

    def child(self, *, short: int = 1, eui64: int = CHILD, pan: int = PAN) -> tuple[Mac, Listener]:
        mac = Mac(self.kernel.scope(f"mac{short}"), self.medium, eui64)
        listener = Listener()
        mac.listener = listener
        mac.channel, mac.pan_id, mac.short_address, mac.parent_address = 15, pan, short, 0
        return mac, listener

    def run(self, seconds: float = 0.1) -> None:
        self.kernel.run_for(int(seconds * 1_000_000))
