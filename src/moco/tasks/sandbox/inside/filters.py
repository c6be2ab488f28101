"""The seccomp filter of a judged program, as classic BPF.

It may start threads but no process, signal itself but nobody else, and open no socket. What is not named in ``syscalls`` is
allowed: files are Landlock's business.
"""

from __future__ import annotations

import errno
import platform
import struct

from .syscalls import ABSENT, ARCHES, CALLS, JUDGED

_LOAD, _JEQ, _JSET, _JGE, _AND, _RET = 0x20, 0x15, 0x45, 0x35, 0x54, 0x06
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_NR, _ARCH, _ARGS = 0, 4, 16
_CLONE_THREAD, _O_TRUNC, _O_ACCMODE, _TIOCSTI, _TIOCLINUX = 0x10000, 0o1000, 3, 0x5412, 0x541C
_FIOSETOWN, _SIOCSPGRP, _F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 0x8901, 0x8902, 8, 10, 15
_X32 = 0x40000000


def supported() -> bool:
    """Whether there are call numbers for this machine."""
    return platform.machine() in ARCHES


def program(pid: int) -> bytes:
    """The filter for the process ``pid``, as an array of ``struct sock_filter``; raises KeyError on an unknown machine."""
    arch, column = ARCHES[platform.machine()]
    denied, absent = _RET, _ERRNO | errno.ENOSYS
    code = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, arch),
        (_RET, 0, 0, _KILL),
        (_LOAD, 0, 0, _NR),
        (_JGE, 0, 1, _X32),
        (_RET, 0, 0, _KILL),
    ]
    refuse = (denied, 0, 0, _ERRNO | errno.EPERM)
    for numbers in CALLS.values():
        if numbers[column] is not None:
            code += [(_JEQ, 0, 1, _number(numbers, column)), refuse]
    for pair in ABSENT.values():
        code += [(_JEQ, 0, 1, pair[column]), (_RET, 0, 0, absent)]
    for name, numbers in JUDGED.items():
        if numbers[column] is not None:
            body = [*_rule(name, pid), (_RET, 0, 0, _ALLOW)]
            code += [(_JEQ, 0, len(body), _number(numbers, column)), *body]
    code.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in code)


def _number(numbers: tuple[int | None, int | None], column: int) -> int:
    number = numbers[column]
    assert number is not None
    return number


def _rule(name: str, pid: int) -> list[tuple[int, int, int, int]]:
    """Lines that end in a refusal, or fall through to what follows: the call is allowed."""
    refuse = (_RET, 0, 0, _ERRNO | errno.EPERM)
    if name == "clone":  # threads only
        return [(_LOAD, 0, 0, _ARGS), (_JSET, 1, 0, _CLONE_THREAD), refuse]
    if name in ("kill", "tgkill"):  # itself only
        return [(_LOAD, 0, 0, _ARGS), (_JEQ, 1, 0, pid), refuse]
    if name == "prlimit64":  # its own limits only
        return [(_LOAD, 0, 0, _ARGS), (_JEQ, 2, 0, 0), (_JEQ, 1, 0, pid), refuse]
    if name in ("ioctl", "fcntl"):  # never type into a terminal; never have the kernel signal another process about a file
        of_files = (_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP) if name == "ioctl" else (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX)
        return [(_LOAD, 0, 0, _ARGS + 8), *(line for number in of_files for line in ((_JEQ, 0, 1, number), refuse))]
    flags = _ARGS + (8 if name == "open" else 16)  # reading may not empty the file, which the first Landlock versions miss
    return [(_LOAD, 0, 0, flags), (_AND, 0, 0, _O_TRUNC | _O_ACCMODE), (_JEQ, 0, 1, _O_TRUNC), refuse]
