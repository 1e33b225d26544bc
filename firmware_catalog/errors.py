"""The exception family of the firmware catalogue."""


class CatalogError(Exception):
    """Something the catalogue refuses: the message names the thing, what was expected, and what to do."""
