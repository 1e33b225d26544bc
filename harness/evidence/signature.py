"""Who signed a journal: the key's fingerprint, whether anybody could have made it, and whether it is trusted."""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import HarnessError
from harness.evidence.finding import Finding
from harness.facts.campaign import Begun
from harness.journal import campaign_key, fingerprint
from harness.journal.signing import public_point

SUBJECT = "signature"
_DIGITS = 64


def read_fingerprint(text: str) -> str:
    """Return a fingerprint as it is compared: 64 small hexadecimal digits; raises `HarnessError`."""
    plain = text.strip().lower().removeprefix("sha256:").replace(":", "")
    if len(plain) != _DIGITS or not set(plain) <= set("0123456789abcdef"):
        raise HarnessError(f"--trust: {text!r}: expected the {_DIGITS} hexadecimal digits that verify prints")
    return plain


def check_signer(begun: Begun, checkpoints: int, trusted: str | None) -> Iterator[Finding]:
    """Say whose key signed the journal's valid checkpoints; `trusted` is the fingerprint that it must have."""
    try:
        signer = fingerprint(bytes.fromhex(begun.public_key))
    except ValueError:
        signer = ""
    if not signer:
        yield Finding(SUBJECT, False, "the journal names no key that could have signed it")
        return
    if not checkpoints:
        yield Finding(SUBJECT, None, f"nothing is signed yet; {signer} is to sign")
        return
    rehearsal = begun.public_key == public_point(campaign_key(begun.request.seed)).hex()
    if trusted is not None and signer != trusted:
        yield Finding(SUBJECT, False, f"signed by {signer}, not by the trusted {trusted}")
        return
    detail = f"by the trusted key {signer}" if trusted is not None else f"by {signer}"
    if rehearsal:
        detail += (
            f", a public rehearsal key: seed {begun.request.seed} makes it, so it says nothing of who signed"
        )
    elif trusted is None:
        detail += "; whoever knows whose key that is asks with --trust"
    yield Finding(SUBJECT, True, detail)
