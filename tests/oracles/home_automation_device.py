"""A home-automation light on the emulated stack: what a stranger's coordinator can join and interview."""

from __future__ import annotations

from zigpy.zcl.clusters.general import Basic, OnOff

from emulator.air.medium import Medium
from emulator.clock.kernel import Kernel
from emulator.nonvolatile import MemoryNonVolatile
from emulator.stack.events import NetworkUp, StackEvent
from emulator.stack.node import Node, NodeConfig
from emulator.stack.nwk.service import NodeType
from emulator.stack.primitives import ApsdeIndication, ApsdeRequest, Security
from emulator.stack.zdo.descriptors import SimpleDescriptor
from emulator.zcl.attributes import AttributeTable
from emulator.zcl.endpoint import ZclEndpoint
from emulator.zcl.frame import ZclFrame

HOME_AUTOMATION = 0x0104
ON_OFF_LIGHT = 0x0100
GLOBAL_LINK_KEY = b"ZigBeeAlliance09"
LIGHT = 0x000D6F00000A1164
MANUFACTURER = 0x1049
MODEL = "Oracle light"


REANNOUNCE_US = (4_000_000, 12_000_000, 24_000_000)


class Light:
    """Basic and On/Off on endpoint 1; joins with the well-known key and asks for one of its own (R21).

    It announces itself again some seconds after joining, as many lights do: zigbee-on-host works through a
    chunk of link octets frame by frame, waiting for what it sends in answer to each, while later chunks
    overtake. When two frames reach it in one chunk it takes the second for a replay, and then never hears
    the first announcement.
    """

    def __init__(
        self,
        kernel: Kernel,
        medium: Medium,
        *,
        sleepy: bool = False,
        router: bool = False,
    ) -> None:
        self.events: list[StackEvent] = []
        self.endpoint = ZclEndpoint(1, profile=HOME_AUTOMATION, clock=lambda: kernel.now)
        self.endpoint.add_server(
            0x0000,
            AttributeTable.of(
                Basic.AttributeDefs,
                {"zcl_version": 3, "manufacturer": "SMETS1 HAN", "model": MODEL, "power_source": 1},
            ),
        )
        self.on_off = self.endpoint.add_server(
            0x0006,
            AttributeTable.of(OnOff.AttributeDefs, {"on_off": False}),
            {0: self._switch, 1: self._switch},
        )
        descriptor = SimpleDescriptor(
            1, HOME_AUTOMATION, ON_OFF_LIGHT, 1, self.endpoint.input_clusters, self.endpoint.output_clusters
        )
        config = NodeConfig(
            LIGHT,
            NodeType.ROUTER if router else NodeType.END_DEVICE,
            manufacturer_code=MANUFACTURER,
            endpoints=(descriptor,),
            mains_powered=not sleepy,
            rx_on_when_idle=not sleepy,
            preconfigured_link_key=GLOBAL_LINK_KEY,
            own_link_key_request=True,
            stack_revision=21,
            strict_leave=False,
            long_poll_us=2_000_000,
            short_poll_us=250_000,
        )
        self.node = Node(kernel, medium, config, MemoryNonVolatile())
        self.node.on_event = self._event
        self.node.on_data = self._data

    def _event(self, event: StackEvent) -> None:
        self.events.append(event)
        if isinstance(event, NetworkUp):
            for delay in REANNOUNCE_US:
                self.node.scope.call_later(delay, self.node.zdo.announce)

    def _switch(self, _indication: ApsdeIndication, frame: ZclFrame) -> None:
        self.on_off.attributes["on_off"] = frame.command == 1

    def _data(self, indication: ApsdeIndication) -> None:
        for answer in self.endpoint.receive(indication):
            self.node.send(
                ApsdeRequest(
                    indication.source,
                    indication.source_endpoint,
                    indication.profile,
                    indication.cluster,
                    1,
                    answer,
                    secure=indication.security is Security.APS,
                )
            )
