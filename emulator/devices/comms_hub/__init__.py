"""The comms hub: a zigpy application that is coordinator, trust centre, ESI, OTA server and gas mirror."""
