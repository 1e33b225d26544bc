"""OpenSSL's libcrypto through ctypes: the elliptic-curve work of one side of CBKE."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from typing import Any, NamedTuple

from emulator.crypto import ecqv
from emulator.crypto.authority import Identity
from emulator.crypto.certificates import parse_certificate
from emulator.crypto.curves import SECT163K1, BinaryCurve, Point
from emulator.crypto.ecmqv import associate_value

_NID_SECT163K1, _NID_SECT283K1 = 721, 729
_COMPRESSED = 2


class Partner(NamedTuple):
    """What one side of CBKE learns of the other: its certificate and its compressed ephemeral key."""

    certificate: bytes
    ephemeral: bytes


class Libcrypto:
    """The few functions needed, with their pointers typed; raises `OSError` when there is no libcrypto."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("crypto")
        if name is None:
            raise OSError("no libcrypto on this machine")
        self._library = ctypes.CDLL(name)
        self.group_new = self._function("EC_GROUP_new_by_curve_name", ctypes.c_int)
        self.point_new = self._function("EC_POINT_new", ctypes.c_void_p)
        self.point_free = self._function("EC_POINT_free", ctypes.c_void_p)
        self.number_new = self._function("BN_bin2bn", ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
        self.number_free = self._function("BN_free", ctypes.c_void_p)
        pointer = ctypes.c_void_p
        self.multiply = self._function("EC_POINT_mul", pointer, pointer, pointer, pointer, pointer, pointer)
        self.add = self._function("EC_POINT_add", pointer, pointer, pointer, pointer, pointer)
        self.read = self._function(
            "EC_POINT_oct2point", pointer, pointer, ctypes.c_char_p, ctypes.c_size_t, pointer
        )
        self.write = self._function(
            "EC_POINT_point2oct", pointer, pointer, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, pointer
        )

    def _function(self, name: str, *argument_types: Any) -> Callable[..., Any]:
        function = getattr(self._library, name)
        function.argtypes = argument_types
        function.restype = ctypes.c_void_p
        return function  # type: ignore[no-any-return]

    def curve(self, curve: BinaryCurve) -> OpenSslCurve | None:
        """Return OpenSSL's own form of a curve, None when this build leaves it out."""
        group = self.group_new(_NID_SECT163K1 if curve is SECT163K1 else _NID_SECT283K1)
        return OpenSslCurve(self, group, curve) if group else None


class OpenSslCurve:
    """One curve of libcrypto; points go in and out as compressed octets."""

    def __init__(self, library: Libcrypto, group: int, curve: BinaryCurve) -> None:
        self._library = library
        self._group = group
        self._curve = curve

    def combine(self, *terms: tuple[int, bytes | None]) -> bytes:
        """Return the sum of scalar * point over `terms`, where None stands for the generator."""
        library, group = self._library, self._group
        total = library.point_new(group)
        product, point = library.point_new(group), library.point_new(group)
        for index, (scalar, octets) in enumerate(terms):
            target = product if index else total
            if octets is not None:
                library.read(group, point if scalar != 1 else target, octets, len(octets), None)
            if scalar != 1:
                self._multiply(target, scalar, None if octets is None else point)
            if index:
                library.add(group, total, total, product, None)
        out = ctypes.create_string_buffer(64)
        length = library.write(group, total, _COMPRESSED, out, 64, None)
        for used in (total, product, point):
            library.point_free(used)
        return out.raw[:length]

    def _multiply(self, target: int, scalar: int, point: int | None) -> None:
        library = self._library
        number = library.number_new(scalar.to_bytes(40, "big"), 40, None)
        if point is None:
            library.multiply(self._group, target, number, None, None, None)
        else:
            library.multiply(self._group, target, None, point, number, None)
        library.number_free(number)

    def one_side(self, identity: Identity, authority: bytes, private: int, partner: Partner) -> bytes:
        """Do one side of CBKE up to the shared secret Z: ephemeral key, partner's public key, ECMQV.

        `authority` is the issuer's public key, compressed; `private` the own ephemeral private key.
        """
        curve, order = self._curve, self._curve.order
        own = self.combine((private, None))
        fields = parse_certificate(identity.suite, partner.certificate)
        public = self.combine((ecqv.certificate_hash(partner.certificate), fields.point), (1, authority))
        s = (private + self._associate(own) * identity.private_key) % order
        weight = s * self._associate(partner.ephemeral) % order
        total = self.combine((curve.cofactor * s, partner.ephemeral), (curve.cofactor * weight, public))
        return total[1:]

    def _associate(self, octets: bytes) -> int:
        return associate_value(self._curve, Point(int.from_bytes(octets[1:], "big"), 0))
