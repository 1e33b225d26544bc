"""What lets a reader check the report: signed files, the journal's head, the capture, and the event log."""

from __future__ import annotations

from urllib.parse import quote

from harness.facts.enrolment import HandedOver
from harness.report.markup import EMPTY, Html, element, join, text
from harness.report.model import CampaignReport, TimelineEntry
from harness.report.wording import moment, octets, subject_name
from harness.run_folder import CAPTURE_FILE, EXCHANGE_FOLDER


def file_chain(report: CampaignReport) -> Html:
    """Return the exchanged files in order, each with its sender and receiver."""
    items = [_file(each) for each in report.files]
    return element("ol", *items, class_="files") if items else EMPTY


def _file(file: HandedOver) -> Html:
    return element(
        "li",
        element(
            "p",
            element("strong", text(file.sender)),
            text(" \u2192 "),
            element("strong", text(file.receiver)),
            class_="between",
        ),
        element("p", _link(f"{EXCHANGE_FOLDER}/{file.name}", file.name), class_="name"),
        element("code", text(f"{file.sha256[:16]}\u2026"), title=f"sha256 {file.sha256}"),
        class_="card",
    )


def _link(path: str, words: str) -> Html:
    """Return a link to something beside the page in the run folder."""
    return element("a", text(words), href=quote(path))


def evidence_box(report: CampaignReport) -> Html:
    """Return the hashes and the command that checks them."""
    entries = "entry" if report.journal_entries == 1 else "entries"
    facts = [(text(f"Journal head, {report.journal_entries} {entries}"), report.journal_head or "no journal")]
    if report.capture is not None:
        size = f", {report.capture.frames} frames, {octets(report.capture.octets)}"
        if report.capture.full:
            size += ", its limit: later frames are not in it"
        facts.append((join(_link(CAPTURE_FILE, "Capture"), text(size)), report.capture.sha256))
    return element(
        "div",
        element(
            "dl",
            *(join(element("dt", title), element("dd", element("code", text(v)))) for title, v in facts),
        ),
        element("p", text("Anyone with the run folder can check the chain, the signatures and this report:")),
        element("pre", text("smets1 verify DIR")),
        class_="card evidence",
    )


def event_log(report: CampaignReport) -> Html:
    """Return the whole timeline as a table, folded; with the frame on the air where there is a capture."""
    if not report.timeline:
        return EMPTY
    framed = any(entry.frame is not None for entry in report.timeline)
    headings = ("When (UTC)", "Where", "Phase", "What", *(("Frame",) if framed else ()))
    head = element("tr", *(element("th", text(each), scope="col") for each in headings))
    rows = [_event(report, entry, framed) for entry in report.timeline]
    table = element("table", element("thead", head), element("tbody", *rows), class_="log")
    summary = element("summary", text(f"{len(rows)} event{'' if len(rows) == 1 else 's'}"))
    return element("details", summary, element("div", table, class_="scrolling"), class_="card")


def _event(report: CampaignReport, entry: TimelineEntry, framed: bool) -> Html:
    frame = text("" if entry.frame is None else entry.frame)
    return element(
        "tr",
        element("td", text(moment(report, entry.at_us)), class_="when"),
        element("td", text(subject_name(report, entry.subject))),
        element("td", text(entry.phase), class_="quiet"),
        element("td", text(entry.text), class_="what"),
        element("td", frame, class_="frame") if framed else EMPTY,
        class_=entry.severity.value,
    )
