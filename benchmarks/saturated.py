"""A crowded home: 64 routers that all have something to send, always.

Each node sends its neighbour in a ring link-key and network-key protected data, and the next frame as soon as the MAC
has an acknowledgement for the last (or gave up). All hear each other, so nearly every moment of the channel is
contended for: this is the worst case of the emulated CSMA-CA.
"""

from __future__ import annotations

import statistics

from benchmarks.result import Result, median, timed
from emulator.air.capture import NullCapture
from emulator.air.medium import Medium
from emulator.clock.kernel import MICROSECONDS, Kernel
from emulator.errors import EmulatorError
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.node import Node, NodeConfig
from emulator.stack.nwk.service import NodeType
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Status
from emulator.stack.zdo.descriptors import SimpleDescriptor

AIM = 300.0

_HUB = 0x00DB123456780000
_PROFILE, _CLUSTER = 0x0109, 0x0702
_ENDPOINT = SimpleDescriptor(1, _PROFILE, 0x0501, 0, (_CLUSTER,), ())
_ASDU = bytes(60)
_KEY = bytes(range(16))
_JOIN_LIMIT_US = 600 * MICROSECONDS
_SETTLE_US = 60 * MICROSECONDS
"""Long enough for link status to make neighbours of all."""


class Crowd:
    """Nodes in one room, joined to one hub; node 0 is the hub."""

    def __init__(self, size: int) -> None:
        """Form the network and join everybody; raises `EmulatorError` when somebody is left out."""
        self.kernel = Kernel(1)
        self.medium = Medium(self.kernel, capture=NullCapture())
        self.delivered = 0
        self.nodes = [self._node(number) for number in range(size)]
        hub = self.nodes[0]
        hub.form(15, 0x5345, _HUB, self.kernel.secret("network key", 16))
        assert hub.trust_centre is not None
        for node in self.nodes[1:]:
            hub.trust_centre.add_link_key(node.eui64, _KEY)
            self._join(hub, node)
        for node, neighbour in self._ring():
            node.set_link_key(neighbour.eui64, _KEY)
            neighbour.set_link_key(node.eui64, _KEY)
            node.nwk.learn(neighbour.eui64, neighbour.short_address)
            neighbour.nwk.learn(node.eui64, node.short_address)
        self.kernel.run_for(_SETTLE_US)

    def saturate(self) -> None:
        """Let everybody begin to send; it never ends."""
        for node, neighbour in self._ring():
            self._send(node, neighbour)

    def run(self, virtual_s: float) -> int:
        """Let time pass; returns how many frames arrived at their neighbours' applications meanwhile."""
        before = self.delivered
        self.kernel.run_for(int(virtual_s * MICROSECONDS))
        return self.delivered - before

    def _ring(self) -> list[tuple[Node, Node]]:
        return list(zip(self.nodes, self.nodes[1:] + self.nodes[:1], strict=True))

    def _send(self, node: Node, neighbour: Node) -> None:
        request = ApsdeRequest(
            neighbour.short_address, 1, _PROFILE, _CLUSTER, 1, _ASDU, ack=False, secure=True
        )
        node.send(request, lambda _status: self._send(node, neighbour))

    def _arrived(self, _indication: ApsdeIndication) -> None:
        self.delivered += 1

    def _node(self, number: int) -> Node:
        config = NodeConfig(
            _HUB + number,
            NodeType.ROUTER if number else NodeType.COORDINATOR,
            endpoints=(_ENDPOINT,),
            preconfigured_link_key=_KEY if number else None,
            position=(number % 8 * 0.5, number // 8 * 0.5),
        )
        node = Node(self.kernel, self.medium, config, MemoryNonVolatile())
        node.on_data = self._arrived
        return node

    def _join(self, hub: Node, node: Node) -> None:
        assert hub.trust_centre is not None
        outcome: list[Status] = []
        deadline = self.kernel.now + _JOIN_LIMIT_US
        while self.kernel.now < deadline:
            hub.trust_centre.permit_joining(60)
            outcome.clear()
            node.join((15,), outcome.append)
            while not outcome and self.kernel.step():
                pass
            if outcome == [Status.SUCCESS]:
                return
        raise EmulatorError(f"node {node.eui64:016X} could not join the crowd: {outcome}")


def measure(quick: bool) -> list[Result]:
    """Return how many virtual seconds of saturation pass in a real one."""
    size, virtual_s, repetitions = (8, 0.5, 1) if quick else (64, 3.0, 5)
    crowd = Crowd(size)
    crowd.saturate()
    delivered: list[float] = []

    def speed() -> float:
        with timed() as watch:
            delivered.append(crowd.run(virtual_s) / virtual_s)
        return virtual_s / watch.seconds

    measured = median(speed, repetitions)
    note = f"{statistics.median(delivered):.0f} frames/s reach a neighbour's application"
    return [Result(f"{size} saturated nodes", measured, "x real time", aim=AIM, note=note)]
