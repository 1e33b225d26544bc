"""Whole secured frames read and decrypted a second, against scapy.

A frame is a captured OTA block: MAC, NWK with auxiliary header, APS with auxiliary header. scapy dissects the same
layers; it has no decryption, so it is lent this project's ciphers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.rehearsal import Upgrade, make_home, signed_image
from benchmarks.result import Result, medians, timed
from emulator.air.fcs import FCS_OCTETS, fcs_ok
from emulator.air.frame import decode_frame
from emulator.clock.loop import run
from emulator.crypto.ccm import CcmKey, nonce
from emulator.stack.aps import fast_path
from emulator.stack.aps import frames as aps_frames
from emulator.stack.aps import security as aps_security
from emulator.stack.nwk import frame as nwk_frame

AIM = 50.0
_BLOCK_PSDU_OCTETS = 116
_LEVEL_5 = b"\x2d"


class Material(NamedTuple):
    """Captured block responses, and what it takes to read them."""

    psdus: list[bytes]
    network_key: CcmKey
    link_key: CcmKey
    hub: int


class _Tap:
    """A capture in memory of the long frames of a home: the block responses."""

    def __init__(self) -> None:
        self.psdus: list[bytes] = []

    def frame(self, time_us: int, channel: int, psdu: bytes, lqi: int, rssi_dbm: int) -> None:
        if len(psdu) >= _BLOCK_PSDU_OCTETS:
            self.psdus.append(psdu)


def capture(blocks: int) -> Material:
    """Return the block responses of a short transfer."""
    tap = _Tap()
    kernel, home = make_home(capture=tap)

    async def transfer() -> Material:
        await home.start()
        tap.psdus.clear()
        await Upgrade(home, signed_image(48 * blocks)).transfer()
        life = home.devices["electricity"].life
        assert life is not None
        parameters = life.node.parameters
        link_key = life.node.link_key(home.hub.eui64)
        assert parameters is not None
        assert link_key is not None
        await home.stop()
        # Destination and source, as on the air: the hub's frames to the meter.
        addresses = parameters.short_address.to_bytes(2, "little") + b"\x00\x00"
        psdus = [psdu for psdu in tap.psdus if psdu[5:9] == addresses]
        return Material(psdus, CcmKey(parameters.network_key), CcmKey(link_key), home.hub.eui64)

    return run(transfer(), kernel)


def decode(psdu: bytes, material: Material) -> bytes:
    """Read one frame down to its ZCL octets, checking FCS and both integrity codes."""
    assert fcs_ok(psdu)
    npdu = decode_frame(psdu[:-FCS_OCTETS]).payload
    _, offset = nwk_frame.unpack_header(npdu)
    aux = nwk_frame.unpack_aux(npdu, offset)
    end = offset + nwk_frame.AUX_OCTETS
    nsdu = material.network_key.decrypt(
        nonce(aux.source_eui64, aux.frame_counter, aux.control),
        npdu[:offset] + _LEVEL_5 + npdu[offset + 1 : end],
        npdu[end:],
    )
    control, *_, security, frame_counter = fast_path.unpack_secured_data(nsdu)
    if control == aps_frames.SECURED and security == aps_security.KEY_DATA:
        return fast_path.unsealed_data(material.link_key, aux.source_eui64, frame_counter, nsdu)
    header = aps_frames.decode_header(nsdu)
    aps_aux = aps_security.decode_aux(nsdu, header.length)
    return aps_security.unseal(material.link_key, aps_aux, aux.source_eui64, nsdu, header.length)


def scapy_decoder(material: Material) -> Callable[[bytes], bytes]:
    """Return a function that does the same with scapy's layers."""
    import scapy.config
    from scapy.layers import dot15d4, zigbee

    configuration: Any = scapy.config.conf
    configuration.dot15d4_protocol = "zigbee"

    def unsealed(layer: Any, cipher: CcmKey, source: int, control: int) -> bytes:
        """Decrypt what a security header of scapy protects; its `data` still ends in the MIC."""
        octets = bytes(layer.original)
        header = layer[zigbee.ZigbeeSecurityHeader]
        end = len(octets) - len(header.data)
        start = end - (14 if control & 0x20 else 5)
        aad = octets[:start] + bytes((control | 5,)) + octets[start + 1 : end]
        return cipher.decrypt(nonce(source, header.fc, control), aad, octets[end:])

    def decode_with_scapy(psdu: bytes) -> bytes:
        nwk = dot15d4.Dot15d4FCS(psdu)[zigbee.ZigbeeNWK]
        source: int = nwk[zigbee.ZigbeeSecurityHeader].source
        aps = zigbee.ZigbeeAppDataPayload(unsealed(nwk, material.network_key, source, 0x28))
        return unsealed(aps, material.link_key, source, 0x00)

    return decode_with_scapy


def frames_per_second(decoder: Callable[[bytes], bytes], psdus: list[bytes]) -> float:
    """Return the speed of a decoder."""
    with timed() as watch:
        for psdu in psdus:
            decoder(psdu)
    return len(psdus) / watch.seconds


def measure(quick: bool) -> list[Result]:
    """Compare on the same frames, and make sure that both read the same out of them."""
    repetitions = 1 if quick else 5
    material = capture(50 if quick else 2000)
    with_scapy = scapy_decoder(material)

    def ours(psdu: bytes) -> bytes:
        return decode(psdu, material)

    few = material.psdus[:50]
    assert [ours(psdu) for psdu in few] == [with_scapy(psdu) for psdu in few]
    value, peer = medians(
        lambda: frames_per_second(ours, material.psdus),
        lambda: frames_per_second(with_scapy, material.psdus[:300]),
        repetitions,
    )
    note = "MAC to APS, FCS and both integrity codes checked; scapy lent our AES-CCM*, FCS not checked"
    return [Result("Frame decoding", value, "frames/s", "scapy dissection", peer, AIM, note=note)]
