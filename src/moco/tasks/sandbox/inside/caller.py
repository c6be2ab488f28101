"""The candidate as the tests see it in two-process mode: every name a function that asks the other process.

Invariant: what comes back is a plain value, a built-in error, or an object that is equal to nothing but itself.
"""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

from . import wire
from .candidate import describe
from .suite import Gone


class Caller:
    """The tests' end of the conversation. ``gone`` once the candidate ended or spoke what is no answer."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._codec = wire.Codec(self.ask, lambda value: isinstance(value, types.FunctionType))
        self.gone = False

    def hello(self) -> list[str]:
        """What the candidate says once it is loaded: ['ready'], or a status and why. Raises Gone."""
        what, rest = self._receive()
        return [what, *(str(part)[:500] for part in rest)]

    def names(self, wanted: list[str]) -> dict[str, Any]:
        """What the candidate has of ``wanted``: functions, plain values, modules that it knows by their own name."""
        _, (found, *_) = self._ask(["names", wanted])
        if not isinstance(found, dict):
            raise self._end("no answer")
        named = {}
        for name, coded in found.items():
            if isinstance(coded, list) and coded[:1] == ["module"]:  # by its own name only: tests import what they call otherwise
                if coded == ["module", name] and name in sys.modules:
                    named[name] = sys.modules[name]
            elif name in wanted and coded is not None:
                value = self._decoded(coded)
                named[name] = _function(name, value) if isinstance(value, wire.Remote) else value
        return named

    def ask(self, what: str, number: int, *rest: Any) -> Any:
        """Call, get or set. Raises the built-in error the candidate raised, TypeError for what is no value, Gone."""
        answer, told = self._ask([what, number, *(self._codec.encode(one) for one in rest)])
        if answer == "raise":
            raise _error(*told)
        coded, changed = told
        if what == "call" and coded is None and changed is not None:
            _write_back(rest[0], self._decoded(changed))
        return self._decoded(coded)

    def _ask(self, message: list[Any]) -> tuple[str, list[Any]]:
        self._send(message)
        while True:
            what, rest = self._receive()
            if what != "call":
                return what, rest
            self._send(self._called_back(rest))

    def _send(self, message: list[Any]) -> None:
        try:
            wire.send(self._outgoing, message)
        except OSError as error:
            raise self._end(str(error)) from None

    def _receive(self) -> tuple[str, list[Any]]:
        """What arrives, checked for its shape."""
        try:
            message = wire.receive(self._incoming)
        except (wire.WireError, OSError) as error:
            raise self._end(str(error)) from None
        if not isinstance(message, list) or not message:
            raise self._end("no answer")
        what, rest = str(message[0]), message[1:]
        if len(rest) != {"ready": 0, "return": 2, "raise": 2, "call": 3}.get(what, 1):
            raise self._end("no answer")
        return what, rest

    def _called_back(self, rest: list[Any]) -> list[Any]:
        """The reply to the candidate's call of a function that the tests passed to it."""
        number, coded_args, coded_kwargs = rest
        function = self._codec.objects.get(number) if isinstance(number, int) else None
        args, kwargs = self._decoded(coded_args), self._decoded(coded_kwargs)
        if function is None or not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise self._end("a call of what the tests did not pass")
        try:
            return ["return", self._codec.encode(function(*args, **kwargs))]
        except Exception as error:  # noqa: BLE001 - the tests' own function; its error goes to who called it
            return ["raise", describe(error)]

    def _decoded(self, coded: Any) -> Any:
        try:
            return self._codec.decode(coded)
        except wire.WireError as error:
            raise self._end(str(error)) from None

    def _end(self, why: str) -> Gone:
        self.gone = True
        return Gone(why)


def _function(name: str, remote: wire.Remote) -> Any:
    """A plain function in the place of ``remote``: it has a name, and cannot be told from the tests' own."""

    def ask(*args: Any, **kwargs: Any) -> Any:
        return remote(*args, **kwargs)

    ask.__name__ = ask.__qualname__ = name
    return ask


def _error(kind: Any, message: Any) -> BaseException:
    """The built-in error of that name; SystemExit and its kin come as RuntimeError, so that they fail like any other.

    So does StopIteration: below a ``map`` or ``filter`` of the tests it would end their loop, and nothing would be checked.
    """
    found = getattr(builtins, kind, None) if isinstance(kind, str) else None
    if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, StopIteration | StopAsyncIteration):
        try:
            return found(str(message))
        except TypeError:  # UnicodeDecodeError and its kin want more than a message
            return RuntimeError(f"{kind}: {message}")
    return RuntimeError(f"{kind}: {message}")


def _write_back(args: tuple[Any, ...], changed: Any) -> None:
    """Arguments that a function without a result changed in place are changed here too; nothing else may be."""
    if not isinstance(changed, tuple):
        return
    for mine, theirs in zip(args, changed, strict=False):
        if type(mine) is not type(theirs) or mine == theirs:
            continue
        if isinstance(mine, list):
            mine[:] = theirs
        elif isinstance(mine, dict | set):
            mine.clear()
            mine.update(theirs)
