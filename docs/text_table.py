"""Writes the table of docs/text-methods.md from a run of examples/text.yaml; with ``--check``, only says whether it is that.

    .venv/bin/moco run examples/text.yaml -o runs/text
    .venv/bin/python docs/text_table.py runs/text

The table stands between two marks of the page; the rest of the page is written by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "text-methods.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
ASIDE = ("best single on dev", "self-consistency at equal tokens", "difference to it", "p (Holm)")
COLUMNS = ("method", "score", "95 %", "calls", "tokens", *ASIDE)


def rows(results: dict[str, Any]) -> list[str]:
    """The table's lines: methods by score, each beside what it is compared with. One task is wanted."""
    against = {(c["label"], c["against"]): c for c in results["comparisons"]}
    methods = sorted((r for r in results["leaderboard"] if r["role"] == "method"), key=lambda r: (-r["mean"], r["label"]))
    out = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in methods:
        equal, single = against.get((row["label"], "equal_tokens")), against.get((row["label"], "best_single_on_dev"))
        alone = "" if single is None else f"{row['mean'] - single['difference']:.2f}"
        cells = [
            f"{row['mean']:.2f}",
            f"{row['low']:.2f} to {row['high']:.2f}",
            f"{row['calls_per_query']:.1f}",
            f"{row['tokens_per_query']:.0f}",
            alone,
            *(
                ["", "", ""]
                if equal is None
                else [f"{row['mean'] - equal['difference']:.2f}", f"{equal['difference']:+.2f}", f"{equal['p_holm']:.3f}"]
            ),
        ]
        out.append("| " + " | ".join([row["label"], *cells]) + " |")
    return out


def table(run: Path) -> str:
    """What stands between the marks."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    ((task, about),) = results["tasks"].items()
    seeds = "1 seed" if len(results["seeds"]) == 1 else f"{len(results['seeds'])} seeds"
    said = f"*{task}, {about['n']} questions, {seeds}, moco {results['moco']}; calls and tokens are per query.*"
    return "\n".join([BEGIN, said, "", *rows(results), END])


def page(run: Path) -> str:
    """The page with the table of ``run``; raises ValueError where the marks are missing."""
    text = PAGE.read_text(encoding="utf-8")
    head, found, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"{PAGE.name} has no '{BEGIN}' ... '{END}'")
    return head + table(run) + tail


def main() -> int:
    paths = [a for a in sys.argv[1:] if a != "--check"]
    if len(paths) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    written = page(Path(paths[0]))
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != written)
    PAGE.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
