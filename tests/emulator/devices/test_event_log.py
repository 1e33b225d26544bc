"""A device's event log, and reading it through the hub: what the device itself says of an upgrade."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.devices.event_log import (
    CAPACITY,
    NO_ENTRY,
    PAGE_OCTETS,
    EventLog,
    LogEntry,
    LogPage,
    log_question,
    parse_entry,
)
from emulator.errors import FrameError
from emulator.eui64 import format_eui64
from emulator.nonvolatile import MemoryNonVolatile
from emulator.wan import operations as wan
from hw_profiles.model import Event
from tests.emulator.devices.home_world import (
    ELECTRICITY,
    ELECTRICITY_NEW,
    ELECTRICITY_TYPE,
    GAS,
    RefusedError,
    World,
    image_of,
    installed,
)

details = st.text(max_size=300)


def fetched(log: EventLog, since: int = 0) -> list[LogEntry]:
    """Read a log as a head end does, page by page."""
    entries = []
    while (page := log.answer(log_question(since, 0))).number != NO_ENTRY:
        octets = page.octets
        while len(octets) < page.length:
            octets += LogPage.decode(log.answer(log_question(page.number, len(octets))).encode()).octets
        entries.append(parse_entry(octets))
        since = page.number + 1
    return entries


@settings(max_examples=30)
@given(st.lists(details, max_size=20), st.integers(0, 25))
def test_what_is_fetched_in_pages_is_what_was_logged(texts: list[str], since: int) -> None:
    log = EventLog(MemoryNonVolatile(), {Event.JOINED: 7})
    written = [log.append(Event.JOINED, 1000 + index, text) for index, text in enumerate(texts)]
    assert fetched(log, since) == written[since:]


def test_a_question_about_an_entry_that_is_gone_is_answered_with_the_oldest_held() -> None:
    log = EventLog(MemoryNonVolatile(), {})
    for index in range(CAPACITY + 10):
        log.append(Event.CLOCK_SET, index)
    assert log.answer(log_question(0, 0)).number == 10


def test_a_page_fits_what_every_device_takes() -> None:
    log = EventLog(MemoryNonVolatile(), {})
    log.append(Event.LEFT, 1, "x" * 500)
    assert len(log.answer(log_question(0, 0)).octets) == PAGE_OCTETS
    assert len(log.answer(log_question(0, 0)).encode()) + 3 <= 128


@given(st.binary(max_size=12), st.binary(max_size=60))
def test_other_octets_are_refused(question: bytes, page: bytes) -> None:
    log = EventLog(MemoryNonVolatile(), {})
    with suppress(FrameError):
        log.answer(question)
    with suppress(FrameError):
        parse_entry(LogPage.decode(page).octets)


@pytest.mark.parametrize("octets", [b"", b"{}", b"[1,2,3]", b'[1,2,3,4,"x"]', b'["a",2,3,"x","y"]', b"\xff"])
def test_octets_that_are_no_entry_are_named(octets: bytes) -> None:
    with pytest.raises(FrameError, match="event log entry"):
        parse_entry(octets)


@pytest.mark.parametrize(
    ("seed", "reason"),
    [("somebody else", "does not verify"), ("dormant-semi/firmware", "integrity code is wrong")],
    ids=["not its signer", "altered"],
)
def test_the_head_end_learns_why_a_device_rejected_an_image(seed: str, reason: str) -> None:
    image = image_of(ELECTRICITY_TYPE, ELECTRICITY_NEW, seed=seed)
    if seed == "dormant-semi/firmware":
        image = image[:1500] + bytes((image[1500] ^ 1,)) + image[1501:]

    async def story(world: World) -> None:
        await world.head_end.schedule(ELECTRICITY, image)
        await world.head_end.until(ELECTRICITY, "failed")
        answer = await world.head_end.call(wan.DeviceLog(device=format_eui64(ELECTRICITY), since=1))
        told = {entry.event: entry.detail for entry in answer.entries}
        assert list(told) == ["firmware_received", "firmware_verification_failed", "firmware_rejected"]
        assert reason in told["firmware_verification_failed"]
        held = world.electricity.log.entries(since=1)
        assert [LogEntry(**asdict(entry)) for entry in answer.entries] == held

    installed().run(story)


def test_the_log_of_a_sleepy_meter_can_be_read_and_that_of_nobody_not() -> None:
    async def story(world: World) -> None:
        answer = await world.head_end.call(wan.DeviceLog(device=format_eui64(GAS)))
        assert [entry.event for entry in answer.entries][:1] == ["joined"]
        with pytest.raises(RefusedError, match="unreachable"):
            await world.head_end.call(wan.DeviceLog(device=format_eui64(0x1234)))

    installed().run(story)
