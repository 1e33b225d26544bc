"""One campaign from its options to its report: an installation is led through its lifecycle to where it rests.

A resumed campaign runs the same code again: it stands where the journal says, what is done is skipped, and what is in
doubt is settled by asking the world. A campaign that ends badly ends properly: the report says why and what to do.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from emulator.clock.kernel import Kernel
from emulator.clock.loop import run as run_virtually
from emulator.errors import EmulatorError, SurroundingsError
from emulator.eui64 import format_eui64
from firmware_catalog.errors import CatalogError
from harness.campaign.context import Context
from harness.campaign.enrol import ControllingKeys, HomeByWan, open_regime
from harness.campaign.problems import record
from harness.campaign.read_back import confirm_done
from harness.campaign.readiness.check import check_files
from harness.campaign.running import case_as_it_runs
from harness.campaign.stages import Foresight, HomeWork
from harness.errors import FolderInUseError, HarnessError, JournalError, NoticeRunsError
from harness.evidence.seal import close
from harness.facts.campaign import Ended, Planned, Problem, Stopped
from harness.facts.discovery import Found
from harness.facts.enrolment import EnrolmentResult
from harness.facts.firmware import TransferProgress
from harness.facts.terms import Severity, State, Verdict
from harness.head_end import HeadEnd
from harness.homes.device_memory import merge_memory
from harness.homes.ground import REHEARSED, Ground, ground_of
from harness.homes.injected import note_change
from harness.homes.rehearsal import World, kernel_for
from harness.journal import Entry, Journal, read_entries, told
from harness.progress import ProgressObserver, SilentProgress
from harness.regime.case import case_of
from harness.regime.dossier import Dossier
from harness.regime.driver import Stages, lead
from harness.regime.enrolment_result import result_of
from harness.regime.lifecycle import LOOKING, PLACES, RESTING
from harness.regime.stages import at_the_desk, migration
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
            _Campaign(workspace, kernel, journal, observer, ground).run(make_world)
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
    """One installation led through its lifecycle: at the desk as far as no device is needed, then at the home."""

    def __init__(
        self,
        workspace: Workspace,
        kernel: Kernel,
        journal: Journal,
        observer: ProgressObserver,
        ground: Ground,
    ) -> None:
        self._workspace = workspace
        self._installation = workspace.installation
        self._kernel = kernel
        self._journal = journal
        self._observer = observer
        self._ground = ground
        self._regime = open_regime(workspace, kernel, self._installation)
        self._regime.take_on(case_of(self._installation, {}))
        case = case_as_it_runs(self._installation, journal)
        self._dossier = Dossier(self._regime, journal, case)

    def run(self, make_world: MakeWorld) -> None:
        """Take the installation as far as it goes, and journal how it ended."""
        dry_run = self._workspace.request.dry_run
        foresight = Foresight(self._workspace.images, self._journal, look_only=dry_run)
        desk = {**at_the_desk(self._dossier, foresight.targets), State.DORMANT: foresight.foresee}
        stages = {state: stage for state, stage in desk.items() if not dry_run or _is_look(state)}
        # No device exists yet: days of notice cost nothing, except where time is the real world's.
        self._dossier.may_wait_days = not self._ground.real_time
        # What is closed when a home stops is closed by starting it again, though there is nothing left to do.
        killed_at_its_end = self._dossier.standing.state in RESTING and self._workspace.world_path.exists()
        if killed_at_its_end or run_virtually(self._led(stages), self._kernel):
            world = make_world(self._workspace, self._kernel)
            run_virtually(
                self._at_the_home(world, desk),
                self._kernel,
                pace=self._ground.pace,
                grace_s=self._ground.grace_s,
            )

    async def _at_the_home(self, world: World, desk: Stages) -> None:
        self._journal.before_outcome = lambda: self._settle(world)
        self._dossier.may_wait_days = self._ground.pace is None
        world.watch_faults(partial(note_change, self._journal))
        hub, limits = self._installation.hub.address, self._installation.record.limits
        head_end = HeadEnd(world.link, hub, ControllingKeys(self._regime, hub), limits=limits)
        head_end.on_control = lambda: self._settle(world)
        found = {each.subject: each for each in self._journal.facts(Found)}
        context = Context(self._installation, head_end, self._journal, self._workspace.images, found)
        self._dossier.world = HomeByWan(context)
        stages = {**desk, **HomeWork(context, self._dossier).stages(), **migration(self._dossier)}
        dry_run = self._workspace.request.dry_run
        stages = {state: stage for state, stage in stages.items() if not dry_run or _is_look(state)}
        try:
            if await self._led(stages, lambda: self._arrive(world, context)):
                self._end(Verdict.PLANNED, "")
        except BaseException:
            # What went wrong first is told, not what then cannot be left in order: a resume mends both.
            with suppress(SurroundingsError, JournalError, OSError):
                await world.stop()
            raise
        finally:
            head_end.close()
        await world.stop()

    async def _arrive(self, world: World, context: Context) -> None:
        """Bring the home up, and see that it is as the journal of a resumed run has it."""
        await world.start()
        self._settle(world)
        # A rotation of the hub's own keys in doubt is settled before anything is asked of it under either key.
        for controller in (self._regime.s1sp, self._regime.dco):
            await controller.settle(context.head_end.hub_eui64, context.head_end.send_control)
        if self._workspace.resumed:
            for planned in self._journal.facts(Planned):
                await confirm_done(context, self._regime, planned.plan)
        self._dossier.case = case_as_it_runs(self._installation, self._journal)

    def _settle(self, world: World) -> None:
        """Have the devices' memory on disk: nobody concludes from what they did before it cannot be undone."""
        world.sync(self._journal.last)

    async def _led(self, stages: Stages, arrive: Callable[[], Awaitable[None]] | None = None) -> bool:
        """Lead the installation as far as `stages` go; says whether it is left to others to lead it on."""
        try:
            state = await lead(self._dossier, stages, self._observer, arrive)
        except (FolderInUseError, JournalError, SurroundingsError):
            raise  # nothing can be written down then
        except NoticeRunsError as error:
            self._journal.write(Stopped(str(error)))
            return False
        except (HarnessError, CatalogError, EmulatorError) as error:
            self._stopped(error)
            return False
        if state not in RESTING:
            return True
        result = result_of(self._dossier)
        self._journal.checkpoint(f"installation {state}")
        self._journal.write(result)
        self._end(RESTING[state], self._reason(result))
        return False

    def _reason(self, result: EnrolmentResult) -> str:
        """Return why the installation rests where it does, empty for one that is commissioned."""
        if result.state is State.COMMISSIONED:
            return ""
        met = [problem.text for problem in result.problems] or [f"the installation rests as {result.state}"]
        return self._dossier.standing.reason or met[-1]

    def _end(self, verdict: Verdict, reason: str) -> None:
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


def _is_look(state: State) -> bool:
    """Say whether nobody is told anything and nothing is changed in a state: a dry run goes no further."""
    return PLACES[state].phase in LOOKING
