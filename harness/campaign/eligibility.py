"""Which eligible combination the installation is to form, and the way of each device there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from emulator.eui64 import format_eui64
from firmware_catalog.acceptance import LISTED_KINDS
from firmware_catalog.errors import CatalogError
from harness.facts.campaign import Problem
from harness.facts.plan import Admitted, DevicePlan, Hop, Plan
from harness.facts.terms import Severity
from harness.workspace.images import Images
from hw_profiles.epcl import Combination, Product
from hw_profiles.installation import DeviceEntry, Installation, product_of
from hw_profiles.model import DeviceKind, Model


class NoPlanError(Exception):
    """There is no plan: `problems` say of which device and why, `reason` is the campaign's."""

    def __init__(self, reason: str, problems: Iterable[Problem]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.problems = tuple(dict.fromkeys(problems))


def recorded_versions(installation: Installation) -> dict[str, int]:
    """Return the version that each device runs by what the installation file says, by device name."""
    devices = installation.record.devices
    return {entry.name: installation.installed_firmware(entry.name).ota_version for entry in devices}


def choose_plan(installation: Installation, versions: Mapping[str, int], images: Images) -> Plan:
    """Choose the first combination every device can reach from what it runs, and each device's way there.

    `versions` are 32-bit OTA versions by device name. Raises `NoPlanError` when no combination can be reached.
    """
    combinations = _candidates(installation, versions)
    if not combinations:
        reason = "no eligible product combination has these device models"
        raise NoPlanError(reason, [_no_combination(installation, versions)])
    problems: list[Problem] = []
    for combination in combinations:
        try:
            devices = _devices(installation, versions, images, combination)
        except _UnreachableTarget as error:
            problems.append(error.problem)
            continue
        return Plan(combination.id, devices, tuple(_steps(installation)), tuple(_admitted(devices, images)))
    raise NoPlanError(f"no eligible firmware can be reached: {problems[0].cause}", problems)


def _admitted(devices: Iterable[DevicePlan], images: Images) -> Iterator[Admitted]:
    for device in devices:
        for hop in device.hops:
            grounds = images.grounds(hop.sha256)
            if grounds is not None:
                yield Admitted(device.device, hop.sha256, hop.display, grounds)


class _UnreachableTarget(Exception):  # noqa: N818 - carries a problem, is none itself
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.cause)
        self.problem = problem


def _candidates(installation: Installation, versions: Mapping[str, int]) -> tuple[Combination, ...]:
    products = _products(installation, versions)
    provider = installation.record.wan.provider
    already = installation.epcl.matching(products, provider)
    return (*already, *(c for c in installation.epcl.reachable(products, provider) if c not in already))


def _products(installation: Installation, versions: Mapping[str, int]) -> list[Product]:
    return [
        _product(installation.models[entry.name], versions[entry.name])
        for entry in installation.record.devices
        if entry.role in LISTED_KINDS
    ]


def _product(model: Model, version: int) -> Product:
    identity = model.identity
    return product_of(model, version) or Product(
        model.kind,
        identity.inventory_manufacturer,
        identity.inventory_model,
        identity.hardware_version,
        f"{version:08X}",
    )


def _no_combination(installation: Installation, versions: Mapping[str, int]) -> Problem:
    products = _products(installation, versions)
    seen = ", ".join(f"{item.kind} {item.manufacturer}/{item.model}" for item in products)
    return Problem(
        format_eui64(installation.hub.address),
        "The installation forms no eligible product combination",
        f"{installation.epcl.title} has no entry for {seen} with {installation.record.wan.provider}",
        "Ask for the combination to be tested and listed, or take the installation out of the programme",
        Severity.ERROR,
    )


def _devices(
    installation: Installation, versions: Mapping[str, int], images: Images, combination: Combination
) -> tuple[DevicePlan, ...]:
    plans = []
    for entry in installation.record.devices:
        model, current = installation.models[entry.name], versions[entry.name]
        target = current
        hops: tuple[Hop, ...] = ()
        if images.is_for(entry):
            target, hops = _given_hop(entry, model, images, current)
            _require_listed(entry, model, target, combination)
        elif entry.role in LISTED_KINDS:
            target, hops = _way(entry, model, images, current, combination)
        name = format_eui64(entry.address)
        shown = model.display_of(current), model.display_of(target)
        plans.append(DevicePlan(entry.name, name, entry.role, current, shown[0], target, shown[1], hops))
    return tuple(plans)


def _way(
    entry: DeviceEntry, model: Model, images: Images, current: int, combination: Combination
) -> tuple[int, tuple[Hop, ...]]:
    """Return the version wanted and the hops to it: none when the one running is eligible, else those to the first
    on the combination's list that can be reached.
    """
    product = _product(model, current)
    listed = combination.device_for(product)
    assert listed is not None, "the combination was chosen because it has every model"
    if listed.covers(product):
        return current, ()
    known = {version.inventory_version: version.ota_version for version in model.firmware}
    wanted = [known[version] for version in listed.firmware if version in known]
    if not wanted:
        cause = f"profile {model.id} knows none of the firmware that {combination.id} lists"
        raise _UnreachableTarget(_unreachable(entry, cause))
    refused: list[_UnreachableTarget] = []
    for target in wanted:
        try:
            return target, _hops(entry, model, images, current, target)
        except _UnreachableTarget as error:
            refused.append(error)
    raise refused[0]


def _hops(entry: DeviceEntry, model: Model, images: Images, current: int, target: int) -> tuple[Hop, ...]:
    if entry.role is DeviceKind.CHF:
        # The hub serves images to others and fetches none: a hop of its own would never begin.
        cause = f"it runs {model.display_of(current)}, and a hub fetches no image from itself"
        advice = "Have the hub's own head end bring it to a listed firmware, then run the campaign again"
        raise _UnreachableTarget(_unreachable(entry, cause, advice))
    if model.ota is None:
        raise _UnreachableTarget(_unreachable(entry, f"{model.id} cannot be upgraded over the air"))
    try:
        path = images.path(entry, current, target)
    except CatalogError as error:
        raise _UnreachableTarget(_unreachable(entry, str(error))) from error
    hops, version = [], current
    for image in path:
        hops.append(
            Hop(
                image.id,
                image.file_name,
                image.octets,
                version,
                model.display_of(version),
                image.version,
                model.display_of(image.version),
            )
        )
        version = image.version
    return tuple(hops)


def _given_hop(entry: DeviceEntry, model: Model, images: Images, current: int) -> tuple[int, tuple[Hop, ...]]:
    given = images.given
    assert given is not None
    version = given.header.file_version
    if version == current:
        return current, ()
    for objection in images.objections(entry, given.sha256, current):
        raise _UnreachableTarget(_unreachable(entry, f"{given.path.name}: {objection.text}"))
    hop = Hop(
        given.sha256,
        given.path.name,
        len(given.data),
        current,
        model.display_of(current),
        version,
        model.display_of(version),
    )
    return version, (hop,)


def _require_listed(entry: DeviceEntry, model: Model, target: int, combination: Combination) -> None:
    """Refuse a given image that would leave the device on firmware outside the combination."""
    if entry.role in LISTED_KINDS and not combination.lists(_product(model, target)):
        cause = f"the image given brings {model.display_of(target)}, which {combination.id} does not list"
        raise _UnreachableTarget(_unreachable(entry, cause))


_ADD = "Add what is missing to the catalogue, then run the campaign again"


def _unreachable(entry: DeviceEntry, cause: str, advice: str = _ADD) -> Problem:
    return Problem(
        format_eui64(entry.address),
        f"The {entry.name} device cannot reach an eligible firmware",
        cause,
        advice,
        Severity.ERROR,
    )


def _steps(installation: Installation) -> list[str]:
    return [
        f"{sequence.id}/{step.id}" + (f" on {step.target}" if step.target else "")
        for sequence in installation.sequences
        for step in sequence.steps
    ]
