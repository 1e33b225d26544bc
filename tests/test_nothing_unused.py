"""What the product defines has an effect in it: no public name nobody uses, no field of a file nothing reads."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from emulator.wan.alerts import ALERTS
from emulator.wan.operations import OPERATIONS
from harness.facts import FACTS
from harness.facts.enrolment import EnrolmentResult, Placement, PlacementNoted
from harness.facts.firmware import Activation, Transfer
from harness.facts.plan import DevicePlan, Hop
from harness.facts.terms import Event
from harness.report.model import CampaignReport, DeviceReport, TransferReport

ROOT = Path(__file__).parents[1]
PACKAGES = ("emulator", "firmware_catalog", "harness", "hw_profiles")
RECORDS = (
    "harness.regime.parameters",
    "hw_profiles.attribute_values",
    "hw_profiles.epcl",
    "hw_profiles.installation",
    "hw_profiles.limits",
    "hw_profiles.model",
    "hw_profiles.sequence",
)

_CALLED_FROM_OUTSIDE = (
    "called by the library whose class or protocol it is part of, or by a user's configuration"
)
_PERSON_AT_THE_HOME = (
    "what happens to a device from outside its radio: a person, an electrician, a broken part"
)
_FOREIGN_DEVICE = "the other side of a frame that the product answers, sent by foreign devices and hosts"
_GENERAL_FORM = "the general form that tests and benchmarks hold the short way on the hot path against"
_EMBEDDING = "for programs that run the emulator inside their own: no file, no fixed end"

USED_OUTSIDE = {
    "ClientAttributeDefs": _CALLED_FROM_OUTSIDE,
    "connection_made": _CALLED_FROM_OUTSIDE,
    "permit_gp": _CALLED_FROM_OUTSIDE,
    "start_network": _CALLED_FROM_OUTSIDE,
    "EmulatedHomeApplication": _CALLED_FROM_OUTSIDE,
    "activate_now": _PERSON_AT_THE_HOME,
    "flash_failed": _PERSON_AT_THE_HOME,
    "power_cycle_hub": _PERSON_AT_THE_HOME,
    "set_supply": _PERSON_AT_THE_HOME,
    "set_preconfigured_key": _PERSON_AT_THE_HOME,
    "set_poll_interval": _PERSON_AT_THE_HOME,
    "mgmt_leave_request": _FOREIGN_DEVICE,
    "pack_aux": _GENERAL_FORM,
    "unpack_aux": _GENERAL_FORM,
    "contains": _GENERAL_FORM,
    "negate": _GENERAL_FORM,
    "read_frames": _EMBEDDING,
    "run_for": _EMBEDDING,
    "MemoryNonVolatile": _EMBEDDING,
    "NullCapture": _EMBEDDING,
    "add_install_code": _EMBEDDING,
    "trust_centre_eui64": _EMBEDDING,
}
"""Public names without a use in the product, and why each is there all the same."""


@cache
def modules() -> tuple[tuple[Path, ast.Module], ...]:
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return tuple((path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))) for path in paths)


def names_in(tree: ast.AST) -> Iterator[str]:
    """Yield what a module refers to; texts count, for registries and bindings are made by name."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.keyword(arg=str(name)):
                yield name
            case ast.Constant(value=str(name)) if name.isidentifier():
                yield name


def public_definitions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in (*tree.body, *(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef))):
        members = (
            [item for item in node.body if isinstance(item, kinds)] if isinstance(node, ast.ClassDef) else []
        )
        for item in [node, *members]:
            if isinstance(item, kinds) and not item.name.startswith("_"):
                yield item.lineno, item.name


def read_attributes() -> set[str]:
    return {
        node.attr
        for _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


def test_every_public_name_is_used_by_the_product_or_says_who_uses_it() -> None:
    used = {name for _, tree in modules() for name in names_in(tree)}
    unused = {
        name: f"{path}:{line} {name}"
        for path, tree in modules()
        for line, name in public_definitions(tree)
        if name not in used
    }
    assert [where for name, where in unused.items() if name not in USED_OUTSIDE] == []
    assert sorted(set(USED_OUTSIDE) - set(unused)) == [], "no longer unused: take them off the list"


@pytest.mark.parametrize("module", RECORDS)
def test_every_field_of_a_file_and_every_parameter_has_an_effect(module: str) -> None:
    records = [
        item
        for item in vars(importlib.import_module(module)).values()
        if isinstance(item, type) and dataclasses.is_dataclass(item) and item.__module__ == module
    ]
    read = read_attributes()
    assert records
    assert [
        f"{record.__name__}.{field.name}"
        for record in records
        for field in dataclasses.fields(record)
        if field.name not in read
    ] == []


# One shape for a fact

SHAPES = {Placement: "a certificate", Hop: "a hop"}
"""What has one type from file to page, and what people call it."""


@cache
def records() -> tuple[type, ...]:
    """Every dataclass of the product."""
    names = [".".join(path.with_suffix("").parts) for path, _ in modules()]
    found = (
        item
        for name in names
        if not name.endswith("__main__")
        for item in vars(importlib.import_module(name)).values()
        if isinstance(item, type) and dataclasses.is_dataclass(item) and item.__module__ == name
    )
    return tuple(dict.fromkeys(found))


@pytest.mark.parametrize("shape", SHAPES, ids=list(SHAPES.values()))
def test_what_has_one_shape_has_no_second(shape: type) -> None:
    """Another record with three of its fields would be the same thing once more."""
    own = {field.name for field in dataclasses.fields(shape)}
    assert [
        record.__qualname__
        for record in records()
        if record is not shape and len(own & {field.name for field in dataclasses.fields(record)}) >= 3
    ] == []


@pytest.mark.parametrize(
    ("shape", "places"),
    [
        (Placement, ((PlacementNoted, "placement"), (EnrolmentResult, "placements"))),
        (Placement, ((CampaignReport, "certificates"),)),
        (Hop, ((DevicePlan, "hops"), (Transfer, "hop"), (Activation, "hop"))),
        (Hop, ((DeviceReport, "planned_hops"), (TransferReport, "hop"))),
    ],
    ids=["a certificate in the journal", "on the page", "a hop in the journal", "a hop on the page"],
)
def test_it_is_the_same_type_from_the_journal_to_the_page(
    shape: type, places: tuple[tuple[type, str], ...]
) -> None:
    for record, field in places:
        declared = typing.get_type_hints(record)[field]
        assert shape in (declared, *typing.get_args(declared)), f"{record.__name__}.{field}"


def test_no_operation_or_alert_of_the_wide_area_link_is_a_literal_outside_its_codec() -> None:
    """Names of one word are words of other things too; those of several can be nothing else."""
    names = {name for name in (*OPERATIONS, *ALERTS) if "_" in name or "-" in name}
    facts = {kind.ACTION for kind in FACTS}
    assert (
        [
            f"{path}:{node.lineno} {node.value}"
            for path, tree in modules()
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and node.value in names
            # A radio has fields of its own under such names, and knows no wide-area link.
            and path.parts[:2] != ("emulator", "coordinator")
            # What the journal makes of an alert may be called as the hub calls it.
            and path.parent != Path("emulator/wan")
            and not (path.parent == Path("harness/facts") and node.value in facts)
        ]
        == []
    )


def test_no_two_records_hold_the_same_fields() -> None:
    """Only what the server of blocks counts is told in a record of the link's own: neither layer knows the other."""
    fields: dict[frozenset[str], list[str]] = {}
    for record in records():
        names = frozenset(field.name for field in dataclasses.fields(record))
        if len(names) >= 3:
            fields.setdefault(names, []).append(record.__qualname__)
    alike = [names for names in fields.values() if len(names) > 1]
    assert alike == [["TransferCounts", "TransferCounts"]]


def test_every_event_of_the_lifecycle_is_fired_by_somebody() -> None:
    """Standing in the table is not being fired."""
    table = {Path("harness/facts/terms.py"), Path("harness/regime/lifecycle.py")}
    fired = {
        node.attr
        for path, tree in modules()
        if path not in table and path.parts[0] == "harness"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Event"
    }
    assert {event.name for event in Event} <= fired
