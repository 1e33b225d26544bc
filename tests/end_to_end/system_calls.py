"""The command under a tracer that sees every system call by which it changes a folder, before it happens.

At each such call the tracer may kill the command, let the call fail, or take a picture of the folder: as a kill at that
instant leaves it, or as a power cut does. SQLite's calls are seen like Python's. Linux on x86-64, without privileges:
the command asks to be traced and has the kernel stop it (seccomp) at those calls alone.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum

SUPPORTED = platform.system() == "Linux" and platform.machine() == "x86_64"

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_LIBC.ptrace.restype = ctypes.c_long
_TRACEME, _CONT, _GETREGS, _SETREGS, _SETOPTIONS = 0, 7, 12, 13, 0x4200
_OPTIONS = 0x80 | 0x100000
"""Stop at what the filter names; the command dies with its tracer."""
_STOPPED_BY_FILTER = signal.SIGTRAP | 7 << 8
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_MAKING = os.O_CREAT | os.O_TRUNC


_NAMES = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base",
    "ds es fs gs",
)


class _Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in " ".join(_NAMES).split()]


class Number(IntEnum):
    """The system calls that change a folder or make a change last."""

    WRITE = 1
    PWRITE64 = 18
    WRITEV = 20
    SENDFILE = 40
    FSYNC = 74
    FDATASYNC = 75
    TRUNCATE = 76
    FTRUNCATE = 77
    RENAME = 82
    MKDIR = 83
    RMDIR = 84
    UNLINK = 87
    FCHMOD = 91
    OPENAT = 257
    UNLINKAT = 263
    COPY_FILE_RANGE = 326


_BY_DESCRIPTOR = {
    Number.WRITE: "rdi",
    Number.PWRITE64: "rdi",
    Number.WRITEV: "rdi",
    Number.SENDFILE: "rdi",
    Number.FSYNC: "rdi",
    Number.FDATASYNC: "rdi",
    Number.FTRUNCATE: "rdi",
    Number.FCHMOD: "rdi",
    Number.COPY_FILE_RANGE: "rdx",
}
_BY_PATH = {
    Number.TRUNCATE: ("", "rdi"),
    Number.RENAME: ("", "rdi"),
    Number.MKDIR: ("", "rdi"),
    Number.RMDIR: ("", "rdi"),
    Number.UNLINK: ("", "rdi"),
    Number.OPENAT: ("rdi", "rsi"),
    Number.UNLINKAT: ("rdi", "rsi"),
}
SYNCS = (Number.FSYNC, Number.FDATASYNC)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is about to happen: which, on what, and the command's process."""

    number: Number
    path: str
    process: int
    descriptor: int | None


Decide = Callable[[Call], int | None]
"""Looks at a call; returns None to let it happen, an errno to let it fail instead, or `KILL`."""
KILL = -1


def traced(command: Callable[[], int], root: str, decide: Decide) -> int:
    """Run `command` in a process of its own and ask `decide` at every call that concerns `root`.

    Returns its exit status, or the negative number of the signal that ended it.
    """
    process = os.fork()
    if process == 0:
        _be_traced(command)
    os.waitpid(process, 0)
    _ptrace(_SETOPTIONS, process, _OPTIONS)
    pending = 0
    while True:
        with suppress(ProcessLookupError):  # killed just now: its end is what is waited for
            _ptrace(_CONT, process, pending)
        _, status = os.waitpid(process, 0)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return os.waitstatus_to_exitcode(status)
        pending = 0
        if status >> 8 == _STOPPED_BY_FILTER:
            _at_call(process, root, decide)
        else:
            pending = os.WSTOPSIG(status)


def _at_call(process: int, root: str, decide: Decide) -> None:
    registers = _Registers()
    _ptrace(_GETREGS, process, ctypes.addressof(registers))
    call = _call_of(process, registers)
    if call is None or not call.path.startswith(root):
        return
    verdict = decide(call)
    if verdict == KILL:
        os.kill(process, signal.SIGKILL)
    elif verdict is not None:
        registers.orig_rax = ctypes.c_ulonglong(-1).value
        registers.rax = ctypes.c_ulonglong(-verdict).value
        _ptrace(_SETREGS, process, ctypes.addressof(registers))


def _call_of(process: int, registers: _Registers) -> Call | None:
    number = Number(registers.orig_rax)
    if number in _BY_DESCRIPTOR:
        descriptor = getattr(registers, _BY_DESCRIPTOR[number])
        return Call(number, _link(process, f"fd/{descriptor}"), process, descriptor)
    folder, name = _BY_PATH[number]
    text = os.fsdecode(_string(process, getattr(registers, name)))
    base = _link(process, "cwd")
    if folder and (at := ctypes.c_int(getattr(registers, folder) & 0xFFFFFFFF).value) >= 0:
        base = _link(process, f"fd/{at}")
    return Call(number, os.path.normpath(os.path.join(base, text)), process, None)


def _link(process: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{process}/{name}")
    except OSError:
        return ""


def _string(process: int, address: int) -> bytes:
    with open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        octets = b""
        while b"\0" not in octets:
            octets += memory.read(256 - (address + len(octets)) % 256)
    return octets.partition(b"\0")[0]


def _be_traced(command: Callable[[], int]) -> None:
    """Be the command: let the tracer in, have the kernel stop us at the calls, and run."""
    status = 70
    try:
        _ptrace(_TRACEME, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        _install_filter()
        status = command()
    finally:
        os._exit(status)


def _install_filter() -> None:
    plain = [number for number in Number if number is not Number.OPENAT]
    program = [(_LOAD, 0, 0, 0)]
    for index, number in enumerate(plain):
        program.append((_EQUAL, len(plain) - index - 1 + 5, 0, number))
    program += [
        (_EQUAL, 0, 3, Number.OPENAT),
        (_LOAD, 0, 0, 16 + 2 * 8),
        (_AND, 0, 0, _MAKING),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _TRACE),
    ]
    octets = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *each) for each in program))
    header = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(octets)))
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _LIBC.prctl(_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "no filter of system calls here")


def _ptrace(request: int, process: int, data: int) -> None:
    if _LIBC.ptrace(request, process, None, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
