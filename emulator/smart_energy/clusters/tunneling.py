"""Tunneling 0x0704 (fact sheet 2.6, 2.7)."""

from __future__ import annotations

from typing import Final

import zigpy.types as t
from zigpy.zcl.foundation import BaseAttributeDefs, BaseCommandDefs

from emulator.smart_energy.clusters.definition import (
    SmartEnergyCluster,
    attribute,
    cluster_number,
    command,
    only,
)
from emulator.smart_energy.version import SeVersion
from emulator.zcl.identifiers import TUNNELING


class Tunneling(SmartEnergyCluster):
    """Tunneling 0x0704, since SE 1.1."""

    cluster_id = cluster_number(TUNNELING)
    ep_attribute = "smartenergy_tunneling"
    introduced = SeVersion.SE_1_1

    class AttributeDefs(BaseAttributeDefs):
        """Server attributes."""

        close_tunnel_timeout: Final = attribute(0x0000, t.uint16_t, mandatory=True)

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        request_tunnel: Final = command(
            0x00,
            {
                "protocol_id": t.enum8,
                "manufacturer_code": t.uint16_t,
                "flow_control_support": t.Bool,
                "maximum_incoming_transfer_size?": t.uint16_t,
            },
        )
        close_tunnel: Final = command(0x01, {"tunnel_id": t.uint16_t})
        transfer_data: Final = command(0x02, {"tunnel_id": t.uint16_t, "data": t.Bytes})
        transfer_data_error: Final = command(
            0x03, {"tunnel_id": t.uint16_t, "transfer_data_status": t.uint8_t}
        )
        ack_transfer_data: Final = command(
            0x04, {"tunnel_id": t.uint16_t, "number_of_bytes_left": t.uint16_t}
        )
        ready_data: Final = command(0x05, {"tunnel_id": t.uint16_t, "number_of_octets_left": t.uint16_t})
        get_supported_tunnel_protocols: Final = command(0x06, {"protocol_offset": t.uint8_t})

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        request_tunnel_response: Final = command(
            0x00,
            {
                "tunnel_id": t.uint16_t,
                "tunnel_status": t.uint8_t,
                "maximum_incoming_transfer_size?": t.uint16_t,
            },
        )
        transfer_data_to_client: Final = command(0x01, {"tunnel_id": t.uint16_t, "data": t.Bytes})
        transfer_data_error_to_client: Final = command(
            0x02, {"tunnel_id": t.uint16_t, "transfer_data_status": t.uint8_t}
        )
        ack_transfer_data_to_client: Final = command(
            0x03, {"tunnel_id": t.uint16_t, "number_of_bytes_left": t.uint16_t}
        )
        ready_data_to_client: Final = command(
            0x04, {"tunnel_id": t.uint16_t, "number_of_octets_left": t.uint16_t}
        )
        supported_tunnel_protocols_response: Final = command(
            0x05,
            {
                "protocol_list_complete": t.Bool,
                "protocol_count": t.uint8_t,
                "protocol_list": t.Bytes,
            },
        )
        tunnel_closure_notification: Final = command(0x06, {"tunnel_id": t.uint16_t})

    server_commands_since = {only(0x06): SeVersion.SE_1_1A}
    client_commands_since = {range(0x05, 0x07): SeVersion.SE_1_1A}
