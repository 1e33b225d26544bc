"""One side of CBKE for both crypto suites, against the same elliptic-curve work by OpenSSL's libcrypto.

This project's side is what a device does: ephemeral key, the partner's public key from its certificate, ECMQV, key
derivation and both confirmation codes, in Python. OpenSSL is called through ctypes and spared the last two.
"""

from __future__ import annotations

import random

from benchmarks.libcrypto import Libcrypto, OpenSslCurve, Partner
from benchmarks.result import Result, median, medians, timed
from emulator.crypto import ecmqv, ecqv
from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.suite import Suite
from emulator.smart_energy.cbke.cryptography import (
    ComputeSecrets,
    EphemeralReady,
    GenerateEphemeral,
    HostCryptography,
    SecretsReady,
)

_OWN, _PARTNER = 0x00DB1234567890A1, 0x00DB1234567890A0


class Exchange:
    """Two identities of one suite, and what the partner has sent."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        authority = IssuingAuthority.from_seed(suite, b"benchmark")
        self.identity: Identity = authority.issue(_OWN)
        self.authority_octets = authority.public_key_octets
        partner = HostCryptography([authority.issue(_PARTNER)], random.Random(2))
        ready = partner.perform(GenerateEphemeral(suite))
        assert isinstance(ready, EphemeralReady)
        self.partner = Partner(partner.certificate(suite), ready.public_key)

    def one_side(self) -> None:
        """Do one side as a device does."""
        provider = HostCryptography([self.identity], random.Random(1))
        provider.perform(GenerateEphemeral(self.suite))
        answer = provider.perform(ComputeSecrets(self.suite, True, *self.partner))
        assert isinstance(answer, SecretsReady)

    def agrees(self, curve: OpenSslCurve) -> bool:
        """Tell whether OpenSSL computes the shared secret that this project computes."""
        parameters = self.suite.parameters.curve
        public = parameters.multiply_generator(12345)
        assert public is not None
        static = ecqv.reconstruct_public_key(
            self.suite, self.partner.certificate, self.identity.authority_public_key
        )
        own = ecmqv.KeyPair(12345, public)
        ephemeral = parameters.decompress(self.partner.ephemeral)
        secret = ecmqv.shared_secret(parameters, self.identity.private_key, own, static, ephemeral)
        return curve.one_side(self.identity, self.authority_octets, 12345, self.partner) == secret


def measure(quick: bool) -> list[Result]:
    """Compare suite 1 and suite 2."""
    return [_measure(suite, 1 if quick else 30) for suite in Suite]


def _measure(suite: Suite, repetitions: int) -> Result:
    exchange = Exchange(suite)
    exchange.one_side()  # builds the tables of the curve, once in a process

    def ours() -> float:
        with timed() as watch:
            exchange.one_side()
        return watch.seconds * 1000

    name = f"CBKE suite {suite.value}, one side"
    try:
        curve = Libcrypto().curve(suite.parameters.curve)
    except OSError as error:
        return Result(name, median(ours, repetitions), "ms", smaller_is_better=True, note=str(error))
    if curve is None:
        note = f"this OpenSSL leaves {suite.parameters.curve.name} out"
        return Result(name, median(ours, repetitions), "ms", smaller_is_better=True, note=note)
    assert exchange.agrees(curve), "OpenSSL and this project disagree on the shared secret"
    private = random.Random(3).randrange(1, suite.parameters.curve.order)

    def theirs() -> float:
        with timed() as watch:
            curve.one_side(exchange.identity, exchange.authority_octets, private, exchange.partner)
        return watch.seconds * 1000

    note = f"{suite.parameters.curve.name}; Python against C"
    value, peer = medians(ours, theirs, repetitions)
    return Result(name, value, "ms", "OpenSSL libcrypto", peer, smaller_is_better=True, note=note)
