"""Whole nodes under fire: frames that pass every check below the layer meant, mutated at that layer.

A frame for NWK is secured with the network key after its mutation, one for APS with the link key where it asks
for it, so that the mutation reaches the code behind the cryptography. Nodes may leave, change keys and answer
what they like; they may not raise, hang or grow.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from emulator.air.fcs import with_fcs
from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.crypto.ccm import CcmKey
from emulator.errors import FrameError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.aps.frames import decode_header
from emulator.stack.aps.security import seal, seal_extended
from emulator.stack.node import Node
from emulator.stack.nwk import frame as nwk_frame
from emulator.stack.nwk.security import NwkSecurity
from emulator.stack.primitives import ApsdeIndication, NldeIndication, Security
from emulator.stack.zdo.frames import ZdoCluster
from tests.emulator.fuzz.fuzzing import GROWTH_LIMIT, SAMPLE, SWEEP, fuzz, used_octets
from tests.emulator.fuzz.seed_frames import CBKE_KEY, SECURED_APS, keyed_home, seeds
from tests.emulator.fuzz.zcl_seeds import ZCL_SEEDS
from tests.emulator.stack.node_world import HUB, INSTALL_KEY, METER, NETWORK_KEY, SECOND
from tests.oracles.home_automation_device import HOME_AUTOMATION, Light

STEP_US = 2_000
SETTLE_US = 900 * SECOND
HIGH_COUNTER = 1 << 28
"""Frame counters of the forger: above those of the device it speaks as."""
RENEW_EVERY = 4_000
"""Inputs after which a new home takes the place of one that may have lost its network."""
STRANGER = 0x00DB_FFFF_0000_0001


class Range:
    """A living home to shoot at, a hub and a meter; a new one takes its place now and then."""

    def __init__(self, name: str, aim: Callable[[Range, bytes], None]) -> None:
        self.random = random.Random(f"range/{name}")
        self._aim = aim
        self._inputs = 0
        self._octets = 0
        self.renew()

    def renew(self) -> None:
        self.home, self.meter = keyed_home()
        self.counter = HIGH_COUNTER
        self.sources = [METER, HUB, STRANGER]
        self.forgers = [_forger(eui64) for eui64 in self.sources]

    def fire(self, octets: bytes) -> None:
        if self._inputs % RENEW_EVERY == RENEW_EVERY - 1:
            self._check_growth()
            self.renew()
            self._octets = used_octets()
        self._inputs += 1
        self._aim(self, octets)
        self.home.kernel.run_for(STEP_US)

    def _check_growth(self) -> None:
        """What the home under fire still holds when everything that expires has expired is bounded."""
        if self._octets:
            self.home.kernel.run_for(SETTLE_US)
            growth = used_octets() - self._octets
            assert growth < GROWTH_LIMIT, f"{growth} octets more after {RENEW_EVERY} inputs"

    def settle(self) -> None:
        self._octets = 0
        self.renew()
        self.home.kernel.run_for(SETTLE_US)

    def victim(self) -> Node:
        return (self.home.hub if self.random.random() < 0.5 else self.meter).node

    def source(self) -> int:
        """A short address to speak from: the hub's, the meter's, or one nobody has."""
        return self.random.choice((0x0000, self.meter.node.short_address, 0x7777))


def _forger(eui64: int) -> NwkSecurity:
    security = NwkSecurity(eui64, MemoryNonVolatile())
    security.set_key(NETWORK_KEY, 0, activate=True)
    security.frame_counter = HIGH_COUNTER
    return security


def at_mac(at: Range, octets: bytes) -> None:
    if 3 <= len(octets) <= 125:
        mac = at.victim().mac
        psdu = with_fcs(octets)
        mac.accept(psdu)
        mac.indicate(psdu, 200)


def at_nwk(at: Range, octets: bytes) -> None:
    """Secure the mutated frame where its header asks for it; a header that cannot be read goes in as it is."""
    npdu = octets
    try:
        header, offset = nwk_frame.unpack_header(octets)
        if header.secured:
            npdu = at.random.choice(at.forgers).protect(octets[:offset], octets[offset:])
    except FrameError:
        pass
    destination = 0xFFFF if at.random.random() < 0.2 else 0x0000
    at.victim().nwk.mac_data(at.source(), destination, npdu, 200)


def at_aps(at: Range, octets: bytes) -> None:
    """Secure the mutated frame, under a key that may be the right one, where its header asks for it."""
    victim = at.victim()
    source = METER if victim is at.home.hub.node else HUB
    nsdu = octets
    try:
        header = decode_header(octets)
        if header.frame_control & SECURED_APS:
            at.counter += 1
            key = CcmKey(at.random.choice((CBKE_KEY, INSTALL_KEY)))
            build = seal if at.random.random() < 0.5 else seal_extended
            kind = at.random.choice((0x00, 0x00, 0x10, 0x18))
            nsdu = build(key, kind, at.counter, source, octets[: header.length], octets[header.length :])
    except FrameError:
        pass
    short = 0x0000 if source == HUB else at.meter.node.short_address
    destination = at.random.choice((victim.short_address, 0xFFFD))
    victim.nwk.listener.nwk_data(NldeIndication(short, source, destination, nsdu, True, 200))


def at_zdo(at: Range, octets: bytes) -> None:
    victim = at.victim()
    cluster = at.random.choice((*ZdoCluster, *(cluster | 0x8000 for cluster in ZdoCluster), 0x1234))
    security = at.random.choice((Security.NWK, Security.APS))
    destination = at.random.choice((victim.short_address, 0xFFFD))
    victim._delivery.aps_data(
        ApsdeIndication(at.source(), METER, destination, 0, 0, int(cluster), 0, octets, security, 200, 1)
    )


RANGES: dict[str, tuple[Callable[[], tuple[bytes, ...]], Callable[[Range, bytes], None]]] = {
    "MAC of a node": (lambda: seeds().mac, at_mac),
    "NWK of a node": (lambda: tuple(header + payload for header, payload in seeds().nwk), at_nwk),
    "APS of a node": (lambda: seeds().aps, at_aps),
    "ZDO of a node": (lambda: tuple(asdu for _, asdu in seeds().zdo), at_zdo),
}


def shoot(name: str, count: int) -> None:
    frames, aim = RANGES[name]
    found = frames()
    field = Range(name, aim)
    fuzz(name, found, field.fire, count, settle=field.settle)


@pytest.mark.parametrize("name", RANGES)
def test_a_node_survives_a_sample_of_mutated_frames(name: str) -> None:
    shoot(name, SAMPLE)


@pytest.mark.sweep
@pytest.mark.parametrize("name", RANGES)
def test_a_node_survives_a_hundred_thousand_mutated_frames(name: str) -> None:
    shoot(name, SWEEP)


# The application layer


def shoot_zcl(count: int) -> None:
    kernel = Kernel(3)
    light = Light(kernel, Medium(kernel))
    source = random.Random("zcl")

    def aim(octets: bytes) -> None:
        cluster = source.choice((0x0000, 0x0006, 0x0019))
        destination = source.choice((1, 0xFFFD))
        light.endpoint.receive(
            ApsdeIndication(0, HUB, destination, 1, HOME_AUTOMATION, cluster, 1, octets, Security.NWK, 200, 1)
        )

    fuzz("ZCL endpoint", ZCL_SEEDS, aim, count)


def test_an_endpoint_survives_a_sample_of_mutated_frames() -> None:
    shoot_zcl(SAMPLE)


@pytest.mark.sweep
def test_an_endpoint_survives_a_hundred_thousand_mutated_frames() -> None:
    shoot_zcl(SWEEP)
