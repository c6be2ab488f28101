"""The interpreter that judged programs see: the standard library, and numpy where this installation has it.

Invariant: nothing of the project's own packages is importable, and below the standard library only its own parts are readable.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

INSIDE = Path(__file__).parent / "inside"
START = "import sys,json;sys.path.insert(0,sys.argv[1]);from inside.server import main;main(json.loads(sys.argv[2]))"
VARIABLES = {
    "PATH": "/usr/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
NOBODY = 65534
"""The user a judged program becomes where moco runs as root."""
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix/store", "/etc/ld.so.cache", "/usr/share/zoneinfo")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


def interpreter() -> str:
    """The base interpreter behind a virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def command(python: str, root: str, settings: str, *, site: bool = False) -> list[str]:
    """The command line that serves jobs: isolated, and without installed packages unless ``site``."""
    return [python, "-I", *([] if site else ["-S"]), "-B", "-X", "utf8", "-c", START, root, settings]


@lru_cache(maxsize=1)
def numpy_folders() -> tuple[Path, ...]:
    """Where numpy and its libraries lie; empty where there is none. Nothing is imported."""
    spec = importlib.util.find_spec("numpy")
    if spec is None or not spec.submodule_search_locations:
        return ()
    folder = Path(next(iter(spec.submodule_search_locations)))
    return tuple(path for path in (folder, folder.with_name("numpy.libs")) if path.is_dir())


def standard_library() -> list[str]:
    """Readable paths of the standard library, without the installed packages that may lie inside it."""
    found = []
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), sysconfig.get_config_var("DESTSHARED") or ""}:
        if os.path.isdir(folder):
            found += [entry.path for entry in os.scandir(folder) if entry.name not in ("site-packages", "dist-packages")]
    return [*sorted(found), os.path.join(sys.base_prefix, "lib", str(sysconfig.get_config_var("INSTSONAME") or "libpython"))]


def readable() -> list[str]:
    """Every path a judged program may read on this machine."""
    return [*standard_library(), *map(str, numpy_folders()), *_LIBRARIES, *_DEVICES]


def listable() -> list[str]:
    """Folders of which a judged program may list the names: the import system has to."""
    return sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})


def reachable_by_others(path: Path) -> bool:
    """Whether another user may read ``path``: every folder above it lets others pass."""
    try:
        return all(folder.stat().st_mode & 0o001 for folder in path.parents) and bool(path.stat().st_mode & 0o005)
    except OSError:
        return False


def versions() -> dict[str, str]:
    """What a verdict depends on beside the program."""
    from importlib import metadata

    numpy = metadata.version("numpy") if numpy_folders() else ""
    return {"python": platform.python_version(), "numpy": numpy, "machine": platform.machine()}
