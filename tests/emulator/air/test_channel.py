"""Who a frame on the air is for: the medium's index by address (802.15.4-2006 7.5.6.2), and shared addresses."""

from __future__ import annotations

import pytest

from emulator.air.channel import Channel, is_broadcast
from emulator.air.fcs import with_fcs
from emulator.air.frame import AddressMode, FrameType, MacFrame, encode_frame
from emulator.air.medium import Medium
from emulator.air.radio import Radio
from emulator.clock.kernel import Kernel
from emulator.errors import EmulatorError
from emulator.status import Status
from tests.emulator.air.air_world import PAN, Air

SHORT, EXTENDED, NONE = AddressMode.SHORT, AddressMode.EXTENDED, AddressMode.NONE
EUI64 = 0x00DB000000000001


def channel(pan_id: int = PAN, short_address: int = 1) -> tuple[Channel, Radio]:
    radio = Radio(Medium(Kernel()), EUI64, (0, 0))
    radio.tuned_pan, radio.tuned_short = pan_id, short_address
    one = Channel(11)
    one.add(radio)
    return one, radio


def data_to(mode: AddressMode, pan: int | None, address: int | None) -> bytes:
    return with_fcs(encode_frame(MacFrame(FrameType.DATA, 7, mode, pan, address, SHORT, PAN, 9, b"x")))


@pytest.mark.parametrize(
    ("psdu", "found"),
    [
        (data_to(SHORT, PAN, 1), True),
        (data_to(SHORT, PAN, 2), False),
        (data_to(SHORT, 0x2222, 1), False),
        (data_to(SHORT, PAN, 0xFFFF), False),
        (data_to(EXTENDED, PAN, EUI64), True),
        (data_to(EXTENDED, 0xFFFF, EUI64), True),
        (data_to(EXTENDED, 0x2222, EUI64), False),
        (data_to(EXTENDED, PAN, EUI64 + 1), False),
        (data_to(NONE, None, None), False),
        (data_to(SHORT, PAN, 1)[:8], False),
        (data_to(EXTENDED, PAN, EUI64)[:14], False),
        (b"\x02\x00\x07\x00\x00", False),
    ],
)
def test_a_unicast_frame_finds_the_radio_with_its_pan_and_address(psdu: bytes, found: bool) -> None:
    one, radio = channel()
    assert list(one.addressees(psdu) or ()) == ([radio] if found else [])


@pytest.mark.parametrize(("pan_id", "short"), [(0xFFFF, 1), (PAN, 0xFFFE), (PAN, 0xFFFF), (PAN, 0xFFF8)])
def test_a_radio_without_an_address_of_its_own_is_found_by_eui64_alone(pan_id: int, short: int) -> None:
    one, radio = channel(pan_id, short)
    assert one.addressees(data_to(SHORT, pan_id, short)) is None
    assert list(one.addressees(data_to(EXTENDED, 0xFFFF, EUI64)) or ()) == [radio]


def test_a_removed_radio_is_not_found_and_those_that_share_its_address_still_are() -> None:
    one, radio = channel()
    twin = Radio(radio.medium, EUI64 + 1, (0, 0))
    twin.tuned_pan, twin.tuned_short, twin.tuned_promiscuous = PAN, 1, True
    one.add(twin)
    assert list(one.addressees(data_to(SHORT, PAN, 1)) or ()) == [radio, twin]
    one.remove(radio)
    assert list(one.addressees(data_to(SHORT, PAN, 1)) or ()) == [twin]
    one.remove(twin)
    assert one.addressees(data_to(SHORT, PAN, 1)) is None
    assert (one.short, one.extended) == ({}, {})
    assert one.promiscuous == one.radios == []


@pytest.mark.parametrize(
    ("psdu", "for_everybody"),
    [
        (data_to(SHORT, 0xFFFF, 0xFFFF), True),
        (data_to(SHORT, PAN, 0xFFFF), True),
        (data_to(NONE, None, None), True),
        (data_to(SHORT, PAN, 0xFFFE), False),
        (data_to(SHORT, PAN, 1), False),
        (data_to(EXTENDED, PAN, 0xFFFFFFFFFFFFFFFF), False),
        (data_to(SHORT, PAN, 0xFFFF)[:8], False),
    ],
)
def test_a_broadcast_has_no_destination_or_the_broadcast_short_address(
    psdu: bytes, for_everybody: bool
) -> None:
    assert is_broadcast(psdu) is for_everybody


def test_of_two_radios_with_one_address_the_better_heard_one_takes_the_frame() -> None:
    # What an address conflict looks like on the air (ZigBee PRO 3.6.1.9 resolves it, later).
    air = Air()
    sender, above = air.mac()
    near, near_above = air.mac(x=3)
    far, far_above = air.mac(x=20)
    far.short_address = near.short_address
    sender.data(1, b"for one of you", above.confirm)
    air.run()
    assert [recorder.data for recorder in (near_above, far_above)] == [[(0, 1, b"for one of you")], []]
    air.medium.set_link(sender.eui64, near.eui64, audible=False)
    sender.data(1, b"and now the other", above.confirm)
    air.run()
    assert far_above.data == [(0, 1, b"and now the other")]
    assert above.statuses == [Status.SUCCESS, Status.SUCCESS]


def test_a_sender_that_shares_the_address_it_sends_to_is_not_its_own_receiver() -> None:
    air = Air()
    sender, above = air.mac()
    other, other_above = air.mac(x=3)
    other.short_address = sender.short_address
    sender.data(0, b"to my double", above.confirm)
    air.run()
    assert above.data == []
    assert other_above.data == [(0, 0, b"to my double")]


def test_a_radio_is_looked_up_by_eui64_while_it_is_on_the_air() -> None:
    air = Air()
    mac, _ = air.mac()
    assert air.medium.radio(mac.eui64) is mac
    mac.detach()
    assert air.medium.radio(mac.eui64) is None


def test_a_detached_radio_can_be_retuned_and_is_found_nowhere() -> None:
    air = Air()
    mac, _ = air.mac()
    mac.detach()
    mac.channel, mac.pan_id, mac.short_address = 20, 0x2222, 7
    assert (mac.channel, mac.pan_id, mac.short_address) == (20, 0x2222, 7)
    other, above = air.mac()
    other.channel, other.pan_id = 20, 0x2222
    other.data(7, b"gone", above.confirm)
    air.run()
    assert above.statuses == [Status.NO_ACK]


@pytest.mark.parametrize("loss", [-0.1, 1.1])
def test_a_loss_that_is_no_probability_is_refused(loss: float) -> None:
    air = Air()
    with pytest.raises(EmulatorError, match=rf"^link loss {loss}: expected a probability from 0 to 1$"):
        air.medium.set_link(1, 2, loss=loss)
