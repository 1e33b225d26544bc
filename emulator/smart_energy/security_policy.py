"""Which clusters of the Smart Energy profile demand APS link-key security, and what an unsecured frame gets.

The two readings this project has disagree on the answer: one stack sends a Default Response NOT_AUTHORIZED
(fact sheet 2.9, citing SE 5.4.6), another reads FAILURE (protocol facts 1.1, SE 1.4a Table 5-12). Devices of
the SMETS1 era run the former stack's family, so NOT_AUTHORIZED is the default and a profile may say FAILURE.
They differ on Time, too: the former protects it, the latter does not; the former is the default again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emulator.smart_energy.ota.messages import OtaCommand
from emulator.stack.primitives import BROADCAST_ROUTERS, ApsdeIndication, Security
from emulator.zcl.frame import GeneralCommand, ZclFrame, ZclStatus
from emulator.zcl.identifiers import (
    CALENDAR,
    COMMISSIONING,
    DEVICE_MANAGEMENT,
    ENERGY_MANAGEMENT,
    EVENTS,
    LOAD_CONTROL,
    MDU_PAIRING,
    MESSAGING,
    METERING,
    OTA_UPGRADE,
    PREPAYMENT,
    PRICE,
    SUB_GHZ,
    TIME,
    TUNNELING,
)
from hw_profiles.identifiers import SMART_ENERGY_PROFILE

PROTECTED_CLUSTERS = frozenset(
    {
        TIME,
        COMMISSIONING,
        OTA_UPGRADE,
        PRICE,
        LOAD_CONTROL,
        METERING,
        MESSAGING,
        TUNNELING,
        PREPAYMENT,
        ENERGY_MANAGEMENT,
        CALENDAR,
        DEVICE_MANAGEMENT,
        EVENTS,
        MDU_PAIRING,
        SUB_GHZ,
    }
)
"""Clusters that demand APS security (fact sheet 2.9).

Basic, Identify, Key Establishment and Keep-Alive do not.
"""


@dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """The APS security rules of one device, usable as the guard of a `ZclEndpoint`."""

    protected: frozenset[int] = PROTECTED_CLUSTERS
    refusal: int = ZclStatus.NOT_AUTHORIZED
    registered: Callable[[int | None], bool] = lambda _: True
    """Whether a key was established with the sender of that EUI-64, or shared through the trust centre.

    A device that serves protected clusters under the key of its install code takes everybody as registered.
    """

    def demands_aps_security(self, profile: int, cluster: int) -> bool:
        """Whether unicasts of this cluster are to be protected with the link key."""
        return profile == SMART_ENERGY_PROFILE and cluster in self.protected

    def __call__(self, indication: ApsdeIndication, frame: ZclFrame) -> int | None:
        """Return the status to refuse the frame with, or None to let it in."""
        if not self.demands_aps_security(indication.profile, indication.cluster):
            return None
        if indication.security >= Security.APS and self.registered(indication.source_eui64):
            return None
        if is_broadcast_image_notify(indication, frame) or indication.source == indication.destination:
            return None
        if self._is_refusal(frame):
            # The answer to an unsecured frame of ours cannot be secured either.
            return None
        return self.refusal

    def _is_refusal(self, frame: ZclFrame) -> bool:
        is_default = not frame.is_cluster_command and frame.command == GeneralCommand.DEFAULT_RESPONSE
        return is_default and frame.payload[1:2] == bytes((self.refusal,))


def is_broadcast_image_notify(indication: ApsdeIndication, frame: ZclFrame) -> bool:
    """Whether this is the one protected-cluster frame that is never APS-secured: a broadcast Image Notify."""
    return (
        indication.cluster == OTA_UPGRADE
        and indication.destination >= BROADCAST_ROUTERS
        and frame.is_cluster_command
        and frame.command == OtaCommand.IMAGE_NOTIFY
    )
