"""Remote party roles, as organisation certificates carry them (fact sheet 5.3)."""

from __future__ import annotations

from enum import IntEnum


class RemotePartyRole(IntEnum):
    """The OU of a certificate, as two hexadecimal digits.

    00 to 89 were seen in published test certificates. The numbers of the file-signing roles were not: those
    from 0xC0 are this project's own.
    """

    ROOT = 0x00
    RECOVERY = 0x01
    SUPPLIER = 0x02
    NETWORK_OPERATOR = 0x03
    ACCESS_CONTROL_BROKER = 0x04
    TRANSITIONAL_COS = 0x05
    WAN_PROVIDER = 0x06
    ISSUING_AUTHORITY = 0x07
    LOAD_CONTROLLER = 0x08
    OTHER_USER = 0x7F
    SUPPLIER_XML_SIGNING = 0x87
    DSP_XML_SIGNING = 0x89
    SMSO_FILE_SIGNING = 0xC0
    REQUESTING_PARTY_FILE_SIGNING = 0xC1
    COMMISSIONING_PARTY_FILE_SIGNING = 0xC2
    S1SP_FILE_SIGNING = 0xC3
    DCO_FILE_SIGNING = 0xC4
    S1SP_KEY_AGREEMENT = 0xC5
    DCO_KEY_AGREEMENT = 0xC6
    CAMPAIGN_SIGNING = 0xC7

    @property
    def text(self) -> str:
        """The role as the OU holds it."""
        return f"{self.value:02X}"
