"""The exception family of the hardware profiles."""


class ProfileError(Exception):
    """A profile, installation or sequence that is not valid; the message is one line that says what to do."""
