"""Catalogues whose keys are right and whose contents are not: each is refused in one line that names the thing."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from firmware_catalog.statements import Evidence
from tests.firmware_catalog.forger import Forger, Json

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SEED = "published"
A, B = "supplier-a.1002", "supplier-b.1002"
USED = Evidence("Field record 17", "2019-03-01", "East Midlands", 41_000)


def image(folder: Path, version: int = 0x01020000, **header: Any) -> Path:
    path = folder / f"image-{version:08x}.ota"
    parts = (OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware"),)
    path.write_bytes(pack(build(OtaHeader(0x1002, 0x0E01, version, **header), parts)))
    return path


def _make(folder: Path) -> Path:
    """Make a catalogue with one image of each of two suppliers."""
    catalogue = Catalogue.create(folder / "catalogue", now=NOW, seed=SEED)
    catalogue.add(image(folder), "A", evidence=USED)
    catalogue.add(image(folder, 0x03000000), "B", evidence=USED)
    return folder / "catalogue"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return _make(tmp_path)


@pytest.fixture
def forger(home: Path) -> Forger:
    return Forger(home, SEED)


def refusal(home: Path, **options: Any) -> str:
    with pytest.raises(CatalogError) as caught:
        Catalogue.open(home, now=NOW, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Delegated paths


def _stolen(forger: Forger, thief: str, victim: str) -> str:
    """Let one supplier's role list the path of another's image; returns the path."""
    listed: Json = {}
    forger.role(victim, lambda signed: listed.update(signed["targets"]))
    forger.role(thief, lambda signed: signed["targets"].update(listed))
    return next(iter(listed))


def test_a_supplier_does_not_speak_of_another_suppliers_images(home: Path, forger: Forger) -> None:
    path = _stolen(forger, B, A)
    assert f"role {B} lists '{path}', which is not its own" in refusal(home)


def test_nor_does_a_wide_delegation_give_it_the_right(home: Path, forger: Forger) -> None:
    def widen(signed: Json) -> None:
        for role in signed["delegations"]["roles"]:
            role["paths"] = ["*/*/*"]

    forger.role("supplier-b", widen)
    assert len(Catalogue.open(home, now=NOW).list()) == 2
    path = _stolen(forger, B, A)
    assert f"role {B} lists '{path}', which is not its own" in refusal(home)


def test_a_narrow_delegation_binds_the_supplier_itself(home: Path, forger: Forger) -> None:
    def narrow(signed: Json) -> None:
        for role in signed["delegations"]["roles"]:
            role["paths"] = ["supplier-a/1002/1031-*"]

    forger.role("supplier-a", narrow)
    assert "which is not its own" in refusal(home)


def test_a_supplier_signs_in_its_own_name(home: Path, forger: Forger) -> None:
    path = forger.claims(B, lambda custom: custom.update(supplier="A"))
    assert f"catalogue entry {path}: supplier = 'A': expected the supplier of role supplier-b" in refusal(
        home
    )


@pytest.mark.parametrize("name", ["../supplier-a", "operator", "supplier-", "supplier-a.1002"])
def test_a_role_that_is_no_suppliers_is_refused(home: Path, forger: Forger, name: str) -> None:
    forger.targets(lambda signed: signed["delegations"]["roles"][0].update(name=name))
    assert f"role {name!r}: expected a party's" in refusal(home)


def test_a_role_that_the_snapshot_hides_is_missed(home: Path, forger: Forger) -> None:
    forger.snapshot(lambda listed: listed["meta"].pop(f"{A}.json"))
    said = refusal(home)
    assert f"the snapshot does not list role {A}" in said or f"{A}.json" in said


# What is said of a file, and what it is


@pytest.mark.parametrize(
    ("claim", "value", "words"),
    [
        ("version", 0x02000000, "version 0x02000000, but the file itself says 0x01020000"),
        ("image_sha256", "0" * 64, f"image_sha256 '{'0' * 64}', but the file itself says '"),
        ("verification", "dcc-p256", "verification 'dcc-p256', but the file itself says 'none'"),
        ("image_type", 1, "image_type 0x0001, but the file itself says 0x0E01"),
        ("hardware_minimum", 3, "hardware_minimum 0x0003, but the file itself says nothing"),
        ("image_octets", 9, "image_octets 9, but the file itself says 70"),
        ("destination", "00-DB-12-34-56-78-90-A1", "destination '00-DB-12-34-56-78-90-A1', but"),
        ("header_text", "Genuine", "header_text 'Genuine', but the file itself says ''"),
    ],
)
def test_a_record_that_lies_about_its_file_is_refused(
    home: Path, forger: Forger, claim: str, value: object, words: str
) -> None:
    path = forger.claims(A, lambda custom: custom.update({claim: value}))
    opened = Catalogue.open(home, now=NOW)
    entry = next(entry for entry in opened.list() if entry.path == path)
    with pytest.raises(CatalogError) as caught:
        opened.fetch(entry.id)
    assert f"catalogue entry {path}: signed as {words}" in str(caught.value)


def test_a_record_is_for_the_manufacturer_whose_role_signs_it(home: Path, forger: Forger) -> None:
    path = forger.claims(A, lambda custom: custom.update(manufacturer_code=0x1031))
    assert f"catalogue entry {path}: manufacturer_code = 0x1031: expected 0x1002" in refusal(home)


def test_nothing_is_signed_beside_a_record_that_lies(home: Path, forger: Forger, tmp_path: Path) -> None:
    forger.claims(A, lambda custom: custom.update(version=0x02000000))
    opened = Catalogue.open(home, now=NOW, seed=SEED)
    with pytest.raises(CatalogError, match="signed as version 0x02000000"):
        opened.add(image(tmp_path, 0x01030000), "A")
    assert len(Catalogue.open(home, now=NOW).list()) == 2


def test_a_signed_file_that_is_no_ota_file_is_refused(home: Path, forger: Forger) -> None:
    text = b"not firmware"
    digest = hashlib.sha256(text).hexdigest()

    def swap(signed: Json) -> None:
        ((path, target),) = signed["targets"].items()
        target.update(length=len(text), hashes={"sha256": digest})
        folder, _, name = path.rpartition("/")
        (home / "targets" / folder / f"{digest}.{name}").write_bytes(text)

    forger.role(A, swap)
    with pytest.raises(CatalogError, match=r"catalogue entry supplier-a/.*no identifier"):
        Catalogue.open(home, now=NOW).fetch(digest)


# Evidence and other fields


@pytest.mark.parametrize("count", [-1, 0, True, "many", "41000", [1], 10**12])
def test_evidence_that_counts_nothing_is_refused(home: Path, forger: Forger, count: object) -> None:
    path = forger.claims("supplier-a", lambda custom: custom["says"].update(count=count))
    assert f"catalogue statement {path}: count = {count!r}: expected" in refusal(home)


@pytest.mark.parametrize("count", [-1, 0, True, "many", 1.5])
def test_evidence_that_counts_nothing_is_not_added(home: Path, tmp_path: Path, count: Any) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*.*")}
    opened = Catalogue.open(home, now=NOW, seed=SEED)
    with pytest.raises(CatalogError, match=r"statement .*: count = "):
        opened.add(image(tmp_path, 5), "A", evidence=Evidence("x", "2019-03-01", "y", count))
    assert {path: path.read_bytes() for path in home.rglob("*.*")} == before


def _without(name: str) -> Callable[[Json], None]:
    return lambda custom: custom.pop(name)


def _with(**fields: object) -> Callable[[Json], None]:
    return lambda custom: custom.update(fields)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without("version"), "version: missing; expected a number from 0"),
        (_without("models"), "models: missing; expected an array"),
        (_without("file_name"), "file_name: missing"),
        (_with(version=None), "version = None: expected a whole number"),
        (_with(version="0x01020000"), "version = '0x01020000': expected"),
        (_with(version=1 << 32), "version = 4294967296: expected"),
        (_with(version=True), "version = True: expected"),
        (_with(models="meter"), "models = 'meter': expected an array"),
        (_with(models=[1]), "models[0] = 1: expected"),
        (_with(from_versions=[-1]), "from_versions[0] = -1: expected"),
        (_with(from_versions={}), "from_versions = {}: expected an array"),
        (_with(destination=5), "destination = 5: expected"),
        (_with(supplier="A\x1b[2J"), "supplier = 'A\\x1b[2J': expected"),
        (_with(file_name="two\nlines"), "file_name = 'two\\nlines': expected"),
        (_with(file_name="ato.\u202eretem"), "file_name = 'ato.\\u202eretem': expected one line"),
        (_with(added_by="x" * 301), "expected one line of at most 300 printable characters"),
        (_with(added=20190301), "added = 20190301: expected"),
        (_with(colour="red"), "colour: unknown key"),
        (_with(id="0" * 64), "custom.id: unknown key"),
    ],
)
def test_a_malformed_field_is_named_with_its_target(
    home: Path, forger: Forger, change: Callable[[Json], None], words: str
) -> None:
    path = forger.claims(A, change)
    said = refusal(home)
    assert said.startswith(f"catalogue entry {path}: ")
    assert words in said


def _says(**fields: object) -> Callable[[Json], None]:
    return lambda custom: custom["says"].update(fields)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_with(says="yes"), "'yes': expected a table"),
        (_with(says={}), "reference: missing"),
        (_says(since="2019-02-30"), "since = '2019-02-30': expected a date"),
        (_says(since=2019), "since = 2019: expected"),
        (_says(proof=1), "proof: unknown key"),
        (_says(document_sha256="ff"), "document_sha256 = 'ff'"),
        (_says(where="x\x1b[2J"), "where = 'x\\x1b[2J': expected"),
        (_with(by="B"), "by = 'B': expected the party of role supplier-a"),
        (_with(image="0" * 64), "where such a statement belongs"),
        (_with(date="2020-01-01"), "signed under SHA-256"),
        (_with(statement="oath"), "statement = 'oath': expected one of evidence"),
        (_with(statement="approval", says={"reference": "x"}), "not for a party of kind supplier to say"),
        (_with(colour="red"), "colour: unknown key"),
    ],
)
def test_a_malformed_statement_is_named_with_its_target(
    home: Path, forger: Forger, change: Callable[[Json], None], words: str
) -> None:
    path = forger.claims("supplier-a", change)
    said = refusal(home)
    assert said.startswith(f"catalogue statement {path}: ")
    assert words in said


@pytest.mark.parametrize("custom", [None, [], "custom", 5])
def test_a_target_without_a_record_is_named(home: Path, forger: Forger, custom: object) -> None:
    def change(signed: Json) -> None:
        (target,) = signed["targets"].values()
        target["custom"] = custom

    forger.role(A, change)
    assert "catalogue entry supplier-a/" in refusal(home)


@pytest.mark.parametrize("hashes", [{"sha512": "00"}, {"sha256": "../../x"}, {"sha256": "FF" * 32}])
def test_a_target_without_a_digest_is_named(home: Path, forger: Forger, hashes: Json) -> None:
    def change(signed: Json) -> None:
        (target,) = signed["targets"].values()
        target["hashes"] = hashes

    forger.role(A, change)
    assert "catalogue entry supplier-a/" in refusal(home)


def test_a_path_that_leads_elsewhere_is_refused(home: Path, forger: Forger) -> None:
    def change(signed: Json) -> None:
        (target,) = signed["targets"].values()
        signed["targets"] = {"supplier-a/1002/a b\n": target}

    forger.role(A, change)
    assert "lists 'supplier-a/1002/a b\\n', which is not its own" in refusal(home)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@cache
def _pristine() -> Path:
    return _make(Path(tempfile.mkdtemp(prefix="catalogue-")))


@pytest.fixture(scope="module", autouse=True)
def _cleared() -> Iterator[None]:
    yield
    shutil.rmtree(_pristine().parent)
    _pristine.cache_clear()


def _fields(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document, inner ones included."""
    if place:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield from _fields(inner, (*place, name))


def _put(document: Any, place: tuple[Any, ...], value: Any) -> None:
    for step in place[:-1]:
        document = document[step]
    document[place[-1]] = value


@given(st.data(), json_values)
def test_whatever_a_supplier_signs_is_read_or_refused_in_one_line(data: st.DataObject, value: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "catalogue"
        shutil.copytree(_pristine(), home)

        def change(signed: Json) -> None:
            _put(signed, data.draw(st.sampled_from(list(_fields(signed)))), value)

        try:
            Forger(home, SEED).role(A, change)
        except (AttributeError, TypeError, KeyError):
            return  # its own version became unusable: nothing was published
        _read_or_refuse(home)


FILES = [
    "1.root.json",
    "timestamp.json",
    "3.snapshot.json",
    "3.targets.json",
    "1.supplier-a.json",
    "1.supplier-a.1002.json",
]


@given(st.sampled_from(FILES), st.data(), json_values)
def test_whatever_lies_in_the_metadata_is_read_or_refused_in_one_line(
    name: str, data: st.DataObject, value: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "catalogue"
        shutil.copytree(_pristine(), home)
        path = home / "metadata" / name
        document = json.loads(path.read_bytes())
        _put(document, data.draw(st.sampled_from(list(_fields(document)))), value)
        path.write_text(json.dumps(document))
        _read_or_refuse(home)
        try:
            Catalogue.open_stale(home, now=NOW)
        except CatalogError as error:
            assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("name", FILES)
def test_half_a_character_in_the_metadata_is_refused_in_one_line(home: Path, name: str) -> None:
    path = home / "metadata" / name
    path.write_text(path.read_text().replace('"spec_version": "', '"spec": "\\ud83d", "spec_version": "', 1))
    assert "not trusted" in refusal(home)


@given(st.sampled_from(FILES), st.binary(max_size=60))
def test_metadata_that_is_no_json_is_refused_in_one_line(name: str, octets: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "catalogue"
        shutil.copytree(_pristine(), home)
        (home / "metadata" / name).write_bytes(octets)
        assert str(home) in refusal(home)


def _read_or_refuse(home: Path) -> None:
    try:
        opened = Catalogue.open(home, now=NOW)
        for entry in opened.list():
            opened.fetch(entry.id)
    except CatalogError as error:
        assert "\n" not in str(error)  # noqa: PT017
