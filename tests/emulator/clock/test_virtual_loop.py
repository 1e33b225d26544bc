from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
import tty
from pathlib import Path

import pytest

from emulator.clock.kernel import Kernel
from emulator.clock.loop import DeadlockError, VirtualEventLoop, run
from emulator.errors import EmulatorError, SurroundingsError

TEN_DAYS = 10 * 86_400


def test_ten_days_of_sleep_return_at_once() -> None:
    kernel = Kernel()
    started = time.monotonic()

    async def main() -> float:
        await asyncio.sleep(TEN_DAYS)
        return asyncio.get_running_loop().time()

    assert run(main(), kernel) == TEN_DAYS
    assert kernel.now == TEN_DAYS * 1_000_000
    assert time.monotonic() - started < 2


def test_kernel_events_run_in_order_with_asyncio_timers() -> None:
    kernel = Kernel()
    scope = kernel.scope("device")
    seen: list[str] = []

    async def main() -> None:
        scope.call_later(1_500_000, seen.append, "device 1.5")
        scope.call_later(2_000_000, seen.append, "device 2.0")
        scope.call_later(9_000_000, seen.append, "device 9.0")
        await asyncio.sleep(1)
        seen.append("task 1")
        await asyncio.sleep(1)
        seen.append("task 2")

    run(main(), kernel)
    assert seen == ["task 1", "device 1.5", "device 2.0", "task 2"]
    assert kernel.now == 2_000_000


def test_a_kernel_callback_completes_a_future_at_its_own_time() -> None:
    kernel = Kernel()

    async def main() -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        kernel.scope("device").call_later(7_000_001, future.set_result, 5)
        kernel.scope("device").call_later(7_000_002, future.set_result, 6)
        assert await future == 5
        return kernel.now

    assert run(main(), kernel) == 7_000_001


def test_a_kernel_callback_may_set_an_asyncio_timer_that_is_due_before_the_next_one() -> None:
    kernel = Kernel()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        scope = kernel.scope("device")

        def arm() -> None:
            loop.call_later(0.001, future.set_result, None)

        scope.call_later(10, arm)
        scope.call_later(1_000_000, lambda: None)
        await future
        return kernel.now

    assert run(main(), kernel) == 1_010


def test_timeouts_count_virtual_time() -> None:
    kernel = Kernel()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(100), 0.25)

    run(main(), kernel)
    assert kernel.now == 3_600_250_000


def test_a_wait_that_nothing_can_end_is_reported_not_hung() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError, match=r"deadlock.*main"):
        run(main(), Kernel())


def test_an_exception_in_a_kernel_callback_ends_the_run() -> None:
    kernel = Kernel()

    def fail() -> None:
        raise EmulatorError("device broke")

    async def main() -> None:
        kernel.scope("device").call_later(5, fail)
        await asyncio.sleep(1)

    with pytest.raises(EmulatorError, match="device broke"):
        run(main(), kernel)


def test_a_real_socket_wakes_the_loop_before_time_moves() -> None:
    kernel = Kernel()

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            far.setblocking(False)
            await loop.sock_sendall(far, b"octets")
            async with asyncio.timeout(0.5):
                return await loop.sock_recv(near, 16)

    assert run(main(), kernel) == b"octets"
    assert kernel.now == 0


def test_streams_between_two_tasks_of_one_loop_beat_their_timeouts() -> None:
    kernel = Kernel()
    kernel_events = kernel.scope("device")

    def tick() -> None:
        kernel_events.call_later(20_000, tick)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    async def main() -> bytes:
        tick()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(b"ping\n")
        async with asyncio.timeout(2):
            answer = await reader.readline()
        writer.close()
        server.close()
        return answer

    assert run(main(), kernel) == b"PING\n"


def test_octets_in_a_terminal_arrive_before_time_moves() -> None:
    """Without any grace, and on a machine however busy: the terminal is asked, not waited for."""
    here, there = os.openpty()
    tty.setraw(here)
    tty.setraw(there)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(2_000):
            arrived = asyncio.Event()
            loop.add_reader(here, arrived.set)
            os.write(there, b"octets")
            async with asyncio.timeout(0.001):
                await arrived.wait()
            loop.remove_reader(here)
            assert os.read(here, 100) == b"octets"

    try:
        run(main(), Kernel(), grace_s=0.0)
    finally:
        os.close(here)
        os.close(there)


def test_executor_work_stops_the_clock(tmp_path: Path) -> None:
    kernel = Kernel()

    async def main() -> str:
        async with asyncio.timeout(0.001):
            await asyncio.to_thread((tmp_path / "file").write_text, "written")
            await asyncio.to_thread(time.sleep, 0.02)
        return (tmp_path / "file").read_text()

    assert run(main(), kernel) == "written"
    assert kernel.now == 0


def test_a_hold_stops_the_clock_for_a_thread_the_loop_does_not_know() -> None:
    kernel = Kernel()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualEventLoop)
        future: asyncio.Future[int] = loop.create_future()

        def work() -> None:
            time.sleep(0.02)
            loop.call_soon_threadsafe(future.set_result, 3)

        threading.Thread(target=work).start()
        with loop.hold():
            async with asyncio.timeout(0.001):
                return await future

    assert run(main(), kernel) == 3
    assert kernel.now == 0


def test_interrupt_ends_an_endless_kernel_run() -> None:
    kernel = Kernel()
    scope = kernel.scope("device")
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1
        if count == 5_000:
            os.kill(os.getpid(), signal.SIGINT)
        scope.call_later(1, tick)

    async def main() -> None:
        tick()
        await asyncio.get_running_loop().create_future()

    with pytest.raises(KeyboardInterrupt):
        run(main(), kernel)
    assert count < 20_000


def test_pace_ties_virtual_time_to_real_time() -> None:
    kernel = Kernel()

    async def main() -> None:
        await asyncio.sleep(5)

    started = time.monotonic()
    run(main(), kernel, pace=100)
    assert 0.045 <= time.monotonic() - started < 1
    assert 5_000_000 <= kernel.now < 5_100_000


def test_paced_time_has_moved_when_a_descriptor_wakes_the_loop() -> None:
    kernel = Kernel()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            threading.Timer(0.03, far.sendall, (b"x",)).start()
            await loop.sock_recv(near, 1)
            return kernel.now

    assert run(main(), kernel, pace=10) >= 290_000


@pytest.mark.parametrize("pace", [0, -1, float("nan")])
def test_a_pace_must_be_positive(pace: float) -> None:
    with pytest.raises(EmulatorError, match="pace"):
        VirtualEventLoop(Kernel(), pace=pace)


def test_what_follows_from_the_error_that_ends_a_run_is_not_told_beside_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kernel = Kernel()

    def device() -> None:
        raise EmulatorError("the disk is full")

    async def main() -> None:
        kernel.scope("device").call_later(1, device)
        try:
            await asyncio.sleep(1)
        finally:
            raise OSError("and so is the backup's")

    with pytest.raises(EmulatorError, match="the disk is full"):
        run(main(), kernel)
    assert [record.message for record in caplog.records if record.levelname != "DEBUG"] == []


def test_a_failure_of_the_machine_in_a_task_nobody_awaits_ends_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def serve() -> None:
        raise SurroundingsError("the disk is full")

    def served(task: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "served", "exception": task.exception(), "task": task})

    async def main() -> None:
        asyncio.get_running_loop().create_task(serve()).add_done_callback(served)
        await asyncio.sleep(TEN_DAYS)

    kernel = Kernel()
    with pytest.raises(SurroundingsError, match="the disk is full"):
        run(main(), kernel)
    assert kernel.now < 1_000_000
    assert caplog.records == []
