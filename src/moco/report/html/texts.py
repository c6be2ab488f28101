"""Which texts the page holds, and in what state: nothing a terminal obeys, no endless ones, evenly chosen items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from moco.report.text import clean

CLIP = 6000
"""Longer texts lose their middle."""


def spaced(items: Sequence[str], limit: int) -> list[int]:
    """At most ``limit`` positions, evenly spaced over ``items``."""
    n = len(items)
    return list(range(n)) if n <= limit else [i * n // limit for i in range(limit)]


def safe(text: Any) -> str:
    """Text as the page may hold it: no terminal escapes or control characters, no lone surrogates, no endless middle."""
    out = clean(str(text)).encode("utf-8", "replace").decode("utf-8")
    if len(out) > CLIP:
        half = CLIP // 2
        out = f"{out[:half]}\n[... {len(out) - 2 * half} characters left out of this report ...]\n{out[-half:]}"
    return out


def safe_deep(value: Any) -> Any:
    """`safe` on every text inside a JSON value."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, Mapping):
        return {safe(k): safe_deep(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [safe_deep(v) for v in value]
    return round(value, 6) if isinstance(value, float) else value


def address(cell: str, item: str = "") -> str:
    """The fragment that opens a cell, or one question of it."""
    return f"#/{quote(cell, safe='')}" + (f"/{quote(safe(item), safe='')}" if item else "")
