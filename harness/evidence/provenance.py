"""The firmware against the catalogue: each image that went to a dormant home had the word of whoever must give it."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_catalog.errors import CatalogError
from harness.errors import HarnessError
from harness.evidence.finding import Finding, stated
from harness.evidence.record import Record
from harness.facts.campaign import Planned
from harness.facts.firmware import Transfer
from harness.facts.plan import Plan
from harness.workspace.images import Images, read_images


def check_provenance(record: Record) -> Iterator[Finding]:
    """Yield whether the journal's grounds of each image are what the run's own copy of the catalogue says, read again
    from the pinned root, and whether nothing else was sent.
    """
    plan = next((fact.plan for fact in record.facts if isinstance(fact, Planned)), None)
    if plan is None or not record.installation.record.dormant:
        return
    try:
        given = record.begun.request.image
        images = read_images(record.installation, None if given is None else record.folder / given)
    except (CatalogError, HarnessError) as error:
        yield Finding("firmware", False, str(error))
        return
    faults = (*_grounds(plan, images), *_sent(record, plan))
    yield from stated(
        "firmware", faults, f"{len(plan.admitted)} images, each provided, vouched for and approved"
    )


def _grounds(plan: Plan, images: Images) -> Iterator[str]:
    for device in plan.devices:
        admitted = {each.sha256: each.grounds for each in plan.admitted_to(device.device)}
        for hop in device.hops:
            name = f"{device.device}: image {hop.sha256[:12]} ({hop.display})"
            for lack in images.lacks(hop.sha256):
                yield f"{name}: {lack}"
            if hop.sha256 not in admitted:
                yield f"{name}: the journal does not say on whose word it was admitted"
            elif admitted[hop.sha256] != images.grounds(hop.sha256):
                yield f"{name}: the journal's grounds are not those of the catalogue"


def _sent(record: Record, plan: Plan) -> Iterator[str]:
    planned = {(device.device, hop.sha256) for device in plan.devices for hop in device.hops}
    for fact in record.facts:
        if isinstance(fact, Transfer) and (fact.subject, fact.hop.sha256) not in planned:
            yield f"{fact.subject}: image {fact.hop.sha256[:12]} was sent and is not in the plan"
