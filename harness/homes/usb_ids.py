"""USB identities of dongles that carry ZigBee radios: what is soldered on, as far as that is known without asking.

A USB bridge chip is in many products: the identity narrows down, probing decides. Entries are recalled from public
device databases (zigpy's and zigbee-herdsman's discovery tables), not measured here.
"""

from __future__ import annotations

from typing import NamedTuple


class KnownDongle(NamedTuple):
    """A product by its USB identity. `protocol` is what its usual firmware speaks."""

    vendor: int
    product: int
    words: tuple[str, ...]
    """Words of the USB product text, one of which tells it from others with the same chip; empty for any."""
    name: str
    protocol: str


KNOWN = (
    KnownDongle(0x10C4, 0xEA60, ("skyconnect", "zbt-1"), "Home Assistant Connect ZBT-1 (EFR32MG21)", "ezsp"),
    KnownDongle(0x303A, 0x4001, ("zbt-2",), "Home Assistant Connect ZBT-2 (EFR32MG24)", "ezsp"),
    KnownDongle(0x10C4, 0xEA60, ("sonoff", "dongle plus v2"), "Sonoff ZBDongle-E (EFR32MG21)", "ezsp"),
    KnownDongle(0x1A86, 0x55D4, (), "Sonoff ZBDongle-E (EFR32MG21)", "ezsp"),
    KnownDongle(0x10C4, 0x8A2A, (), "Nortek HUSBZB-1 (EM3581)", "ezsp"),
    KnownDongle(0x10C4, 0x89FB, (), "Telegesis ETRX3USB (EM357)", "ezsp"),
    KnownDongle(0x10C4, 0x8B34, (), "Bitron/Telegesis (EM357)", "ezsp"),
    KnownDongle(0x1366, 0x0105, (), "Silicon Labs wireless starter kit (SEGGER)", "ezsp"),
    KnownDongle(0x1366, 0x1015, (), "Silicon Labs wireless starter kit (SEGGER)", "ezsp"),
    KnownDongle(0x1CF1, 0x0030, (), "ConBee II or III (deCONZ)", "deconz"),
    KnownDongle(0x0403, 0x6015, ("conbee",), "ConBee (deCONZ)", "deconz"),
    KnownDongle(0x0403, 0x6015, ("zigate",), "ZiGate", "zigate"),
    KnownDongle(0x0451, 0x16A8, (), "Texas Instruments CC2531", "znp"),
    KnownDongle(0x0451, 0xBEF3, (), "Texas Instruments LaunchPad", "znp"),
    KnownDongle(0x10C4, 0xEA60, (), "CP210x bridge (many products; Sonoff ZBDongle-P and others)", "unknown"),
    KnownDongle(0x1A86, 0x7523, (), "CH340 bridge (many products)", "unknown"),
    KnownDongle(0x0403, 0x6001, (), "FTDI bridge (many products)", "unknown"),
    KnownDongle(0x0403, 0x6015, (), "FTDI bridge (many products)", "unknown"),
)

ABILITIES = {
    "ezsp": "hub of a campaign; key establishment on the dongle or by the host",
    "znp": "not for Smart Energy: zigpy-znp has no command that stores an established link key",
    "deconz": "not for Smart Energy: zigpy-deconz has no command that stores an established link key",
    "zigate": "not for Smart Energy: zigpy-zigate has no command that stores an established link key",
    "unknown": "perhaps: probe it",
}


def identify(vendor: int | None, product: int | None, text: str) -> KnownDongle | None:
    """Return the product with this identity; `text` is its USB description."""
    for known in KNOWN:
        if (known.vendor, known.product) == (vendor, product) and (
            not known.words or any(word in text.lower() for word in known.words)
        ):
            return known
    return None
