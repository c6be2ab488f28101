"""The tests: a namespace of their own, the candidate found by name, and the verdict.

Three styles: ``check(candidate)``; statements that assert; ``test_*`` functions and ``unittest`` cases. Tests that check
nothing are refused, for a solution would pass them by existing.
"""

from __future__ import annotations

import ast
import builtins
import traceback
import unittest
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from .candidate import describe

Verdict = tuple[str, str]
"""Status and detail."""


class Refused(Exception):
    """The tests cannot be used."""


class Gone(BaseException):
    """The candidate's process ended, or spoke what is no answer. Not an Exception: tests must not swallow it."""


class Suite:
    """Tests that were read; ``names`` are the names they need from the solution. Raises Refused."""

    def __init__(self, text: str, entry_point: str) -> None:
        self.text = text
        self.entry_point = entry_point
        try:
            tree = ast.parse(text)
            self._code = compile(tree, "tests.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise Refused(f"the tests do not compile: {describe(error)}") from None
        functions = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        self.has_check = "check" in functions
        self._functions = sorted(name for name in functions if name.startswith("test"))
        self._has_cases = any(isinstance(n, ast.ClassDef) for n in tree.body)
        if self.has_check and not entry_point:
            raise Refused("the tests define check(candidate), and no entry point is named")
        acts = any(isinstance(n, ast.Assert | ast.Expr | ast.For | ast.While | ast.With | ast.If | ast.Try) for n in tree.body)
        if not (acts or self.has_check or self._functions or self._has_cases):
            raise Refused("the tests check nothing")
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        own = functions | {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
        self.names = sorted((used - own - set(dir(builtins))) | ({entry_point} if entry_point else set()))
        self.shadows = sorted(used & set(dir(builtins)))
        self.imports = sorted(_imports(tree))

    def run(
        self,
        names: Mapping[str, Any],
        gone: Callable[[], bool] = lambda: False,
        own_builtins: Mapping[str, Any] = MappingProxyType(vars(builtins)),
    ) -> Verdict:
        """The verdict on what ``names`` holds; the tests see ``own_builtins``."""
        if self.entry_point and self.entry_point not in names:
            return "failed", f"the program does not define '{self.entry_point}'"
        namespace: dict[str, Any] = {"__name__": "tests", "__builtins__": dict(own_builtins), **names}
        try:
            exec(self._code, namespace)
            if self.has_check:
                namespace["check"](names[self.entry_point])
            for name in self._functions:
                namespace[name]()
            self._run_cases(namespace)
        except Gone as error:
            return "gone", str(error)
        except BaseException as error:  # noqa: BLE001 - SystemExit and its kin are failures too
            return "failed", self._located(error)
        return ("gone", "the candidate ended early") if gone() else ("passed", "")

    def _run_cases(self, namespace: Mapping[str, Any]) -> None:
        if not self._has_cases:
            return
        for value in list(namespace.values()):
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "tests":
                for case in unittest.TestLoader().loadTestsFromTestCase(value):
                    case.debug()

    def _located(self, error: BaseException) -> str:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__, limit=50) if frame.filename == "tests.py"]
        if not lines or lines[-1] is None:
            return describe(error)
        source = self.text.splitlines()[lines[-1] - 1].strip()
        return f"{describe(error)} at line {lines[-1]}: {source}"[:500]


def _imports(tree: ast.Module) -> set[str]:
    """Names of the modules that the tests import anywhere."""
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return found | {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module and not n.level}
