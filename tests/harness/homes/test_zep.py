from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import wrpcap

from emulator.air.fcs import with_fcs
from harness.errors import HarnessError
from harness.homes.zep import PORT, ZepSender, encode

ACK = with_fcs(b"\x02\x00\x2a")
TIME_US = 1_772_438_400_500_000


def test_the_header_is_laid_out_as_the_protocol_says() -> None:
    octets = encode(TIME_US, 15, ACK, 200, 7)
    assert octets[:9] == b"EX\x02\x01\x0f\x00\x00\x01\xc8"
    assert int.from_bytes(octets[9:13], "big") == TIME_US // 1_000_000 + 2_208_988_800
    assert int.from_bytes(octets[13:17], "big") == 1 << 31
    assert octets[17:21] == b"\x00\x00\x00\x07"
    assert octets[21:] == bytes(10) + bytes((len(ACK),)) + ACK


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_wireshark_reads_it(tmp_path: Path) -> None:
    datagram = encode(TIME_US, 15, ACK, 200, 7)
    packet = Ether() / IP(src="127.0.0.1", dst="127.0.0.1") / UDP(sport=40000, dport=PORT) / Raw(datagram)
    wrpcap(str(tmp_path / "zep.pcap"), [packet])
    fields = ("zep.version", "zep.channel_id", "zep.seqno", "wpan.seq_no", "wpan.fcs_ok")
    shown = subprocess.run(
        ["tshark", "-r", str(tmp_path / "zep.pcap"), "-T", "fields"]
        + [part for field in fields for part in ("-e", field)],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    assert shown[:4] == ["2", "15", "7", "42"]
    assert shown[4] in ("1", "True")


def test_frames_go_out_as_they_happen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        sender = ZepSender("127.0.0.1", receiver.getsockname()[1])
        for _ in range(2):
            sender.frame(TIME_US, 15, ACK, 200, -50)
        assert [receiver.recv(200)[17:21] for _ in range(2)] == [b"\0\0\0\1", b"\0\0\0\2"]
        sender.close()


def test_an_unknown_host_is_a_clear_error() -> None:
    with pytest.raises(HarnessError, match=r"--zep: no-such-host\.invalid"):
        ZepSender("no-such-host.invalid")
