"""Configuration steps against the models they are for: attributes, types, values, clusters and firmware."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from emulator.devices.attributes import TYPE_IDS
from emulator.smart_energy.clusters import CLUSTERS
from emulator.zcl.identifiers import OTA_UPGRADE
from harness.campaign.readiness.finding import Finding
from harness.facts.plan import Plan
from hw_profiles.attribute_values import INTEGERS, ConfigurationAttribute, expected_instead
from hw_profiles.bounds import Scalar, shown
from hw_profiles.installation import DeviceEntry, Installation
from hw_profiles.model import DeviceKind, Model
from hw_profiles.sequence import Action, Condition, Step

_MANUFACTURERS_OWN = 0x8000
"""Attributes from here on are not of the cluster's own specification (Smart Energy has its sets below)."""


class _Attribute(NamedTuple):
    """An attribute of a device that a step names: where, of which type, and the model's entry when it has one."""

    cluster: int
    attribute: int
    type: str
    known: ConfigurationAttribute | None = None


_Search = Generator[Finding, None, _Attribute | None]
"""Yields why there is no such attribute, or returns it."""


class _Place(NamedTuple):
    """Where in the sequence's file something is said, for which device, with which value running at the end."""

    key: str
    entry: DeviceEntry
    model: Model
    target: str | None
    """The firmware planned for the device, as people call it; None when there is no plan."""

    def found(self, key: str, value: object, expected: str, advice: str = "correct the sequence") -> Finding:
        """Return a finding about one key of the step."""
        return Finding(f"{self.key}.{key}", shown(value), f"{expected} (for {self.entry.name})", advice)


def check_sequences(installation: Installation, plan: Plan | None) -> Iterator[Finding]:
    """Yield every step that some device it is for could not be given, or that could never hold."""
    targets = {} if plan is None else {device.name: device.target_display for device in plan.devices}
    for name, sequence in zip(installation.record.sequences, installation.sequences, strict=True):
        for index, step in enumerate(sequence.steps):
            if step.target is None:
                continue
            for entry in installation.targets(step.target):
                key = f"{installation.path.parent / name}: steps[{index}]"
                place = _Place(key, entry, installation.models[entry.name], targets.get(entry.name))
                yield from _step(place, step)
    yield from _doubled(installation)


def _doubled(installation: Installation) -> Iterator[Finding]:
    """The journal knows a step by its sequence's id and its own, so that of two alike the second would be skipped."""
    seen: dict[str, str] = {}
    for name, sequence in zip(installation.record.sequences, installation.sequences, strict=True):
        if sequence.id in seen:
            place = f"{installation.path.parent / name}: id"
            expected = f"an id of its own; {seen[sequence.id]} has it"
            yield Finding(place, shown(sequence.id), expected, "rename one, or list each sequence once")
        seen[sequence.id] = name


def _step(place: _Place, step: Step) -> Iterator[Finding]:
    if place.entry.role is DeviceKind.CHF and not _asks_firmware_alone(step):
        expected = "a device behind the hub: of a hub itself only its firmware can be checked"
        yield place.found("target", step.target, expected)
        return
    attribute: _Attribute | None = None
    if step.action is Action.WRITE_ATTRIBUTE:
        attribute = yield from _written(place, step)
    elif step.action is Action.SEND_COMMAND:
        yield from _served(place, "cluster", step.cluster)
    wrong: list[Finding] = []
    for key in _CONDITIONS:
        condition: Condition | None = getattr(step, key)
        if condition is not None:
            wrong += _condition(place, key, condition)
    yield from wrong
    if attribute is not None and not wrong and step.verification is not None:
        yield from _contradicted(place, attribute, step.verification, step.value)


_CONDITIONS = ("condition", "precondition", "done_when", "verification")


def _asks_firmware_alone(step: Step) -> bool:
    conditions: list[Condition | None] = [getattr(step, key) for key in _CONDITIONS]
    return step.action is Action.CHECK and all(
        condition is None or condition.firmware is not None for condition in conditions
    )


def _written(place: _Place, step: Step) -> _Search:
    """Find the attribute that a step writes, when the value can be written to it."""
    assert step.value is not None, "checked when the sequence was read"
    attribute = yield from _attribute(place, "", step)
    if attribute is None:
        return None
    known = attribute.known
    if known is not None and not known.writable:
        yield place.found(
            "name", known.name, f"an attribute that can be written; {place.model.id} only shows it"
        )
    expected = _value_problem(attribute, step.value)
    if expected is not None:
        yield place.found("value", step.value, expected)
        return None
    return attribute


def _contradicted(
    place: _Place, attribute: _Attribute, verification: Condition, value: Scalar | None
) -> Iterator[Finding]:
    """A step that verifies something else than it writes fails on the device, after the write."""
    if value is not None and _same(verification, attribute) and not _holds(attribute, verification, value):
        yield place.found("verification", value, "a condition that the value written satisfies")


def _value_problem(attribute: _Attribute, value: Scalar) -> str | None:
    judge: Callable[[Scalar], str | None] = (
        attribute.known.expected_instead
        if attribute.known is not None
        else lambda each: expected_instead(attribute.type, each)
    )
    return judge(value)


def _holds(attribute: _Attribute, condition: Condition, value: Scalar) -> bool:
    if attribute.type == "octets" and isinstance(value, str) and isinstance(condition.equals, str):
        return value.lower() == condition.equals.lower()
    return condition.holds(value)


def _same(condition: Condition, attribute: _Attribute) -> bool:
    if condition.name is not None:
        return attribute.known is not None and condition.name == attribute.known.name
    return (condition.cluster, condition.attribute) == (attribute.cluster, attribute.attribute)


def _condition(place: _Place, key: str, condition: Condition) -> Iterator[Finding]:
    if condition.firmware is not None:
        yield from _firmware(place, key, condition.firmware)
        return
    attribute = yield from _attribute(place, f"{key}.", condition)
    if attribute is None:
        return
    if condition.equals is not None:
        expected = expected_instead(attribute.type, condition.equals)
        if expected is not None:
            yield place.found(f"{key}.equals", condition.equals, expected)
    for bound in ("at_least", "at_most"):
        limit = getattr(condition, bound)
        if limit is not None and attribute.type not in INTEGERS:
            expected = f"equals: a value of type {attribute.type} is neither more nor less"
            yield place.found(f"{key}.{bound}", limit, expected)


def _firmware(place: _Place, key: str, firmware: str) -> Iterator[Finding]:
    asked = any(OTA_UPGRADE in endpoint.client for endpoint in place.model.endpoints)
    if not asked and place.entry.role is not DeviceKind.CHF:
        expected = f"a device that says what it runs: {place.model.id} has no OTA client to ask"
        yield place.found(f"{key}.firmware", firmware, expected)
        return
    if place.model.firmware_displayed(firmware) is None:
        known = ", ".join(version.display for version in place.model.firmware)
        yield place.found(f"{key}.firmware", firmware, f"one that {place.model.id} lists: {known}")
    elif place.target is not None and firmware != place.target:
        yield place.found(
            f"{key}.firmware",
            firmware,
            f"{place.target}, which the device is to run by then",
            "correct one of the two",
        )


def _attribute(place: _Place, prefix: str, named: Step | Condition) -> _Search:
    """Find the attribute that a step or condition names."""
    if named.name is not None:
        return (yield from _named(place, prefix, named.name))
    assert named.cluster is not None
    assert named.attribute is not None
    assert named.type is not None
    known = next(
        (
            each
            for each in place.model.configuration
            if (each.cluster, each.attribute) == (named.cluster, named.attribute)
        ),
        None,
    )
    attribute = _Attribute(named.cluster, named.attribute, named.type, known)
    findings = [*_served(place, f"{prefix}cluster", named.cluster), *_typed(place, prefix, attribute)]
    yield from findings
    return None if findings else attribute


def _named(place: _Place, prefix: str, name: str) -> _Search:
    known = {each.name: each for each in place.model.configuration}
    if name not in known:
        near = get_close_matches(name, known, 1)
        advice = f"did you mean {near[0]}?" if near else "correct the sequence"
        yield place.found(
            f"{prefix}name",
            name,
            f"an attribute of {place.model.id}, one of {', '.join(known) or 'none'}",
            advice,
        )
        return None
    found = known[name]
    return _Attribute(found.cluster, found.attribute, found.type, found)


def _served(place: _Place, key: str, cluster: int | None) -> Iterator[Finding]:
    if cluster is not None and place.model.endpoint_serving(cluster) is None:
        served = sorted({each for endpoint in place.model.endpoints for each in endpoint.server})
        listed = ", ".join(f"0x{each:04X}" for each in served)
        yield place.found(key, f"0x{cluster:04X}", f"a cluster that {place.model.id} serves: {listed}")


def _typed(place: _Place, prefix: str, attribute: _Attribute) -> Iterator[Finding]:
    """Compare with the model's own entry, else with the cluster's definition."""
    if attribute.known is not None:
        if attribute.known.type != attribute.type:
            yield place.found(
                f"{prefix}type", attribute.type, f"{attribute.known.type}, as {place.model.id} has it"
            )
        return
    cluster = CLUSTERS.get(attribute.cluster)
    if cluster is None or attribute.attribute >= _MANUFACTURERS_OWN:
        return
    defined = cluster.attributes.get(attribute.attribute)
    if defined is None:
        name = f"0x{attribute.attribute:04X}"
        yield place.found(f"{prefix}attribute", name, f"an attribute of cluster 0x{attribute.cluster:04X}")
    elif int(defined.zcl_type) != TYPE_IDS[attribute.type]:
        stated = next((name for name, number in TYPE_IDS.items() if number == int(defined.zcl_type)), "")
        expected = (
            f"{stated or f'ZCL type 0x{int(defined.zcl_type):02X}'}, as the cluster defines {defined.name}"
        )
        yield place.found(f"{prefix}type", attribute.type, expected)
