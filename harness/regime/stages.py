"""What the parties do in each state of a lifecycle; what is done to the home's devices, the campaign adds."""

from __future__ import annotations

from harness.facts.terms import State
from harness.regime.attempts import Attempts
from harness.regime.commissioning import Commissioning
from harness.regime.cut_over import CutOver
from harness.regime.dossier import Dossier
from harness.regime.driver import Stages
from harness.regime.notice import Notice, Targets
from harness.regime.preparation import Preparation
from harness.regime.viability import Viability


def at_the_desk(dossier: Dossier, targets: Targets) -> Stages:
    """Return the stages for which no device needs to be there."""
    preparation, notice = Preparation(dossier), Notice(dossier, targets)
    return {
        State.DISCOVERED: preparation.classify,
        State.INELIGIBLE: notice.notify,
        State.FIRMWARE_SCHEDULED: notice.wait,
    }


def migration(dossier: Dossier) -> Stages:
    """Return the stages of a migration, from an eligible home to a commissioned one."""
    preparation, viability, attempts = Preparation(dossier), Viability(dossier), Attempts(dossier)
    cut_over, commissioning = CutOver(dossier), Commissioning(dossier)
    return {
        State.ELIGIBLE: preparation.notify_migration,
        State.MIGRATION_SCHEDULED: preparation.authorise,
        State.AUTHORISED: preparation.issue_common_file,
        State.COMMON_FILE_SENT: preparation.validate,
        State.COMMON_VALIDATED: viability.issue_group_files,
        State.GROUP_FILES_RECEIVED: viability.test_devices,
        State.COMMON_REJECTED: attempts.consider,
        State.NOT_VIABLE: attempts.consider,
        State.RETRY_PAUSED: attempts.pause,
        State.DEFERRED: attempts.next_day,
        State.VIABLE: cut_over.transfer_control,
        State.CUT_OVER: cut_over.rotate_keys,
        State.LOCK_OUT_TRIED: commissioning.request_commissioning,
        State.COMMISSIONING: commissioning.commission,
        State.CERTIFICATES_AWAITED: commissioning.place_late_certificates,
    }
