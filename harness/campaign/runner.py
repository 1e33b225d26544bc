"""One campaign from its options to its report: bring up, discover, plan, upgrade, configure, enrol.

A resumed campaign runs the same code again: what the journal has as done is skipped, what it has in doubt is settled by
asking the world. A campaign that ends badly ends properly: the report says why and what to do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from emulator.clock.kernel import Kernel
from emulator.clock.loop import run as run_virtually
from emulator.errors import EmulatorError, SurroundingsError
from emulator.eui64 import format_eui64
from firmware_catalog.errors import CatalogError
from harness.campaign.batteries import note_batteries
from harness.campaign.configure import configure
from harness.campaign.context import Context
from harness.campaign.discovery import compare, discover, discover_topology
from harness.campaign.eligibility import make_plan
from harness.campaign.enrol import ControllingKeys, case_as_upgraded, enrol_installation, open_regime
from harness.campaign.problems import CampaignEnd, record
from harness.campaign.read_back import confirm_done
from harness.campaign.readiness.check import check_files
from harness.campaign.upgrade import upgrade
from harness.errors import FolderInUseError, HarnessError, JournalError
from harness.evidence.seal import close
from harness.facts.campaign import Ended, PhaseFinished, PhaseStarted, Planned, Problem, Stopped
from harness.facts.discovery import Found, Topology
from harness.facts.firmware import TransferProgress
from harness.facts.plan import Plan
from harness.facts.terms import Reading, Severity, State, Verdict
from harness.head_end import HeadEnd
from harness.homes.device_memory import merge_memory
from harness.homes.ground import REHEARSED, Ground, ground_of
from harness.homes.injected import note_change
from harness.homes.rehearsal import World, kernel_for
from harness.journal import Entry, Journal, read_entries, told
from harness.progress import ProgressObserver, SilentProgress
from harness.regime.world import Regime
from harness.report.assembly import assemble
from harness.report.model import CampaignReport
from harness.report.narrative import Narrator
from harness.report.stored import read_report
from harness.report.wording import named_device
from harness.run_folder import unsettled
from harness.workspace.options import RunOptions
from harness.workspace.workspace import Workspace
from hw_profiles.installation import Installation

MakeWorld = Callable[[Workspace, Kernel], World]
OnAppend = Callable[[Entry], None]

_VERDICTS = {
    State.COMMISSIONED: Verdict.COMMISSIONED,
    State.ELECTRICITY_ONLY: Verdict.ELECTRICITY_ONLY,
}


def run(options: RunOptions, observer: ProgressObserver | None = None) -> CampaignReport:
    """Run or resume the campaign that the options ask for, and return its report, which is written too.

    Raises `NotReadyError` for a campaign that must not begin, with everything that stands against it, and another
    `HarnessError` for a folder or radio that it cannot begin with; then nothing was touched and nothing is left.
    """
    observer = observer or SilentProgress()
    if options.resume is None:
        assert options.installation is not None
        ground = ground_of(options, options.radio)
        readiness = check_files(
            options.installation, options.model_folders, options.image, options.catalogue_memory
        )
        readiness.require()
        ground.require_there()
        workspace = Workspace.create(options, real_time=ground.real_time)
        if readiness.images is not None:
            workspace.images.take_verdicts(readiness.images)
        return run_workspace(workspace, ground.world, observer, ground=ground)
    workspace = Workspace.resume(options.resume, options.signing_key)
    report = finished_report(workspace)
    if report is None:
        ground = ground_of(options, workspace.request.radio)
        return run_workspace(workspace, ground.world, observer, ground=ground)
    observer.event(report.ended_us, "campaign", "This run had finished already; nothing was changed")
    observer.finished(report)
    return report


def finished_report(workspace: Workspace) -> CampaignReport | None:
    """Return the report of a run that has nothing left to do, read without writing; None for any other.

    A database that is not one file is left to do, where something can be written.
    """
    if not workspace.report_path.exists():
        return None
    if unsettled(workspace.folder) and os.access(workspace.folder, os.W_OK):
        return None
    entries = read_entries(workspace.journal_path)
    if not any(told(entries, Ended)):
        return None
    report = read_report(workspace.folder)
    return report if report.journal_head == entries[-1].hash.hex() else None


def run_workspace(
    workspace: Workspace,
    make_world: MakeWorld,
    observer: ProgressObserver,
    on_append: OnAppend = lambda entry: None,
    ground: Ground = REHEARSED,
) -> CampaignReport:
    """Run a campaign in its folder against a world; `on_append` hears of each journal entry once it is on disk."""
    kernel = kernel_for(workspace, real_time=ground.real_time)
    with workspace.open_journal(kernel) as journal:
        teller = _Teller(observer, workspace.installation)
        for earlier in journal.entries():
            teller.hear(earlier)

        def appended(entry: Entry) -> None:
            on_append(entry)
            teller.tell(entry)

        journal.on_append = appended
        if any(journal.facts(Ended)):
            merge_memory(workspace)
        else:
            campaign = _Campaign(workspace, kernel, journal, observer)
            run_virtually(
                campaign.run(make_world(workspace, kernel)), kernel, pace=ground.pace, grace_s=ground.grace_s
            )
        frames = close(journal, workspace.folder)
        report = assemble(workspace.installation, list(journal.entries()), frames)
    workspace.write_report(report)
    observer.finished(report)
    return report


class _Teller:
    """Passes journal entries on to whoever watches."""

    def __init__(self, observer: ProgressObserver, installation: Installation) -> None:
        self._observer = observer
        self._narrator = Narrator(installation)
        self._names = {
            (name := format_eui64(entry.address)): named_device(entry.role, name)
            for entry in installation.record.devices
        }

    def hear(self, entry: Entry) -> None:
        """Take in what was told in an earlier run."""
        self._narrator.tell(entry.sequence, entry.fact)

    def tell(self, entry: Entry) -> None:
        subject = self._names.get(entry.subject, entry.subject)
        fact = entry.fact
        if isinstance(fact, TransferProgress):
            label = self._narrator.version(entry.subject, fact.version)
            self._observer.transfer(subject, label, fact.offset, fact.size, entry.time_us)
            return
        sentence = self._narrator.tell(entry.sequence, fact)
        if sentence is not None:
            self._observer.event(entry.time_us, subject, sentence.text, sentence.severity)


class _Campaign:
    """The phases of one campaign."""

    def __init__(
        self, workspace: Workspace, kernel: Kernel, journal: Journal, observer: ProgressObserver
    ) -> None:
        self._workspace = workspace
        self._installation = workspace.installation
        self._kernel = kernel
        self._journal = journal
        self._observer = observer

    async def run(self, world: World) -> None:
        """Take the installation as far as it goes, and journal how it ended."""
        self._journal.before_outcome = lambda: self._settle(world)
        world.watch_faults(partial(note_change, self._journal))
        try:
            await self._course(world)
        except BaseException:
            # What went wrong first is told, not what then cannot be left in order: a resume mends both.
            with suppress(SurroundingsError, JournalError, OSError):
                await world.stop()
            raise
        await world.stop()

    async def _course(self, world: World) -> None:
        with self._stopping():
            with self._phase("install"):
                await world.start()
            self._settle(world)
            regime = open_regime(self._workspace, self._kernel, self._installation)
            regime.take_on(case_as_upgraded(self._installation, {}))
            hub = self._installation.hub.address
            head_end = HeadEnd(
                world.link,
                hub,
                ControllingKeys(regime, hub),
                limits=self._installation.record.limits,
            )
            head_end.on_control = lambda: self._settle(world)
            try:
                await self._to_the_end(head_end, regime)
            finally:
                head_end.close()

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Make an end for now of whatever keeps the campaign from going on: a home that does not come up, silence."""
        try:
            yield
        except (FolderInUseError, JournalError, SurroundingsError):
            raise  # nothing can be written down then
        except (HarnessError, CatalogError, EmulatorError) as error:
            self._stopped(error)

    def _settle(self, world: World) -> None:
        """Have the devices' memory on disk: nobody concludes from what they did before it cannot be undone."""
        world.sync(self._journal.last)

    async def _to_the_end(self, head_end: HeadEnd, regime: Regime) -> None:
        try:
            # A rotation of the hub's own keys in doubt is settled before anything is asked of it under either key.
            for controller in (regime.s1sp, regime.dco):
                await controller.settle(head_end.hub_eui64, head_end.send_control)
            verdict, reason = await self._phases(head_end, regime)
        except CampaignEnd as end:
            verdict, reason = end.verdict, end.reason
        self._journal.before_outcome()
        self._journal.write(Ended(verdict, reason))

    def _stopped(self, error: HarnessError | CatalogError | EmulatorError) -> None:
        """End for now: nothing is decided about the installation, and `--resume` goes on."""
        self._journal.before_outcome()
        problem = Problem(
            format_eui64(self._installation.hub.address),
            "The campaign stopped before its end",
            str(error),
            "Remove the cause, then resume the run: smets1 run --resume DIR",
            Severity.ERROR,
        )
        record(problem, self._journal)
        self._journal.write(Stopped(str(error)))

    async def _phases(self, head_end: HeadEnd, regime: Regime) -> tuple[Verdict, str]:
        found = await self._discover(head_end)
        context = Context(self._installation, head_end, self._journal, self._workspace.images, found)
        plan = self._plan(context)
        if self._workspace.request.dry_run:
            return Verdict.PLANNED, ""
        if self._workspace.resumed:
            await confirm_done(context, regime, plan)
        with self._phase("upgrade"):
            await note_batteries(context, Reading.BEFORE)
            problems = await upgrade(context, plan.stages)
            await note_batteries(context, Reading.AFTER)
            if problems:
                raise CampaignEnd(Verdict.NOT_MIGRATED, _because(problems[0]))
        with self._phase("configure"):
            problem = await configure(context)
            if problem is not None:
                raise CampaignEnd(Verdict.NOT_MIGRATED, _because(problem))
        with self._phase("enrol"):
            return await self._enrol(context, regime, plan)

    async def _discover(self, head_end: HeadEnd) -> dict[str, Found]:
        with self._phase("discover"):
            already = {found.subject: found for found in self._journal.facts(Found)}
            found = await discover(self._installation, head_end, self._journal, already)
            if not any(self._journal.facts(Topology)):
                await discover_topology(head_end, self._journal, self._installation.record.limits.topology_s)
            for problem in compare(self._installation, found):
                record(problem, self._journal)
            return found

    def _plan(self, context: Context) -> Plan:
        with self._phase("plan"):
            for planned in self._journal.facts(Planned):
                return planned.plan
            self._refuse_wrong_models(context)
            plan = make_plan(self._installation, context.found, context.images, self._journal)
            self._journal.write(Planned(plan))
            return plan

    def _refuse_wrong_models(self, context: Context) -> None:
        """Stop before any firmware is chosen for a device that is not the model it was taken for."""
        for problem in compare(self._installation, context.found):
            if problem.what.startswith("Unexpected") and problem.severity is Severity.ERROR:
                raise CampaignEnd(Verdict.NOT_MIGRATED, _because(problem))

    async def _enrol(self, context: Context, regime: Regime, plan: Plan) -> tuple[Verdict, str]:
        versions = {device.name: device.target for device in plan.devices}
        result = await enrol_installation(context, regime, case_as_upgraded(self._installation, versions))
        verdict = _VERDICTS.get(result.state, Verdict.NOT_MIGRATED)
        if verdict is Verdict.COMMISSIONED:
            return verdict, ""
        causes = [problem.text for problem in result.problems] or [f"the enrolment rests as {result.state}"]
        return verdict, causes[-1]

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self._journal.write(PhaseStarted(name))
        self._observer.phase_started(name)
        try:
            yield
        except SurroundingsError:
            raise  # nothing can be written down then
        except (CampaignEnd, HarnessError, CatalogError, EmulatorError) as error:
            self._end_phase(name, str(error))
            raise
        self._end_phase(name, "done")

    def _end_phase(self, name: str, result: str) -> None:
        self._journal.write(PhaseFinished(name, result))
        self._observer.phase_finished(name, result)


def _because(problem: Problem) -> str:
    return f"{problem.what} ({problem.cause})"
