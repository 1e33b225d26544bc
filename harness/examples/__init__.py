"""Installations that come with the product: to run as they are, and to copy from."""

from __future__ import annotations

from pathlib import Path

DORMANT_SEMI = Path(__file__).parent / "dormant-semi" / "installation.toml"
"""A dormant house, whose two meters need three images of the catalogue beside it."""
EMI_PUBLIC_IMAGE = Path(__file__).parent / "emi-public-image" / "installation.toml"
"""A meter with the OTA identity of a public image, which is not part of the product."""
