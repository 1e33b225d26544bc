"""The keys by which a party controls devices, and the careful steps that change them.

Everything that must survive a crash is saved before it is sent: the counters of envelopes, a block ahead, and the
whole rotation (new key and envelope), so that a repeat is octet for octet the same and the device acts on it once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from emulator.devices.control import (
    KEY_OCTETS,
    ControlEnvelope,
    ControlResponse,
    ControlRole,
    ControlStatus,
    decode_response,
    encode_envelope,
    response_holds,
    rotate_payload,
)
from emulator.devices.sealing import scalar_from
from emulator.errors import FrameError
from emulator.eui64 import format_eui64
from harness.errors import RegimeError
from harness.journal import Json
from harness.pki.authority import Secret

COUNTER_BLOCK = 64
"""Counters reserved on disk at a time: a party that was killed goes on beyond those it may have used."""

Send = Callable[[int, bytes], Awaitable[bytes]]
"""Carries an envelope to a device and returns its response; raises `UnreachableError`."""


class HeldKey(NamedTuple):
    """A control key as its holder keeps it.

    `counter` is the last one used, `reserved` the last one that may have been used as far as the disk knows;
    `pending` is a rotation that may have reached the device; `taken` is the generation at which the key was taken over.
    """

    key: bytes
    generation: int
    counter: int
    point: bytes
    pending_key: bytes = b""
    pending_envelope: bytes = b""
    reserved: int = 0
    taken: int = 0

    def to_json(self) -> dict[str, Json]:
        """Return the record as JSON data."""
        return {
            "key": self.key.hex(),
            "generation": self.generation,
            "counter": self.counter,
            "point": self.point.hex(),
            "pending_key": self.pending_key.hex(),
            "pending_envelope": self.pending_envelope.hex(),
            "reserved": max(self.reserved, self.counter),
            "taken": self.taken,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> HeldKey:
        """Read `to_json` data: whoever reads it goes on beyond every counter that was reserved."""
        reserved = int(str(value.get("reserved", value["counter"])))

        def octets(name: str) -> bytes:
            return bytes.fromhex(str(value.get(name, "")))

        return cls(
            octets("key"),
            int(str(value["generation"])),
            reserved,
            octets("point"),
            octets("pending_key"),
            octets("pending_envelope"),
            reserved,
            int(str(value.get("taken", 0))),
        )


class ControlKeys:
    """One party's control keys of one role, by EUI-64; `save` persists the change before the call returns."""

    def __init__(
        self, role: ControlRole, held: dict[int, HeldKey], save: Callable[[], None], secret: Secret
    ) -> None:
        """`held` is the party's own, changed in place; `secret` makes new keys."""
        self.role = role
        self._held = held
        self._save = save
        self._secret = secret

    def take(self, eui64: int, key: HeldKey) -> None:
        """Hold a device's key as taken over; one already held is left as it is."""
        if eui64 not in self._held:
            self._put(eui64, key._replace(taken=key.generation))

    def holds(self, eui64: int) -> bool:
        """Whether a key for the device is held."""
        return eui64 in self._held

    def held(self, eui64: int) -> HeldKey:
        """Return the key held for a device; raises `RegimeError` when there is none."""
        if eui64 not in self._held:
            raise RegimeError(f"no {self.role.name.lower()} key of {format_eui64(eui64)} is held here")
        return self._held[eui64]

    def envelope(self, eui64: int, payload: bytes) -> bytes:
        """Return the next envelope to a device; its counter is on disk as reserved first."""
        held = self.held(eui64)
        held = held._replace(counter=held.counter + 1)
        if held.counter > held.reserved:
            self._put(eui64, held._replace(reserved=held.counter + COUNTER_BLOCK - 1))
        else:
            self._held[eui64] = held
        return encode_envelope(
            ControlEnvelope(self.role, held.generation, held.counter, payload), held.key, eui64
        )

    async def exchange(self, eui64: int, payload: bytes, send: Send) -> ControlResponse:
        """Send a payload and return the device's answer, catching up once when its counter is ahead.

        Raises `RegimeError` for a response that is not from the device holding this key.
        """
        response = self._checked(eui64, await send(eui64, self.envelope(eui64, payload)))
        if response.status is ControlStatus.REPLAY:
            self._put(eui64, self.held(eui64)._replace(counter=response.counter))
            response = self._checked(eui64, await send(eui64, self.envelope(eui64, payload)))
        return response

    async def probe_stale(self, eui64: int, payload: bytes, send: Send) -> ControlStatus:
        """Send a payload under a key that should no longer work; returns the status, whoever signed it."""
        return decode_response(await send(eui64, self.envelope(eui64, payload))).status

    async def rotate(self, eui64: int, generation: int, send: Send) -> HeldKey:
        """Give the device a new key as `generation`; returns the key now held. Safe to repeat.

        Raises `RegimeError` when the device refuses, `UnreachableError` when the outcome is not known.
        """
        if self.held(eui64).generation == generation:
            return self.held(eui64)
        for _ in range(2):
            held = self._prepared(eui64, generation)
            octets = await send(eui64, held.pending_envelope)
            if response_holds(octets, held.pending_key, eui64):
                return self._commit(eui64, held, generation)
            response = self._checked(eui64, octets)
            if response.status is not ControlStatus.REPLAY:
                break
            # The answer is under the old key: nothing was rotated, and a new envelope may be made.
            self._put(eui64, held._replace(counter=response.counter, pending_key=b"", pending_envelope=b""))
        raise RegimeError(
            f"{format_eui64(eui64)} refused its new {self.role.name.lower()} key: {response.status.name}"
        )

    async def settle(self, eui64: int, send: Send) -> None:
        """Finish a rotation that was begun and never seen to end; raises as `rotate` does."""
        if self.holds(eui64) and self.held(eui64).pending_envelope:
            await self.rotate(eui64, self.held(eui64).generation + 1, send)

    def _prepared(self, eui64: int, generation: int) -> HeldKey:
        held = self.held(eui64)
        if held.pending_envelope:
            return held
        counter = held.counter + 1
        label = f"{self.role.name.lower()}/{format_eui64(eui64)}/{generation}"
        new_key = self._secret(f"control/{label}", KEY_OCTETS)
        # A sealed text never shares its ephemeral key with another, so the counter is part of the label.
        ephemeral = scalar_from(self._secret(f"control/ephemeral/{label}/{counter}", 48))
        payload = rotate_payload(
            eui64, self.role, generation, new_key, device_point=held.point, ephemeral=ephemeral
        )
        envelope = encode_envelope(
            ControlEnvelope(self.role, held.generation, counter, payload), held.key, eui64
        )
        held = held._replace(counter=counter, pending_key=new_key, pending_envelope=envelope)
        self._put(eui64, held)
        return held

    def _commit(self, eui64: int, held: HeldKey, generation: int) -> HeldKey:
        new = HeldKey(held.pending_key, generation, 0, held.point, taken=held.taken)
        self._put(eui64, new)
        return new

    def _checked(self, eui64: int, octets: bytes) -> ControlResponse:
        try:
            response = decode_response(octets)
        except FrameError as error:
            raise RegimeError(
                f"{format_eui64(eui64)}: {error}; check what answers on the WAN link"
            ) from error
        if not response_holds(octets, self.held(eui64).key, eui64):
            raise RegimeError(
                f"{format_eui64(eui64)} does not hold this {self.role.name.lower()} key: "
                f"{response.status.name}, generation {response.generation}"
            )
        return response

    def _put(self, eui64: int, key: HeldKey) -> None:
        self._held[eui64] = key
        self._save()
