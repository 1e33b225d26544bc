"""Whether a radio may reach real meters, and the one refusal to go there with rehearsal keys.

Real is where the radio is, not how its name begins. A home emulated in this process is known not to be real. Whatever
is reached by a line out of it may be: a serial port, a terminal or link at whose other end anything may sit, a socket
of another machine, and one of this machine too, for a bridge to a dongle listens there as an emulation does. Only the
user can know, and says so.
"""

from __future__ import annotations

from emulator.coordinator.monikers import Moniker
from harness.errors import HarnessError

DECLARATION = "--bench"
"""The option by which a user declares that everything within a radio's reach is emulated or keyed for rehearsal."""
DECLARATION_HELP = "all that a radio elsewhere reaches is emulated or keyed for rehearsal"


def may_be_real(moniker: Moniker) -> bool:
    """Tell whether meters within a radio's reach may be real, as far as can be known without being told."""
    return not moniker.is_here


def refusal(moniker: Moniker, *, declared: bool) -> str | None:
    """Return why a run with rehearsal keys is not begun on a radio; None where it may be.

    `declared` is whether the user has given `DECLARATION`.
    """
    if declared or not may_be_real(moniker):
        return None
    return (
        f"{moniker}: may reach real meters, and this version's parties hold rehearsal keys only; give {DECLARATION} if "
        "everything within its reach is emulated or keyed for rehearsal"
    )


def require_rehearsable(moniker: Moniker, *, declared: bool) -> None:
    """Raise `HarnessError` with the `refusal`, if there is one."""
    why = refusal(moniker, declared=declared)
    if why is not None:
        raise HarnessError(f"--radio: {why}")
