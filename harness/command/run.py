"""`smets1 run`: from the command line to `RunOptions`, and from the report to the exit status."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from firmware_catalog.memory import state_folder
from harness.command.arguments import (
    add_installation,
    add_json,
    add_models,
    add_seed,
    add_speed,
    moniker,
    octets,
    require_file,
    require_folders,
)
from harness.command.main import DONE, ENDED_WITHOUT, EXIT_STATUSES
from harness.command.stopping import stop_when_asked
from harness.command.streams import write_document
from harness.command.terminal import close, progress_for
from harness.errors import FolderInUseError, HarnessError
from harness.facts.terms import Verdict
from harness.homes.reality import DECLARATION, DECLARATION_HELP
from harness.progress import ProgressObserver
from harness.report.model import CampaignReport
from harness.run_folder import JOURNAL_FILE, REPORT_HTML_FILE
from harness.workspace.options import INPROC_RADIO, RunOptions

_EPILOG = f"""\
examples:
  smets1 run home.toml
  smets1 run home.toml --image meter.zigbee --seed 7 --out out/seven
  smets1 run home.toml --dry-run            what would be done, without doing it
  smets1 run home.toml --radio tcp:127.0.0.1:6638 --bench --speed 20     meters of smets1 emulate, in another process
  smets1 run --resume out/seven             continue after Ctrl-C, a crash or a full disk

The run folder receives: the journal, the signed files the parties exchanged, the capture with its keys for
Wireshark, report.json and report.html.

{EXIT_STATUSES}"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `run` command."""
    parser = subparsers.add_parser(
        "run",
        help="upgrade, configure and enrol one installation",
        description="Discover, plan, upgrade, configure and enrol one installation, and report on it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_installation(parser, "the installation to migrate", optional=True)
    add("--image", type=Path, metavar="FILE", help="an OTA image to use instead of the catalogue's choice")
    add_seed(parser)
    add("--out", type=Path, metavar="DIR", help="the run folder (out/NAME of the installation)")
    add(
        "--signing-key",
        type=Path,
        metavar="FILE",
        help="PEM file of the P-256 key that signs the journal (a rehearsal key that anybody can make)",
    )
    add("--dry-run", action="store_true", help="discover and plan, change nothing")
    add_json(parser, "no progress; report.json on standard output")
    add(
        "--radio",
        default=INPROC_RADIO,
        metavar="WHERE",
        help="inproc: (default), wire:, pty:[PATH], tcp:[HOST:PORT], serial:/dev/...",
    )
    add_speed(
        parser,
        "virtual seconds per second with a radio elsewhere; smets1 emulate --speed must be the same",
    )
    add(DECLARATION, dest="bench", action="store_true", help=DECLARATION_HELP)
    add("--overwrite-network", action="store_true", help="a dongle may lose a network of somebody else")
    air = parser.add_mutually_exclusive_group()
    air.add_argument("--no-capture", action="store_true", help="do not capture the air")
    air.add_argument(
        "--capture-limit", type=octets, metavar="SIZE", help="end the capture at SIZE octets, as 100M"
    )
    add("--resume", type=Path, metavar="DIR", help="continue the run in this folder")
    add_models(parser)
    parser.set_defaults(handler=handle)


def options_of(arguments: argparse.Namespace) -> RunOptions:
    """Return the checked options; raises `HarnessError` naming the option that cannot be used."""
    installation, resume = arguments.installation, arguments.resume
    if (installation is None) == (resume is None):
        raise HarnessError("run: expected either INSTALLATION.toml or --resume DIR; see: smets1 run --help")
    _check_files(arguments)
    return RunOptions(
        installation=installation,
        out=resume or arguments.out or Path("out") / _name(installation),
        image=arguments.image,
        seed=arguments.seed,
        signing_key=arguments.signing_key,
        dry_run=arguments.dry_run,
        json=arguments.json,
        radio=arguments.radio,
        speed=arguments.speed,
        bench=arguments.bench,
        overwrite_network=arguments.overwrite_network,
        resume=resume,
        catalogue_memory=state_folder(os.environ),
        model_folders=tuple(arguments.models),
        capture=not arguments.no_capture,
        capture_limit=arguments.capture_limit,
    )


def _check_files(arguments: argparse.Namespace) -> None:
    require_file("INSTALLATION.toml", arguments.installation)
    require_file("--image", arguments.image)
    require_folders(arguments.models)
    moniker("--radio", arguments.radio)
    _check_folder(arguments)


def _check_folder(arguments: argparse.Namespace) -> None:
    resume, out = arguments.resume, arguments.out
    if resume is not None:
        if out is not None and out != resume:
            raise HarnessError("--out: a resumed run stays in its folder; leave --out away")
        if arguments.no_capture or arguments.capture_limit is not None:
            raise HarnessError("--resume: a resumed run goes on with its own capture; leave the option away")
        if not (resume / JOURNAL_FILE).is_file():
            raise HarnessError(f"--resume: {resume}: holds no journal; give the folder of a stopped run")
        return
    folder = out or Path("out") / _name(arguments.installation)
    if folder.name in ("", ".."):
        raise HarnessError(
            f"--out: {folder}: expected the name of a folder to be made; give one, as out/home"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderInUseError(
            f"--out: {folder} is not empty; choose another, or continue it: smets1 run --resume {folder}"
        )


def _name(installation: Path) -> str:
    """The run's name: the file's, or its folder's when the file is just called installation.toml."""
    plain = installation.stem == "installation"
    return installation.resolve().parent.name if plain else installation.stem


def handle(arguments: argparse.Namespace) -> int:
    """Run the campaign, show it, and say where the report is."""
    options = options_of(arguments)
    arguments.run_folder = options.out
    arguments.resume_with = resume_command(options)
    stop_when_asked()
    progress = progress_for(sys.stdout, silent=options.json)
    try:
        report = _run(options, progress)
    finally:
        close(progress)
    if options.json:
        write_document(report.to_json())
    elif (options.out / REPORT_HTML_FILE).exists():
        print(f"\nopen {options.out / REPORT_HTML_FILE}\ncheck it: smets1 verify {options.out}")
    return status_of(report)


def resume_command(options: RunOptions) -> str:
    """Return the command that continues this run: run folders remember inputs and radio, not how to reach it."""
    words = ["smets1", "run", "--resume", str(options.out)]
    if options.resume is not None and options.radio != INPROC_RADIO:
        words += ["--radio", options.radio]
    if options.speed != 1.0:
        words += ["--speed", f"{options.speed:g}"]
    words += ["--bench"] * options.bench + ["--json"] * options.json
    return shlex.join(words)


def _run(options: RunOptions, progress: ProgressObserver) -> CampaignReport:
    from harness.campaign import runner

    return runner.run(options, progress)


def status_of(report: CampaignReport) -> int:
    """Return 0 for a commissioned installation and for a plan, else 1."""
    return DONE if report.result in (Verdict.COMMISSIONED, Verdict.PLANNED) else ENDED_WITHOUT
