"""The exception family of the emulator."""


class EmulatorError(Exception):
    """Base of every error the emulator raises on purpose."""


class FrameError(EmulatorError):
    """Octets that are not a well-formed frame; the message names the layer, the offset and what was expected."""


class RecordError(EmulatorError):
    """A record that is not what its type says; names the field."""


class SecurityError(EmulatorError):
    """A frame that failed authentication, decryption, or replay checks."""


class CryptoError(EmulatorError):
    """A key, point, certificate or install code that is not valid."""


class SurroundingsError(EmulatorError):
    """The machine under the emulation failed it, such as a disk that is full: what is emulated then is void.

    It ends a run wherever it happens, and is never an answer of a device.
    """

    exit_status = 3


class NonVolatileError(SurroundingsError):
    """Non-volatile state that cannot be read or written."""


class CaptureError(SurroundingsError):
    """A capture that cannot be written."""
