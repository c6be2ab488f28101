"""The program in a reply: from fences, from the whole reply, from spans of plain text, or as the body of the prompt's function.

Rules, first that gives the entry point: ``fence``, ``bare`` (the reply is nothing but a program), ``span``, ``completion``.
Invariant: what the reply says is kept as it was written; only blocks that use the function without defining anything are left
out, and the prompt's imports and helpers are put before it.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from moco.tasks.graders.base import NOTHING, Found, strip_think
from moco.tasks.graders.python_blocks import LONGEST, attempt, fences, parse, spans, without_tags

_END_TOKEN = re.compile(r"<\|(?:im_end|endoftext|eot_id|end)\|>")
_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORT = (ast.Import, ast.ImportFrom)
_QUIET = (*_IMPORT, ast.Assign, ast.AnnAssign)
_CUTS = 60


@dataclass(frozen=True, slots=True)
class Stub:
    """What a prompt gives of the program: imports and helpers, and the head of the function to be written ('' if none)."""

    prelude: tuple[str, ...] = ()
    head: str = ""
    entry_point: str = ""


def stub_of(prompt: str, entry_point: str = "") -> Stub:
    """The code in ``prompt``; without an entry point, its last function is the one to be written."""
    for source in [prompt, *fences(prompt), *spans(prompt)]:
        tree = parse(source)
        functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)] if tree else []
        wanted = [n for n in functions if n.name == entry_point] if entry_point else functions
        if not tree or not wanted:
            continue
        lines = source.split("\n")
        prelude = [
            _source(lines, node) for node in tree.body if node is not wanted[-1] and isinstance(node, (*_QUIET, *_DEFINITION))
        ]
        return Stub(tuple(prelude), _source(lines, wanted[-1]), wanted[-1].name)
    return Stub(entry_point=entry_point)


def extract_program(text: str, prompt: str = "", entry_point: str = "") -> Found:
    """The program that ``text`` answers ``prompt`` with, ready to run, and the rule that found it."""
    reply = _END_TOKEN.split(strip_think(text), maxsplit=1)[0].replace("\r\n", "\n")
    if not reply.strip():
        return NOTHING
    stub = stub_of(prompt, entry_point)
    blocks = fences(reply)
    found = _from_fences(blocks, stub) if blocks else _from_text(without_tags(reply[-LONGEST:]), stub)
    return Found(_with_prelude(found.key, stub), found.rule) if found.key is not None else NOTHING


def _from_fences(blocks: list[str], stub: Stub) -> Found:
    chosen = _joined(blocks, stub.entry_point)
    if chosen and _defines(chosen, stub.entry_point):
        return Found(chosen, "fence")
    for block in reversed(blocks):
        completed = _completed(block, stub)
        if completed:
            return Found(completed, "completion")
    parts = _joined([part for block in blocks for part in spans(block)], stub.entry_point)
    if parts and (not chosen or _defines(parts, stub.entry_point)):
        return Found(parts, "span")
    return Found(chosen, "fence") if chosen else NOTHING


def _from_text(reply: str, stub: Stub) -> Found:
    indented = reply.lstrip("\n").startswith((" ", "\t"))
    completed = _completed(reply, stub) if indented else ""
    if completed:
        return Found(completed, "completion")
    whole = _joined([_without_loose_words(reply.strip("\n"))], stub.entry_point)
    if whole and _defines(whole, stub.entry_point):
        return Found(whole, "bare")
    parts = _joined([_without_loose_words(part) for part in spans(reply)], stub.entry_point)
    if parts and _defines(parts, stub.entry_point):
        return Found(parts, "span")
    completed = _completed(reply, stub)
    if completed:
        return Found(completed, "completion")
    return Found(whole, "bare") if whole else Found(parts, "span") if parts else NOTHING


def _joined(blocks: list[str], entry_point: str) -> str:
    """The blocks that belong to the program, as one; '' where none does, or where they do not parse together."""
    kept = [block for block in blocks if _belongs(parse(block), entry_point)]
    together = "\n\n\n".join(kept)
    if parse(together) is not None:
        return together
    return next((block for block in reversed(kept) if _defines(block, entry_point)), "")


def _belongs(tree: ast.Module | None, entry_point: str) -> bool:
    """Whether a block defines something. One that only calls, prints or asserts is a usage example."""
    if tree is None:
        return False
    if any(isinstance(node, _DEFINITION) for node in tree.body) or (entry_point and entry_point in _names(tree)):
        return True
    quiet = [n for n in tree.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    return bool(quiet) and all(isinstance(n, _QUIET) for n in quiet) and entry_point not in used


def _defines(source: str, entry_point: str) -> bool:
    """Whether ``source`` gives the entry point a value; any definition will do where none is named."""
    tree = parse(source)
    if tree is None:
        return False
    return entry_point in _names(tree) if entry_point else bool(tree.body)


def _names(tree: ast.Module) -> set[str]:
    """Names that the top level gives a value, also below ``if`` and ``try``."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, _DEFINITION):
            found.add(node.name)
        elif isinstance(node, _IMPORT):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        else:
            waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt | ast.ExceptHandler)]
    return found


def _completed(block: str, stub: Stub) -> str:
    """The prompt's function with ``block`` as its body; '' where that gives no more than the prompt had."""
    if not stub.head:
        return ""
    bodies = [block.rstrip(), _indented(block), "    " + block.strip()]
    return max((_continued(stub, body) for body in bodies), key=lambda found: found.count("\n"))


def _continued(stub: Stub, body: str) -> str:
    """The prompt's function and ``body``, cut before the first line that is no Python; '' where the function did not grow."""
    had = parse(stub.head)
    lines = f"{stub.head}\n{body}".split("\n")
    for _ in range(_CUTS):
        tree, wrong = attempt("\n".join(lines))
        if tree is not None and had is not None and tree.body:
            return _up_to_last_definition(tree, lines) if _grown(tree, had, stub.entry_point) else ""
        lines = lines[: min(len(lines) - 1, wrong - 1)] if wrong else lines[: len(lines) // 2]
    return ""


def _indented(block: str) -> str:
    return "\n".join(f"    {line}" if line.strip() else line for line in block.strip("\n").split("\n"))


def _grown(tree: ast.Module, had: ast.Module, entry_point: str) -> bool:
    first, before = tree.body[0], had.body[0]
    assert isinstance(before, ast.FunctionDef | ast.AsyncFunctionDef)
    if not isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef) or first.name != entry_point:
        return False
    return any(not _is_loose(node) for node in first.body[len(before.body) :])


def _up_to_last_definition(tree: ast.Module, lines: list[str]) -> str:
    """A base model goes on after the function: what it then calls or asserts is no part of the answer."""
    last = max(n.end_lineno or 0 for n in tree.body if isinstance(n, (*_DEFINITION, *_QUIET)))
    return "\n".join(lines[:last])


def _without_loose_words(source: str) -> str:
    """``source`` without lines of plain text that happen to parse: a bare name or names at the top level mean nothing."""
    tree = parse(source)
    if tree is None:
        return source
    lines: list[str | None] = list(source.split("\n"))
    for node in tree.body:
        if _is_loose(node):
            lines[node.lineno - 1 : node.end_lineno] = [None] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "\n".join(line for line in lines if line is not None)


def _is_loose(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and not any(isinstance(n, ast.Call | ast.Await | ast.Constant) for n in ast.walk(node))


def _with_prelude(program: str, stub: Stub) -> str:
    """Imports and helpers of the prompt that the program does not bring, then the program; ``__future__`` imports lead."""
    tree = parse(program)
    own = _names(tree) if tree is not None else set()
    needed = []
    for source in stub.prelude:
        given = parse(source)
        names = _names(given) if given is not None else set()
        imports = given is not None and all(isinstance(n, _IMPORT) for n in given.body)
        if imports or not names & own:
            needed.append(source)
    return _future_first("\n".join([*needed, program] if needed else [program]))


def _future_first(program: str) -> str:
    tree = parse(program)
    if tree is None or "__future__" not in program:
        return program
    lines: list[str | None] = list(program.split("\n"))
    moved = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            moved += [alias.name for alias in node.names]
            lines[node.lineno - 1 : node.end_lineno] = [None] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    head = [f"from __future__ import {', '.join(dict.fromkeys(moved))}"] if moved else []
    return "\n".join([*head, *(line for line in lines if line is not None)])


def _source(lines: list[str], node: ast.stmt) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return "\n".join(lines[first - 1 : node.end_lineno])
