"""What is done to an installation and its devices in the states of its lifecycle that come before the migration."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.eui64 import format_eui64
from harness.campaign.batteries import note_batteries
from harness.campaign.configure import configure
from harness.campaign.context import Context
from harness.campaign.discovery import compare, discover, discover_topology
from harness.campaign.eligibility import NoPlanError, choose_plan, recorded_versions
from harness.campaign.enrol import prove_lock_out
from harness.campaign.problems import record
from harness.campaign.running import case_as_it_runs, running_versions
from harness.campaign.upgrade import upgrade
from harness.facts.campaign import Planned, Problem
from harness.facts.discovery import Topology
from harness.facts.plan import Plan
from harness.facts.terms import Event, Reading, Severity, State
from harness.journal import Journal
from harness.regime.case import inventory_version
from harness.regime.dossier import Dossier
from harness.regime.driver import Because, Performed, Stages
from harness.regime.preparation import Preparation
from harness.workspace.images import Images


class Foresight:
    """What the SMSO's data let expect, before any device is asked. `look_only` is a run that changes nothing."""

    def __init__(self, images: Images, journal: Journal, *, look_only: bool) -> None:
        self._images = images
        self._installation = images.installation
        self._journal = journal
        self._look_only = look_only

    async def foresee(self) -> Event:
        """Say whether a dormant home needs work; where that cannot be foreseen, its devices are asked first."""
        plan = None if self._look_only else self._plan()
        return Event.WORK_FORESEEN if plan is not None and plan.is_work else Event.LOOK_FIRST

    def targets(self) -> Mapping[str, str]:
        """Return the firmware that each device to be upgraded is to run, as the inventory writes it, by EUI-64."""
        plan, models = self._plan(), self._installation.models
        due = [] if plan is None else [device for device in plan.devices if device.hops]
        return {device.device: inventory_version(models[device.name], device.target) for device in due}

    def _plan(self) -> Plan | None:
        """Return the plan of this run, before there is one the plan for what the installation file says."""
        for planned in self._journal.facts(Planned):
            return planned.plan
        try:
            return choose_plan(self._installation, recorded_versions(self._installation), self._images)
        except NoPlanError:
            return None


class HomeWork:
    """The stages in which devices are asked, upgraded and configured."""

    def __init__(self, context: Context, dossier: Dossier) -> None:
        self._context = context
        self._dossier = dossier
        self._journal = context.journal
        self._installation = context.installation

    def stages(self) -> Stages:
        """Return the stage of each state."""
        return {
            State.ACTIVE: self.survey,
            State.UNSCHEDULED: self.survey,
            State.NOTICE_GIVEN: self.survey,
            State.ACTIVE_SURVEYED: self.plan_active,
            State.UNSCHEDULED_SURVEYED: self.plan_dormant,
            State.SURVEYED: self.plan_dormant,
            State.WORK_PLANNED: self.upgrade,
            State.UPGRADED: self.configure,
            State.PREPARED: self.check_again,
            State.KEYS_ROTATED: self.try_old_head_end,
        }

    async def survey(self) -> Event:
        """Ask every device what it is and runs, and who hears whom."""
        context = self._context
        await discover(self._installation, context.head_end, self._journal, context.found)
        if not any(self._journal.facts(Topology)):
            await discover_topology(context.head_end, self._journal, context.limits.topology_s)
        for problem in compare(self._installation, context.found):
            record(problem, self._journal)
        return Event.HOME_SURVEYED

    async def plan_dormant(self) -> Performed:
        """Choose a combination for what runs now and every device's way there."""
        if problem := self._wrong_model():
            return Because(Event.MODELS_DIFFER, because(problem))
        try:
            return self._planned(self._plan())
        except NoPlanError as error:
            for problem in error.problems:
                record(problem, self._journal)
            return Because(Event.NO_WAY, error.reason)

    async def plan_active(self) -> Performed:
        """See whether an active home is eligible as it runs, or will be with the image that its supplier gives."""
        if problem := self._wrong_model():
            return Because(Event.MODELS_DIFFER, because(problem))
        try:
            plan = self._plan()
        except NoPlanError as error:
            for problem in error.problems:
                record(problem, self._journal)
            return self._returned(error.reason)
        given = self._context.images.given
        for device in plan.devices:
            if any(given is None or hop.sha256 != given.sha256 for hop in device.hops):
                return self._returned(
                    f"the {device.name} device runs {device.current_display}, and {plan.combination} lists "
                    f"{device.target_display}"
                )
        return self._planned(plan)

    def _returned(self, cause: str) -> Because:
        problem = Problem(
            format_eui64(self._installation.hub.address),
            "The active installation forms no eligible combination",
            cause,
            "It goes back to its supplier, who has it upgraded or gives an image for it (--image): the DCC upgrades "
            "dormant installations only",
            Severity.ERROR,
        )
        record(problem, self._journal)
        return Because(Event.COMBINATION_UNLISTED, because(problem))

    def _wrong_model(self) -> Problem | None:
        """Return what says that a device is not the model it was taken for: no firmware is chosen for it then."""
        for problem in compare(self._installation, self._context.found):
            if problem.what.startswith("Unexpected") and problem.severity is Severity.ERROR:
                return problem
        return None

    def _plan(self) -> Plan:
        for planned in self._journal.facts(Planned):
            return planned.plan
        versions = recorded_versions(self._installation) | running_versions(self._installation, self._journal)
        return choose_plan(self._installation, versions, self._context.images)

    def _planned(self, plan: Plan) -> Event:
        if not any(self._journal.facts(Planned)):
            self._journal.write(Planned(plan))
        return Event.WORK_DUE if plan.is_work else Event.NOTHING_DUE

    async def upgrade(self) -> Performed:
        """Bring every device to its target, hop by hop."""
        await note_batteries(self._context, Reading.BEFORE)
        problems = await upgrade(self._context, self._plan().stages)
        await note_batteries(self._context, Reading.AFTER)
        return Because(Event.FIRMWARE_NOT_DONE, because(problems[0])) if problems else Event.FIRMWARE_DONE

    async def configure(self) -> Performed:
        """Make every device's configuration what the sequences say."""
        problem = await configure(self._context)
        return Event.CONFIGURED if problem is None else Because(Event.NOT_CONFIGURED, because(problem))

    async def check_again(self) -> Event:
        """Look up in the list what the devices say they run now."""
        self._dossier.case = case_as_it_runs(self._installation, self._journal)
        return await Preparation(self._dossier).check_combination()

    async def try_old_head_end(self) -> Event:
        """Have the old head end see that the hub obeys it no more."""
        await prove_lock_out(self._context, self._dossier.regime)
        return Event.OLD_HEAD_END_TRIED


def because(problem: Problem) -> str:
    """Return a problem as the reason for an end."""
    return f"{problem.what} ({problem.cause})"
