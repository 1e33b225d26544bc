"""Attacks by whoever keeps or serves the metadata: thresholds, freshness, roll-back, mix-and-match, endless data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial

from tuf.api._payload import _DelegatorMixin
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet

from firmware_catalog import catalogue, trusted
from firmware_catalog.catalogue import Catalogue
from firmware_catalog.files import METADATA_LIMIT
from tests.firmware_catalog.attacks.lab import A_IMAGES, BOARD, NOW, PAST, SEED, A, Attack, B, Lab, Mutant
from tests.firmware_catalog.forger import Json

THRESHOLD = Mutant(_DelegatorMixin, "verify_delegate", "if not result:", "if False:")
DIFFERENT_KEYS = Mutant(
    trusted, "_require_different_keys", "if len(set(publics)) < len(publics):", "if False:"
)
_update = partial(Mutant, TrustedMetadataSet)
ROOT_VERSION = _update("update_root", "if new_root.version != self.root.version + 1:", "if False:")
ROOT_BY_ITSELF = _update(
    "update_root", "new_root.verify_delegate(Root.type, new_root_bytes, new_root_signatures)", "pass"
)
ROOT_BY_THE_LAST = _update("update_root", "Root, data, self.root", "Root, data")
ROOT_EXPIRY = _update("update_timestamp", "if self.root.is_expired(self.reference_time):", "if False:")
TIMESTAMP_VERSION = _update(
    "update_timestamp", "if new_timestamp.version < self.timestamp.version:", "if False:"
)
TIMESTAMPED = _update(
    "update_timestamp", "if new_snapshot_meta.version < snapshot_meta.version:", "if False:"
)
TIMESTAMP_EXPIRY = _update(
    "_check_final_timestamp", "if self.timestamp.is_expired(self.reference_time):", "if False:"
)
SNAPSHOT_OCTETS = _update("update_snapshot", "snapshot_meta.verify_length_and_hashes(data)", "pass")
SNAPSHOT_EXPIRY = _update(
    "_check_final_snapshot", "if self.snapshot.is_expired(self.reference_time):", "if False:"
)
SNAPSHOT_VERSION = _update(
    "_check_final_snapshot", "if self.snapshot.version != snapshot_meta.version:", "if False:"
)
LISTED_VERSION = _update("update_snapshot", "if new_fileinfo.version < fileinfo.version:", "if False:")
LISTED_STILL = _update(
    "update_snapshot",
    "in self.snapshot.meta.items():",
    "in [each for each in self.snapshot.meta.items() if each[0] in new_snapshot.meta]:",
)
TARGETS_VERSION = _update("update_delegated_targets", "if version != meta.version:", "if False:")
TARGETS_OCTETS = _update("update_delegated_targets", "meta.verify_length_and_hashes(data)", "pass")
TARGETS_EXPIRY = _update(
    "update_delegated_targets", "if new_delegate.is_expired(self.reference_time):", "if False:"
)
PIN = Mutant(catalogue, "read_trusted", "if root_sha256 is not None and digest != root_sha256:", "if False:")
LIMIT = Mutant(trusted, "_read", "METADATA_LIMIT", "1 << 40")


def _expired(signed: Json) -> None:
    signed["expires"] = PAST


def _unchanged(signed: Json) -> None:
    pass


def _one_signature(name: str, lab: Lab) -> object:
    document = lab.document(name)
    lab.forger.write(
        name, document["signed"], [lab.forger.names(name.split(".", 1)[1].removesuffix(".json"))[0]]
    )
    return lab.read()


def _unsigned(name: str, lab: Lab) -> object:
    lab.forger.write(name, lab.document(name)["signed"], [])
    return lab.read()


def _signed_by(role: str, by: str, lab: Lab) -> object:
    if role == "timestamp":
        lab.forger.write("timestamp.json", lab.forger.signed("timestamp.json"), [by])
    elif role == "snapshot":
        lab.forger.write("2.snapshot.json", lab.forger.signed("2.snapshot.json"), [by])
        stamp = lab.forger.signed("timestamp.json")
        stamp["meta"]["snapshot.json"] = {"version": 2}
        lab.forger.write("timestamp.json", stamp, ["timestamp"])
    else:
        lab.forger.role(role, _unchanged, by=[by])
    return lab.read()


def _next_root(change: object, by: Sequence[str], lab: Lab) -> object:
    lab.forger.root(change, by=by)  # type: ignore[arg-type]
    return lab.read()


def _other_keys(lab: Lab, names: Sequence[str]) -> Json:
    """Return the root's keys and keyids when its keys are these."""
    publics = [lab.forger.signer(name).public_key for name in names]
    return {public.keyid: public.to_dict() for public in publics}


def _rotated(names: Sequence[str], by: Sequence[str], lab: Lab) -> object:
    def change(signed: Json) -> None:
        keys = _other_keys(lab, names)
        signed["keys"].update(keys)
        signed["roles"]["root"]["keyids"] = list(keys)

    return _next_root(change, by, lab)


def _one_key_as_two_of_the_root(lab: Lab) -> object:
    key = lab.forger.signer("root-1").public_key
    other = "f" * 64

    def change(signed: Json) -> None:
        signed["keys"][other] = key.to_dict()
        signed["roles"]["timestamp"] = {"keyids": [key.keyid, other], "threshold": 2}

    lab.forger.root(change)
    stamp = lab.forger.signed("timestamp.json")
    lab.forger.write("timestamp.json", stamp, ["root-1"])
    document = lab.document("timestamp.json")
    document["signatures"].append({**document["signatures"][0], "keyid": other})
    (lab.metadata / "timestamp.json").write_text(json.dumps(document))
    return lab.read()


def _root_version(version: int, lab: Lab) -> object:
    return _next_root(lambda signed: signed.update(version=version), ("root-1", "root-2"), lab)


def _another_catalogue(lab: Lab) -> object:
    pin = Catalogue.open(lab.home, now=NOW).root_sha256
    shutil.rmtree(lab.home)
    Catalogue.create(lab.home, now=NOW, seed="somebody else")
    return lab.read(pin)


def _expires(role: str, lab: Lab) -> object:
    if role == "root":
        lab.forger.root(_expired)
    elif role == "timestamp":
        lab.forger.snapshot(_unchanged, _expired)
    elif role == "snapshot":
        lab.forger.snapshot(_expired)
    else:
        lab.forger.role(role, _expired)
    return lab.read()


def _older_timestamp(lab: Lab) -> object:
    Catalogue.open(lab.home, now=NOW, seed=SEED).refresh()
    lab.see()
    lab.forger.snapshot(_unchanged, lambda stamp: stamp.update(version=1))
    return lab.read()


def _older_snapshot(lab: Lab) -> object:
    Catalogue.open(lab.home, now=NOW, seed=SEED).refresh()
    lab.see()
    lab.forger.snapshot(_unchanged, lambda stamp: stamp["meta"].update({"snapshot.json": {"version": 2}}))
    return lab.read()


def _older_role(role: str, lab: Lab) -> object:
    before = lab.forger.signed("2.snapshot.json")["meta"][f"{role}.json"]["version"]
    lab.forger.role(role, _unchanged)
    lab.see()
    lab.forger.publish({role: before})
    return lab.read()


def _dropped_role(lab: Lab) -> object:
    lab.see()

    def without(signed: Json) -> None:
        roles = signed["delegations"]["roles"]
        signed["delegations"]["roles"] = [role for role in roles if role["name"] != B]

    version = lab.forger.changed("targets", without)

    def change(signed: Json) -> None:
        signed["meta"].pop(f"{B}.json")
        signed["meta"].pop(f"{B}.1002.json")
        signed["meta"]["targets.json"] = {"version": version}

    lab.forger.snapshot(change)
    return lab.read()


def _hidden_role(lab: Lab) -> object:
    lab.forger.snapshot(lambda signed: signed["meta"].pop(f"{BOARD}.json"))
    return lab.read()


def _snapshot_of_another_version(lab: Lab) -> object:
    lab.forger.snapshot(_unchanged)
    lab.forger.write("3.snapshot.json", lab.forger.signed("2.snapshot.json"), ["snapshot"])
    return lab.read()


def _role_of_another_version(role: str, lab: Lab) -> object:
    lab.forger.role(role, _unchanged)
    version = lab.forger.published(role)["version"]
    lab.replace(f"{version}.{role}.json", lambda signed: signed.update(version=version - 1))
    return lab.read()


def _same_version_other_octets(name: str, lab: Lab) -> object:
    lab.replace(name, lambda signed: signed.update({"x-note": "another"}))
    return lab.read()


def _endless(name: str, lab: Lab) -> object:
    with (lab.metadata / name).open("ab") as file:
        file.truncate(METADATA_LIMIT + 1)
    return lab.read()


_SAID_ABSENT = (
    Mutant(
        trusted,
        "_listed",
        "if listed is None:",
        'if listed is None:\n        return f"1.{role}.json"\n    if 0:',
    ),
    _update(
        "update_delegated_targets",
        "if meta is None:",
        'if meta is None:\n        meta = __import__("tuf.api.metadata", fromlist=["x"]).MetaFile(1)\n    if 0:',
    ),
)
_NEW = ("new-1", "new-2", "new-3")
ROLES = ("targets", A, A_IMAGES, BOARD)

ATTACKS = [
    Attack("root threshold not met", partial(_one_signature, "1.root.json"), "not trusted", (THRESHOLD,)),
    Attack("root unsigned", partial(_unsigned, "1.root.json"), "not trusted", (THRESHOLD,)),
    Attack(
        "root rotated by new keys alone",
        partial(_rotated, _NEW, _NEW[:2]),
        "not trusted: root was signed by 0/2 keys",
        (ROOT_BY_THE_LAST,),
    ),
    Attack(
        "root rotated by old keys alone",
        partial(_rotated, _NEW, ("root-1", "root-2")),
        "not trusted: root was signed by 0/2 keys",
        (ROOT_BY_ITSELF,),
    ),
    Attack(
        "root rotated by one old key",
        partial(_rotated, _NEW, ("root-1", *_NEW[:2])),
        "not trusted: root was signed by 1/2 keys",
        (ROOT_BY_THE_LAST,),
    ),
    Attack(
        "root version skipped",
        partial(_root_version, 3),
        "Expected root version 2",
        (ROOT_VERSION,),
        again=True,
    ),
    Attack("root rolled back", partial(_root_version, 1), "Expected root version 2", (ROOT_VERSION,)),
    Attack("another catalogue in its place", _another_catalogue, "this is another catalogue", (PIN,)),
    Attack(
        "one key twice for the timestamp", _one_key_as_two_of_the_root, "one key twice", (DIFFERENT_KEYS,)
    ),
    Attack("timestamp unsigned", partial(_unsigned, "timestamp.json"), "not trusted", (THRESHOLD,)),
    Attack("snapshot dropped a role", _dropped_role, "missing info", (LISTED_STILL,)),
    Attack("delegation missing from snapshot", _hidden_role, "does not list role", _SAID_ABSENT),
    Attack("timestamp rolled back", _older_timestamp, "older than it was seen", (TIMESTAMP_VERSION,)),
    Attack(
        "snapshot rolled back",
        _older_snapshot,
        "not trusted: New snapshot version|older than",
        (TIMESTAMPED,),
    ),
    Attack(
        "snapshot of another version",
        _snapshot_of_another_version,
        "Expected snapshot version",
        (SNAPSHOT_VERSION,),
    ),
    Attack(
        "snapshot signed twice under one version",
        partial(_same_version_other_octets, "2.snapshot.json"),
        "not trusted",
        (SNAPSHOT_OCTETS,),
    ),
    *(
        Attack(
            f"{role} signed twice under one version",
            partial(_same_version_other_octets, f"{version}.{role}.json"),
            "not trusted",
            (TARGETS_OCTETS,),
        )
        for role, version in {"targets": 2, A: 1, A_IMAGES: 1}.items()
    ),
    *(
        Attack(f"{role} expired", partial(_expires, role), "expired", (mutant,))
        for role, mutant in {
            "root": ROOT_EXPIRY,
            "timestamp": TIMESTAMP_EXPIRY,
            "snapshot": SNAPSHOT_EXPIRY,
            **dict.fromkeys(ROLES, TARGETS_EXPIRY),
        }.items()
    ),
    *(
        Attack(f"{role} rolled back", partial(_older_role, role), "older than it was seen", (LISTED_VERSION,))
        for role in ROLES
    ),
    *(
        Attack(
            f"{role} of another version",
            partial(_role_of_another_version, role),
            "Expected .* v",
            (TARGETS_VERSION,),
        )
        for role in ROLES
    ),
    *(
        Attack(f"{role} signed by {by}", partial(_signed_by, role, by), "was signed by 0/", (THRESHOLD,))
        for role, by in {
            "timestamp": "snapshot",
            "snapshot": "timestamp",
            A: "snapshot",
            A_IMAGES: B,
            BOARD: A,
        }.items()
    ),
    Attack(
        "targets signed by one key",
        partial(_signed_by, "targets", "targets-1"),
        "signed by 1/2",
        (THRESHOLD,),
    ),
    *(
        Attack(f"endless {name}", partial(_endless, name), "at most", (LIMIT,), again=True)
        for name in ("timestamp.json", "2.snapshot.json", f"1.{A}.json")
    ),
]
