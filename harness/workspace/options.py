"""What the person at the keyboard asked a run to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

INPROC_RADIO = "inproc:"
"""The in-process radio: the emulated home, no hardware and no socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of one `smets1 run`; exactly one of `installation` and `resume` is given."""

    installation: Path | None
    """The installation file (TOML), or None when resuming."""
    out: Path
    """The run folder; equal to `resume` when resuming."""
    image: Path | None = None
    """An OTA file to offer instead of what the catalogue would choose."""
    seed: int = 1
    """Seed of all randomness and of all rehearsal keys."""
    signing_key: Path | None = None
    """A PEM file with the P-256 key that signs the journal, None for the rehearsal key that the seed makes."""
    dry_run: bool = False
    """Discover and plan, then stop before the first effect on a device."""
    json: bool = False
    """Machine-readable output: no progress display, the report on standard output."""
    radio: str = INPROC_RADIO
    """Where the radio is, see `emulator.coordinator.monikers`; resuming with the default keeps the run's own."""
    speed: float = 1.0
    """Virtual seconds per real second when the radio is elsewhere; what is behind it must go as fast."""
    bench: bool = False
    """Whether everything a radio elsewhere reaches is emulated or keyed for rehearsal: no real installation."""
    overwrite_network: bool = False
    """Whether a dongle may lose a network that is somebody else's."""
    resume: Path | None = None
    """The folder of a stopped run to continue."""
    catalogue_memory: Path | None = None
    """Where what was seen of catalogues is kept, so that an older state is refused; None keeps nothing."""
    capture: bool = True
    """Whether the air is captured."""
    capture_limit: int | None = None
    """Octets at which the capture ends; None for no limit."""
    model_folders: tuple[Path, ...] = ()
    """Folders with device model files, searched before the shipped ones."""
