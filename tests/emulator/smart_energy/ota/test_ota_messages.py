"""OTA payload codecs, with zigpy's cluster schemas as the oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zigpy.zcl.clusters.general import Ota

from emulator.errors import FrameError
from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.messages import ImageKey
from emulator.zcl.frame import ZclStatus

u8, u16, u32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
u64 = st.integers(0, (1 << 64) - 1)
keys = st.builds(ImageKey, u16, u16, u32)
SCHEMAS: dict[int, Any] = {
    int(command.id): command.schema
    for defs in (Ota.ServerCommandDefs, Ota.ClientCommandDefs)
    for command in defs
}


def zigpy_fields(command: int, payload: bytes) -> list[Any]:
    """Decode with zigpy, check that it re-encodes to the same octets, and return the fields present."""
    decoded, rest = SCHEMAS[command].deserialize(payload)
    assert not rest
    assert decoded.serialize() == payload
    return [flat(field) for field in decoded.as_tuple() if field is not None]


def flat(field: Any) -> Any:
    if isinstance(field, bytes | int):
        return field
    return int.from_bytes(field.serialize(), "little")


@given(st.integers(1, 100), st.integers(0, 3), u16, u16, u32)
def test_image_notify(jitter: int, kind: int, manufacturer: int, image_type: int, version: int) -> None:
    fields = (manufacturer, image_type, version)[:kind]
    notify = m.ImageNotify(jitter, *fields)
    assert zigpy_fields(0x00, notify.pack()) == [kind, jitter, *fields]
    assert m.parse_image_notify(notify.pack()) == notify


@given(keys, st.none() | u16)
def test_query_next_image_request(key: ImageKey, hardware: int | None) -> None:
    request = m.QueryNextImageRequest(key, hardware)
    tail = [] if hardware is None else [hardware]
    assert zigpy_fields(0x01, request.pack()) == [len(tail), *key, *tail]
    assert m.parse_query_next_image_request(request.pack()) == request


@pytest.mark.parametrize("command", [0x02, 0x09])
@given(keys, u32)
def test_query_response_with_an_image(command: int, key: ImageKey, size: int) -> None:
    response = m.QueryNextImageResponse(ZclStatus.SUCCESS, key, size)
    assert zigpy_fields(command, response.pack()) == [0, *key, size]
    assert m.parse_query_response(response.pack()) == response


def test_query_response_without_an_image() -> None:
    response = m.QueryNextImageResponse(ZclStatus.NO_IMAGE_AVAILABLE)
    assert zigpy_fields(0x02, response.pack()) == [0x98]
    assert m.parse_query_response(response.pack()) == response


@given(keys, u32, u8, st.none() | u64, st.none() | u16)
def test_image_block_request(
    key: ImageKey, offset: int, maximum: int, node: int | None, period: int | None
) -> None:
    request = m.ImageBlockRequest(key, offset, maximum, node, period)
    control = (node is not None) | (period is not None) << 1
    tail = [field for field in (node, period) if field is not None]
    assert zigpy_fields(0x03, request.pack()) == [control, *key, offset, maximum, *tail]
    assert m.parse_image_block_request(request.pack()) == request


@given(keys, u32, u8, u16, st.none() | u64)
def test_image_page_request(key: ImageKey, offset: int, maximum: int, page: int, node: int | None) -> None:
    request = m.ImagePageRequest(key, offset, maximum, page, 50, node)
    tail = [] if node is None else [node]
    expected = [len(tail), *key, offset, maximum, page, 50, *tail]
    assert zigpy_fields(0x04, request.pack()) == expected
    assert m.parse_image_page_request(request.pack()) == request


@given(keys, u32, st.binary(max_size=63))
def test_image_block(key: ImageKey, offset: int, data: bytes) -> None:
    block = m.ImageBlock(key, offset, data)
    assert zigpy_fields(0x05, block.pack()) == [0, *key, offset, data]
    assert m.parse_image_block_response(block.pack()) == block


@given(u32, u32, u16)
def test_wait_for_data(current: int, request: int, period: int) -> None:
    wait = m.WaitForData(current, request, period)
    assert zigpy_fields(0x05, wait.pack()) == [0x97, current, request, period]
    assert m.parse_image_block_response(wait.pack()) == wait


def test_wait_for_data_of_an_older_server_lacks_the_period() -> None:
    wait = m.WaitForData(1, 2)
    assert len(wait.pack()) == 9
    assert m.parse_image_block_response(wait.pack()) == wait


def test_abort() -> None:
    abort = m.BlockRefused(ZclStatus.ABORT)
    assert zigpy_fields(0x05, abort.pack()) == [0x95]
    assert m.parse_image_block_response(abort.pack()) == abort


@given(st.sampled_from([0x00, 0x95, 0x96, 0x99]), keys)
def test_upgrade_end_request(status: int, key: ImageKey) -> None:
    request = m.UpgradeEndRequest(status, key)
    assert zigpy_fields(0x06, request.pack()) == [status, *key]
    assert m.parse_upgrade_end_request(request.pack()) == request


@given(keys, u32, u32)
def test_upgrade_end_response(key: ImageKey, current: int, upgrade: int) -> None:
    response = m.UpgradeEndResponse(key, current, upgrade)
    assert zigpy_fields(0x07, response.pack()) == [*key, current, upgrade]
    assert m.parse_upgrade_end_response(response.pack()) == response


@given(u64, keys, u16)
def test_query_specific_file_request(node: int, key: ImageKey, stack: int) -> None:
    request = m.QuerySpecificFileRequest(node, key, stack)
    assert zigpy_fields(0x08, request.pack()) == [node, *key, stack]
    assert m.parse_query_specific_file_request(request.pack()) == request


PARSERS: list[Callable[[bytes], Any]] = [
    m.parse_image_notify,
    m.parse_query_next_image_request,
    m.parse_query_response,
    m.parse_image_block_request,
    m.parse_image_page_request,
    m.parse_image_block_response,
    m.parse_upgrade_end_request,
    m.parse_upgrade_end_response,
    m.parse_query_specific_file_request,
]


@pytest.mark.parametrize("parser", PARSERS)
@given(st.binary(max_size=40))
def test_any_octets_parse_or_raise_frame_error(parser: Callable[[bytes], Any], data: bytes) -> None:
    try:
        record = parser(data)
    except FrameError:
        return
    assert parser(record.pack()) == record


@pytest.mark.parametrize("parser", PARSERS)
def test_nothing_is_too_short(parser: Callable[[bytes], Any]) -> None:
    with pytest.raises(FrameError, match="expected"):
        parser(b"")


def test_wildcards_match() -> None:
    key = ImageKey(0x1057, 1, 2)
    assert key.matches(ImageKey(0xFFFF, 0xFFFF, 0xFFFFFFFF))
    assert key.matches(key)
    assert not key.matches(ImageKey(0x1057, 1, 3))


KEY = ImageKey(0x1057, 1, 2)
IN_FULL: list[tuple[str, Callable[[bytes], Any], bytes, list[int]]] = [
    ("Image Notify", m.parse_image_notify, m.ImageNotify(100, *KEY).pack(), [10]),
    ("Image Notify", m.parse_image_notify, m.ImageNotify(100, 0x1057, 1).pack(), [6]),
    ("Image Notify", m.parse_image_notify, m.ImageNotify(100, 0x1057).pack(), [4]),
    (
        "Query Next Image Request",
        m.parse_query_next_image_request,
        m.QueryNextImageRequest(KEY, 3).pack(),
        [9, 11],
    ),
    (
        "Query Next Image Response",
        m.parse_query_response,
        m.QueryNextImageResponse(0, KEY, 9).pack(),
        [1, 13],
    ),
    (
        "Image Block Request",
        m.parse_image_block_request,
        m.ImageBlockRequest(KEY, 0, 48, 1, 1).pack(),
        [14, 22, 24],
    ),
    (
        "Image Page Request",
        m.parse_image_page_request,
        m.ImagePageRequest(KEY, 0, 1, 2, 3, 4).pack(),
        [18, 26],
    ),
    (
        "Image Block Response data",
        m.parse_image_block_response,
        m.ImageBlock(KEY, 0, b"four").pack(),
        [1, 14, 18],
    ),
    ("Upgrade End Request", m.parse_upgrade_end_request, m.UpgradeEndRequest(0, KEY).pack(), [9]),
    ("Upgrade End Response", m.parse_upgrade_end_response, m.UpgradeEndResponse(KEY, 0, 0).pack(), [16]),
    (
        "Query Specific File Request",
        m.parse_query_specific_file_request,
        m.QuerySpecificFileRequest(1, KEY, 2).pack(),
        [18],
    ),
]


@pytest.mark.parametrize(("name", "parser", "payload", "sizes"), IN_FULL)
def test_each_command_cut_anywhere_is_refused_with_where_it_ends_and_what_it_needs(
    name: str, parser: Callable[[bytes], Any], payload: bytes, sizes: list[int]
) -> None:
    assert len(payload) == sizes[-1]
    command = name.removesuffix(" data")
    for octets in range(len(payload)):
        with pytest.raises(FrameError) as caught:
            parser(payload[:octets])
        assert str(caught.value).startswith(f"OTA {command}")
        assert f"payload ends at offset {octets}, expected " in str(caught.value)
        needed = int(str(caught.value).split("expected ")[1].split()[0])
        assert needed > octets
        assert needed in {*sizes, 2}


@pytest.mark.parametrize(("name", "parser", "payload", "sizes"), IN_FULL)
@given(tail=st.binary(min_size=1, max_size=4))
def test_octets_after_a_command_are_those_of_a_later_revision_and_are_passed_over(
    name: str, parser: Callable[[bytes], Any], payload: bytes, sizes: list[int], tail: bytes
) -> None:
    del name, sizes
    assert parser(payload + tail) == parser(payload)


@pytest.mark.parametrize("kind", [4, 0x80, 0xFF])
def test_a_notify_of_an_unknown_payload_type_is_refused_by_its_number(kind: int) -> None:
    with pytest.raises(
        FrameError, match=rf"^OTA Image Notify: payload type {kind} at offset 0, expected 0 to 3$"
    ):
        m.parse_image_notify(bytes((kind, 100)) + bytes(8))


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (KEY, True),
        (ImageKey(0xFFFF, 1, 2), True),
        (ImageKey(0x1057, 0xFFFF, 2), True),
        (ImageKey(0x1057, 1, 0xFFFFFFFF), True),
        (ImageKey(0xFFFF, 0xFFFF, 3), False),
        (ImageKey(0xFFFF, 2, 0xFFFFFFFF), False),
        (ImageKey(0x1058, 0xFFFF, 0xFFFFFFFF), False),
    ],
)
def test_each_part_of_a_key_may_be_a_wildcard_by_itself(asked: ImageKey, names: bool) -> None:
    assert KEY.matches(asked) is names


@given(keys)
def test_a_key_is_written_as_people_look_it_up(key: ImageKey) -> None:
    manufacturer, image_type, version = str(key).replace("/", " ").replace(" version ", " ").split()
    assert ImageKey(int(manufacturer, 16), int(image_type, 16), int(version, 16)) == key
    assert len(str(key)) == len("0x1057/0x0001 version 0x00000002")
