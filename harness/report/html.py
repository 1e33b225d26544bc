"""`report.html`: one self-contained page that shows what a campaign did.

It fetches nothing (and forbids itself to, by its content security policy), needs no script to be read, and
depends on the report alone, so the same report gives the same page.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Template

from harness.facts.terms import Severity, Verdict
from harness.report.evidence import event_log, evidence_box, file_chain
from harness.report.markup import EMPTY, Html, element, join, text
from harness.report.model import CampaignReport, DeviceReport, TransferReport
from harness.report.outcome import (
    admissions,
    certificates,
    configuration,
    exceptions,
    obligations,
    versions,
)
from harness.report.picture import network_picture
from harness.report.plots import mark_class, transfer_plot
from harness.report.timeline import timeline_picture
from harness.report.wording import VERDICTS, device_model, device_name, duration, moment, octets, subject_name

_TONES = {
    Verdict.COMMISSIONED: "good",
    Verdict.ELECTRICITY_ONLY: "partly",
    Verdict.PLANNED: "neutral",
    Verdict.RETURNED: "partly",
    Verdict.NOT_MIGRATED: "bad",
    Verdict.STOPPED: "bad",
}


def render_html(report: CampaignReport) -> str:
    """Return the whole page."""
    body = join(
        _header(report),
        element("main", *_sections(report)),
        _footer(report),
    )
    title = f"{report.installation_id}: {VERDICTS[report.result][0]}"
    return Template(_asset("page.html")).substitute(
        title=text(title), style=_asset("report.css"), script=_asset("report.js"), body=body
    )


@cache
def _asset(name: str) -> str:
    return (files("harness.report") / "assets" / name).read_text(encoding="utf-8")


def section(title: str, lead: str, *content: Html, kind: str = "") -> Html:
    """Return one titled section, or nothing when all of its content is empty."""
    if not any(content):
        return EMPTY
    return element(
        "section",
        element("h2", text(title)),
        element("p", text(lead), class_="lead") if lead else EMPTY,
        *content,
        class_=kind or None,
    )


def _sections(report: CampaignReport) -> tuple[Html, ...]:
    return (
        section(
            "What needs attention",
            "",
            exceptions(report),
            obligations(report),
            kind="attention",
        ),
        _network(report),
        section(
            "Timeline",
            "Bars are phases and transfers, dots are what happened: point at one to read it. The time axis is "
            "stretched where things begin and end; ticks carry true times (UTC).",
            _scrolling(timeline_picture(report)),
        ),
        section("Firmware transfers", "", _transfers(report)),
        section("Versions", "", versions(report)),
        section("Firmware admitted", "On whose word each image went to a dormant home.", admissions(report)),
        section("Configuration", "", configuration(report)),
        section(
            "Certificates",
            "Whose certificate each meter now holds, and who supplied it.",
            certificates(report),
        ),
        section("Signed files exchanged", "", file_chain(report)),
        section("Evidence", "", evidence_box(report)),
        section("Everything that happened", "", event_log(report)),
    )


def _scrolling(content: Html) -> Html:
    return element("div", content, class_="scrolling") if content else EMPTY


def _header(report: CampaignReport) -> Html:
    headline, meaning = VERDICTS[report.result]
    numbers = f"MPAN {report.mpan}" + (f" · MPRN {report.mprn}" if report.mprn else "")
    return element(
        "header",
        element(
            "div",
            element(
                "p",
                text(f"SMETS1 installation {report.installation_id}"),
                element("span", text(numbers)),
                class_="eyebrow",
            ),
            element("h1", element("i", class_="seal", aria_hidden="true"), text(headline)),
            element("p", text(report.result_reason or meaning), class_="meaning"),
            element("dl", *_figures(report), class_="figures"),
            element("p", text(f"Operated until now by {report.previous_head_end}"), class_="formerly")
            if report.previous_head_end
            else EMPTY,
            class_="inside",
        ),
        class_=f"verdict {_TONES[report.result]}",
    )


def _figures(report: CampaignReport) -> tuple[Html, ...]:
    due = [device for device in report.devices if device.version_target is not None]
    done = [device for device in due if device.version_after == device.version_target]
    moved = sum(transfer.hop.octets for transfer in report.transfers if transfer.ended_us is not None)
    serious = [each for each in report.exceptions if each.severity in (Severity.WARNING, Severity.ERROR)]
    return (
        _figure(f"{len(done)} of {len(due)}", "devices on target firmware"),
        _figure(duration(report.ended_us - report.started_us), "of network time"),
        _figure(octets(moved), "of firmware carried"),
        _figure(str(len(serious)), "exception" if len(serious) == 1 else "exceptions"),
        _figure(str(len(report.obligations)), "still owed"),
    )


def _figure(value: str, label: str) -> Html:
    return element("div", element("dt", text(label)), element("dd", text(value)))


def _network(report: CampaignReport) -> Html:
    if not report.devices:
        return EMPTY
    legend = element(
        "p",
        element("span", text("parent and child"), class_="key parental"),
        element("span", text("hears"), class_="key sibling"),
        _silent_key(report),
        text("A number on a line is the lower LQI of the two ends, 0-255."),
        class_="legend",
    )
    picture = element("figure", network_picture(report), element("figcaption", legend))
    cards = element("div", *(_device_card(report, device) for device in report.devices), class_="devices")
    return section("The home area network", "", element("div", picture, cards, class_="network-and-devices"))


def _silent_key(report: CampaignReport) -> Html:
    if all(device.silent_since_us is None for device in report.devices):
        return EMPTY
    return element("span", text("not heard any more"), class_="key lost")


def _inventory(device: DeviceReport) -> str:
    firmware = f", firmware {device.inventory_firmware}" if device.inventory_firmware else ""
    return f"{device.inventory_status}{firmware}"


def _device_card(report: CampaignReport, device: DeviceReport) -> Html:
    facts = [
        ("Model", device_model(device)),
        ("SMETS", device.smets_version),
        ("Reached through", subject_name(report, device.parent) if device.parent else ""),
        ("Controlled by", device.control_owner),
        ("Inventory", _inventory(device)),
        ("Battery", _battery(device)),
        ("Silent since", moment(report, device.silent_since_us) if device.silent_since_us else ""),
        ("Off the air", duration(int(device.off_air_seconds * 1e6)) if device.off_air_seconds else ""),
    ]
    return element(
        "article",
        element("h3", text(device_name(device))),
        element("code", text(device.eui64)),
        element(
            "dl",
            *(join(element("dt", text(k)), element("dd", text(v))) for k, v in facts if v),
            _endpoints(device),
            class_="facts",
        ),
        class_=f"card device-card {device.role.value.lower()}",
    )


def _battery(device: DeviceReport) -> str:
    before, after = device.battery_before_percent, device.battery_after_percent
    if before is None and after is None:
        return ""
    shown = ["unknown" if value is None else f"{value:.1f} %" for value in (before, after)]
    return " \u2192 ".join(shown)


def _endpoints(device: DeviceReport) -> Html:
    if not device.endpoints:
        return EMPTY
    names = ", ".join(f"{each.number} {each.device}" for each in device.endpoints)
    lines = [
        element("div", text(f"{each.number} {way}: {', '.join(clusters)}"))
        for each in device.endpoints
        for way, clusters in (("serves", each.server_clusters), ("uses", each.client_clusters))
        if clusters
    ]
    folded = element("details", element("summary", text(names)), *lines)
    return join(element("dt", text("Endpoints")), element("dd", folded))


def _transfers(report: CampaignReport) -> Html:
    cards = [_transfer_card(report, transfer) for transfer in report.transfers]
    return element("div", *cards, class_="transfers") if cards else EMPTY


def _transfer_card(report: CampaignReport, transfer: TransferReport) -> Html:
    ended = transfer.ended_us
    roles = {device.eui64: device.role.value.lower() for device in report.devices}
    held = transfer.progress[-1][1] if transfer.progress else 0
    facts = [
        ("Image", f"{transfer.hop.name}, {octets(transfer.hop.octets)}"),
        (
            "Time",
            duration(ended - transfer.started_us) if ended is not None else f"stopped at {octets(held)}",
        ),
        ("Rate", f"{transfer.octets_per_second:.1f} B/s"),
        ("Carried", f"{octets(transfer.octets_carried)} in {transfer.blocks} blocks"),
        (
            "Repeated",
            ", ".join(f"{n} \u00d7 {cause}" for cause, n in sorted(transfer.retries.items())) or "nothing",
        ),
        ("Activated", _activated(report, transfer)),
        ("Frames", _frames(transfer)),
    ]
    kinds = "".join(sorted({f"{mark.kind}\n" for mark in transfer.marks})).split("\n")[:-1]
    return element(
        "article",
        element(
            "h3",
            text(subject_name(report, transfer.device)),
            element("span", text(f"{transfer.hop.from_display} \u2192 {transfer.hop.display}"), class_="hop"),
            element("span", text(transfer.result), class_="result") if transfer.result else EMPTY,
        ),
        transfer_plot(report, transfer),
        element("p", *(_mark_key(kind) for kind in kinds), class_="legend") if kinds else EMPTY,
        element(
            "dl",
            *(join(element("dt", text(k)), element("dd", text(v))) for k, v in facts if v),
            class_="facts",
        ),
        element("code", text(f"sha256 {transfer.hop.sha256}"), class_="hash"),
        class_=f"card transfer {roles.get(transfer.device, '')}",
    )


def _activated(report: CampaignReport, transfer: TransferReport) -> str:
    words = moment(report, transfer.activation_actual_us)
    silent = transfer.off_air_seconds
    return words if silent is None else f"{words}, off the air for {duration(int(silent * 1e6))}"


def _frames(transfer: TransferReport) -> str:
    first, last = transfer.first_frame, transfer.last_frame
    return "" if first is None or last is None else f"{first} to {last} of the capture"


def _mark_key(kind: str) -> Html:
    return element("span", text(kind), class_=f"key mark-{mark_class(kind)}")


def _footer(report: CampaignReport) -> Html:
    return element(
        "footer",
        text(
            f"smets1 {report.product_version} · seed {report.seed} · radio {report.radio} · "
            f"{moment(report, report.started_us)} to {moment(report, report.ended_us)} UTC, network time"
        ),
    )
