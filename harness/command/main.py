"""The `smets1` command.

Each sub-command is registered by the module that owns it, imported only when it is asked for. A sub-command
sets `handler`, a callable from the parsed arguments to the exit status. `main` is the error boundary: every
expected failure becomes one line on standard error and a documented exit status, never a traceback.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, NoReturn, TextIO

from emulator.errors import EmulatorError
from firmware_catalog.errors import CatalogError
from harness.command import streams
from harness.errors import HarnessError
from harness.product import product_version
from hw_profiles.errors import ProfileError

DONE, ENDED_WITHOUT, BAD_INPUT, ENVIRONMENT, DEFECT, INTERRUPTED = 0, 1, 2, 3, 4, 130
TRACEBACK_VARIABLE = "SMETS1_TRACEBACK"

EXIT_STATUSES = """\
exit status:
  0    done; for `run`: commissioned (or planned, with --dry-run); for `verify`: everything holds
  1    the campaign ended without full enrolment, or the verification failed
  2    bad input: an option, a file, an image, an identifier; the message says which
  3    surroundings: folder in use, disk full, permission missing
  4    a defect in smets1 itself (SMETS1_TRACEBACK=1 shows where)
  130  interrupted; `smets1 run --resume DIR` continues
"""

_EXAMPLES = """\
examples:
  smets1 demo
  smets1 verify out/demo
  smets1 run home.toml --out out/home
  smets1 run home.toml --dry-run
  smets1 run --resume out/home

"""


class Command(NamedTuple):
    """One sub-command: its name, one line about it, and the module whose `register` adds it."""

    name: str
    summary: str
    module: str


COMMANDS = (
    Command("run", "upgrade, configure and enrol one installation", "harness.command.run"),
    Command("demo", "upgrade, configure and enrol the example installation", "harness.command.demo"),
    Command("check", "check an installation and all it names before a run", "harness.command.check"),
    Command("verify", "prove a run: journal, signatures, files, report", "harness.command.verify"),
    Command("report", "make report.html again from report.json", "harness.command.verify"),
    Command(
        "emulate",
        "put an installation's devices on the air, with a dongle for any host",
        "harness.command.emulate",
    ),
    Command("radios", "list the dongles attached, and what each can do", "harness.command.radios"),
    Command(
        "preflight",
        "check radio, installation and surroundings before first contact with a real meter",
        "harness.command.preflight",
    ),
    Command("models", "list the device models that can be emulated", "harness.command.models"),
    Command(
        "catalog", "keep the firmware images and the evidence of their field use", "firmware_catalog.command"
    ),
)


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like every other error of the command."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, then exit with status 2."""
        print(f"smets1: error: {message}; see: {self.prog} --help", file=sys.stderr)
        raise SystemExit(BAD_INPUT)


def build_parser(arguments: Sequence[str]) -> Parser:
    """Return the parser; only the sub-command named in `arguments` is loaded, others are a line of help."""
    parser = Parser(
        prog="smets1",
        description="Rehearse and drive the upgrade and enrolment of dormant SMETS1 installations.",
        epilog=_EXAMPLES + EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"smets1 {product_version()}")
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    asked = next((word for word in arguments if not word.startswith("-")), None)
    loaded: set[str] = set()
    wanted = next((command.module for command in COMMANDS if command.name == asked), None)
    for command in COMMANDS:
        if command.module != wanted:
            subparsers.add_parser(command.name, help=command.summary)
        elif command.module not in loaded:
            loaded.add(command.module)
            import_module(command.module).register(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status. The error boundary."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    streams.prepare()
    if os.environ.get(TRACEBACK_VARIABLE) == "1":
        return _dispatch(words, argparse.Namespace())
    options = argparse.Namespace()
    try:
        status = _dispatch(words, options)
        sys.stdout.flush()
        return _with_lost_output(status)
    except KeyboardInterrupt:
        return _complain("stopped", _resumption(options), INTERRUPTED)
    except Exception as error:
        status, message = explain(error)
        resumption = _resumption(options) if status >= ENVIRONMENT else None
        for line in error.lines if isinstance(error, HarnessError) else (message,):
            _complain(line, resumption, status)
        return status


def _with_lost_output(status: int) -> int:
    """Say what kept output from where it was to go; a reader of a pipe that has had enough is none of that."""
    lost = streams.lost()
    if lost is None:
        return status
    _complain(f"standard output: {lost.strerror}; what was to be shown there is missing", None, ENVIRONMENT)
    return status or ENVIRONMENT


def _dispatch(words: Sequence[str], options: argparse.Namespace) -> int:
    """Parse `words` into `options`, which the boundary reads too, and run the sub-command."""
    build_parser(words).parse_args(words, namespace=options)
    handler: Callable[[argparse.Namespace], int] = options.handler
    return handler(options)


def explain(error: Exception) -> tuple[int, str]:
    """Return the exit status and the one line for an error that reached the boundary."""
    if isinstance(error, HarnessError):
        return error.exit_status, str(error)
    if isinstance(error, CatalogError | ProfileError | EmulatorError):
        return getattr(error, "exit_status", BAD_INPUT), str(error)
    if isinstance(error, OSError):
        return ENVIRONMENT, _surroundings(error)
    if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
        return ENVIRONMENT, f"database: {error}; check free space and permissions of the folder"
    kind = type(error).__name__
    return DEFECT, f"defect in smets1: {kind}: {error}; run again with {TRACEBACK_VARIABLE}=1 and report it"


_OS_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EACCES: "choose another folder or change its permissions",
    errno.EPERM: "choose another folder or change its permissions",
    errno.EROFS: "choose a folder that can be written",
    errno.EISDIR: "give the name of a file",
    errno.ENOTDIR: "a part of this path is a file; choose another",
    errno.ENOENT: "check the path",
}


def _surroundings(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    what = error.strerror or str(error)
    advice = _OS_ADVICE.get(error.errno or 0, "check the device and the path")
    return f"{where}{what}; {advice}"


def _resumption(options: argparse.Namespace) -> str | None:
    """The command that resumes the run, when its folder holds a journal from which that can be done."""
    from harness.run_folder import JOURNAL_FILE

    folder = getattr(options, "run_folder", None)
    there = isinstance(folder, Path) and (folder / JOURNAL_FILE).exists()
    return str(options.resume_with) if there else None


def _complain(message: str, resumption: str | None, status: int, stream: TextIO | None = None) -> int:
    line = re.sub(r"\s*\n\s*", " ", message.strip())
    if resumption is not None:
        line += f"; resume with: {resumption}"
    prefix = "smets1: " if status == INTERRUPTED else "smets1: error: "
    print(f"{prefix}{line}", file=stream or sys.stderr)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
