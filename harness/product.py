"""What the installed product calls itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def product_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("smets1-han")
    except PackageNotFoundError:
        return "unknown"
