"""The trust centre: who may join, and which keys they get (ZigBee PRO 4.6.3, Smart Energy 5.4)."""

from __future__ import annotations


class TrustCentre:
    """Admission and key transport on the coordinator."""

    unknown_link_key: bytes | None
    """Key for devices without an entry (an open network); None, the default, refuses them."""
    request_key_allowed: bool
    """Answer Request-Key for a trust centre link key."""

    def add_link_key(self, eui64: int, key: bytes) -> None:
        """Let `eui64` join with the preconfigured link key `key` (from its install code); persisted."""
        raise NotImplementedError

    def add_install_code(self, eui64: int, code_with_crc: bytes) -> None:
        """Let `eui64` join with its install code (6, 8, 12 or 16 octets and CRC); raises `CryptoError`."""
        raise NotImplementedError

    def forget(self, eui64: int) -> None:
        """Drop all keys of `eui64`: it can neither join nor rejoin."""
        raise NotImplementedError

    def permit_joining(self, seconds: int) -> None:
        """Open this network for `seconds` (0 closes; at most 254), telling every router (Mgmt_Permit_Joining)."""
        raise NotImplementedError

    def update_network_key(self, key: bytes | None = None) -> None:
        """Send a new network key (random when None) to every known device that is awake, then switch to it."""
        raise NotImplementedError

    def remove_device(self, eui64: int) -> None:
        """Make `eui64` leave, by Remove-Device through its parent, and forget its keys."""
        raise NotImplementedError
