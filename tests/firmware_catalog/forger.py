"""A party of a catalogue that signs what it should not: its keys are real, what it says is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from securesystemslib.formats import encode_canonical

from firmware_catalog.signing import Keys

Json = dict[str, Any]


class Forger:
    """Signs new versions of a catalogue's roles with its keys, or those of its seed, whatever they contain."""

    def __init__(self, catalogue: Path, keys: Keys | str) -> None:
        self.catalogue = catalogue
        self._metadata = catalogue / "metadata"
        self._keys = Keys(seed=keys) if isinstance(keys, str) else keys

    def supplier(self, role: str, change: Callable[[Json], None], *, key: str | None = None) -> None:
        """Publish a new version of a supplier's targets, changed; `key` signs it instead of its own."""
        self._publish(role, change, key or role)

    def targets(self, change: Callable[[Json], None]) -> None:
        """Publish a new version of the top-level targets, which delegate to suppliers, changed."""
        self._publish("targets", change, "targets")

    def claims(self, role: str, change: Callable[[Json], None]) -> str:
        """Publish other claims of a supplier's only image; returns the target's path."""
        paths: list[str] = []

        def changed(signed: Json) -> None:
            ((path, target),) = signed["targets"].items()
            paths.append(path)
            change(target["custom"])

        self.supplier(role, changed)
        return paths[0]

    def snapshot(self, change: Callable[[Json], None]) -> None:
        """Publish a new snapshot and timestamp."""
        stamp = self._signed("timestamp.json")
        listed = self._signed(f"{stamp['meta']['snapshot.json']['version']}.snapshot.json")
        listed["version"] += 1
        change(listed)
        self._write(f"{listed['version']}.snapshot.json", listed, "snapshot")
        stamp["version"] += 1
        stamp["meta"]["snapshot.json"]["version"] = listed["version"]
        self._write("timestamp.json", stamp, "timestamp")

    def _publish(self, role: str, change: Callable[[Json], None], key: str) -> None:
        stamp = self._signed("timestamp.json")
        meta = self._signed(f"{stamp['meta']['snapshot.json']['version']}.snapshot.json")["meta"]
        signed = self._signed(f"{meta[f'{role}.json']['version']}.{role}.json")
        signed["version"] += 1
        change(signed)
        self._write(f"{signed['version']}.{role}.json", signed, key)
        self.snapshot(lambda listed: listed["meta"].update({f"{role}.json": {"version": signed["version"]}}))

    def _signed(self, name: str) -> Json:
        signed: Json = json.loads((self._metadata / name).read_bytes())["signed"]
        return signed

    def _write(self, name: str, signed: Json, key: str) -> None:
        canonical = encode_canonical(signed)
        assert canonical is not None
        signature = self._keys.signer(key).sign(canonical.encode())
        document = {"signatures": [signature.to_dict()], "signed": signed}
        (self._metadata / name).write_text(json.dumps(document))
