"""Slips in a method that a user wrote: told with file and line, as the user's, not as a fault of moco."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from moco.collab.source import file_of
from moco.core.errors import MethodError, MocoError, in_a_line

if TYPE_CHECKING:
    from moco.collab.method import Method

_MOCO = Path(__file__).parents[1]


@contextmanager
def blamed(method: Method) -> Iterator[None]:
    """Turns what the code of ``method`` raises, and is no error of ours, into MethodError; ours are left as they are.

    So are faults of the methods that come with moco, and of the system (a full disk) below them.
    """
    try:
        yield
    except Exception as error:
        first, frames = _first(error)
        if isinstance(first, MocoError) and first is not error:
            raise first from error
        ours = isinstance(first, OSError) and _inside(frames[-1].filename)
        if ours or isinstance(first, MocoError) or type(method).__module__.partition(".")[0] == "moco":
            raise
        raise _told(method, first, frames) from error


def _first(error: Exception) -> tuple[Exception, list[traceback.FrameSummary]]:
    """What began it, where several tasks failed together, and the frames that led there."""
    frames = list(traceback.extract_tb(error.__traceback__))
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
        frames += traceback.extract_tb(error.__traceback__)
    return error, frames


def _told(method: Method, error: Exception, frames: list[traceback.FrameSummary]) -> MethodError:
    path = file_of(type(method))
    own = [frame for frame in frames if _of_the_user(frame.filename, path)]
    at, deepest = own[-1] if own else None, frames[-1]
    where = _at(at, path) if at is not None else path.name if path is not None else type(method).__qualname__
    return MethodError(
        f"{method.info.name}: {in_a_line(error)}",
        where=where,
        why=f"raised at {_at(deepest, path)}" if deepest is not at else "",
        remedy="write await before what asks a model: it is missing" if "coroutine" in str(error) else "repair the method",
    )


def _inside(filename: str) -> bool:
    return Path(filename).is_relative_to(_MOCO)


def _of_the_user(filename: str, path: Path | None) -> bool:
    """Whether code lies beside the method in ``path``, or is at least neither ours, nor Python's, nor an installed package's."""
    place = Path(filename)
    if filename.startswith("<frozen "):
        return False
    if path is not None and place.is_relative_to(path.parent):
        return True
    return not (_inside(filename) or place.is_relative_to(sysconfig.get_path("stdlib")) or "site-packages" in place.parts)


def _at(frame: traceback.FrameSummary, path: Path | None) -> str:
    """The place in words that are the same wherever the file lies and the command is called."""
    place = Path(frame.filename)
    name = place.relative_to(path.parent) if path is not None and place.is_relative_to(path.parent) else place.name
    return f"{name}:{frame.lineno} in {frame.name}"
