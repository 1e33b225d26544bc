"""The OTA server under any orders and any requests: what is true of it at every instant.

Hypothesis plays head end, devices and power supply of the hub. Each answer is held against the file it comes from.
"""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emulator.clock.kernel import MICROSECONDS as SECOND
from emulator.clock.kernel import Kernel
from emulator.smart_energy.ota import effects as e
from emulator.smart_energy.ota import messages as m
from emulator.smart_energy.ota.jobs import OtaDeviceConfig, OtaServerConfig, StoredImage
from emulator.smart_energy.ota.server import OtaServer
from emulator.zcl.frame import ZclStatus

METERS = (0x0011223344556677, 0x8899AABBCCDDEEFF, 0x0102030405060708)
KEYS = tuple(m.ImageKey(0x1057, 1, version) for version in (2, 3))
IMAGES = {key: bytes((key.version * 5 + at) & 0xFF for at in range(200 + key.version)) for key in KEYS}

meters = st.sampled_from(METERS)
keys = st.sampled_from(KEYS)
activations = st.sampled_from([e.NOW, e.HOLD, e.Activation(e.ActivationKind.AT, 2_000_000_000)])


class Hub(RuleBasedStateMachine):
    @initialize(relative=st.booleans(), sessions=st.integers(1, 3))
    def start(self, relative: bool, sessions: int) -> None:
        self.kernel = Kernel(7)
        self.config = OtaServerConfig(
            maximum_sessions=sessions,
            relative_times=relative,
            page_requests=True,
            progress_interval=64,
            maximum_attempts=2,
        )
        self.memory = b""
        self.outcomes: dict[tuple[int, int], list[e.Outcome]] = {}
        self.orders = dict.fromkeys(METERS, 0)
        self.boot()

    def boot(self) -> None:
        self.server = OtaServer(self.kernel.scope("hub"), self.config)
        for key, data in IMAGES.items():
            self.server.store_image(StoredImage(key, data))
        if self.memory:
            self.server.restore(self.memory)

    def run(self, effects: list[e.ServerEffect]) -> None:
        for effect in effects:
            match effect:
                case e.Persist():
                    self.memory = self.server.snapshot()
                case e.JobOutcome(device, _, outcome, detail):
                    assert detail
                    self.outcomes.setdefault((device, self.orders[device]), []).append(outcome)
                case e.TransferProgress(device, key, offset, size):
                    assert 0 < offset <= size == len(IMAGES[key])
                    assert self.server.jobs[device].key == key
                case e.ServerSend(device, m.OtaCommand.IMAGE_BLOCK_RESPONSE, payload):
                    self.hold_block(device, payload)
                case _:
                    pass

    def hold_block(self, device: int, payload: bytes) -> None:
        """A block is the file's own octets, and of no other file than the one that was ordered for the device."""
        block = m.parse_image_block_response(payload)
        if isinstance(block, m.ImageBlock):
            assert block.key == self.server.jobs[device].key
            assert block.data == IMAGES[block.key][block.offset : block.offset + len(block.data)]
            assert block.data

    # The head end

    @rule(device=meters, key=keys, activation=activations)
    def ordered(self, device: int, key: m.ImageKey, activation: e.Activation) -> None:
        job = self.server.jobs.get(device)
        same = job is not None and job.key == key and not job.state.is_over
        effects = self.server.authorise(device, key, activation)
        self.orders[device] += not same
        self.run(effects)

    @rule(device=meters)
    def withdrawn(self, device: int) -> None:
        self.run(self.server.withdraw(device))

    @rule(device=meters, activation=activations)
    def released(self, device: int, activation: e.Activation) -> None:
        job = self.server.jobs.get(device)
        if job is not None and not job.state.is_over:
            self.run(self.server.release(device, activation))

    # The devices

    @precondition(lambda self: self.server.jobs)
    @rule(device=meters, key=keys, offset=st.integers(0, 240), maximum=st.integers(0, 63))
    def asks_for_a_block(self, device: int, key: m.ImageKey, offset: int, maximum: int) -> None:
        job = self.server.jobs.get(device)
        request = m.ImageBlockRequest(key, offset, maximum).pack()
        effects = self.server.message(device, m.OtaCommand.IMAGE_BLOCK_REQUEST, request)
        answers = [effect for effect in effects if isinstance(effect, e.ServerReply | e.DefaultResponse)]
        assert len(answers) == 1, "each request gets one answer"
        answer = answers[0]
        if isinstance(answer, e.ServerReply):
            self.hold_block(device, answer.payload)
            block = m.parse_image_block_response(answer.payload)
            if isinstance(block, m.ImageBlock):
                assert job is not None
                assert not job.state.is_over
                assert (block.key, block.offset) == (key, offset)
                assert len(block.data) <= min(maximum, 48)
        self.run(effects)

    @rule(device=meters, key=keys, offset=st.integers(0, 240), page=st.integers(1, 300))
    def asks_for_a_page(self, device: int, key: m.ImageKey, offset: int, page: int) -> None:
        request = m.ImagePageRequest(key, offset, 48, page, 20).pack()
        effects = self.server.message(device, m.OtaCommand.IMAGE_PAGE_REQUEST, request)
        self.run(effects)
        blocks = 0
        while any(isinstance(effect, e.ServerPageTimer) for effect in effects):
            effects = self.server.page_due(device)
            self.run(effects)
            blocks += 1
        assert blocks <= len(IMAGES[key]) // 48 + 1, "a page ends"

    @rule(device=meters, running=st.integers(1, 3))
    def asks_what_there_is(self, device: int, running: int) -> None:
        before = self.server.jobs.get(device)
        was_over = before is None or before.state.is_over
        request = m.QueryNextImageRequest(m.ImageKey(0x1057, 1, running)).pack()
        effects = self.server.message(device, m.OtaCommand.QUERY_NEXT_IMAGE_REQUEST, request)
        (reply,) = [effect for effect in effects if isinstance(effect, e.ServerReply)]
        offer = m.parse_query_response(reply.payload)
        if was_over or (before is not None and before.key.version == running):
            assert offer == m.QueryNextImageResponse(ZclStatus.NO_IMAGE_AVAILABLE)
        else:
            assert before is not None
            assert offer == m.QueryNextImageResponse(0, before.key, len(IMAGES[before.key]))
        self.run(effects)

    @rule(
        device=meters,
        key=keys,
        status=st.sampled_from([ZclStatus.SUCCESS, ZclStatus.INVALID_IMAGE, ZclStatus.ABORT]),
    )
    def ends(self, device: int, key: m.ImageKey, status: int) -> None:
        request = m.UpgradeEndRequest(status, key).pack()
        effects = self.server.message(device, m.OtaCommand.UPGRADE_END_REQUEST, request)
        answers = [effect for effect in effects if isinstance(effect, e.ServerReply | e.DefaultResponse)]
        assert len(answers) == 1
        job = self.server.jobs.get(device)
        if isinstance(answers[0], e.ServerReply):
            assert job is not None
            assert status == ZclStatus.SUCCESS
            assert job.key == key, "nothing but what was ordered may run"
            assert job.state is not e.JobState.WITHDRAWN
        self.run(effects)

    @rule(seconds=st.sampled_from([1, 59, 130, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.kernel.run_for(seconds * SECOND)

    @rule()
    def the_hub_loses_power(self) -> None:
        self.boot()

    @rule(device=meters, cap=st.integers(1, 60), period_s=st.sampled_from([0, 0, 2]))
    def treated_otherwise(self, device: int, cap: int, period_s: int) -> None:
        cap = min(cap, 48)
        self.server.configure(device, OtaDeviceConfig(cap, minimum_block_period_us=period_s * SECOND))

    # What is always true

    @invariant()
    def memory_holds_every_job_as_far_as_it_was_told(self) -> None:
        if not self.memory:
            assert not self.server.jobs
            return
        again = OtaServer(self.kernel.scope("again"), self.config)
        again.restore(self.memory)
        for device, job in self.server.jobs.items():
            kept = again.jobs[device]
            assert (kept.key, kept.activation, kept.state, kept.outcome) == (
                job.key,
                job.activation,
                job.state,
                job.outcome,
            )

    @invariant()
    def an_order_is_transferred_at_most_once_between_two_failures(self) -> None:
        for told in self.outcomes.values():
            for first, second in pairwise(told):
                assert first is not second or first is not e.Outcome.FILE_TRANSFER_SUCCESS

    @invariant()
    def counts_of_a_job_agree_with_each_other(self) -> None:
        for job in self.server.jobs.values():
            counts = job.counts
            assert counts.timeouts <= counts.blocks_repeated <= counts.blocks_sent
            assert counts.reached <= len(IMAGES[job.key])
            assert counts.max_block <= 48
            assert (counts.blocks_sent == 0) == (counts.octets_carried == 0)


TestAnOtaServerWhateverHappens = Hub.TestCase
TestAnOtaServerWhateverHappens.settings = settings(
    settings.get_profile("deterministic"), max_examples=60, stateful_step_count=40
)
