"""Frames and values on the sandbox's pipes.

Invariant: decoding runs no code of the other side. What arrives becomes plain built-in values, or a ``Remote`` that can be
called and passed back and is equal to nothing but itself.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from typing import Any, Protocol

MAX_FRAME = 16 << 20
_MAX_ITEMS = 100_000
_TYPES: tuple[type, ...] = (int, float, str, bool, bytes, list, tuple, dict, set, frozenset, complex, type(None), object)
_NAMED_TYPES = {t.__name__: t for t in _TYPES}


class WireError(Exception):
    """The other side is gone, or sent what is no value."""


def send(fd: int, message: Any) -> None:
    """Write ``message`` (JSON) as one frame; raises OSError where nobody reads."""
    body = json.dumps(message).encode()
    view = memoryview(struct.pack(">I", len(body)) + body)
    while view:
        view = view[os.write(fd, view) :]


def receive(fd: int, limit: int = MAX_FRAME) -> Any:
    """Read one frame; raises WireError at its end, past ``limit`` bytes, and for what is no JSON."""
    (size,) = struct.unpack(">I", _exactly(fd, 4))
    if size > limit:
        raise WireError(f"a message of {size} bytes; at most {limit} are taken")
    try:
        return json.loads(_exactly(fd, size))
    except (ValueError, RecursionError) as error:
        raise WireError(f"no message: {error}") from error


def _exactly(fd: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 16))
        if not part:
            raise WireError("the other side is gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Ask(Protocol):
    """How a ``Remote`` reaches its object: ``what`` is 'call', 'get' or 'set', ``rest`` the values that go with it."""

    def __call__(self, what: str, number: int, *rest: Any) -> Any: ...


class Remote:
    """An object of the other side: it can be called, passed back, and its public attributes asked for and set.

    It is equal to nothing but itself and has no truth value: an object cannot pass for the value that a test expects.
    """

    __slots__ = ("_ask", "_number")

    def __init__(self, number: int, ask: Ask) -> None:
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_ask", ask)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("call", self._number, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._ask("get", self._number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise AttributeError(name)
        self._ask("set", self._number, name, value)

    def __bool__(self) -> bool:
        raise TypeError("the candidate returned an object that is no plain value")


class Codec:
    """Values to JSON and back. ``exposes`` says which objects that are no values may be shown to the other side."""

    def __init__(self, ask: Ask, exposes: Callable[[Any], bool]) -> None:
        self._ask = ask
        self._exposes = exposes
        self.objects: dict[int, Any] = {}

    def encode(self, value: Any) -> Any:
        """``value`` as JSON; raises TypeError for what is no value and may not be shown."""
        if value is None or value is True or value is False:
            return value
        for base, tag, convert in _SCALARS:
            if isinstance(value, base) and not isinstance(value, type):
                return [tag, convert(value)]
        if isinstance(value, dict):
            return ["d", *([self.encode(k), self.encode(v)] for k, v in dict.items(value))]
        for sort, tag, iterate in _SEQUENCES:
            if isinstance(value, sort):
                return [tag, *(self.encode(one) for one in iterate(value))]
        if isinstance(value, Remote):
            return ["yours", value._number]
        if isinstance(value, type) and _NAMED_TYPES.get(value.__name__) is value:
            return ["type", value.__name__]
        if hasattr(value, "__next__") and hasattr(value, "__iter__"):
            return ["g", *(self.encode(one) for one in self._bounded(value))]
        if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "shape", None) == ():
            return self.encode(value.item())
        if self._exposes(value):
            number = next((n for n, known in self.objects.items() if known is value), len(self.objects))
            self.objects[number] = value
            return ["mine", number]
        raise TypeError(f"a {type(value).__name__} is no plain value and cannot pass between the two processes")

    @staticmethod
    def _bounded(values: Any) -> list[Any]:
        taken = []
        for one in values:
            taken.append(one)
            if len(taken) > _MAX_ITEMS:
                raise TypeError(f"an iterator of more than {_MAX_ITEMS} items")
        return taken

    def decode(self, coded: Any) -> Any:
        """The value; raises WireError for anything that ``encode`` does not make."""
        try:
            return self._decode(coded)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as error:
            raise WireError(f"no value: {type(error).__name__}") from error

    def _decode(self, coded: Any) -> Any:
        if coded is None or coded is True or coded is False:
            return coded
        tag, *rest = coded
        if tag in _READERS:
            return _READERS[tag](rest[0])
        if tag == "d":
            return {self._decode(k): self._decode(v) for k, v in rest}
        if tag in _MAKERS:
            return _MAKERS[tag]([self._decode(one) for one in rest])
        if tag == "type":
            return _NAMED_TYPES[rest[0]]
        if tag == "yours":
            return self.objects[rest[0]]
        if tag == "mine" and isinstance(rest[0], int):
            return Remote(rest[0], self._ask)
        raise WireError("no value: unknown tag")


_SCALARS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (int, "i", lambda v: hex(int.__int__(v))),
    (float, "f", lambda v: float.hex(v)),
    (str, "s", lambda v: str.__str__(v)),
    (bytes, "b", lambda v: bytes.hex(v)),
    (bytearray, "a", lambda v: bytearray.hex(v)),
    (complex, "c", lambda v: [float.hex(complex(v).real), float.hex(complex(v).imag)]),
)
_SEQUENCES: tuple[tuple[type, str, Callable[[Any], Iterator[Any]]], ...] = (
    (list, "l", list.__iter__),
    (tuple, "t", tuple.__iter__),
    (set, "S", set.__iter__),
    (frozenset, "z", frozenset.__iter__),
)
_READERS: dict[str, Callable[[Any], Any]] = {
    "i": lambda text: int(text, 16),
    "f": float.fromhex,
    "s": lambda text: _text(text),
    "b": bytes.fromhex,
    "a": bytearray.fromhex,
    "c": lambda parts: complex(float.fromhex(parts[0]), float.fromhex(parts[1])),
}
_MAKERS: dict[str, Callable[[list[Any]], Any]] = {"l": list, "t": tuple, "S": set, "z": frozenset, "g": iter}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value
