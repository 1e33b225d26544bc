"""`smets1 verify` and `smets1 report`: proving a run folder, and rendering its report again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from harness.command.main import DONE, ENDED_WITHOUT, EXIT_STATUSES
from harness.evidence.verification import verify_run
from harness.files import write_atomically
from harness.report.html import render_html
from harness.report.stored import read_report
from harness.run_folder import REPORT_HTML_FILE

_VERIFY_EPILOG = f"""\
examples:
  smets1 verify out/demo
  smets1 verify out/demo --trust 1f2e...
  smets1 verify out/demo --json

Nothing is changed. Checked are: the journal's hash chain, order and signatures; that no irreversible act happened
twice; that the report, made again from the journal, is the report to the octet; that every file of the folder is as
it was when the run was signed, none missing and none added; that each exchanged file is signed and answers the
one it names. A run that has not ended is checked as far as it goes ("open").

The folder alone shows that nothing was damaged. Who signed it shows --trust, with the fingerprint of a key that you
know: run with --signing-key, and compare SHA-256 over the key's DER form (openssl pkey -pubout -outform DER).

{EXIT_STATUSES}"""

_SIGNS = {True: "ok  ", False: "FAIL", None: "open"}

_REPORT_EPILOG = f"""\
examples:
  smets1 report out/demo                         makes out/demo/report.html again
  smets1 report report.json --html page.html

{EXIT_STATUSES}"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `verify` and `report` commands."""
    verify = subparsers.add_parser(
        "verify",
        help="prove a run: journal, signatures, files, report",
        description="Prove that a run folder holds together.",
        epilog=_VERIFY_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verify.add_argument("folder", type=Path, metavar="DIR", help="the run folder")
    verify.add_argument(
        "--trust", metavar="FINGERPRINT", help="the key that must have signed the run, as verify prints it"
    )
    verify.add_argument("--json", action="store_true", help="machine-readable output")
    verify.set_defaults(handler=handle_verify)
    report = subparsers.add_parser(
        "report",
        help="make report.html again from report.json",
        description="Render report.html from report.json.",
        epilog=_REPORT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("source", type=Path, metavar="DIR|report.json", help="the run folder or the report")
    report.add_argument("--html", type=Path, metavar="FILE", help="where to write (beside the report)")
    report.set_defaults(handler=handle_report)


def handle_verify(arguments: argparse.Namespace) -> int:
    """Print every finding; status 1 when one does not hold, or cannot be said before the run ends."""
    findings = verify_run(arguments.folder, arguments.trust)
    if arguments.json:
        print(json.dumps([finding._asdict() for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{_SIGNS[finding.holds]}  {finding.subject}: {finding.detail}")
    return DONE if all(finding.holds for finding in findings) else ENDED_WITHOUT


def handle_report(arguments: argparse.Namespace) -> int:
    """Write the page, whole or not at all."""
    source: Path = arguments.source
    page = render_html(read_report(source))
    beside = source if source.is_dir() else source.parent
    target: Path = arguments.html or beside / REPORT_HTML_FILE
    write_atomically(target, page.encode())
    print(f"open {target}")
    return DONE
