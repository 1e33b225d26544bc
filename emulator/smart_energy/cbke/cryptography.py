"""Who does the arithmetic of key establishment: the host here, or a network co-processor behind the same
protocol.

A provider either answers `perform` at once, or returns None and has its answer handed to the machine later
with `KeyEstablishment.computed`. So the keys of an exchange may stay inside a co-processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from emulator.crypto import ecmqv, ecqv
from emulator.crypto.authority import Identity
from emulator.crypto.certificates import parse_certificate
from emulator.crypto.ecmqv import Confirmation, KeyPair, Party
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError
from emulator.smart_energy.cbke.codec import TerminateStatus


class GenerateEphemeral(NamedTuple):
    """Make an ephemeral key pair; answered by `EphemeralReady`."""

    suite: Suite


class ComputeSecrets(NamedTuple):
    """Derive the keys with the newest ephemeral key; answered by `SecretsReady` or `CryptographyFailed`."""

    suite: Suite
    initiated: bool
    partner_certificate: bytes
    partner_ephemeral: bytes


class EphemeralReady(NamedTuple):
    """The compressed ephemeral public key."""

    public_key: bytes


class SecretsReady(NamedTuple):
    """Both confirmation codes and the new link key; a provider that keeps the key to itself gives None."""

    confirmation: Confirmation
    link_key: bytes | None


class CryptographyFailed(NamedTuple):
    """The arithmetic failed on what the partner sent; `status` is what to terminate with."""

    status: TerminateStatus
    detail: str


Operation = GenerateEphemeral | ComputeSecrets
Answer = EphemeralReady | SecretsReady | CryptographyFailed


class CbkeCryptography(Protocol):
    """What the key establishment machines need of a provider."""

    @property
    def suites(self) -> int:
        """The bitmap of suites there is an identity for: the KeyEstablishmentSuite attribute."""

    def certificate(self, suite: Suite) -> bytes:
        """Return this device's certificate of a suite in `suites`."""

    def perform(self, operation: Operation) -> Answer | None:
        """Carry out `operation`; None means that the answer follows."""

    def conclude(self, *, store: bool) -> None:
        """The exchange is over: forget its secrets, after storing the link key if `store` and it was not
        given out.
        """


class RandomNumbers(Protocol):
    """A source of random numbers, such as the random stream of a `Scope`."""

    def randrange(self, start: int, stop: int) -> int:
        """Return a number from `start` to `stop` - 1."""


class HostCryptography:
    """A provider that computes here, with the identities of one device."""

    def __init__(self, identities: Sequence[Identity], random: RandomNumbers) -> None:
        """`identities` holds at most one identity a suite, all of one EUI-64."""
        self._identities = {identity.suite: identity for identity in identities}
        if not identities or len(self._identities) != len(identities):
            raise CryptoError("key establishment needs one identity for each suite it is to support")
        if len({identity.eui64 for identity in identities}) != 1:
            raise CryptoError("key establishment: the identities belong to different devices")
        self._random = random
        self._ephemeral: KeyPair | None = None

    @property
    def suites(self) -> int:
        """The bitmap of suites there is an identity for."""
        return sum(self._identities)

    def certificate(self, suite: Suite) -> bytes:
        """Return this device's certificate of a suite."""
        return self._identities[suite].certificate

    def perform(self, operation: Operation) -> Answer:
        """Carry out `operation` at once."""
        if isinstance(operation, GenerateEphemeral):
            return self._generate(operation.suite)
        return self._compute(operation)

    def conclude(self, *, store: bool) -> None:
        """Forget the ephemeral key pair; the link key was given out already, whatever `store` says."""
        del store
        self._ephemeral = None

    def _generate(self, suite: Suite) -> EphemeralReady:
        curve = suite.parameters.curve
        private = self._random.randrange(1, curve.order)
        public = curve.multiply_generator(private)
        assert public is not None
        self._ephemeral = KeyPair(private, public)
        return EphemeralReady(curve.compress(public))

    def _compute(self, operation: ComputeSecrets) -> Answer:
        identity = self._identities[operation.suite]
        own, curve = self._ephemeral, operation.suite.parameters.curve
        if own is None:
            raise CryptoError("key establishment: secrets asked for before an ephemeral key was made")
        try:
            partner_static = ecqv.reconstruct_public_key(
                operation.suite, operation.partner_certificate, identity.authority_public_key
            )
        except (CryptoError, FrameError) as error:
            return CryptographyFailed(certificate_fault(operation.suite), str(error))
        try:
            partner_ephemeral = curve.decompress(operation.partner_ephemeral)
            secret = ecmqv.shared_secret(curve, identity.private_key, own, partner_static, partner_ephemeral)
        except (CryptoError, FrameError) as error:
            return CryptographyFailed(TerminateStatus.BAD_MESSAGE, str(error))
        keys = ecmqv.derive_keys(secret)
        us = Party(identity.eui64, curve.compress(own.public))
        subject = parse_certificate(operation.suite, operation.partner_certificate).subject
        them = Party(subject, operation.partner_ephemeral)
        initiator, responder = (us, them) if operation.initiated else (them, us)
        return SecretsReady(ecmqv.confirmation(keys.mac_key, initiator, responder), keys.link_key)


def certificate_fault(suite: Suite) -> TerminateStatus:
    """Return the status for an unusable certificate: suite 1 devices know no INVALID_CERTIFICATE."""
    return TerminateStatus.BAD_MESSAGE if suite is Suite.SUITE_1 else TerminateStatus.INVALID_CERTIFICATE
