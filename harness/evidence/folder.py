"""Every file of a run folder against the seal in its journal: altered, missing and added ones are named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from emulator.errors import FrameError
from harness.evidence.finding import Finding, stated
from harness.evidence.record import Record
from harness.evidence.seal import capture_summary
from harness.facts.files import CaptureSummary
from harness.report.frames import Frames
from harness.run_folder import CAPTURE_FILE, INPUTS_FOLDER, NOT_A_FILE, RUN_FILE, digests_of, sealable


def check_folder(record: Record) -> Iterator[Finding]:
    """Yield a line for each file that is not as sealed; of a run that is under way, only its inputs are known."""
    if record.sealed is not None:
        found = sealable(record.folder)
        yield from stated(
            "files", differences(record.sealed.files, found), f"{len(found)} as they were sealed"
        )
        yield from _capture(record)
    else:
        yield Finding(
            "files", None, "not sealed before the run ends or stops; only its inputs can be checked"
        )
        inputs = {
            f"{INPUTS_FOLDER}/{name}": digest
            for name, digest in digests_of(record.folder / INPUTS_FOLDER).items()
        }
        begun = {f"{INPUTS_FOLDER}/{name}": digest for name, digest in record.begun.inputs.items()}
        yield from stated("inputs", differences(begun, inputs), f"{len(begun)} files, as when the run began")
    yield from stated(RUN_FILE, _request(record), "says what the journal says")


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    """Yield, by name, what was altered, is missing or was added."""
    for name in sorted({*expected, *found}):
        if name not in found:
            yield f"{name}: missing"
        elif name not in expected:
            yield f"{name}: added since"
        elif found[name] == NOT_A_FILE:
            yield f"{name}: {NOT_A_FILE}"
        elif found[name] != expected[name]:
            yield f"{name}: altered, SHA-256 is {found[name]}"


def _request(record: Record) -> Iterator[str]:
    path = record.folder / RUN_FILE
    if not path.is_file():
        yield "missing"
    elif path.read_bytes() != record.begun.request.to_json().encode():
        yield "does not say what the journal says"


def _held(summary: CaptureSummary | None) -> str:
    if summary is None:
        return "nothing"
    return f"{summary.frames} frames, {summary.octets} octets, SHA-256 {summary.sha256}"


def _capture(record: Record) -> Iterator[Finding]:
    sealed = None if record.sealed is None else record.sealed.capture
    path, begun = record.folder / CAPTURE_FILE, record.begun
    try:
        frames = Frames.read(path, begun.epoch_unix_seconds)
    except FrameError as error:
        yield Finding(CAPTURE_FILE, False, str(error))
        return
    found = capture_summary(path, begun.request.capture_limit, frames)
    if found != sealed:
        yield Finding(CAPTURE_FILE, False, f"holds {_held(found)}, sealed with {_held(sealed)}")
    elif found is not None:
        yield Finding(CAPTURE_FILE, True, f"{found.frames} frames, {found.octets} octets, as reported")
