"""The candidate's side: the solution as a module of its own, and in two-process mode the server of its names.

Invariant: in two-process mode this process never sees the tests, the nonce or the verdict's pipe.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Mapping
from typing import Any

from . import wire

MODULE = "solution"
LONGEST_DETAIL = 500


class Broken(Exception):
    """The solution cannot be used; ``status`` is what the verdict will say."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def load(text: str) -> types.ModuleType:
    """``text`` from a file of its own as the module ``solution``; raises Broken."""
    path = f"{MODULE}.py"
    try:
        with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
        code = compile(text, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise Broken("syntax", describe(error)) from None
    module = types.ModuleType(MODULE)
    module.__file__ = path
    sys.modules[MODULE] = module
    try:
        exec(code, module.__dict__)
    except BaseException as error:  # noqa: BLE001 - SystemExit and its kin are failures of the solution
        raise Broken("failed", f"the program raised {describe(error)}") from None
    return module


def describe(error: BaseException) -> str:
    """Kind and message of an error; never raises, whatever its ``__str__`` does."""
    name = type.__getattribute__(type(error), "__name__")
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - the error is the candidate's, its methods may do anything
        text = ""
    return f"{name}: {text}"[:LONGEST_DETAIL] if text else str(name)


def serve(namespace: Mapping[str, Any], incoming: int, outgoing: int) -> None:
    """Answer the tests' calls until they end."""
    Server(namespace, incoming, outgoing).run()


class Server:
    """One end of the conversation between tests and candidate: calls by name or by object, values and nothing else."""

    def __init__(self, namespace: Mapping[str, Any], incoming: int, outgoing: int) -> None:
        self._namespace = namespace
        self._incoming = incoming
        self._outgoing = outgoing
        self._codec = wire.Codec(self._call_back, lambda value: True)

    def run(self) -> None:
        while True:
            try:
                self._answer(wire.receive(self._incoming))
            except (wire.WireError, OSError):
                return

    def _answer(self, message: Any) -> None:
        what, *rest = message
        if what == "names":
            wire.send(self._outgoing, ["names", {name: self._named(name) for name in rest[0] if name in self._namespace}])
            return
        try:
            coded, changed = self._done(what, self._codec.objects[rest[0]], [self._codec.decode(one) for one in rest[1:]])
        except wire.WireError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the candidate raises is told, SystemExit too
            wire.send(self._outgoing, ["raise", *_told(error)])
            return
        wire.send(self._outgoing, ["return", coded, changed])

    def _done(self, what: str, target: Any, values: list[Any]) -> tuple[Any, Any]:
        """The result, and for a call without one the arguments as they are now."""
        if what == "get":
            return self._codec.encode(getattr(target, values[0])), None
        if what == "set":
            setattr(target, values[0], values[1])
            return None, None
        args, kwargs = values
        result = target(*args, **kwargs)
        return self._codec.encode(result), self._codec.encode(args) if result is None else None

    def _named(self, name: str) -> Any:
        value = self._namespace[name]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        try:
            return self._codec.encode(value)
        except TypeError:
            return None

    def _call_back(self, what: str, number: int, *rest: Any) -> Any:
        """Call a function that the tests passed in; nothing else can be asked of it."""
        if what != "call":
            raise AttributeError("a function of the tests has no attributes here")
        wire.send(self._outgoing, ["call", number, *(self._codec.encode(one) for one in rest)])
        while True:
            what, *answer = wire.receive(self._incoming)
            if what == "return":
                return self._codec.decode(answer[0])
            if what == "raise":
                raise RuntimeError(answer[0])
            self._answer([what, *answer])


def _told(error: BaseException) -> tuple[str, str]:
    """The nearest built-in kind of ``error``, and its message."""
    text = describe(error).partition(": ")[2] or type(error).__name__
    for kind in type(error).__mro__:
        if kind.__module__ == "builtins" and getattr(builtins, kind.__name__, None) is kind:
            return kind.__name__, text
    return "Exception", text
