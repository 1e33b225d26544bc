"""The child's half of the MAC: polling its parent, and associating (802.15.4-2006 7.5.3.1, 7.5.6.3)."""

from __future__ import annotations

from collections.abc import Callable

from emulator.air.command import (
    AssociationRequest,
    AssociationResponse,
    AssociationStatus,
    DataRequest,
    encode_command,
)
from emulator.air.fcs import with_fcs
from emulator.air.frame import (
    BROADCAST_PAN,
    NO_SHORT_ADDRESS,
    AddressMode,
    FrameType,
    MacFrame,
    encode_frame,
)
from emulator.air.phy import RESPONSE_WAIT_US
from emulator.air.station import Station
from emulator.clock.kernel import Scope, Timer
from emulator.errors import EmulatorError
from emulator.status import Confirm, Status

AssociateDone = Callable[[Status | int, int], None]
"""(association status, or the MAC status when there was no answer; short address, 0xFFFF when none)."""

_NO_ADDRESS = 0xFFFF
_FIRST_SPECIAL = 0xFFF8


class Poller:
    """Fetches frames from the parent; `waiting` while one is expected."""

    def __init__(self, scope: Scope, station: Station) -> None:
        self._scope = scope
        self._station = station
        self._confirms: list[Confirm | None] = []
        self._timer: Timer | None = None
        self.waiting = False

    def poll(self, done: Confirm | None) -> None:
        """Send a data request; a poll asked for while one is running shares its outcome."""
        self._confirms.append(done)
        if len(self._confirms) > 1:
            return
        self._station.stay_awake()
        self._station.transmitter.send(self._request(), True, self._sent)

    def arrived(self) -> None:
        """Learn that the frame came."""
        self._scope.cancel(self._timer)
        self._finish(Status.SUCCESS)

    def _request(self) -> bytes:
        station = self._station
        short = station.tuned_short
        extended = short >= NO_SHORT_ADDRESS
        frame = MacFrame(
            FrameType.COMMAND,
            station.next_sequence(),
            AddressMode.SHORT,
            station.tuned_pan,
            station.parent_address,
            AddressMode.EXTENDED if extended else AddressMode.SHORT,
            station.tuned_pan,
            station.eui64 if extended else short,
            encode_command(DataRequest()),
            ack_request=True,
            pan_id_compression=True,
        )
        return with_fcs(encode_frame(frame))

    def _sent(self, status: Status) -> None:
        if status is not Status.SUCCESS:
            self._finish(status)
        elif not self._station.transmitter.ack_pending:
            self._finish(Status.NO_DATA)
        else:
            self.waiting = True
            self._timer = self._scope.call_later(RESPONSE_WAIT_US, self._finish, Status.NO_DATA)

    def _finish(self, status: Status) -> None:
        self.waiting = False
        confirms, self._confirms = self._confirms, []
        self._station.may_sleep()
        for confirm in confirms:
            if confirm is not None:
                confirm(status)


class Association:
    """Joins a PAN at MAC level: request, wait, poll by EUI-64, take the response."""

    def __init__(self, scope: Scope, station: Station, poller: Poller) -> None:
        self._scope = scope
        self._station = station
        self._poller = poller
        self._done: AssociateDone | None = None
        self._before = (11, BROADCAST_PAN, _NO_ADDRESS, _NO_ADDRESS)
        self._response: AssociationResponse | None = None

    def start(self, channel: int, pan_id: int, parent: int, capability: int, done: AssociateDone) -> None:
        """Associate with `parent`; on failure channel, PAN, address and parent are put back as they were."""
        station = self._station
        if self._done is not None:
            raise EmulatorError(f"MAC {station.eui64:016X}: an association is running, wait for it to end")
        self._before = (station.channel, station.pan_id, station.short_address, station.parent_address)
        self._done, self._response = done, None
        station.stay_awake()
        self._tune(channel, pan_id, _NO_ADDRESS, parent)
        frame = MacFrame(
            FrameType.COMMAND,
            station.next_sequence(),
            AddressMode.SHORT,
            pan_id,
            parent,
            AddressMode.EXTENDED,
            BROADCAST_PAN,
            station.eui64,
            encode_command(AssociationRequest(capability)),
            ack_request=True,
        )
        station.transmitter.send(with_fcs(encode_frame(frame)), True, self._requested)

    def answered(self, response: AssociationResponse) -> None:
        """Take the association response; one that nobody waits for is ignored."""
        if self._done is not None:
            self._response = response

    def _requested(self, status: Status) -> None:
        if status is Status.SUCCESS:
            self._scope.call_later(RESPONSE_WAIT_US, self._poller.poll, self._polled)
        else:
            self._finish(status, _NO_ADDRESS)

    def _polled(self, status: Status) -> None:
        response = self._response
        if response is None:
            self._finish(Status.NO_DATA if status is Status.SUCCESS else status, _NO_ADDRESS)
        elif response.status == AssociationStatus.SUCCESS and not 0 < response.short_address < _FIRST_SPECIAL:
            # ZigBee has no devices without a short address of their own: such a success is a refusal.
            self._finish(AssociationStatus.PAN_ACCESS_DENIED, _NO_ADDRESS)
        else:
            self._finish(response.status, response.short_address)

    def _finish(self, status: Status | int, short_address: int) -> None:
        done, self._done = self._done, None
        if short_address != _NO_ADDRESS and status == AssociationStatus.SUCCESS:
            self._station.short_address = short_address
        else:
            self._tune(*self._before)
        self._station.may_sleep()
        if done is not None:
            done(status, short_address)

    def _tune(self, channel: int, pan_id: int, short_address: int, parent: int) -> None:
        station = self._station
        station.medium.retune(station, channel=channel, pan_id=pan_id, short_address=short_address)
        station.parent_address = parent
