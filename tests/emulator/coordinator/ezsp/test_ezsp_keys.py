"""Keys, tokens and key establishment of the co-processor, over the serial commands alone."""

from __future__ import annotations

import pytest
from bellows.types import NV3KeyId

from emulator.coordinator.ezsp.commands import VERSIONS
from emulator.coordinator.ezsp.status import SlStatus
from emulator.crypto import ecdsa
from emulator.crypto.authority import Identity, IssuingAuthority
from emulator.crypto.mmo import aes_mmo
from emulator.crypto.suite import Suite
from emulator.nonvolatile import MemoryNonVolatile
from emulator.smart_energy.cbke.cryptography import (
    ComputeSecrets,
    EphemeralReady,
    GenerateEphemeral,
    HostCryptography,
    SecretsReady,
)
from emulator.stack.events import KeyKind
from tests.emulator.coordinator.ezsp.ncp_world import (
    INSTALL_KEY,
    METER,
    NCP_EUI64,
    NETWORK_KEY,
    SECOND,
    SEED_KEY,
    World,
)

OTHER_KEY = bytes(range(16, 32))
NETWORK, TC_LINK, TC_LINK_WITH_TIMEOUT, APP_LINK = 1, 2, 3, 4
SUFFIX = {Suite.SUITE_1: "", Suite.SUITE_2: "283k1"}


def authority(suite: Suite) -> IssuingAuthority:
    return IssuingAuthority.from_seed(suite, b"ezsp tests")


def identity(suite: Suite, eui64: int) -> Identity:
    return authority(suite).issue(eui64)


@pytest.mark.parametrize("version", [v for v in VERSIONS if v < 13])
def test_keys_are_structures_before_ezsp_13(version: int) -> None:
    host = World(version).host
    assert host("getKey", key_type=3)["status"] == SlStatus.NOT_JOINED
    host.form()
    network = host("getKey", key_type=3)["key_struct"]
    assert (network["key"], network["sequence_number"]) == (NETWORK_KEY, 0)
    assert host("getKey", key_type=1)["key_struct"]["key"] == SEED_KEY
    assert host("getKey", key_type=9)["status"] == SlStatus.INVALID_KEY
    assert host("addOrUpdateKeyTableEntry", address=METER, link_key=1, key_data=OTHER_KEY)["status"] == 0
    entry = host("getKeyTableEntry", index=0)["key_struct"]
    assert (entry["key"], entry["partner_eui64"]) == (OTHER_KEY, METER)
    assert host("getKeyTableEntry", index=1)["status"] == SlStatus.NOT_FOUND
    assert host("getKeyTableEntry", index=200)["status"] == SlStatus.INVALID_INDEX


@pytest.mark.parametrize("version", [v for v in VERSIONS if v >= 13])
def test_the_security_manager_exports_and_imports_keys(version: int) -> None:
    host = World(version).host
    host.form()
    assert host("exportKey", context={"core_key_type": NETWORK})["key"] == NETWORK_KEY
    assert host("exportKey", context={"core_key_type": TC_LINK})["key"] == SEED_KEY
    assert (
        host("exportKey", context={"core_key_type": NETWORK, "key_index": 1})["status"] == SlStatus.NOT_FOUND
    )
    assert host("importLinkKey", index=3, address=METER, key=OTHER_KEY)["status"] == 0
    exported = host("exportLinkKeyByIndex", index=3)
    assert (exported["status"], exported["key"]) == (0, OTHER_KEY)
    if version >= 14:
        assert exported["context"]["eui64"] == METER
    by_eui64 = {"core_key_type": APP_LINK, "eui64": METER, "flags": 2}
    assert host("exportKey", context=by_eui64)["key"] == OTHER_KEY
    assert host("getApsKeyInfo", context=by_eui64)["status"] == 0
    assert host("importTransientKey", eui64=METER, key=INSTALL_KEY)["status"] == 0
    transient = {"core_key_type": TC_LINK_WITH_TIMEOUT, "eui64": METER, "flags": 2}
    assert host("exportKey", context=transient)["key"] == INSTALL_KEY
    assert host("exportTransientKeyByEui", eui64=METER)["key_data"]["ttl_in_seconds"] in (299, 300)


def test_slots_keep_their_numbers_and_fill_up() -> None:
    host = World(13).host
    host("setConfigurationValue", config_id=0x1E, value=3)
    host.form()
    for eui64 in (1, 2, 3):
        assert host("importLinkKey", index=0xFF, address=eui64, key=OTHER_KEY)["status"] == 0
    assert host("importLinkKey", index=0xFF, address=4, key=OTHER_KEY)["status"] == SlStatus.FULL
    assert host("eraseKeyTableEntry", index=1)["status"] == 0
    assert host("findKeyTableEntry", address=3, link_key=1)["index"] == 2
    assert host("findKeyTableEntry", address=2, link_key=1)["index"] == 0xFF
    assert host("importLinkKey", index=0xFF, address=4, key=OTHER_KEY)["status"] == 0
    assert host("findKeyTableEntry", address=4, link_key=1)["index"] == 1
    assert host("clearKeyTable")["status"] == 0
    assert host("findKeyTableEntry", address=3, link_key=1)["index"] == 0xFF


def test_an_install_code_key_is_not_in_the_link_key_table() -> None:
    world = World(13)
    world.host.form()
    world.join(world.device())
    assert world.host("findKeyTableEntry", address=METER, link_key=1)["index"] == 0xFF
    assert world.ncp.node.link_key(METER) == INSTALL_KEY


def test_link_keys_survive_a_reset() -> None:
    world = World(13)
    world.host.form()
    world.host("importLinkKey", index=0, address=METER, key=OTHER_KEY)
    world.host.connect()
    assert world.host("exportLinkKeyByIndex", index=0)["key"] == OTHER_KEY


@pytest.mark.parametrize("version", [13, 19])
def test_factory_reset_forgets_the_network_but_not_the_dongle(version: int) -> None:
    world = World(version)
    host = world.host
    host.form()
    host("setMfgToken", token_id=0x00, token_data=b"\x01\x02")
    host("importLinkKey", index=0, address=METER, key=OTHER_KEY)
    host("tokenFactoryReset", exclude_outgoing_fc=0, exclude_boot_counter=0)
    assert host("networkState")["status"] == 0
    host.connect()
    assert host("networkInit", options=0)["status"] == SlStatus.NOT_JOINED
    assert host("exportLinkKeyByIndex", index=0)["status"] != 0
    assert host("getMfgToken", token_id=0x00)["token_data"] == b"\x01\x02"


def test_tokens_are_blank_until_written_and_manufacturing_ones_are_written_once() -> None:
    host = World(13).host
    assert host("getToken", token_id=1)["token_data"] == b"\xff" * 8
    assert host("setToken", token_id=1, token_data=b"12345678")["status"] == 0
    host.connect()
    assert host("getToken", token_id=1)["token_data"] == b"12345678"
    assert host("getMfgToken", token_id=0x0A)["token_data"] == b"\xff" * 20
    assert host("getMfgToken", token_id=0x77)["token_data"] == b""
    code = bytes(range(20))
    assert host("setMfgToken", token_id=0x0A, token_data=code)["status"] == 0
    assert host("setMfgToken", token_id=0x0A, token_data=code)["status"] == SlStatus.INVALID_STATE
    assert host("getTokenData", token=0x9999, index=0)["status"] == SlStatus.NOT_FOUND


def test_tokens_of_a_network_are_readable_before_it_is_taken_up_again() -> None:
    """Tools that save a dongle's tokens read them right after a reset, with no networkInit before."""
    world = World(13)
    world.host.form()
    world.join(world.device(router=False))
    tokens = {NV3KeyId.NVM3KEY_STACK_NODE_DATA, NV3KeyId.NVM3KEY_STACK_CHILD_TABLE}
    before = {token: world.host("getTokenData", token=token, index=0) for token in tokens}
    world.host.connect()
    assert world.host("networkState")["status"] == 0
    for token in tokens:
        assert before[token]["status"] == SlStatus.OK
        assert world.host("getTokenData", token=token, index=0) == before[token]
    pan_id = before[NV3KeyId.NVM3KEY_STACK_NODE_DATA]["value"][:2]
    assert pan_id == (0x5345).to_bytes(2, "little")
    assert before[NV3KeyId.NVM3KEY_STACK_CHILD_TABLE]["value"][:8] == METER.to_bytes(8, "little")


def test_a_dongle_without_a_network_has_no_tokens_of_one() -> None:
    host = World(13).host
    for token in (NV3KeyId.NVM3KEY_STACK_NODE_DATA, NV3KeyId.NVM3KEY_STACK_CHILD_TABLE):
        assert host("getTokenData", token=token, index=0)["status"] == SlStatus.NOT_FOUND


def test_a_restored_eui64_is_in_force_after_the_reset() -> None:
    host = World(13).host
    restored = 0x000D6F00AABBCCDD
    octets = restored.to_bytes(8, "little")
    assert host("setTokenData", token=0xE12A, index=0, token_data=octets)["status"] == 0
    assert host("getEui64")["eui64"] == NCP_EUI64
    host.connect()
    assert host("getEui64")["eui64"] == restored


def test_frame_counter_is_set_before_the_network_only() -> None:
    host = World(13).host
    assert host("setValue", value_id=0x23, value=(5000).to_bytes(4, "little"))["status"] == 0
    assert host("setValue", value_id=0x23, value=b"\x00")["status"] == SlStatus.INVALID_PARAMETER
    host.form()
    assert host("getNetworkKeyInfo")["network_key_info"]["network_key_frame_counter"] >= 5000
    assert host("setValue", value_id=0x23, value=bytes(4))["status"] == SlStatus.INVALID_STATE


@pytest.mark.parametrize("suite", Suite)
@pytest.mark.parametrize("version", [8, 13, 19])
def test_key_establishment_with_a_device_gives_both_the_same_key(version: int, suite: Suite) -> None:
    world = World(version, identities=(identity(suite, NCP_EUI64),))
    host, suffix = world.host, SUFFIX[suite]
    host.form()
    partner = HostCryptography([identity(suite, METER)], world.kernel.scope("partner").random)
    theirs = partner.perform(GenerateEphemeral(suite))
    assert isinstance(theirs, EphemeralReady)
    assert host("generateCbkeKeys" + suffix)["status"] == SlStatus.IN_PROGRESS
    assert host("generateCbkeKeys" + suffix)["status"] == SlStatus.INVALID_STATE
    host.run(5 * SECOND)
    ours = host.heard("generateCbkeKeysHandler" + suffix)[0]["ephemeral_public_key"]
    certificate = host("getCertificate" + suffix)["local_cert"]
    secrets = partner.perform(ComputeSecrets(suite, False, certificate, ours))
    assert isinstance(secrets, SecretsReady)
    begun = host(
        "calculateSmacs" + suffix,
        am_initiator=1,
        partner_certificate=partner.certificate(suite),
        partner_ephemeral_public_key=theirs.public_key,
    )
    assert begun["status"] == SlStatus.IN_PROGRESS
    host.run(5 * SECOND)
    result = host.heard("calculateSmacsHandler" + suffix)[0]
    assert (result["status"], result["initiator_smac"], result["responder_smac"]) == (
        0,
        *secrets.confirmation,
    )
    assert host("clearTemporaryDataMaybeStoreLinkKey" + suffix, store_link_key=1)["status"] == 0
    assert world.ncp.node.link_key(METER) == secrets.link_key
    assert world.ncp.node.link_key_kind(METER) is KeyKind.CBKE
    assert host("clearTemporaryDataMaybeStoreLinkKey" + suffix, store_link_key=1)["status"] != 0


def test_a_partner_with_a_bad_certificate_fails_in_the_callback() -> None:
    world = World(13, identities=(identity(Suite.SUITE_1, NCP_EUI64),))
    host = world.host
    host("generateCbkeKeys")
    host.run(SECOND)
    nonsense = {"partner_certificate": b"\xff" * 48, "partner_ephemeral_public_key": b"\xff" * 22}
    assert host("calculateSmacs", am_initiator=1, **nonsense)["status"] == SlStatus.IN_PROGRESS
    host.run(SECOND)
    assert host.heard("calculateSmacsHandler")[0]["status"] != 0
    assert host("clearTemporaryDataMaybeStoreLinkKey", store_link_key=0)["status"] == 0


def test_signatures_are_made_and_checked() -> None:
    world = World(13, identities=(identity(Suite.SUITE_1, NCP_EUI64),))
    host, message = world.host, b"firmware"
    assert host("dsaSign", message_contents=message)["status"] == SlStatus.IN_PROGRESS
    host.run(SECOND)
    signed = host.heard("dsaSignHandler")[0]["message_contents"]
    signature = signed[len(message) :]
    own = identity(Suite.SUITE_1, NCP_EUI64)
    assert ecdsa.verify(Suite.SUITE_1, own.public_key, aes_mmo(message), signature)
    for digest, status in ((aes_mmo(message), 0), (bytes(16), SlStatus.ZIGBEE_SIGNATURE_VERIFY_FAILURE)):
        host("dsaVerify", digest=digest, signer_certificate=own.certificate, received_sig=signature)
        host.run(SECOND)
        assert host.heard("dsaVerifyHandler")[-1]["status"] == status


def test_identities_are_installed_over_the_line_and_kept() -> None:
    world = World(13)
    host = world.host
    assert host("generateCbkeKeys")["status"] == SlStatus.NOT_FOUND
    own = identity(Suite.SUITE_1, NCP_EUI64)
    curve = Suite.SUITE_1.parameters.curve
    parts = {"my_cert": own.certificate, "my_key": own.private_key.to_bytes(21, "big")}
    authority_key = curve.compress(own.authority_public_key)
    assert (
        host("setPreinstalledCbkeData", ca_public=bytes(22), **parts)["status"] == SlStatus.INVALID_PARAMETER
    )
    assert host("setPreinstalledCbkeData", ca_public=authority_key, **parts)["status"] == 0
    second = identity(Suite.SUITE_2, NCP_EUI64)
    key_2 = Suite.SUITE_2.parameters.curve.compress(second.authority_public_key)
    for value, octets in (
        (0x1A, second.certificate),
        (0x1B, key_2),
        (0x1C, second.private_key.to_bytes(36, "big")),
    ):
        assert host("setValue", value_id=value, value=octets)["status"] == 0
    assert host("savePreinstalledCbkeData283k1")["status"] == 0
    host.connect()
    assert host("getCertificate")["local_cert"] == own.certificate
    assert host("getCertificate283k1")["local_cert"] == second.certificate
    assert host("getMfgToken", token_id=9)["token_data"][:70] == authority_key + own.certificate


def test_firmware_without_the_library_says_so() -> None:
    host = World(13, cbke=False).host
    for name in (
        "generateCbkeKeys",
        "getCertificate",
        "generateCbkeKeys283k1",
        "savePreinstalledCbkeData283k1",
    ):
        assert host(name)["status"] == SlStatus.NOT_AVAILABLE


def test_equal_seeds_give_equal_octets() -> None:
    def life() -> list[tuple[str, dict[str, object]]]:
        world = World(13, identities=(identity(Suite.SUITE_1, NCP_EUI64),))
        world.host.form()
        world.join(world.device())
        world.host("generateCbkeKeys")
        world.host.run(SECOND)
        return world.host.callbacks

    assert life() == life()


def test_two_dongles_have_nothing_in_common_but_the_air() -> None:
    world = World(13)
    world.host.form()
    other = world.dongle(NCP_EUI64 + 1, MemoryNonVolatile(), name="other")
    assert other.node.parameters is None
    assert world.ncp.node.parameters is not None
