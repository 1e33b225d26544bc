"""The exception family of the hardware profiles."""


class ProfileError(Exception):
    """A profile, installation or sequence that is not valid; the message is one line that says what to do."""


class FileRefusedError(ProfileError):
    """A path whose content is not read: absent, not a regular file, or larger than its kind may be."""
