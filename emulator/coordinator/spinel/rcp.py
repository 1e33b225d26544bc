"""The co-processor as a machine without I/O: octets of the serial link in, octets and radio frames out.

Settings are forgotten at a reset, as on the real thing. Unknown properties get PROP_NOT_FOUND, unknown
commands INVALID_COMMAND, values that are too short PARSE_ERROR; damaged frames get nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.air.fcs import with_fcs
from emulator.air.medium import Medium
from emulator.air.phy import CHANNELS, NOISE_FLOOR_DBM, SENSITIVITY_DBM
from emulator.clock.kernel import Kernel
from emulator.coordinator.spinel.codec import (
    Reception,
    SpinelFrame,
    TransmitOptions,
    decode_frame,
    encode_frame,
    pack,
    pack_list,
    pack_received,
    pack_transmitted,
    pack_uint,
    unpack,
    unpack_transmit,
    unpack_uint,
)
from emulator.coordinator.spinel.energy_scan import EnergyScan
from emulator.coordinator.spinel.hdlc import HdlcDecoder, encode_hdlc
from emulator.coordinator.spinel.properties import (
    INTERFACE_THREAD,
    POWER_ONLINE,
    PROTOCOL_VERSION,
    RCP_API_VERSION,
    RCP_MIN_HOST_API_VERSION,
    Capability,
    Command,
    FrameFlag,
    PromiscuousMode,
    Property,
    RadioCapability,
    ScanState,
    SpinelStatus,
)
from emulator.coordinator.spinel.raw_radio import RawRadio
from emulator.errors import EmulatorError, FrameError
from emulator.eui64 import format_eui64

VERSION_TEXT = "SMETS1-HAN-RCP/1.0; EMULATED"
"""NCP_VERSION: name and version, then what it runs on."""

RADIO_CAPABILITIES = (
    RadioCapability.ACK_TIMEOUT
    | RadioCapability.ENERGY_SCAN
    | RadioCapability.TRANSMIT_RETRIES
    | RadioCapability.CSMA_BACKOFF
)
RSSI_UNKNOWN = 127
"""RSSI of an acknowledgement in transmit reports: the medium does not say how strongly it came."""

MATCH_LIMIT = 256
"""Addresses of one kind in the source match table."""

DEFAULT_CCA_DBM = -75
FIRST_CHANNEL_KHZ = 2_405_000
CHANNEL_STEP_KHZ = 5_000

Getter = Callable[[], bytes]
Setter = Callable[[bytes], SpinelStatus]


class Rcp:
    """One emulated co-processor on the air of a home.

    `attach` plugs it into a host, `detach` pulls it out; it stays powered. `eui64` is the factory address;
    the host may use another one on the air. `malformed` counts frames from the host that were no Spinel.
    """

    def __init__(
        self, kernel: Kernel, medium: Medium, eui64: int, *, position: tuple[float, float] = (0, 0)
    ) -> None:
        """Power up at `position` (metres); raises `EmulatorError` when the EUI-64 is on the air already."""
        self._line: Callable[[bytes], None] | None = None
        self.malformed = 0
        self._factory_eui64 = eui64
        self._scope = kernel.scope(f"RCP {format_eui64(eui64)}")
        self._medium = medium
        self._link = HdlcDecoder()
        self.radio = RawRadio(self._scope, medium, eui64, position, self)
        self._power_dbm = round(self.radio.tx_power_dbm)
        self._getters = self._make_getters()
        self._setters = self._make_setters()
        self._editors = self._make_editors()
        self._scan = EnergyScan(self._scope, medium, self.radio, self._tell)
        self._forget()
        self._status = SpinelStatus.RESET_POWER_ON

    # The link

    def attach(self, write: Callable[[bytes], None]) -> None:
        """Connect the line: octets for the host go to `write`. A line already there is replaced."""
        self._link.reset()
        self._line = write

    def detach(self) -> None:
        """The line is gone: a frame begun is forgotten, the radio stays as it is."""
        self._link.reset()
        self._line = None

    def feed(self, octets: bytes) -> None:
        """Take octets from the host; nothing in them can raise."""
        for frame in self._link.receive(octets):
            self._frame(frame)

    def power_off(self) -> None:
        """Leave the air; the object is dead afterwards."""
        self._scan.stop()
        self._scope.end()
        self.radio.reset()
        self._medium.detach(self.radio)

    def _frame(self, octets: bytes) -> None:
        try:
            frame = decode_frame(octets)
        except FrameError:
            self.malformed += 1
            return
        if frame.interface:
            self._answer_status(frame, SpinelStatus.INVALID_INTERFACE)
            return
        try:
            self._command(frame)
        except FrameError:
            self.malformed += 1
            self._answer_status(frame, SpinelStatus.PARSE_ERROR)

    def _command(self, frame: SpinelFrame) -> None:
        match frame.command:
            case Command.NOOP:
                self._answer_status(frame, SpinelStatus.OK)
            case Command.RESET:
                self._reset()
            case Command.PROP_VALUE_GET:
                self._get(frame)
            case Command.PROP_VALUE_SET:
                self._set(frame)
            case Command.PROP_VALUE_INSERT | Command.PROP_VALUE_REMOVE:
                self._edit(frame)
            case _:
                self._answer_status(frame, SpinelStatus.INVALID_COMMAND)

    def _get(self, frame: SpinelFrame) -> None:
        name, _ = unpack_uint(frame.payload)
        getter = self._getters.get(name)
        if getter is None:
            self._answer_status(frame, SpinelStatus.PROP_NOT_FOUND)
        else:
            self._answer(frame, Command.PROP_VALUE_IS, name, getter())

    def _set(self, frame: SpinelFrame) -> None:
        name, end = unpack_uint(frame.payload)
        value = frame.payload[end:]
        if name == Property.STREAM_RAW:
            self._transmit(frame, value)
            return
        setter = self._setters.get(name)
        status = SpinelStatus.PROP_NOT_FOUND if setter is None else setter(value)
        if status is not SpinelStatus.OK:
            self._answer_status(frame, status)
            return
        getter = self._getters.get(name)
        self._answer(frame, Command.PROP_VALUE_IS, name, value if getter is None else getter())

    def _edit(self, frame: SpinelFrame) -> None:
        name, end = unpack_uint(frame.payload)
        editor = self._editors.get(name)
        if editor is None:
            self._answer_status(frame, SpinelStatus.PROP_NOT_FOUND)
            return
        types, table = editor
        (item,) = unpack(types, frame.payload[end:])
        if frame.command == Command.PROP_VALUE_INSERT:
            if len(table) >= MATCH_LIMIT and item not in table:
                self._answer_status(frame, SpinelStatus.NOMEM)
                return
            table[item] = None
            self._answer(frame, Command.PROP_VALUE_INSERTED, name, pack(types, item))
        elif item in table:
            del table[item]
            self._answer(frame, Command.PROP_VALUE_REMOVED, name, pack(types, item))
        else:
            self._answer_status(frame, SpinelStatus.ITEM_NOT_FOUND)

    def _answer(self, to: SpinelFrame, command: Command, name: int, value: bytes) -> None:
        """Answer a request; transaction 0 wants no answer (Spinel draft, 3.1.3)."""
        if to.transaction:
            self._emit(SpinelFrame(to.transaction, command, pack_uint(name) + value, to.interface))

    def _answer_status(self, to: SpinelFrame, status: SpinelStatus) -> None:
        self._status = status
        self._answer(to, Command.PROP_VALUE_IS, Property.LAST_STATUS, pack_uint(status))

    def _tell(self, name: Property, value: bytes) -> None:
        """Send what the host did not ask for."""
        self._emit(SpinelFrame(0, Command.PROP_VALUE_IS, pack_uint(name) + value))

    def _emit(self, frame: SpinelFrame) -> None:
        if self._line is not None:
            self._line(encode_hdlc(encode_frame(frame)))

    # Reset

    def _reset(self) -> None:
        self._scan.stop()
        self.radio.reset()
        self._forget()
        self._status = SpinelStatus.RESET_SOFTWARE
        self._tell(Property.LAST_STATUS, pack_uint(self._status))

    def _forget(self) -> None:
        self._scan.reset()
        self._cca_dbm = DEFAULT_CCA_DBM
        self._stream_enabled = False
        self._rx_when_idle = True
        self.radio.set_power(self._power_dbm)
        if self.radio.attached:
            self.radio.readdress(self._factory_eui64)

    # Frames

    def _transmit(self, frame: SpinelFrame, value: bytes) -> None:
        psdu, options = unpack_transmit(value, self.radio.tuned_channel)
        if self._scan.running:
            self._answer_status(frame, SpinelStatus.INVALID_STATE)
            return

        def done(status: SpinelStatus, pending: bool) -> None:
            self._transmitted(frame, psdu, options, status, pending)

        status = self.radio.transmit(psdu, options, done)
        if status is not SpinelStatus.OK:
            self._answer_status(frame, status)

    def _transmitted(
        self, frame: SpinelFrame, psdu: bytes, options: TransmitOptions, status: SpinelStatus, pending: bool
    ) -> None:
        """Report the end of a transmission, with the acknowledgement when one was wanted and came."""
        ack = b""
        if status is SpinelStatus.OK and psdu[0] & 0x20:
            octets = with_fcs(bytes((0x12 if pending else 0x02, 0, psdu[2])))
            ack = self._pack_frame(octets, 0, RSSI_UNKNOWN, FrameFlag.NONE)
        self._status = status
        value = pack_transmitted(status, pending, options.header_updated, ack)
        self._answer(frame, Command.PROP_VALUE_IS, Property.LAST_STATUS, value)

    def radio_received(self, psdu: bytes, lqi: int, rssi_dbm: int, pending: bool) -> None:
        """Pass a frame from the air on to the host."""
        if self._stream_enabled:
            flags = FrameFlag.ACKED_WITH_PENDING if pending else FrameFlag.NONE
            self._tell(Property.STREAM_RAW, self._pack_frame(psdu, lqi, rssi_dbm, flags))

    def _pack_frame(self, psdu: bytes, lqi: int, rssi_dbm: int, flags: FrameFlag) -> bytes:
        channel, now = self.radio.tuned_channel, self._scope.now
        return pack_received(psdu, Reception(rssi_dbm, NOISE_FLOOR_DBM, flags, channel, lqi, now))

    # Settings

    def _set_scan_state(self, value: bytes) -> SpinelStatus:
        (state,) = unpack("C", value)
        if state == ScanState.IDLE:
            self._scan.stop()
            return SpinelStatus.OK
        if state != ScanState.ENERGY:
            return SpinelStatus.UNIMPLEMENTED
        if not self.radio.enabled or self.radio.busy or self._scan.running:
            return SpinelStatus.INVALID_STATE
        self._scan.start()
        return SpinelStatus.OK

    def _set_scan_mask(self, value: bytes) -> SpinelStatus:
        (channels,) = unpack("A(C)", value)
        if any(channel not in CHANNELS for channel in channels):
            return SpinelStatus.INVALID_ARGUMENT
        # More channels than there are would only be repeats.
        self._scan.mask = list(dict.fromkeys(channels))
        return SpinelStatus.OK

    def _set_scan_period(self, value: bytes) -> SpinelStatus:
        (self._scan.period_ms,) = unpack("S", value)
        return SpinelStatus.OK

    def _set_enabled(self, value: bytes) -> SpinelStatus:
        (self.radio.enabled,) = unpack("b", value)
        return SpinelStatus.OK

    def _set_channel(self, value: bytes) -> SpinelStatus:
        (channel,) = unpack("C", value)
        if channel not in CHANNELS:
            return SpinelStatus.INVALID_ARGUMENT
        if self._scan.running:
            return SpinelStatus.INVALID_STATE
        self.radio.channel = channel
        return SpinelStatus.OK

    def _set_cca_threshold(self, value: bytes) -> SpinelStatus:
        """Keep the threshold for reading back: the emulated CCA senses carriers, not energy."""
        (self._cca_dbm,) = unpack("c", value)
        return SpinelStatus.OK

    def _set_power(self, value: bytes) -> SpinelStatus:
        (dbm,) = unpack("c", value)
        self.radio.set_power(dbm)
        return SpinelStatus.OK

    def _set_extended_address(self, value: bytes) -> SpinelStatus:
        (eui64,) = unpack("E", value)
        try:
            self.radio.readdress(eui64)
        except EmulatorError:
            return SpinelStatus.ALREADY
        return SpinelStatus.OK

    def _set_short_address(self, value: bytes) -> SpinelStatus:
        (self.radio.short_address,) = unpack("S", value)
        return SpinelStatus.OK

    def _set_pan_id(self, value: bytes) -> SpinelStatus:
        (self.radio.pan_id,) = unpack("S", value)
        return SpinelStatus.OK

    def _set_stream_enabled(self, value: bytes) -> SpinelStatus:
        (self._stream_enabled,) = unpack("b", value)
        self.radio.listening = self._stream_enabled and self._rx_when_idle
        return SpinelStatus.OK

    def _set_rx_when_idle(self, value: bytes) -> SpinelStatus:
        (self._rx_when_idle,) = unpack("b", value)
        self.radio.listening = self._stream_enabled and self._rx_when_idle
        return SpinelStatus.OK

    def _set_promiscuous(self, value: bytes) -> SpinelStatus:
        (mode,) = unpack("C", value)
        if mode > PromiscuousMode.FULL:
            return SpinelStatus.INVALID_ARGUMENT
        self.radio.mode = PromiscuousMode(mode)
        return SpinelStatus.OK

    def _set_match_enabled(self, value: bytes) -> SpinelStatus:
        (self.radio.match_enabled,) = unpack("b", value)
        return SpinelStatus.OK

    def _set_match_table(self, types: str, table: dict[int, None]) -> Setter:
        def replace(value: bytes) -> SpinelStatus:
            (items,) = unpack(f"A({types})", value)
            if len(items) > MATCH_LIMIT:
                return SpinelStatus.NOMEM
            table.clear()
            table.update(dict.fromkeys(items))
            return SpinelStatus.OK

        return replace

    def _rssi(self) -> bytes:
        """Measure the power on the channel right now."""
        return pack("c", self._medium.read_meter(self._medium.measure(self.radio)))

    def _frequency(self) -> bytes:
        steps = self.radio.tuned_channel - CHANNELS[0]
        return pack("L", FIRST_CHANNEL_KHZ + steps * CHANNEL_STEP_KHZ)

    def _make_getters(self) -> dict[int, Getter]:
        radio = self.radio
        channels = pack_list("C", CHANNELS)
        return {
            Property.LAST_STATUS: lambda: pack_uint(self._status),
            Property.PROTOCOL_VERSION: lambda: pack("ii", *PROTOCOL_VERSION),
            Property.NCP_VERSION: lambda: pack("U", VERSION_TEXT),
            Property.INTERFACE_TYPE: lambda: pack_uint(INTERFACE_THREAD),
            Property.VENDOR_ID: lambda: pack_uint(0),
            Property.CAPS: lambda: pack_list("i", Capability),
            Property.INTERFACE_COUNT: lambda: pack("C", 1),
            Property.POWER_STATE: lambda: pack("C", POWER_ONLINE),
            Property.HWADDR: lambda: pack("E", self._factory_eui64),
            Property.PHY_ENABLED: lambda: pack("b", radio.enabled),
            Property.PHY_CHAN: lambda: pack("C", radio.tuned_channel),
            Property.PHY_CHAN_SUPPORTED: lambda: channels,
            Property.PHY_CHAN_PREFERRED: lambda: channels,
            Property.PHY_FREQ: self._frequency,
            Property.PHY_CCA_THRESHOLD: lambda: pack("c", self._cca_dbm),
            Property.PHY_TX_POWER: lambda: pack("c", round(radio.tx_power_dbm)),
            Property.PHY_RSSI: self._rssi,
            Property.PHY_RX_SENSITIVITY: lambda: pack("c", SENSITIVITY_DBM),
            Property.MAC_SCAN_STATE: lambda: pack("C", self._scan.state),
            Property.MAC_SCAN_MASK: lambda: pack_list("C", self._scan.mask),
            Property.MAC_SCAN_PERIOD: lambda: pack("S", self._scan.period_ms),
            Property.MAC_15_4_LADDR: lambda: pack("E", radio.eui64),
            Property.MAC_15_4_SADDR: lambda: pack("S", radio.tuned_short),
            Property.MAC_15_4_PANID: lambda: pack("S", radio.tuned_pan),
            Property.MAC_RAW_STREAM_ENABLED: lambda: pack("b", self._stream_enabled),
            Property.MAC_PROMISCUOUS_MODE: lambda: pack("C", radio.mode),
            Property.MAC_RX_ON_WHEN_IDLE_MODE: lambda: pack("b", self._rx_when_idle),
            Property.RCP_API_VERSION: lambda: pack_uint(RCP_API_VERSION),
            Property.RCP_MIN_HOST_API_VERSION: lambda: pack_uint(RCP_MIN_HOST_API_VERSION),
            Property.RADIO_CAPS: lambda: pack_uint(RADIO_CAPABILITIES),
        }

    def _make_setters(self) -> dict[int, Setter]:
        radio = self.radio
        return {
            Property.PHY_ENABLED: self._set_enabled,
            Property.PHY_CHAN: self._set_channel,
            Property.PHY_CCA_THRESHOLD: self._set_cca_threshold,
            Property.PHY_TX_POWER: self._set_power,
            Property.MAC_SCAN_STATE: self._set_scan_state,
            Property.MAC_SCAN_MASK: self._set_scan_mask,
            Property.MAC_SCAN_PERIOD: self._set_scan_period,
            Property.MAC_15_4_LADDR: self._set_extended_address,
            Property.MAC_15_4_SADDR: self._set_short_address,
            Property.MAC_15_4_PANID: self._set_pan_id,
            Property.MAC_RAW_STREAM_ENABLED: self._set_stream_enabled,
            Property.MAC_PROMISCUOUS_MODE: self._set_promiscuous,
            Property.MAC_RX_ON_WHEN_IDLE_MODE: self._set_rx_when_idle,
            Property.MAC_SRC_MATCH_ENABLED: self._set_match_enabled,
            Property.MAC_SRC_MATCH_SHORT_ADDRESSES: self._set_match_table("S", radio.match_short),
            Property.MAC_SRC_MATCH_EXTENDED_ADDRESSES: self._set_match_table("E", radio.match_extended),
        }

    def _make_editors(self) -> dict[int, tuple[str, dict[int, None]]]:
        return {
            Property.MAC_SRC_MATCH_SHORT_ADDRESSES: ("S", self.radio.match_short),
            Property.MAC_SRC_MATCH_EXTENDED_ADDRESSES: ("E", self.radio.match_extended),
        }
