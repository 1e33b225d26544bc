"""Everything that can be known before a campaign begins; nothing is written and no device is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.campaign.readiness.finding import Finding, NotReadyError, Weight, of_message
from harness.campaign.readiness.firmware import check_firmware
from harness.campaign.readiness.regime import check_regime
from harness.campaign.readiness.scenario import check_faults
from harness.campaign.readiness.sequences import check_sequences
from harness.facts.plan import Plan
from harness.workspace.images import Images
from hw_profiles.errors import ProfileError
from hw_profiles.installation import Installation, load_installation


@dataclass(frozen=True, slots=True)
class Readiness:
    """Every finding, the gravest first; `plan` is from what the installation file says runs, when there is one.

    `images` are those looked at, None when the catalogue could not be opened.
    """

    findings: tuple[Finding, ...]
    plan: Plan | None = None
    images: Images | None = None

    def of(self, weight: Weight) -> tuple[Finding, ...]:
        """Return the findings of one weight."""
        return tuple(finding for finding in self.findings if finding.weight is weight)

    def require(self) -> None:
        """Raise `NotReadyError` with every finding that refuses the campaign, when there is one."""
        if refused := self.of(Weight.REFUSED):
            raise NotReadyError(refused)


def check_files(
    path: Path,
    model_folders: Sequence[Path] = (),
    image: Path | None = None,
    catalogue_memory: Path | None = None,
) -> Readiness:
    """Check an installation file with all that it names, as a run with these options would begin from it."""
    try:
        installation = load_installation(path, model_folders)
    except ProfileError as error:
        return Readiness((of_message(str(error)),))
    return check(installation, image, catalogue_memory)


def check(
    installation: Installation, image: Path | None = None, catalogue_memory: Path | None = None
) -> Readiness:
    """Check an installation that could be read, and the image given for it."""
    firmware = check_firmware(installation, image, catalogue_memory)
    found = (
        *firmware.findings,
        *check_sequences(installation, firmware.plan),
        *check_regime(installation),
        *check_faults(installation),
    )
    return Readiness(_by_weight(found), firmware.plan, firmware.images)


def _by_weight(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    order = tuple(Weight)
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: order.index(finding.weight)))
