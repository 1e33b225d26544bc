"""A catalogue under any course of additions, withdrawals, refreshes, time and old states put back.

Whoever keeps it and whoever reads it remember what they saw. What is listed is always what was added and not withdrawn,
every image is the file that was added, and no older state is ever taken for the present one.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from emulator.smart_energy.ota.file import OtaElement, OtaHeader, OtaTag, build, pack
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.errors import CatalogError
from firmware_catalog.records import Entry
from firmware_catalog.removal import remove
from firmware_catalog.repository import Access
from firmware_catalog.signing import Keys
from firmware_catalog.statements import Evidence

SEED = "published"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
USED = Evidence("Field record 17", "2019-03-01", "East Midlands", 41_000)
VERSIONS = (1, 2, 3)
SUPPLIERS = ("Supplier A", "Supplier B")


@cache
def image(version: int) -> bytes:
    return pack(build(OtaHeader(0x1002, 0x0E01, version), (OtaElement(OtaTag.UPGRADE_IMAGE, b"firmware"),)))


def vouched(catalogue: Catalogue, entry: Entry) -> bool:
    """Say whether the supplier of an entry vouches for it."""
    said = catalogue.standing(entry.id).statements
    return any(each.by == entry.supplier and each.says == USED for each in said)


class Keeper(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="catalogue-"))
        self.home = self.folder / "catalogue"
        self.now = BEGIN
        self.listed: dict[tuple[str, int], bool] = {}
        """Whether each image that is listed, by supplier and version, has evidence."""
        self.said: dict[tuple[str, int], bool] = {}
        """The same of each image that is listed no more."""
        self.old: list[Path] = []
        self.keeper().create(self.home, now=self.now, seed=SEED, memory=self.folder / "keeper")
        self.keep_a_copy()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def keeper(self) -> type[Catalogue]:
        return Catalogue

    def opened(self, who: str = "keeper") -> Catalogue:
        return Catalogue.open(self.home, now=self.now, seed=SEED, memory=self.folder / who)

    def keep_a_copy(self) -> None:
        copy = self.folder / f"copy-{len(self.old)}"
        shutil.copytree(self.home, copy)
        self.old.append(copy)

    @rule(supplier=st.sampled_from(SUPPLIERS), version=st.sampled_from(VERSIONS), used=st.booleans())
    def added(self, supplier: str, version: int, used: bool) -> None:
        file = self.folder / f"image-{version}.ota"
        file.write_bytes(image(version))
        entry = self.opened().add(file, supplier, evidence=USED if used else None)
        # What was said of an image before is kept where nothing new is said.
        before = self.listed.get((supplier, version), self.said.get((supplier, version), False))
        self.listed[supplier, version] = used or before
        assert (entry.version, entry.supplier) == (version, supplier)
        self.keep_a_copy()

    @precondition(lambda self: self.listed)
    @rule(data=st.data())
    def withdrawn(self, data: st.DataObject) -> None:
        supplier, version = data.draw(st.sampled_from(sorted(self.listed)))
        entries = self.opened().list()
        path = next(each.path for each in entries if (each.supplier, each.version) == (supplier, version))
        access = Access(self.now, Keys(seed=SEED), memory=self.folder / "keeper")
        assert remove(self.home, path, access, publish=True)[0] == path
        # What was said of the image stays said: it is a statement of its own.
        self.said[supplier, version] = self.listed.pop((supplier, version))
        self.keep_a_copy()

    @rule(days=st.integers(1, 300))
    def time_passes_and_it_is_refreshed(self, days: int) -> None:
        self.now += timedelta(days=days)
        stale = Catalogue.open_stale(self.home, now=self.now, memory=self.folder / "keeper")
        Catalogue(
            self.home, stale._listing, Access(self.now, Keys(seed=SEED), memory=self.folder / "keeper")
        ).refresh()
        self.keep_a_copy()

    @precondition(lambda self: len(self.old) > 1)
    @rule(data=st.data(), who=st.sampled_from(["keeper", "reader"]))
    def an_older_state_put_back_is_refused(self, data: st.DataObject, who: str) -> None:
        self.opened(who)
        place = data.draw(st.integers(0, len(self.old) - 2))
        shutil.rmtree(self.home)
        shutil.copytree(self.old[place], self.home)
        with pytest.raises(
            CatalogError, match=r"older than it was seen before|must run `smets1 catalog refresh`"
        ):
            self.opened(who)
        shutil.rmtree(self.home)
        shutil.copytree(self.old[-1], self.home)

    @precondition(lambda self: len(self.old) > 1)
    @rule()
    def the_state_before_its_own_last_change_is_refused_to_the_keeper(self) -> None:
        shutil.rmtree(self.home)
        shutil.copytree(self.old[-2], self.home)
        with pytest.raises(
            CatalogError, match=r"older than it was seen before|must run `smets1 catalog refresh`"
        ):
            self.opened("keeper")
        shutil.rmtree(self.home)
        shutil.copytree(self.old[-1], self.home)

    @invariant()
    def what_is_listed_is_what_was_added_and_not_withdrawn(self) -> None:
        catalogue = self.opened("reader")
        entries = catalogue.list()
        assert {(each.supplier, each.version): vouched(catalogue, each) for each in entries} == self.listed
        assert len(entries) == len(self.listed)
        for each in entries:
            assert catalogue.fetch(each.id) == image(each.version)


TestACatalogueWhateverHappens = Keeper.TestCase
TestACatalogueWhateverHappens.settings = settings(
    settings.get_profile("deterministic"), max_examples=12, stateful_step_count=10
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "catalogue"


@pytest.mark.parametrize("change", ["create", "add", "withdraw", "refresh"])
def test_what_a_keeper_writes_it_has_seen(home: Path, tmp_path: Path, change: str) -> None:
    """The state before a keeper's own change, put back before anybody looked, is an older one all the same."""
    memory, later = tmp_path / "seen", BEGIN + timedelta(days=1)
    file = tmp_path / "image.ota"
    file.write_bytes(image(2))
    access = Access(later, Keys(seed=SEED), memory=memory)
    made = Catalogue.create(home, now=BEGIN, seed=SEED, memory=memory)
    entry = made.add(file, "A")
    shutil.copytree(home, tmp_path / "before")
    match change:
        case "create":
            assert (memory / made.root_sha256).is_dir()
            return
        case "add":
            file.write_bytes(image(3))
            Catalogue.open(home, now=later, seed=SEED, memory=memory).add(file, "A")
        case "withdraw":
            remove(home, entry.path, access, publish=True)
        case "refresh":
            Catalogue.open(home, now=later, seed=SEED, memory=memory).refresh()
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "before", home)
    with pytest.raises(CatalogError, match="older than it was seen before"):
        Catalogue.open(home, now=later, memory=memory)
