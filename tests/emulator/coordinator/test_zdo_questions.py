"""What a hub learns from ZDO answers, and that it comes through those that cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from emulator.coordinator import zdo_questions
from emulator.coordinator.zdo_questions import AskZdo
from emulator.stack.zdo.descriptors import NodeDescriptor, SimpleDescriptor
from emulator.stack.zdo.frames import (
    AddressResponse,
    DescriptorResponse,
    EndpointList,
    NeighbourEntry,
    SimpleDescriptorResponse,
    mgmt_lqi_response,
)

SHORT = 0x1234
NODE = NodeDescriptor(1, 0x8E, 0x1002, 82, 20 << 9, 82)
SIMPLE = SimpleDescriptor(1, 0x0109, 0x0501, 0, (0x0000, 0x0702), (0x000A,))
NEIGHBOURS = tuple(NeighbourEntry(7, eui64, eui64, 2, 1, 1, 2, 1, 200) for eui64 in range(1, 6))


def answering(answer: bytes | None) -> AskZdo:
    async def ask(short: int, _cluster: int, _question: bytes) -> bytes | None:
        assert short == SHORT
        return answer

    return ask


async def pages(_short: int, _cluster: int, question: bytes) -> bytes | None:
    """A table that is given two entries a page."""
    start = question[0]
    return mgmt_lqi_response(len(NEIGHBOURS), start, NEIGHBOURS[start : start + 2])


QUESTIONS: dict[str, tuple[Callable[[AskZdo], Awaitable[Any]], bytes, Any]] = {
    "node": (
        lambda ask: zdo_questions.node_descriptor(ask, SHORT),
        DescriptorResponse(0, SHORT, NODE.encode()).encode(),
        NODE,
    ),
    "endpoints": (
        lambda ask: zdo_questions.active_endpoints(ask, SHORT),
        EndpointList(0, SHORT, (1, 2)).encode(),
        (1, 2),
    ),
    "simple": (
        lambda ask: zdo_questions.simple_descriptor(ask, SHORT, 1),
        SimpleDescriptorResponse(0, SHORT, SIMPLE).encode(),
        SIMPLE,
    ),
    "address": (
        lambda ask: zdo_questions.address_of(ask, SHORT),
        AddressResponse(0, 0xABCD, SHORT).encode(),
        AddressResponse(0, 0xABCD, SHORT),
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_read(name: str) -> None:
    question, octets, expected = QUESTIONS[name]
    assert asyncio.run(_settled(question(answering(octets)))) == expected


@pytest.mark.parametrize("name", QUESTIONS)
def test_silence_and_answers_cut_short_at_any_octet_are_no_answer(name: str) -> None:
    question, octets, _ = QUESTIONS[name]
    for answer in (None, *(octets[:length] for length in range(len(octets)))):
        assert asyncio.run(_settled(question(answering(answer)))) is None, answer


def test_a_table_is_read_page_by_page() -> None:
    assert asyncio.run(zdo_questions.neighbour_table(pages, SHORT)) == NEIGHBOURS


def test_a_table_that_promises_more_than_it_gives_ends() -> None:
    empty = answering(mgmt_lqi_response(9, 0, ()))
    assert asyncio.run(zdo_questions.neighbour_table(empty, SHORT)) == ()
    assert asyncio.run(zdo_questions.neighbour_table(answering(b"\x00\x05"), SHORT)) is None


async def _settled(answer: Awaitable[Any]) -> Any:
    return await answer
