"""Confinement by the kernel, through plain ctypes: namespaces, Landlock, seccomp, capabilities, limits.

Every function raises OSError where the kernel refuses; nothing here falls back silently.
Numbers from linux/landlock.h, linux/sched.h, linux/prctl.h and linux/capability.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import stat
import struct
from collections.abc import Iterable, Mapping

from . import filters

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 0x4000, 0x40000
_PDEATHSIG, _DUMPABLE, _SECCOMP, _CAPBSET_DROP, _SUBREAPER, _NO_NEW_PRIVS = 1, 4, 22, 24, 36, 38
_FILTER = 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ, _READ_DIR, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_KNOWN = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Landlock version: every access right on files that it knows."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, value: int, more: int = 0) -> None:
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(more), zero, zero), f"prctl {option}")


def hide() -> None:
    """Nobody of the same user may look into this process's memory or files."""
    _prctl(_DUMPABLE, 0)


def die_with_parent() -> None:
    _prctl(_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Descendants whose parent ended become children of this process."""
    _prctl(_SUBREAPER, 1)


def enter_namespaces(scratch: str, scratch_bytes: int) -> None:
    """New user, mount, process, network, IPC and host name spaces, with a bounded file system in memory on ``scratch``.

    Returns in the first process of the new process namespace; the process that called waits for it and then exits.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = _NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
    _checked(_libc.unshare(flags), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    _mount(b"tmpfs", scratch.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, f"size={scratch_bytes},mode=755".encode())
    child = os.fork()
    if child:
        for fd in (0, 1):
            os.close(fd)
        os.waitpid(child, 0)
        os._exit(0)
    die_with_parent()


def _mount(source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes | None) -> None:
    _checked(_libc.mount(source, target, kind, ctypes.c_ulong(flags), data), f"mount {target.decode()}")


def landlock_version() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    found: int = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(0, found)


def file_rules(readable: Iterable[str], writable: Iterable[str], listable: Iterable[str] = ()) -> int:
    """A Landlock ruleset (a file descriptor): below ``readable`` read, below ``writable`` anything, else nothing.

    Below ``listable`` names may be listed. Paths that do not exist are left out. TCP is denied too where the kernel can.
    """
    version = landlock_version()
    known = _KNOWN[max(v for v in _KNOWN if v <= version)]
    network = 3 if version >= 4 else 0
    attributes = struct.pack("=QQ", known, network)[: 16 if network else 8]
    ruleset = _checked(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0), "landlock")
    for paths, rights in ((readable, _READ | _READ_DIR), (writable, known & ~_EXECUTE), (listable, _READ_DIR)):
        for path in paths:
            with contextlib.suppress(FileNotFoundError, PermissionError):
                _allow(ruleset, path, rights)
    return ruleset


def _allow(ruleset: int, path: str, rights: int) -> None:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, fd)
        _checked(_libc.syscall(_ADD_RULE, ruleset, 1, rule, 0), f"landlock rule for {path}")
    finally:
        os.close(fd)


def set_limits(limits: Mapping[str, int]) -> None:
    """Hard limits by the names of ``resource`` without the prefix (``AS``, ``CPU``); never above what is already set."""
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        ceiling = resource.getrlimit(which)[1]
        bound = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
        resource.setrlimit(which, (bound, bound))


def drop_privileges(uid: int | None) -> None:
    """Become ``uid`` (None: stay), without groups and capabilities, and never gain any."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    for capability in range(64):
        if _libc.prctl(_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    header, nothing = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    _checked(_libc.capset(header, nothing), "capset")
    _prctl(_NO_NEW_PRIVS, 1)


def apply_rules(ruleset: int) -> None:
    """Put this process under a Landlock ruleset, for good."""
    _checked(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")


def filter_calls() -> None:
    """Put this process under the seccomp filter, for good."""
    code = filters.program(os.getpid())
    held = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
    _checked(_libc.prctl(_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.c_char_p(head), 0, 0), "seccomp")
