"""What a campaign stands on: a home emulated here, or one behind a radio of its own, and how time passes there."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.clock.kernel import Kernel
from emulator.clock.loop import GRACE_S
from emulator.coordinator.monikers import Kind, Moniker, parse
from emulator.coordinator.radio import Radio
from harness.errors import HarnessError
from harness.homes.reality import require_rehearsable
from harness.homes.rehearsal import Rehearsal, World
from harness.workspace.options import INPROC_RADIO, RunOptions
from harness.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the home is; raises `HarnessError` for one that may be real, unless `rehearsable` declares that it is not.

    `pace` is virtual seconds per real second, None for as fast as possible. `real_time` tells that devices there live
    in the real world's time; `grace_s` is how long octets in the system's descriptors are given, in real seconds,
    before virtual time goes on.
    """

    moniker: Moniker
    pace: float | None = None
    real_time: bool = False
    grace_s: float = GRACE_S
    overwrite_network: bool = False
    rehearsable: bool = False

    def __post_init__(self) -> None:
        require_rehearsable(self.moniker, declared=self.rehearsable)

    def require_there(self) -> None:
        """Raise `RadioUnavailableError` for a serial port that is plainly not there, before a run folder is made."""
        if self.moniker.kind is Kind.SERIAL:
            # Who uses no dongle does not wait for its drivers.
            from harness.homes.dongle import require_port

            require_port(self.moniker.address)

    def world(self, workspace: Workspace, kernel: Kernel) -> World:
        """Return the home of a run folder."""
        if self.moniker.is_here:
            return Rehearsal(workspace, kernel, loopback(self.moniker.kind))
        from harness.homes.distant_home import DistantHome

        return DistantHome(workspace, kernel, self.moniker, overwrite_network=self.overwrite_network)


LOOPBACK_GRACE_S = 0.001
"""Enough when both ends of a line are in this process: what one has written, the other can read at once."""

REHEARSED = Ground(parse(INPROC_RADIO))
"""The home emulated in this process, its hub on a node of its air."""


def loopback(kind: Kind) -> Radio | None:
    """Return an emulated dongle reached through a line of `kind`; None for no line at all."""
    if kind is Kind.INPROC:
        return None
    # The drivers of dongles are loaded by who uses one; a run on the air of this process does not wait for them.
    from emulator.coordinator import ezsp_line as lines

    connections: dict[Kind, type[lines.Connection]] = {
        Kind.WIRE: lines.WireConnection,
        Kind.PTY: lines.PtyConnection,
        Kind.TCP: lines.TcpConnection,
    }
    connection = connections.get(kind)
    return None if connection is None else lines.EzspLoopback(connection())


def ground_of(options: RunOptions, begun_with: str) -> Ground:
    """Return what the options ask for; `begun_with` is the radio of the run, which a resumed one keeps.

    Raises `HarnessError` for a radio that may reach real meters, unless `bench` declares that it does not (rehearsed
    keys open no real meter), and for a run that began in another home.
    """
    before = parse(begun_with)
    moniker = parse(options.radio)
    if options.resume is not None:
        moniker = _resumed(before, moniker)
    if moniker.is_here:
        return Ground(moniker, grace_s=LOOPBACK_GRACE_S)
    return Ground(
        moniker,
        options.speed,
        # What may be real lives in the real world's time; at another speed it is known to be emulated.
        real_time=options.speed == 1.0,
        overwrite_network=options.overwrite_network,
        rehearsable=options.bench,
    )


def _resumed(before: Moniker, now: Moniker) -> Moniker:
    """Return the radio of a resumed run: as before, or another line to the same home."""
    if now.kind is Kind.INPROC:
        return before
    if now != before and (now.is_here or before.is_here):
        raise HarnessError(
            f"--radio: {now}: the run began with {before}, whose home it works on; leave --radio away"
        )
    return now
