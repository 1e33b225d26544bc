"""The OTA client under any course of events: what is true of it at every instant.

Hypothesis plays server, flash, clock and power supply. The device of the test carries the effects out as a real one
would; after each event it holds that nobody has lost an octet, that nothing unverified runs, and that something
is always still to come - a client that waits for nothing is stuck until somebody cuts its power.
"""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Kernel
from emulator.smart_energy.ota import effects as e
from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.client import OtaClient
from emulator.smart_energy.ota.effects import OtaPhase as P
from emulator.smart_energy.ota.messages import ImageUpgradeStatus
from emulator.smart_energy.ota.policy import OtaClientPolicy
from emulator.zcl.frame import ZclStatus


def is_bad(version: int) -> bool:
    """Whether the file of a version does not verify: each third."""
    return version % 3 == 0


DISTURBANCES = ["notify", "nothing to offer", "block refused", "block aborted", "battery low", "network left"]


def image(version: int) -> bytes:
    """Return the file of a version: 300 octets and some, none of which repeats its neighbour's."""
    return bytes((version * 31 + at * 7) & 0xFF for at in range(300 + version % 64))


def key(version: int) -> m.ImageKey:
    return m.ImageKey(0x1057, 1, version)


POLICY = OtaClientPolicy(
    0x1057, 1, 1, block_size=48, save_granularity=64, max_retries=4, max_missed_end_answers=3
)


class Device(RuleBasedStateMachine):
    @initialize(resumes=st.booleans(), pages=st.sampled_from([0, 96]), anyway=st.booleans())
    def manufacture(self, resumes: bool, pages: int, anyway: bool) -> None:
        self.policy = replace(
            POLICY,
            resumes=resumes,
            page_size=pages,
            apply_after_missed_answers=anyway,
            wait_for_data_supported=True,
        )
        self.kernel = Kernel(5)
        self.flash = bytearray()
        self.saved: e.SavedTransfer | None = None
        self.verified: set[m.ImageKey] = set()
        self.power_up()

    # The device

    def power_up(self) -> None:
        self.timers: dict[e.OtaTimer, int] = {}
        self.erasing = self.checking = False
        self.asked: tuple[int, bytes] | None = None
        self.client = OtaClient(self.policy, self.kernel.scope("meter"), self.saved)
        self.run(self.client.power_up())

    def run(self, effects: list[e.ClientEffect]) -> None:
        for effect in effects:
            match effect:
                case e.Send(command, payload):
                    self.asked = (command, payload)
                case e.SetTimer(name, delay_us):
                    assert delay_us >= 0
                    self.timers[name] = self.kernel.now + delay_us
                case e.CancelTimer(name):
                    self.timers.pop(name, None)
                case e.EraseFlash(octets):
                    self.erasing, self.to_erase = True, octets
                case e.WriteFlash(offset, data):
                    assert offset + len(data) <= len(self.flash)
                    self.flash[offset : offset + len(data)] = data
                case e.SaveState(state):
                    self.saved = None if state is None else e.SavedTransfer.unpack(state.pack())
                case e.ImageComplete(found, size):
                    assert bytes(self.flash) == image(found.version), (
                        "complete is the whole file, octet for octet"
                    )
                    assert size == len(self.flash)
                    self.checking = True
                case e.Activate(found):
                    self.activate(found)
                    return

    def activate(self, found: m.ImageKey) -> None:
        assert found in self.verified, "nothing runs that was not verified"
        assert bytes(self.flash) == image(found.version)
        self.policy = replace(self.policy, current_version=found.version)
        self.power_up()

    # Its world

    @precondition(lambda self: self.client.phase in {P.IDLE, P.QUERYING})
    @rule(
        newer_by=st.sampled_from([1, 2, 3, 0, -1]),
        blocks=st.sampled_from([9, 8, 2, 0]),
        flash_works=st.booleans() | st.just(True),
    )
    def offered(self, newer_by: int, blocks: int, flash_works: bool) -> None:
        version = max(1, self.policy.current_version + newer_by)
        self.run(self.client.notify(m.ImageNotify(100).pack(), broadcast=False))
        response = m.QueryNextImageResponse(0, key(version), len(image(version)))
        self.run(self.client.message(m.OtaCommand.QUERY_NEXT_IMAGE_RESPONSE, response.pack()))
        if self.erasing and blocks:
            self.erase(flash_works)
        self.send_blocks(blocks, 48)

    @precondition(lambda self: self.erasing)
    @rule(works=st.booleans())
    def erase(self, works: bool) -> None:
        self.erasing = False
        if works:
            self.flash = bytearray(b"\xff" * self.to_erase)
        self.run(self.client.flash_ready() if works else self.client.flash_failed())

    @precondition(lambda self: self.client.phase is P.DOWNLOADING)
    @rule(blocks=st.integers(1, 9), shorter=st.integers(0, 40))
    def blocks(self, blocks: int, shorter: int) -> None:
        self.send_blocks(blocks, 48 - shorter)

    def send_blocks(self, blocks: int, octets: int) -> None:
        for _ in range(blocks):
            if self.client.phase is P.DOWNLOADING:
                self.block_at(self.client.offset, octets)

    @precondition(lambda self: self.client.key is not None)
    @rule(offset=st.integers(0, 400), octets=st.integers(0, 70))
    def stray_block(self, offset: int, octets: int) -> None:
        self.block_at(offset, octets)

    def block_at(self, offset: int, octets: int) -> None:
        assert self.client.key is not None
        data = image(self.client.key.version)[offset : offset + octets]
        block = m.ImageBlock(self.client.key, offset, data)
        self.run(self.client.message(m.OtaCommand.IMAGE_BLOCK_RESPONSE, block.pack()))

    @precondition(lambda self: self.asked is not None)
    @rule(
        status=st.sampled_from(
            [
                ZclStatus.SUCCESS,
                ZclStatus.ABORT,
                ZclStatus.NO_IMAGE_AVAILABLE,
                ZclStatus.UNSUP_CLUSTER_COMMAND,
            ]
        )
    )
    def default_response(self, status: int) -> None:
        assert self.asked is not None
        self.run(self.client.default_response(self.asked[0], status))

    @precondition(lambda self: self.client.phase in {P.DOWNLOADING, P.VERIFYING})
    @rule()
    def the_rest_arrives_and_is_verified(self) -> None:
        self.send_blocks(400, 48)
        found = self.client.key
        if not self.checking or found is None:
            return
        self.checking = False
        if is_bad(found.version):
            self.run(self.client.verified(ZclStatus.INVALID_IMAGE))
        else:
            self.verified.add(found)
            self.run(self.client.verified(ZclStatus.SUCCESS))

    @precondition(lambda self: self.checking)
    @rule(status=st.sampled_from([ZclStatus.ABORT, ZclStatus.REQUIRE_MORE_IMAGE]))
    def verification_is_given_up(self, status: int) -> None:
        self.checking = False
        self.run(self.client.verified(status))

    @precondition(lambda self: self.client.downloaded_version is not None)
    @rule(upgrade_time=st.sampled_from([0, 600, 7200, m.WAIT_FOREVER]))
    def end_response(self, upgrade_time: int) -> None:
        assert self.client.key is not None
        response = m.UpgradeEndResponse(self.client.key, 0, upgrade_time)
        self.run(self.client.message(m.OtaCommand.UPGRADE_END_RESPONSE, response.pack()))

    @precondition(lambda self: self.timers)
    @rule()
    def time_passes_until_a_timer_runs_out(self) -> None:
        name = min(self.timers, key=lambda each: (self.timers[each], each))
        self.kernel.run_for(max(0, self.timers.pop(name) - self.kernel.now))
        self.run(self.client.timer(name))

    @rule(what=st.sampled_from(DISTURBANCES))
    def disturbed(self, what: str) -> None:
        message = self.client.message
        match what:
            case "notify":
                self.run(self.client.notify(m.ImageNotify(100).pack(), broadcast=False))
            case "nothing to offer":
                none = m.QueryNextImageResponse(ZclStatus.NO_IMAGE_AVAILABLE).pack()
                self.run(message(m.OtaCommand.QUERY_NEXT_IMAGE_RESPONSE, none))
            case "block refused":
                refusal = m.BlockRefused(ZclStatus.FAILURE).pack()
                self.run(message(m.OtaCommand.IMAGE_BLOCK_RESPONSE, refusal))
            case "block aborted":
                self.run(message(m.OtaCommand.IMAGE_BLOCK_RESPONSE, m.BlockRefused(ZclStatus.ABORT).pack()))
            case "battery low":
                self.run(self.client.abandon("battery at 15 %"))
            case "network left":
                self.run(self.client.left())
                self.erasing = self.checking = False
                self.run(self.client.power_up())

    @rule(off_s=st.integers(0, 10_000))
    def power_cut(self, off_s: int) -> None:
        self.kernel.run_for(off_s * SECOND)
        self.power_up()

    @rule(wait=st.sampled_from([(0, 5), (0, 0), (50, 60), (m.INVALID_TIME, 1)]))
    def told_to_wait(self, wait: tuple[int, int]) -> None:
        self.run(self.client.message(m.OtaCommand.IMAGE_BLOCK_RESPONSE, m.WaitForData(*wait).pack()))

    # What is always true

    @invariant()
    def something_is_still_to_come(self) -> None:
        assert self.timers or self.erasing or self.checking, f"stuck in {self.client.phase.name}"

    @invariant()
    def every_octet_up_to_the_offset_is_in_flash(self) -> None:
        found = self.client.key
        if found is not None and self.client.phase not in {P.ERASING, P.IDLE, P.QUERYING, P.REPORTING}:
            assert self.client.offset <= self.client.size == len(self.flash)
            assert self.flash[: self.client.offset] == image(found.version)[: self.client.offset]

    @invariant()
    def what_is_kept_for_a_power_cut_is_true(self) -> None:
        if self.saved is not None and self.saved.phase not in {P.ERASING, P.IDLE}:
            kept = self.saved.offset
            assert self.flash[:kept] == image(self.saved.key.version)[:kept]

    @invariant()
    def the_status_attribute_says_where_it_is(self) -> None:
        shown, phase = self.client.status, self.client.phase
        assert (shown is ImageUpgradeStatus.DOWNLOAD_IN_PROGRESS) == (phase in {P.ERASING, P.DOWNLOADING})
        assert (shown is ImageUpgradeStatus.DOWNLOAD_COMPLETE) == (phase in {P.VERIFYING, P.ENDING})
        assert (shown is ImageUpgradeStatus.WAITING_TO_UPGRADE) == (phase is P.WAITING)
        assert (shown is ImageUpgradeStatus.COUNT_DOWN) == (phase is P.COUNTDOWN)

    @invariant()
    def no_bad_version_ever_runs(self) -> None:
        assert not is_bad(self.policy.current_version)


TestAnOtaClientWhateverHappens = Device.TestCase
TestAnOtaClientWhateverHappens.settings = settings(
    settings.get_profile("deterministic"), max_examples=100, stateful_step_count=50
)


def test_a_slot_whose_erasing_power_cut_short_is_erased_again() -> None:
    device = Device()
    device.manufacture(resumes=True, pages=0, anyway=False)
    device.offered(blocks=0, flash_works=True, newer_by=1)
    assert device.erasing
    device.power_cut(off_s=0)
    device.offered(blocks=9, flash_works=True, newer_by=1)
    device.every_octet_up_to_the_offset_is_in_flash()
    assert len(device.flash) == device.client.size
