"""The home area network as a picture: devices where they stand, their links, versions before and after."""

from __future__ import annotations

from typing import NamedTuple

from harness.report.markup import EMPTY, Html, element, join, text
from harness.report.model import CampaignReport, DeviceReport
from harness.report.placement import HEIGHT, RADIUS, WIDTH, Layout, lay_out
from harness.report.wording import device_model, device_name, moment
from hw_profiles.model import DeviceKind

_STRONG_LQI, _FAIR_LQI = 170, 100

_ICONS = {
    DeviceKind.CHF: "M12 12v9M8 21h8M8.3 9.6a5.2 5.2 0 0 1 7.4 0M5 6.3a9.8 9.8 0 0 1 14 0",
    DeviceKind.ESME: "M13 2.5 5.5 13.5h5.5l-1 8 8-12h-6z",
    DeviceKind.GSME: "M12 2.8c.8 4 5.2 5.6 5.2 11a5.2 5.2 0 0 1-10.4 0c0-2.2 1-3.6 2-4.6"
    ".3 1.7 1.1 2.6 2 2.8-.6-3.2-.3-6.6 1.2-9.2z",
    DeviceKind.IHD: "M3.5 4.5h17v12h-17zM8.5 20.5h7M12 16.5v4M7 13l3-3.5 3 2 4-4.5",
    DeviceKind.CAD: "M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0zM12 17v4.5",
}


def network_picture(report: CampaignReport) -> Html:
    """Return the inline SVG of the home area network."""
    pairs = _pairs(report.devices)
    layout = lay_out(
        report.devices,
        {device.eui64: _lines(device) for device in report.devices},
        ((pair.first, pair.second) for pair in pairs),
    )
    title = f"Home area network of {len(report.devices)} devices"
    return element(
        "svg",
        element("title", text(title)),
        _ground(),
        *(_link(report, pair, layout) for pair in pairs),
        *(_device(report, device, layout) for device in report.devices),
        *(_quality_label(pair, layout) for pair in pairs),
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        class_="network",
        role="img",
        aria_label=title,
    )


def _ground() -> Html:
    dots = element(
        "pattern",
        element("circle", cx=2, cy=2, r=1, class_="dot"),
        id="dots",
        width=20,
        height=20,
        patternUnits="userSpaceOnUse",
    )
    return join(
        element("defs", dots),
        element("rect", width=WIDTH, height=HEIGHT, rx=14, fill="url(#dots)"),
    )


class _Pair(NamedTuple):
    first: str
    second: str
    heard: tuple[tuple[str, int], ...]
    """(who reports, LQI)."""
    parental: bool
    lost: bool
    """One end did not answer when it was last asked: what was heard of the link is no longer so."""

    @property
    def quality(self) -> int | None:
        """The lower LQI of the two ends, None when neither reports one."""
        return min((lqi for _, lqi in self.heard), default=None)


def _pairs(devices: tuple[DeviceReport, ...]) -> list[_Pair]:
    heard: dict[tuple[str, str], list[tuple[str, int]]] = {}
    parental: dict[tuple[str, str], bool] = {}
    known = {device.eui64 for device in devices}
    silent = {device.eui64 for device in devices if device.silent_since_us is not None}
    for device in devices:
        for link in device.links:
            heard.setdefault(_ordered(device.eui64, link.peer), []).append((device.eui64, link.lqi))
        if device.parent is not None:
            parental[_ordered(device.eui64, device.parent)] = True
            heard.setdefault(_ordered(device.eui64, device.parent), [])
    return [
        _Pair(*ends, tuple(reports), parental.get(ends, False), not silent.isdisjoint(ends))
        for ends, reports in sorted(heard.items())
        if known.issuperset(ends)
    ]


def _ordered(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _link(report: CampaignReport, pair: _Pair, layout: Layout) -> Html:
    a, b = layout.places[pair.first], layout.places[pair.second]
    names = {device.eui64: device_name(device) for device in report.devices}
    quality = pair.quality
    tip = f"{names[pair.first]} - {names[pair.second]}" + (", parent and child" if pair.parental else "")
    tip += "".join(f"; {names[who]} {_verb(pair)} LQI {lqi}" for who, lqi in pair.heard)
    kind = "parental" if pair.parental else "sibling"
    return element(
        "g",
        element("title", text(tip)),
        element("line", x1=a.x, y1=a.y, x2=b.x, y2=b.y, stroke_width=_line_width(quality)),
        class_=f"link {kind} {'lost' if pair.lost else _quality_name(quality)}",
    )


def _verb(pair: _Pair) -> str:
    return "heard" if pair.lost else "hears"


def _line_width(quality: int | None) -> float:
    return 1.5 if quality is None else 1.5 + 4.0 * quality / 255


def _quality_name(quality: int | None) -> str:
    if quality is None:
        return "unknown"
    return "strong" if quality >= _STRONG_LQI else "fair" if quality >= _FAIR_LQI else "weak"


def _quality_label(pair: _Pair, layout: Layout) -> Html:
    if pair.quality is None or pair.lost:
        return EMPTY
    x, y = layout.free_place(pair.first, pair.second)
    return element(
        "g",
        element("rect", x=x - 19, y=y - 10, width=38, height=20, rx=10),
        element("text", text(pair.quality), x=x, y=y + 4, text_anchor="middle"),
        class_="quality",
    )


def _lines(device: DeviceReport) -> tuple[str, str, str]:
    """Return the words under a device: its name, the end of its address, its versions."""
    before, after = device.version_before or "?", device.version_after or "?"
    return (
        device_name(device),
        device.eui64[-11:],
        before if before == after else f"{before} \u2192 {after}",
    )


def _device(report: CampaignReport, device: DeviceReport, layout: Layout) -> Html:
    tip = f"{device_name(device)} {device.eui64}, {device_model(device)}"
    if device.inventory_status:
        tip += f"; {device.inventory_status}"
    silent = device.silent_since_us is not None
    if silent:
        tip += f"; silent since {moment(report, device.silent_since_us)}"
    place, words = layout.places[device.eui64], layout.words[device.eui64]
    changed = device.version_before != device.version_after
    kinds = ("name", "address", "version changed" if changed else "version")
    return element(
        "g",
        element("title", text(tip)),
        element("circle", r=RADIUS + 7, class_="halo"),
        element("circle", r=RADIUS, class_="body"),
        element("path", d=_ICONS[device.role], transform="translate(-16.8 -16.8) scale(1.4)"),
        _badge(device),
        *(
            element("text", text(line), x=words.x, y=y, text_anchor=words.anchor, class_=kind)
            for line, y, kind in zip(_lines(device), words.baselines(), kinds, strict=True)
        ),
        class_=f"device {device.role.value.lower()}{' silent' if silent else ''}",
        transform=f"translate({place.x:.1f} {place.y:.1f})",
    )


def _badge(device: DeviceReport) -> Html:
    """A tick when the device is where it should be, an exclamation mark when it is not."""
    if device.version_target is None and device.inventory_status != "Commissioned":
        return EMPTY
    good = device.version_target in (None, device.version_after)
    mark = "M-4.5 0.5 -1.3 3.7 4.7 -3.2" if good else "M0 -4.5V1M0 4.2V4.6"
    return element(
        "g",
        element("circle", r=10),
        element("path", d=mark),
        class_=f"badge {'good' if good else 'bad'}",
        transform="translate(23 -23)",
    )
