"""Key establishment commands: the co-processor holds the certificates and does the arithmetic of both suites.

A command is answered at once with 'in progress'; its result follows in a callback (fact sheet, protocol 5.5). The
times taken are this emulator's guess at a Cortex-M, not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bellows.types import EzspValueId

from emulator.coordinator.ezsp.core import Answer, Core, Handler, Values
from emulator.coordinator.ezsp.status import SlStatus
from emulator.crypto import ecdsa, ecqv
from emulator.crypto.authority import Identity
from emulator.crypto.certificates import parse_certificate
from emulator.crypto.mmo import aes_mmo
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError, FrameError
from emulator.smart_energy.cbke.cryptography import (
    ComputeSecrets,
    EphemeralReady,
    GenerateEphemeral,
    HostCryptography,
    SecretsReady,
)

GENERATE_US = 150_000
CALCULATE_US = 600_000
VERIFY_US = 400_000
CBKE_TOKENS = "ncp.cbke."
_SCALAR_FACTOR = {Suite.SUITE_1: 1, Suite.SUITE_2: 3}


class _Names(NamedTuple):
    """The commands and callbacks of one suite."""

    suite: Suite
    suffix: str

    def command(self, name: str) -> str:
        """Return a command's name in this suite."""
        return name + self.suffix


_SUITES = (_Names(Suite.SUITE_1, ""), _Names(Suite.SUITE_2, "283k1"))


class CbkeCommands:
    """The CBKE engine of the co-processor."""

    def __init__(self, core: Core, values: Mapping[int, bytes]) -> None:
        """`values` are those of getValue, through which the suite 2 identity is written."""
        self._core = core
        self._values = values
        self._identities: dict[Suite, Identity] = {each.suite: each for each in core.config.identities}
        for suite in Suite:
            stored = core.memory.get(f"{CBKE_TOKENS}{suite.value}")
            if stored is not None:
                self._identities[suite] = _split(suite, stored)
        self._busy = False
        self._engine: HostCryptography | None = None
        self._pending_key: tuple[int, bytes] | None = None

    def handlers(self) -> Mapping[str, Handler]:
        """Return the commands of this part; none of them without the library."""
        handlers: dict[str, Handler] = {
            "setPreinstalledCbkeData": self._set_suite_1,
            "savePreinstalledCbkeData283k1": self._save_suite_2,
            "dsaSign": self._sign,
        }
        for names in _SUITES:
            handlers |= {
                names.command("generateCbkeKeys"): _bound(self._generate, names),
                names.command("calculateSmacs"): _bound(self._calculate, names),
                names.command("clearTemporaryDataMaybeStoreLinkKey"): self._clear,
                names.command("getCertificate"): _bound(self._certificate, names),
                names.command("dsaVerify"): _bound(self._verify, names),
            }
        if not self._core.config.cbke:
            return dict.fromkeys(handlers, lambda _: {"status": SlStatus.NOT_AVAILABLE})
        return handlers

    def token(self) -> bytes:
        """Return the manufacturing token of suite 1: CA key, certificate, private key, flags; blank without one."""
        identity = self._identities.get(Suite.SUITE_1)
        return b"" if identity is None else _join(identity) + b"\x00"

    # Identities

    def _set_suite_1(self, values: Values) -> Answer:
        return self._store(Suite.SUITE_1, values["ca_public"] + values["my_cert"] + values["my_key"])

    def _save_suite_2(self, _: Values) -> Answer:
        parts = (EzspValueId.VALUE_PUBLIC_KEY_283K1, EzspValueId.VALUE_CERTIFICATE_283K1)
        octets = b"".join(self._values[part] for part in (*parts, EzspValueId.VALUE_PRIVATE_KEY_283K1))
        return self._store(Suite.SUITE_2, octets)

    def _store(self, suite: Suite, octets: bytes) -> Answer:
        try:
            identity = _split(suite, octets)
            identity.check()
        except (CryptoError, FrameError):
            return {"status": SlStatus.INVALID_PARAMETER}
        self._core.memory.put(f"{CBKE_TOKENS}{suite.value}", octets)
        self._identities[suite] = identity
        return {}

    def _certificate(self, names: _Names, _: Values) -> Answer:
        identity = self._identities.get(names.suite)
        return {"status": SlStatus.NOT_FOUND} if identity is None else {"local_cert": identity.certificate}

    # Arithmetic

    def _later(self, names: _Names, cost_us: int, work: Callable[[], None]) -> Answer:
        """Do `work` after its time; one operation at a time."""
        if self._busy:
            return {"status": SlStatus.INVALID_STATE}
        if names.suite not in self._identities:
            return {"status": SlStatus.NOT_FOUND}
        self._busy = True

        def finish() -> None:
            self._busy = False
            work()

        self._core.scope.call_later(cost_us * _SCALAR_FACTOR[names.suite], finish)
        return {"status": SlStatus.IN_PROGRESS}

    def _generate(self, names: _Names, _: Values) -> Answer:
        handler = names.command("generateCbkeKeysHandler")

        def work() -> None:
            self._engine = HostCryptography([self._identities[names.suite]], self._core.scope.random)
            answer = self._engine.perform(GenerateEphemeral(names.suite))
            assert isinstance(answer, EphemeralReady)
            self._core.callback(handler, {"ephemeral_public_key": answer.public_key})

        return self._later(names, GENERATE_US, work)

    def _calculate(self, names: _Names, values: Values) -> Answer:
        engine = self._engine
        if engine is None:
            return {"status": SlStatus.INVALID_STATE}
        operation = ComputeSecrets(
            names.suite,
            bool(values["am_initiator"]),
            values["partner_certificate"],
            values["partner_ephemeral_public_key"],
        )

        def work() -> None:
            self._core.callback(names.command("calculateSmacsHandler"), self._secrets(engine, operation))

        return self._later(names, CALCULATE_US, work)

    def _secrets(self, engine: HostCryptography, operation: ComputeSecrets) -> dict[str, Any]:
        answer = engine.perform(operation)
        if not isinstance(answer, SecretsReady) or answer.link_key is None:
            return {"status": SlStatus.FAIL}
        partner = parse_certificate(operation.suite, operation.partner_certificate).subject
        self._pending_key = (partner, answer.link_key)
        macu, macv = answer.confirmation
        return {"status": SlStatus.OK, "initiator_smac": macu, "responder_smac": macv}

    def _clear(self, values: Values) -> Answer:
        pending, self._pending_key, self._engine = self._pending_key, None, None
        if not values["store_link_key"]:
            return {}
        if pending is None:
            return {"status": SlStatus.INVALID_STATE}
        self._core.node.set_link_key(*pending)
        return {}

    # Signatures

    def _sign(self, values: Values) -> Answer:
        """Sign a message with the suite 1 key; the callback carries the message and its signature."""
        message = values["message_contents"]

        def work() -> None:
            key = self._identities[Suite.SUITE_1].private_key
            signature = ecdsa.sign(Suite.SUITE_1, key, aes_mmo(message))
            self._core.callback("dsaSignHandler", {"message_contents": message + signature})

        return self._later(_SUITES[0], GENERATE_US, work)

    def _verify(self, names: _Names, values: Values) -> Answer:
        def work() -> None:
            good = self._verified(names.suite, values)
            status = SlStatus.OK if good else SlStatus.ZIGBEE_SIGNATURE_VERIFY_FAILURE
            self._core.callback("dsaVerifyHandler", {"status": status})

        return self._later(names, VERIFY_US, work)

    def _verified(self, suite: Suite, values: Values) -> bool:
        authority = self._identities[suite].authority_public_key
        try:
            signer = ecqv.reconstruct_public_key(suite, values["signer_certificate"], authority)
            return ecdsa.verify(suite, signer, values["digest"], values["received_sig"])
        except (CryptoError, FrameError):
            return False


def _bound(method: Callable[[_Names, Values], Answer], names: _Names) -> Handler:
    return lambda values: method(names, values)


def _join(identity: Identity) -> bytes:
    parameters = identity.suite.parameters
    authority = parameters.curve.compress(identity.authority_public_key)
    private = identity.private_key.to_bytes(parameters.scalar_octets, "big")
    return authority + identity.certificate + private


def _split(suite: Suite, octets: bytes) -> Identity:
    """Read CA key, certificate and private key; raises `FrameError` or `CryptoError`."""
    parameters = suite.parameters
    start, end = parameters.point_octets, parameters.point_octets + parameters.certificate_octets
    if len(octets) != end + parameters.scalar_octets:
        raise FrameError(
            f"suite {suite.value} identity: {len(octets)} octets, expected {end + parameters.scalar_octets}"
        )
    certificate = octets[start:end]
    subject = parse_certificate(suite, certificate).subject
    authority = parameters.curve.decompress(octets[:start])
    return Identity(suite, subject, certificate, int.from_bytes(octets[end:], "big"), authority)
