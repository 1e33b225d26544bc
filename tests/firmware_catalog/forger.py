"""A party of a catalogue that signs what it should not: its keys are real, what it says is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]

from firmware_catalog.parties import party_of
from firmware_catalog.signing import OFFLINE_THRESHOLD, ROOT_KEYS, TARGETS_KEYS, Keys, load_signer

Json = dict[str, Any]
OFFLINE = {"root": ROOT_KEYS, "targets": TARGETS_KEYS}


class Forger:
    """Signs new versions of a catalogue's roles with its keys, or those of its seed, whatever they contain."""

    def __init__(self, catalogue: Path, keys: Keys | str) -> None:
        self.catalogue = catalogue
        self.metadata = catalogue / "metadata"
        self._keys = Keys(seed=keys) if isinstance(keys, str) else keys

    def role(self, role: str, change: Callable[[Json], None], *, by: Sequence[str] = ()) -> None:
        """Publish a new version of a role's targets, changed; the keys named in `by` sign it instead of its own."""
        self.publish({role: self.changed(role, change, by=by)})

    def targets(self, change: Callable[[Json], None]) -> None:
        """Publish a new version of the top-level targets, which delegate to parties, changed."""
        self.role("targets", change)

    def claims(self, role: str, change: Callable[[Json], None]) -> str:
        """Publish another record of the only target of a role; returns the target's path."""
        paths: list[str] = []

        def changed(signed: Json) -> None:
            ((path, target),) = signed["targets"].items()
            paths.append(path)
            change(target["custom"])

        self.role(role, changed)
        return paths[0]

    def changed(self, role: str, change: Callable[[Json], None], *, by: Sequence[str] = ()) -> int:
        """Write a new version of a role's targets without publishing it; returns its version."""
        signed = self.published(role)
        signed["version"] += 1
        change(signed)
        self.write(f"{signed['version']}.{role}.json", signed, by or self.names(role))
        return int(signed["version"])

    def publish(self, versions: dict[str, int]) -> None:
        """Publish written versions of roles."""
        listed = {f"{role}.json": {"version": version} for role, version in versions.items()}
        self.snapshot(lambda signed: signed["meta"].update(listed))

    def snapshot(
        self, change: Callable[[Json], None], stamped: Callable[[Json], None] = lambda stamp: None
    ) -> None:
        """Publish a new snapshot, changed, and a timestamp, changed by `stamped`."""
        stamp, listed = self.signed("timestamp.json"), self.published("snapshot")
        listed["version"] += 1
        change(listed)
        self.write(f"{listed['version']}.snapshot.json", listed, ["snapshot"])
        stamp["version"] += 1
        stamp["meta"]["snapshot.json"] = {"version": listed["version"]}
        stamped(stamp)
        self.write("timestamp.json", stamp, ["timestamp"])

    def root(self, change: Callable[[Json], None], *, by: Sequence[str] = ROOT_KEYS) -> None:
        """Publish the next root, changed."""
        newest = max(int(path.name.split(".")[0]) for path in self.metadata.glob("*.root.json"))
        signed = self.signed(f"{newest}.root.json")
        signed["version"] += 1
        change(signed)
        self.write(f"{newest + 1}.root.json", signed, by)

    def published(self, role: str) -> Json:
        """Return what a role signs at present."""
        version = self.signed("timestamp.json")["meta"]["snapshot.json"]["version"]
        if role != "snapshot":
            version = self.signed(f"{version}.snapshot.json")["meta"][f"{role}.json"]["version"]
        return self.signed(f"{version}.{role}.json")

    def signed(self, name: str) -> Json:
        """Return the signed part of a metadata file."""
        signed: Json = json.loads((self.metadata / name).read_bytes())["signed"]
        return signed

    def write(self, name: str, signed: Json, by: Sequence[str]) -> None:
        """Sign and write a metadata file, once for each key name."""
        canonical = encode_canonical(signed)
        assert canonical is not None
        signatures = [self.signer(key).sign(canonical.encode()).to_dict() for key in by]
        (self.metadata / name).write_text(json.dumps({"signatures": signatures, "signed": signed}))

    def signer(self, name: str) -> CryptoSigner:
        """Return the signer of a key by its name."""
        found = (path for folder in self._keys.folders for path in folder.rglob(f"{name}.pem"))
        return self._keys.make(name) if self._keys.seed is not None else load_signer(next(found))

    @staticmethod
    def names(role: str) -> Sequence[str]:
        """Return the names of the keys that sign a role: a manufacturer's are its supplier's."""
        return OFFLINE.get(role, (party_of(role),))[:OFFLINE_THRESHOLD]
