"""The Smart Energy cluster definitions: complete, consistent, versioned, and invisible until installed."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from typing import Any

import pytest
from zigpy.zcl import Cluster

from emulator.errors import EmulatorError
from emulator.smart_energy import clusters
from emulator.smart_energy.clusters import CLUSTERS
from emulator.smart_energy.version import SeVersion
from emulator.zcl.attributes import AttributeTable

WIRESHARK = {
    0x0025: "keep_alive",
    0x0700: "price",
    0x0701: "drlc",
    0x0702: "met",
    0x0703: "msg",
    0x0704: "tun",
    0x0705: "pp",
    0x0706: "energy_management",
    0x0707: "calendar",
    0x0708: "device_management",
    0x0709: "events",
    0x070A: "mdu_pairing",
    0x0800: "ke",
}


@pytest.fixture(scope="module")
def wireshark_values() -> dict[str, set[int]]:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed; it is the oracle for identifiers")
    listing = subprocess.run([tshark, "-G", "values"], capture_output=True, text=True, check=True).stdout
    found: dict[str, set[int]] = defaultdict(set)
    for line in listing.splitlines():
        fields = line.split("\t")
        if fields[0] == "V" and fields[1].startswith("zbee_zcl_se."):
            found[fields[1].removeprefix("zbee_zcl_se.")].add(int(fields[2], 0))
    return found


@pytest.mark.parametrize(("cluster_id", "name"), WIRESHARK.items())
def test_identifiers_are_those_of_the_dissector(
    cluster_id: int, name: str, wireshark_values: dict[str, set[int]]
) -> None:
    cluster: Any = CLUSTERS[cluster_id]
    known = wireshark_values
    assert {int(command.id) for command in cluster.ServerCommandDefs} == known[f"{name}.cmd.srv_rx.id"]
    assert {int(command.id) for command in cluster.ClientCommandDefs} == known[f"{name}.cmd.srv_tx.id"]
    global_ones = {0xFFFD, 0xFFFE}
    assert {int(item.id) for item in cluster.AttributeDefs} - global_ones <= known[f"{name}.attr_id"]
    client_side = {int(item.id) for item in cluster.ClientAttributeDefs}
    assert client_side <= known[f"{name}.attr_client_id"] | global_ones


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=lambda cluster: cluster.__name__)
def test_no_two_attributes_share_an_identifier(cluster: Any) -> None:
    identifiers = [int(item.id) for item in cluster.AttributeDefs]
    assert len(identifiers) == len(set(identifiers))


def test_importing_changes_nothing_in_zigpy_and_installing_can_be_undone() -> None:
    before = dict(Cluster._registry)
    assert before[0x0700] is not clusters.Price
    undo = clusters.install()
    assert Cluster._registry[0x0700] is clusters.Price
    undo()
    assert Cluster._registry == before


def test_a_1_0_publish_price_is_shorter_than_a_1_2_one() -> None:
    schema: Any = clusters.Price.ClientCommandDefs.publish_price.schema
    short = bytes.fromhex("01000000 03 646179 02000000 03000000 00 3a03 20 11 04000000 ffff 64000000 ff")
    short += bytes.fromhex("ffffffff ff")
    old, rest = schema.deserialize(short)
    assert not rest
    assert (old.price, old.alternate_cost_delivered, old.extended_register_tier) == (100, None, None)
    assert old.serialize() == short
    new, rest = schema.deserialize(short + bytes.fromhex("05000000 01 20 00 00 02 03 04 05 06"))
    assert not rest
    assert new.extended_register_tier == 6


@pytest.mark.parametrize(
    ("attribute", "version"),
    [
        (0x0000, SeVersion.SE_1_0),
        (0x000A, SeVersion.SE_1_1),
        (0x001C, SeVersion.SE_1_1B),
        (0x0201, SeVersion.SE_1_1),
        (0x0205, SeVersion.SE_1_2A),
        (0x0400, SeVersion.SE_1_0),
        (0x0607, SeVersion.SE_1_2A),
        (0x0700, SeVersion.SE_1_1),
        (0x0B10, SeVersion.SE_1_2A),
        (0x0C00, SeVersion.SE_1_2A),
    ],
)
def test_metering_attributes_know_their_version(attribute: int, version: SeVersion) -> None:
    assert clusters.Metering.attribute_introduced(attribute) is version


def test_a_1_0_meter_lacks_what_came_later() -> None:
    contents = {"current_summ_delivered": 1, "default_update_period": 30, "supply_tamper_state": 0}
    definitions = clusters.Metering.AttributeDefs
    for version, names in (
        (SeVersion.SE_1_0, {"current_summ_delivered"}),
        (SeVersion.SE_1_1, {"current_summ_delivered", "default_update_period"}),
        (SeVersion.SE_1_2A, set(contents)),
    ):
        gate = clusters.Metering.attribute_gate(version)
        table = AttributeTable.of(definitions, contents, gate=gate)
        assert {name for name in contents if name in table} == names
    early = clusters.Metering.attribute_gate(SeVersion.SE_1_0, explicitly={0x000A})
    assert "default_update_period" in AttributeTable.of(definitions, contents, gate=early)


def test_commands_know_their_version() -> None:
    assert clusters.Price.client_command_introduced(0x00) is SeVersion.SE_1_0
    assert clusters.Price.client_command_introduced(0x03) is SeVersion.SE_1_1A
    assert clusters.Price.server_command_introduced(0x06) is SeVersion.SE_1_2A
    assert not clusters.Tunneling.server_command_gate(SeVersion.SE_1_0)(0x00)
    assert clusters.Tunneling.server_command_gate(SeVersion.SE_1_1)(0x00)
    assert not clusters.Tunneling.server_command_gate(SeVersion.SE_1_1)(0x06)
    assert not clusters.KeepAlive.attribute_gate(SeVersion.SE_1_2A)(0x0000)


def test_versions_are_written_and_read_as_in_profiles() -> None:
    for version in SeVersion:
        assert SeVersion.parse(str(version)) is version
    assert SeVersion.parse("1.1b") is SeVersion.SE_1_1B
    with pytest.raises(EmulatorError, match="expected one of"):
        SeVersion.parse("9.9")
    assert list(SeVersion) == sorted(SeVersion)


def test_metering_attributes_serialise_from_plain_values() -> None:
    table = AttributeTable.of(
        clusters.Metering.AttributeDefs,
        {"summation_formatting": 0xF9, "metering_device_type": 0, "site_id": b"1234567890", "status": 0},
    )
    attribute = table.find(0x0303)
    assert attribute is not None
    assert (attribute.type_id, attribute.serialise()) == (0x18, b"\xf9")
    assert table["site_id"] == b"1234567890"
