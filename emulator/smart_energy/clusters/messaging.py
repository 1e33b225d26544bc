"""Messaging 0x0703 (fact sheet 2.6)."""

from __future__ import annotations

from typing import Any, Final

import zigpy.types as t
from zigpy.zcl.foundation import BaseCommandDefs

from emulator.smart_energy.clusters.definition import SmartEnergyCluster, cluster_number, command, only
from emulator.smart_energy.version import SeVersion
from emulator.zcl.identifiers import MESSAGING

_MESSAGE: dict[str, Any] = {
    "message_id": t.uint32_t,
    "message_control": t.bitmap8,
    "start_time": t.UTCTime,
    "duration_in_minutes": t.uint16_t,
    "message": t.CharacterString,
    "extended_message_control?": t.bitmap8,
}


class Messaging(SmartEnergyCluster):
    """Messaging 0x0703."""

    cluster_id = cluster_number(MESSAGING)
    ep_attribute = "smartenergy_messaging"

    class ServerCommandDefs(BaseCommandDefs):
        """Commands the server receives."""

        get_last_message: Final = command(0x00, {})
        message_confirmation: Final = command(
            0x01,
            {
                "message_id": t.uint32_t,
                "confirmation_time": t.UTCTime,
                "message_confirmation_control?": t.bitmap8,
                "message_response?": t.LVBytes,
            },
        )
        get_message_cancellation: Final = command(0x02, {"earliest_implementation_time": t.UTCTime})

    class ClientCommandDefs(BaseCommandDefs):
        """Commands the client receives."""

        display_message: Final = command(0x00, _MESSAGE)
        cancel_message: Final = command(0x01, {"message_id": t.uint32_t, "message_control": t.bitmap8})
        display_protected_message: Final = command(0x02, _MESSAGE)
        cancel_all_messages: Final = command(0x03, {"implementation_date_time": t.UTCTime})

    server_commands_since = {only(0x02): SeVersion.SE_1_2A}
    client_commands_since = {range(0x02, 0x04): SeVersion.SE_1_2A}
