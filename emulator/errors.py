"""The exception family of the emulator."""


class EmulatorError(Exception):
    """Base of every error the emulator raises on purpose."""


class FrameError(EmulatorError):
    """Octets that are not a well-formed frame; the message names the layer, the offset and what was expected."""


class SecurityError(EmulatorError):
    """A frame that failed authentication, decryption, or replay checks."""


class CryptoError(EmulatorError):
    """A key, point, certificate or install code that is not valid."""


class NonVolatileError(EmulatorError):
    """Non-volatile state that cannot be read or written; `exit_status` is that of failing surroundings."""

    exit_status = 3


class CaptureError(EmulatorError):
    """A capture that cannot be written; `exit_status` is that of failing surroundings."""

    exit_status = 3
