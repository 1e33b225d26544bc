"""The exception family of the firmware catalogue."""


class CatalogError(Exception):
    """Something the catalogue refuses: the message names the thing, what was expected, and what to do."""

    exit_status = 2


class CatalogStorageError(CatalogError):
    """The catalogue's folder cannot be written: disk full, permission missing, or in use."""

    exit_status = 3
