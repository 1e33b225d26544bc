"""Every published cryptographic vector (tests/vectors/cryptography.json)."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.crypto import ecmqv, ecqv
from emulator.crypto.authority import Identity
from emulator.crypto.certificates import parse_certificate
from emulator.crypto.ecdsa import sign, verify
from emulator.crypto.install_code import parse_install_code
from emulator.crypto.mmo import aes_mmo, hmac_mmo, key_load_key, key_transport_key, verify_key_hash
from emulator.crypto.suite import Suite
from emulator.errors import CryptoError
from tests.emulator.crypto.annex_c import annex_c_public_key
from tests.vectors import vectors

_VECTORS = vectors("cryptography")
_octets = bytes.fromhex


def _message(text: str) -> bytes:
    if text.startswith("bytes(i%256)"):
        return bytes(i % 256 for i in range(int(text.rsplit(maxsplit=1)[-1])))
    return _octets(text)


@pytest.mark.parametrize("vector", _VECTORS["aes_mmo"])
def test_aes_mmo(vector: dict[str, str]) -> None:
    assert aes_mmo(_message(vector["message"])).hex() == vector["digest"]


@pytest.mark.parametrize("vector", _VECTORS["hmac_mmo"])
def test_hmac_mmo(vector: dict[str, str]) -> None:
    assert hmac_mmo(_octets(vector["key"]), _octets(vector["message"])).hex() == vector["digest"]


@pytest.mark.parametrize("vector", _VECTORS["derived_keys"])
def test_derived_keys(vector: dict[str, str]) -> None:
    key = _octets(vector["link_key"])
    assert key_transport_key(key).hex() == vector["key_transport_key_00"]
    assert key_load_key(key).hex() == vector["key_load_key_02"]
    assert verify_key_hash(key).hex() == vector["verify_key_hash_03"]


@pytest.mark.parametrize("vector", _VECTORS["ezsp_hashed_tclk"])
def test_hashed_trust_centre_link_keys(vector: dict[str, str]) -> None:
    eui64 = _octets(vector["eui64_be"])[::-1]
    assert hmac_mmo(_octets(vector["seed"]), eui64).hex() == vector["link_key"]


@pytest.mark.parametrize("vector", _VECTORS["install_codes"])
def test_install_codes(vector: dict[str, str]) -> None:
    parsed = parse_install_code(vector["code_without_crc"] + vector["crc_le"])
    assert parsed.link_key.hex() == vector["link_key"]


@pytest.mark.parametrize("vector", _VECTORS["cbke_test_certificates"])
def test_valid_certificates(vector: dict[str, Any]) -> None:
    suite = Suite(vector["suite"])
    curve = suite.parameters.curve
    authority = curve.decompress(_octets(vector["ca"]))
    assert authority == annex_c_public_key(suite)
    private_key = int(vector["private"], 16)
    identity = Identity(suite, int(vector["subject"], 16), _octets(vector["cert"]), private_key, authority)
    identity.check()
    assert curve.compress(identity.public_key).hex() == vector["public"]


@pytest.mark.parametrize("vector", _VECTORS["cbke_negative_certificates"])
def test_corrupted_certificates(vector: dict[str, Any]) -> None:
    suite = Suite.SUITE_1 if len(vector["cert"]) == 96 else Suite.SUITE_2
    with pytest.raises(CryptoError, match="no point of the curve"):
        ecqv.reconstruct_public_key(suite, _octets(vector["cert"]), annex_c_public_key(suite))


@pytest.mark.parametrize("vector", _VECTORS["cbke_annex_c"], ids=["C.5", "C.6"])
def test_annex_c_from_certificates_to_link_key(vector: dict[str, Any]) -> None:
    suite = Suite(vector["suite"])
    curve = suite.parameters.curve
    sides = []
    for name, letter, key in (
        ("device2_initiator_U", "QEU", "cert2"),
        ("device1_responder_V", "QEV", "cert1"),
    ):
        device = vector[name]
        certificate = _octets(device["certificate"])
        assert ecqv.certificate_hash(certificate) == int(vector[f"e_{key}_mmo"], 16)
        static = ecqv.reconstruct_public_key(suite, certificate, annex_c_public_key(suite))
        assert curve.compress(static).hex() == device["public_key"]
        private = int(device["ephemeral_private"], 16)
        public = curve.multiply_generator(private)
        assert public is not None
        octets = curve.compress(public)
        assert octets.hex() == device[f"ephemeral_public_{letter}"]
        party = ecmqv.Party(parse_certificate(suite, certificate).subject, octets)
        sides.append((int(device["private_key"], 16), ecmqv.KeyPair(private, public), static, party))
    initiator, responder = sides
    for own, peer in ((initiator, responder), (responder, initiator)):
        shared = ecmqv.shared_secret(curve, own[0], own[1], peer[2], peer[1].public)
        assert shared.hex() == vector["Z"]
    keys = ecmqv.derive_keys(_octets(vector["Z"]))
    assert keys.mac_key.hex() == vector["mac_key"]
    assert keys.link_key.hex() == vector["key_data_link_key"]
    codes = ecmqv.confirmation(keys.mac_key, initiator[3], responder[3])
    assert (codes.macu.hex(), codes.macv.hex()) == (vector["MACU"], vector["MACV"])


@pytest.mark.parametrize("vector", _VECTORS["ota_signed_generated"], ids=["suite 1", "suite 2"])
def test_signed_ota_files(vector: dict[str, Any]) -> None:
    suite = Suite(vector["suite"])
    signer = _VECTORS["cbke_annex_c"][suite - 1]["device1_responder_V"]
    public_key = suite.parameters.curve.decompress(_octets(signer["public_key"]))
    file = _octets(vector["file"])
    mark = len(file) - suite.parameters.signature_octets
    digest = aes_mmo(file[:mark])
    assert digest.hex() == vector["digest"]
    assert verify(suite, public_key, digest, file[mark:])
    assert not verify(suite, public_key, aes_mmo(b"\x00" + file[1:mark]), file[mark:])
    assert verify(suite, public_key, digest, sign(suite, int(signer["private_key"], 16), digest))
