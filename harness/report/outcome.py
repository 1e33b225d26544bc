"""What came of it: versions, configuration steps, certificates, obligations and exceptions, as markup."""

from __future__ import annotations

from collections.abc import Sequence

from harness.facts.enrolment import Placement
from harness.facts.plan import Admitted
from harness.facts.terms import CertificateRole, StepResult
from harness.report.markup import EMPTY, Html, element, join, text
from harness.report.model import (
    CampaignReport,
    ConfigurationResult,
    DeviceReport,
    Obligation,
    ReportedException,
)
from harness.report.wording import device_name, moment, subject_name, versions_on_the_way

_CERTIFICATE_NAMES = {
    CertificateRole.SUPPLIER: "Supplier",
    CertificateRole.NETWORK_OPERATOR: "Distribution network operator",
    CertificateRole.GAS_TRANSPORTER: "Gas transporter",
}
_STEP_SIGNS = {
    StepResult.APPLIED: "\u2713",
    StepResult.ALREADY: "=",
    StepResult.SKIPPED: "\u2013",
    StepResult.FAILED: "\u2717",
    StepResult.PENDING: "\u2026",
}
_STEP_WORDS = {StepResult.ALREADY: "already so", StepResult.PENDING: "not reached"}


def versions(report: CampaignReport) -> Html:
    """Return one row a device: the version before, the path, the version after."""
    rows = [
        _version_row(device) for device in report.devices if device.version_before or device.version_after
    ]
    if not rows:
        return EMPTY
    headings = ("Device", "Before", "Path", "Target", "After")
    head = element("tr", *(element("th", text(each), scope="col") for each in headings))
    table = element("table", element("thead", head), element("tbody", *rows), class_="versions")
    return element("div", table, class_="scrolling card")


def _version_row(device: DeviceReport) -> Html:
    if device.version_target is None:
        state, target = "kept", "no change due"
    else:
        state = "reached" if device.version_after == device.version_target else "missed"
        target = device.version_target
    hops = [element("span", text(each), class_="hop") for each in versions_on_the_way(device)]
    after = element("span", text(device.version_after or "unknown"), class_=f"badge {state}")
    return element(
        "tr",
        element("th", text(device_name(device)), scope="row"),
        element("td", text(device.version_before or "unknown")),
        element("td", *hops, class_="hops"),
        element("td", text(target)),
        element("td", after),
        class_=device.role.value.lower(),
    )


def admissions(report: CampaignReport) -> Html:
    """Return one row an image: its hash, who provides it, the evidence of its use, who approved it, what is waived."""
    rows = [_admission_row(device, each) for device in report.devices for each in device.admitted]
    if not rows:
        return EMPTY
    headings = (
        "Device",
        "Version",
        "SHA-256",
        "Provided by",
        "Evidence of field use",
        "Approved by",
        "Waived",
    )
    head = element("tr", *(element("th", text(each), scope="col") for each in headings))
    table = element("table", element("thead", head), element("tbody", *rows), class_="admissions")
    return element("div", table, class_="scrolling card")


def _admission_row(device: DeviceReport, admitted: Admitted) -> Html:
    grounds = admitted.grounds
    provider = grounds.supplier or "nobody"
    adopted = f", adopted by {grounds.adopted_by}" if grounds.adopted_by else ""
    cells = (
        admitted.display,
        provider + adopted,
        grounds.evidence or "none",
        grounds.approver or "nobody",
        "; ".join(grounds.waived) or "nothing",
    )
    version, *rest = (element("td", text(each)) for each in cells)
    digest = element("code", text(admitted.sha256[:16]), title=admitted.sha256)
    return element(
        "tr", element("th", text(device_name(device)), scope="row"), version, element("td", digest), *rest
    )


def configuration(report: CampaignReport) -> Html:
    """Return the configuration steps of each device that had any."""
    cards = [
        element(
            "article",
            element("h3", text(device_name(device))),
            element("ul", *(_step(step) for step in device.configuration), class_="steps"),
            *_providers(device.configuration),
            class_=f"card {device.role.value.lower()}",
        )
        for device in report.devices
        if device.configuration
    ]
    return element("div", *cards, class_="columns") if cards else EMPTY


def _providers(steps: Sequence[ConfigurationResult]) -> list[Html]:
    """Return who provided the steps, each name once."""
    names = dict.fromkeys(step.provided_by for step in steps if step.provided_by)
    return [element("p", text("as provided by " + "; ".join(names)), class_="quiet")] if names else []


def _step(step: ConfigurationResult) -> Html:
    return element(
        "li",
        element("i", text(_STEP_SIGNS[step.result]), class_="sign", title=step.result.value),
        element(
            "div",
            element("strong", text(step.step)),
            element("small", text(f"{step.action}, {_STEP_WORDS.get(step.result, step.result.value)}")),
            element("span", text(step.detail)) if step.detail else EMPTY,
        ),
        class_=step.result.value,
    )


def certificates(report: CampaignReport) -> Html:
    """Return one tile for each certificate and device."""
    tiles = [_certificate(report, each) for each in report.certificates]
    return element("div", *tiles, class_="columns narrow") if tiles else EMPTY


def _certificate(report: CampaignReport, placement: Placement) -> Html:
    state = "placed" if placement.placed else "absent"
    origin = "supplied by the Responsible Supplier" if placement.placed else ""
    return element(
        "article",
        element("span", text("placed" if placement.placed else "not placed"), class_=f"badge {state}"),
        element("h3", text(_CERTIFICATE_NAMES[placement.role])),
        element("p", text(f"on the {subject_name(report, placement.device).lower()}"), class_="on"),
        element("p", text(placement.holder)) if placement.holder else EMPTY,
        *(element("p", text(words), class_="quiet") for words in (origin, placement.reason) if words),
        class_=f"card certificate {state}",
    )


def obligations(report: CampaignReport) -> Html:
    """Return what is still owed, by whom and by when."""
    items = [_obligation(report, each) for each in report.obligations]
    return element("div", *items, class_="notes") if items else EMPTY


def _obligation(report: CampaignReport, obligation: Obligation) -> Html:
    due = f"due {moment(report, obligation.due_us)}" if obligation.due_us is not None else "no date set"
    return element(
        "article",
        element("h3", text(obligation.what)),
        element("p", text(f"Owed by {obligation.owner}, {due}")),
        class_="note owed",
    )


def exceptions(report: CampaignReport) -> Html:
    """Return every exception with its cause and what to do."""
    items = [_exception(report, each) for each in report.exceptions]
    return element("div", *items, class_="notes") if items else EMPTY


def _exception(report: CampaignReport, exception: ReportedException) -> Html:
    where = f"{subject_name(report, exception.subject)}, {moment(report, exception.at_us)}"
    return element(
        "article",
        element("h3", text(exception.what)),
        element("p", text(where), class_="quiet"),
        element(
            "dl",
            join(element("dt", text("Cause")), element("dd", text(exception.cause))),
            join(element("dt", text("What to do")), element("dd", text(exception.action))),
        ),
        class_=f"note {exception.severity.value}",
    )
