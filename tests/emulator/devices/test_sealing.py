from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.clock.kernel import Kernel
from emulator.devices.control import rehearsal_identity
from emulator.devices.sealing import seal, unseal
from emulator.errors import CryptoError, SecurityError

SECRET = Kernel(7).secret
IDENTITY = rehearsal_identity(SECRET, 0x00DB1234567890A0)


@given(st.binary(max_size=64))
def test_sealed_text_opens_for_its_recipient_only(plaintext: bytes) -> None:
    sealed = seal(plaintext, IDENTITY.public_point, SECRET("e", 32), b"use")
    assert unseal(sealed, IDENTITY.private_scalar, b"use") == plaintext
    with pytest.raises(SecurityError):
        unseal(sealed, IDENTITY.private_scalar, b"other use")
    with pytest.raises(SecurityError):
        unseal(sealed, rehearsal_identity(SECRET, 1).private_scalar, b"use")


def test_a_recipient_off_the_curve_is_refused() -> None:
    with pytest.raises(CryptoError, match="P-256"):
        seal(b"", b"\x04" + bytes(64), SECRET("e", 32), b"use")
