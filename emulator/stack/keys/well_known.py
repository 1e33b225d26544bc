"""The link key that every ZigBee device knows."""

WELL_KNOWN_KEY = b"ZigBeeAlliance09"
"""The default global trust centre link key: no secret, so Smart Energy hubs let nobody join with it (fact sheet,
protocol 4.1).
"""
