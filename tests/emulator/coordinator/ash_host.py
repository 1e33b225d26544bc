"""The host's side of an ASH link, for tests: the co-processor's machine with a host's word for reset and failure."""

from __future__ import annotations

from emulator.clock.kernel import Timer
from emulator.coordinator.ash import ACK_TIMEOUTS, AshLink, LinkFailed, LinkReset, LinkState
from emulator.coordinator.ash_frames import CANCEL, AshFrame, Error, ResetCode, Rst, RstAck, encode

RESET_WAIT_US = 2_500_000
RST = bytes((CANCEL,)) * 32 + encode(Rst())


class HostLink(AshLink):
    """A host: it asks for resets, and takes what the co-processor says of its own."""

    _resetting: Timer | None = None
    _asked = 0

    def reset(self) -> None:
        """Ask the co-processor to reset, again when it does not answer."""
        self._clear()
        self.state = LinkState.FAILED
        self._asked = 0
        self._ask()

    def _ask(self) -> None:
        if self._asked == ACK_TIMEOUTS:
            self._notify(LinkFailed(ResetCode.TOO_MANY_TIMEOUTS))
            return
        self._asked += 1
        self._resetting = self._clock.call_later(RESET_WAIT_US, self._ask)
        self._write(RST)

    def _arrived(self, frame: AshFrame) -> None:
        if isinstance(frame, RstAck):
            self._clock.cancel(self._resetting)
            self._clear()
            self.state = LinkState.CONNECTED
            self._notify(LinkReset(frame.code))
        elif isinstance(frame, Error):
            if self.state is LinkState.CONNECTED:
                self._clear()
                self.state = LinkState.FAILED
                self._notify(LinkFailed(frame.code))
        elif not isinstance(frame, Rst):
            super()._arrived(frame)

    def _complain(self, code: int) -> None:
        """A host has no ERROR to send."""
