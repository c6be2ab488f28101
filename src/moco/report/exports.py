"""A run's results for spreadsheets (CSV) and for pages (Markdown).

Pure functions of ``results.json``; nothing is computed here that is not there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from moco.report.readings import names_of, readings, shown
from moco.report.terminal import ROLES, Results, header, notes, p_value, paired_rows, percent, score, versus, warnings
from moco.report.text import clean

Table = Literal["leaderboard", "paired", "cells"]
LEADERBOARD = (
    *("label", "role", "level", "mean", "low", "high", "n", "failed", "unparsed", "truncated"),
    *("tokens_per_query", "calls_per_query", "seeds_sd"),
)
PAIRED = (
    "label",
    "task",
    "against",
    "reference",
    "n",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "test",
    "wins",
    "losses",
    "ties",
)
RIVALS = {"best_single_on_dev": "best single on dev", "oracle_single": "oracle single", "equal_tokens": "equal tokens"}
CELLS = ("id", "label", "method", "level", "role", "task", "seed")
SUMMARY = ("n", "mean", "low", "high", "failed", "unparsed", "truncated")


def as_csv(results: Results, table: Table = "leaderboard") -> str:
    """A table with all its columns, numbers as ``results.json`` has them.

    ``leaderboard``: one row per method, member and baseline, tasks as columns of their own. ``paired``: one row per paired test.
    ``cells``: one row per method, task and seed, other figures of the same answers as columns of their own.
    """
    rows = {"leaderboard": _leaderboard, "paired": _paired, "cells": _cells}[table](results)
    names = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_plain(name) for name in names])
    writer.writerows([_plain(row.get(name)) for name in names] for row in rows)
    return file.getvalue()


def _leaderboard(results: Results) -> list[dict[str, Any]]:
    out = []
    for row in results["leaderboard"]:
        against = {c["against"]: c for c in results["comparisons"] if c["label"] == row["label"]}
        alone = against.get("best_single_on_dev") if row["role"] == "method" and len(results["tasks"]) == 1 else None
        out.append(
            {
                **{name: row.get(name) for name in LEADERBOARD},
                **{f"task:{task}": row["tasks"].get(task) for task in results["tasks"]},
                "difference_to_best_single": alone and alone["difference"],
                "p_holm": alone and alone["p_holm"],
            }
        )
    return out


def _paired(results: Results) -> list[dict[str, Any]]:
    return [_ordered(comparison, PAIRED) for comparison in results["comparisons"]]


def _cells(results: Results) -> list[dict[str, Any]]:
    out = []
    for cell in results["cells"]:
        numbers = _ordered({k: v for k, v in cell["summary"].items() if not isinstance(v, Mapping)}, SUMMARY)
        figures = {f"figure:{name}": value for name, value in cell["summary"].get("figures", {}).items()}
        out.append({**{name: cell[name] for name in CELLS}, **numbers, **figures})
    return out


def _ordered(row: Mapping[str, Any], first: Sequence[str]) -> dict[str, Any]:
    return {**{name: row[name] for name in first if name in row}, **row}


def _plain(value: Any) -> Any:
    """A spreadsheet must not read a label as a formula."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def as_markdown(results: Results) -> str:
    """The leaderboard, the comparisons and other figures as Markdown tables, with the lines below them."""
    lines = [f"- {line}" for line in (*notes(results), *(f"warning: {w}" for w in warnings(results)))]
    tables = (_board_lines(results), _paired_lines(results), _figure_lines(results))
    return "\n\n".join([header(results), *filter(None, tables), "\n".join(lines)])


def _board_lines(results: Results) -> str:
    many = list(results["tasks"]) if len(results["tasks"]) > 1 else []
    head = ["method", "level", "score", *map(_cell, many), "n", "vs best single", "unparsed", "truncated", "tokens/query"]
    rows = []
    for r in results["leaderboard"]:
        level = ROLES.get(r["role"], r["role"]) or r["level"]
        means = [shown(r["tasks"].get(task)) for task in many]
        rates = [percent(r["unparsed"]), percent(r["truncated"]), f"{r['tokens_per_query']:.0f}", f"{r['calls_per_query']:.1f}"]
        own = [_cell(r["label"]), level, score(r), *means, str(r["n"]), versus(results, r), *rates, shown(r["seeds_sd"])]
        rows.append(own)
    return _table([*head, "calls/query", "seed sd"], rows, texts=2)


def _paired_lines(results: Results) -> str:
    head = ["method", "task", "against", "difference", "p (Holm)", "won/lost/tied", "n"]
    rows = []
    for c in (c for row in paired_rows(results) for c in rivals(row)):
        rival = f"{_cell(c['reference'])} ({RIVALS[c['against']]})"
        difference = f"{c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}]"
        counts = f"{c['wins']}/{c['losses']}/{c['ties']}"
        rows.append([_cell(c["label"]), _cell(c["task"]), rival, difference, p_value(c["p_holm"]), counts, str(c["n"])])
    return _table(head, rows, texts=3)


def rivals(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The comparisons of a row of `paired_rows` that are shown: the oracle single only where there is no best single on dev."""
    single = row["best_single_on_dev"] or row["oracle_single"]
    return [c for c in (single, row["equal_tokens"]) if c is not None]


def _figure_lines(results: Results) -> str:
    others = readings(results)
    names = names_of(others)
    rows = [
        [_cell(o.label), _cell(o.task), shown(o.mean), str(o.n), *(shown(o.figures.get(name)) for name in names)] for o in others
    ]
    return _table(["other figures", "task", "score", "n", *names], rows, texts=2)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> str:
    """A table whose first ``texts`` columns are texts, the others numbers; empty without rows."""
    if not rows:
        return ""
    rule = ["---"] * texts + ["---:"] * (len(head) - texts)
    return "\n".join(_line(row) for row in (head, rule, *rows))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    return clean(text).replace("|", "\\|").replace("\n", " ")


__all__ = ["RIVALS", "Table", "as_csv", "as_markdown", "rivals"]
