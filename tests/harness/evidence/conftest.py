"""A finished run against the scripted home, signed with somebody's own key; each test has a copy of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from harness.journal import fingerprint
from harness.journal.signing import key_from_seed, public_point
from tests.harness.campaign.conftest import Rig

OWN_KEY = key_from_seed(b"kept outside every folder", "signing")
TRUSTED = fingerprint(public_point(OWN_KEY))


def write_key(path: Path, key: ec.EllipticCurvePrivateKey = OWN_KEY) -> Path:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; not to be written to."""
    place = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)
        Rig(place / "run", signing_key=write_key(place / "key.pem")).run()
    return place / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))
