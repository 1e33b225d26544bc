"""`smets1 check`: everything that can be known before a run, from its files alone."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

from firmware_catalog.memory import state_folder
from harness.campaign.readiness.check import Readiness, check_files
from harness.campaign.readiness.finding import Weight
from harness.command.arguments import add_installation, add_json, add_models, require_file, require_folders
from harness.command.main import BAD_INPUT, DONE, ENDED_WITHOUT, EXIT_STATUSES
from harness.facts.plan import DevicePlan, Plan
from hw_profiles.records import encode

_EPILOG = f"""\
examples:
  smets1 check home.toml
  smets1 check home.toml --image meter.zigbee
  smets1 check home.toml --json

No folder is made and no device is asked. `smets1 run` begins with the same checks: what is refused here never
begins there, and what is foreseen ends there without enrolment, with a report that says why.

{EXIT_STATUSES}"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `check` command."""
    parser = subparsers.add_parser(
        "check",
        help="check an installation and all it names, before anything irreversible",
        description="Check everything that can be known of a run before it begins.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_installation(parser, "the installation to check")
    parser.add_argument("--image", type=Path, metavar="FILE", help="an OTA image that the run would be given")
    add_models(parser)
    add_json(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Check, print every finding and the plan; the gravest finding is the status."""
    require_file("INSTALLATION.toml", arguments.installation)
    require_file("--image", arguments.image)
    require_folders(arguments.models)
    memory = state_folder(os.environ)
    readiness = check_files(arguments.installation, arguments.models, arguments.image, memory)
    if arguments.json:
        print(json.dumps(as_json(readiness), indent=1))
    else:
        for line in lines(readiness):
            print(line)
    return status_of(readiness)


def status_of(readiness: Readiness) -> int:
    """Return 2 when a run would be refused, 1 when it would end without enrolment, else 0."""
    if readiness.of(Weight.REFUSED):
        return BAD_INPUT
    return ENDED_WITHOUT if readiness.of(Weight.FORESEEN) else DONE


def as_json(readiness: Readiness) -> dict[str, object]:
    """Return findings and plan as data."""
    return {
        "ready": status_of(readiness) == DONE,
        "findings": [encode(finding) for finding in readiness.findings],
        "plan": None if readiness.plan is None else encode(readiness.plan),
    }


def lines(readiness: Readiness) -> Iterator[str]:
    """Yield a line for each finding, then the plan."""
    for finding in readiness.findings:
        yield f"{finding.weight:<9} {finding.line}"
    if readiness.plan is not None:
        yield from plan_lines(readiness.plan)
    if status_of(readiness) == DONE:
        yield "ready: nothing that can be known beforehand stands against this run"


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield where each device is to go, hop by hop."""
    yield f"planned   combination {plan.combination}, {len(plan.steps)} configuration steps"
    for device in plan.devices:
        yield f"planned   {device.name}: {_way(device)}"


def _way(device: DevicePlan) -> str:
    if not device.hops:
        return f"stays on {device.current_display}"
    hops = ", then ".join(f"{hop.display} ({hop.name}, {hop.octets} octets)" for hop in device.hops)
    return f"{device.current_display} to {device.target_display}: {hops}"
