"""Where the Python in a reply begins and ends: fences of any make, tags, and the longest spans of plain text that parse.

Invariant: text is parsed, never compiled to run; the work is bounded, whatever the text.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from functools import lru_cache

LONGEST = 60_000
"""Characters of a program; longer ones are not parsed, and of a reply without fences only the last ones are looked at."""
_TRIES, _PASSES = 60, 20
"""How often a run of lines is cut until it parses, and how often as much as the whole text is parsed at most."""
_LANGUAGES = frozenset({"", "python", "py", "python3", "py3", "python2", "ipython", "ipython3", "sage"})
_FENCE = re.compile(r"^([ \t]*(?:>[ \t]?)*)(`{3,}|~{3,})[ \t]*\{?\.?([\w+#-]*)[^\n`]*$")
_TAG = re.compile(r"\[(?:python|code|begin)\]|<(?:python|code|solution)>", re.IGNORECASE)
_MARKER = re.compile(
    r"^[ \t]*(?:\[/?(?:python|code|begin|end|done)\]|</?(?:python|code|solution)>)[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_START = re.compile(
    r"(?:@\w|(?:async\s+)?def\s+\w|class\s+\w|import\s+\w|from\s+[\w.]+\s+import\b|if\b.*:|for\s.*:|while\b.*:|try:|with\b.*:"
    r"|[A-Za-z_][\w.]*(?:\[[^\]]*\])?(?:\s*,\s*[A-Za-z_]\w*)*\s*(?::\s*[\w\[\], .]+)?\s*=(?!=))"
)


@lru_cache(maxsize=256)
def parse(text: str) -> ast.Module | None:
    """The syntax tree of ``text``; None where it is no Python."""
    return attempt(text)[0]


def attempt(text: str) -> tuple[ast.Module | None, int]:
    """The syntax tree, or None and the line of the first error (0 where none can be named)."""
    if len(text) > LONGEST:
        return None, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text), 0
        except SyntaxError as error:
            return None, error.lineno or 0
        except (ValueError, RecursionError, MemoryError):
            return None, 0


def fences(text: str) -> list[str]:
    """The contents of all fences in a language that may be Python, dedented, in order; one that never closes goes to the end."""
    found: list[str] = []
    held: list[str] | None = None
    mark, wanted, quote = "", False, ""
    for line in text.split("\n"):
        match = _FENCE.match(line.rstrip("\r"))
        if held is None:
            if match:
                held, quote, mark = [], match[1].strip(), match[2]
                wanted = match[3].lower() in _LANGUAGES
        elif match and match[2].startswith(mark) and not match[3]:
            found += [_dedented(held)] if wanted else []
            held = None
        elif match and match[3].lower() in _LANGUAGES - {""} and match[2] == mark:  # the one before was never closed
            found += [_dedented(held)] if wanted else []
            held, wanted = [], True
        else:
            held.append(line.removeprefix(quote).removeprefix(" ") if quote and line.startswith(quote) else line)
    if held is not None and wanted:
        found.append(_dedented(held))
    return [block for block in found if block.strip()]


def _dedented(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(line.rstrip("\r") for line in lines)).strip("\n")


def without_tags(text: str) -> str:
    """``text`` without the lines that hold nothing but a marker such as [PYTHON] or [DONE]; what follows [DONE] goes too."""
    if "[" not in text and "<" not in text:
        return text
    head = re.split(r"^[ \t]*\[/?(?:done|/python|/code|end)\]", text, maxsplit=1, flags=re.IGNORECASE | re.MULTILINE)[0]
    opened = _TAG.search(head)
    if opened and not head[: opened.start()].strip().count("\ndef "):
        head = head[opened.end() :]
    return _MARKER.sub("", head)


def spans(text: str) -> list[str]:
    """The longest runs of lines that parse, in order, without the prose between them.

    From a line that can begin a statement, the run is cut before the line of each syntax error until it parses; the cost is a
    bound times the text.
    """
    lines = text.split("\n")
    found: list[str] = []
    at, budget = 0, _PASSES * len(text)
    while at < len(lines) and budget > 0:
        if not _START.match(lines[at]):
            at += 1
            continue
        end, spent = _longest_from(lines, at)
        budget -= spent
        if end > at:
            found.append("\n".join(lines[at:end]).rstrip())
        at = max(end, at + 1)
    return found


def _longest_from(lines: list[str], at: int) -> tuple[int, int]:
    """The end of the longest run from ``at`` that parses (``at`` where none does), and the characters that were parsed."""
    end, spent = len(lines), 0
    for _ in range(_TRIES):
        if end <= at:
            break
        run = "\n".join(lines[at:end])
        spent += len(run)
        tree, wrong = attempt(run)
        if tree is not None:
            return end, spent
        end = min(end - 1, at + wrong - 1) if wrong else end - max(1, (end - at) // 2)
    return at, spent
