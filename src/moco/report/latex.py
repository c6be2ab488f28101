"""A run's leaderboard and paired tests as LaTeX tables (package booktabs) whose captions say what the numbers are.

Pure functions of ``results.json``. Names are escaped, so that no label is a command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from moco.report.exports import RIVALS, rivals
from moco.report.terminal import ROLES, SURE, Results, Row, on_every_task, p_value, paired_rows, warnings
from moco.report.text import clean

SPECIAL = {
    **{c: "\\" + c for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}
ORDER = ("method", "member", "equal_tokens", "reference")
"""Blocks of the leaderboard, a rule between them."""
ABSENT = "--"


def as_latex(results: Results) -> str:
    """Two ``table`` environments: the leaderboard, and each method's paired tests where there are any."""
    parts = ["% made by moco; needs \\usepackage{booktabs}", _board(results)]
    if paired_rows(results):
        parts.append(_paired(results))
    return "\n\n".join(parts)


def escape(text: str) -> str:
    """``text`` on one line, without anything that LaTeX would obey, at the beginning of a table's row either."""
    written = "".join(SPECIAL.get(c, c) for c in " ".join(clean(text).split()))
    return f"{{}}{written}" if written[:1] in ("[", "*") else written  # a row's end and a rule take what follows as theirs


def _board(results: Results) -> str:
    many = list(results["tasks"]) if len(results["tasks"]) > 1 else []
    several = len(results["seeds"]) > 1
    head = [
        "method",
        "level",
        *(escape(t.rsplit("/", 1)[-1]) for t in many),
        "score",
        "95\\,\\%",
        f"$\\Delta$ {_single(results)[1]}",
    ]
    head += ["$\\Delta$ equal tokens", "tokens", "calls", *(["seed sd"] if several else [])]
    rows = sorted(on_every_task(results), key=lambda r: ORDER.index(r["role"]))  # stable: best first in each block
    blocks = []
    for _, block in groupby(rows, key=lambda r: r["role"]):
        blocks.append([_row(results, row, many, several) for row in block])
    caption = (
        f"Mean score on {_tasks(results)}, {_seeds(results)}. Intervals are 95\\,\\%: Wilson's where every score is right or "
        "wrong, the bootstrap over questions otherwise"
        + (", combined over tasks that weigh alike" if many else "")
        + "; they are over questions, not over seeds. $\\Delta$: paired difference to the member that was best on "
        + ("dev" if _single(results)[0] == "best_single_on_dev" else "test (there are no dev questions)")
        + ", and to self-consistency of the best on dev with as many tokens"
        + (", mean over the tasks" if many else f"; $^*$: $p < {SURE}$ (Holm), exact McNemar or sign flips")
        + ". Tokens and calls are per query"
        + ("; seed sd is the standard deviation of the score over seeds" if several else "")
        + f". moco {escape(results['moco'])}."
        + "".join(
            f" {escape(line[0].upper() + line[1:])}."
            for line in warnings(results)
            if line.startswith(("unfinished", "incomplete"))
        )
    )
    return _environment(head, blocks, caption, "moco-leaderboard", texts=2, wide=bool(many))


def _single(results: Results) -> tuple[str, str]:
    """The single member that differences are to, and its short name: the oracle where no task has a best on dev."""
    known = {c["against"] for c in results["comparisons"]}
    oracle = "oracle_single" in known and "best_single_on_dev" not in known
    return ("oracle_single", "oracle single") if oracle else ("best_single_on_dev", "best single")


def _row(results: Results, row: Row, many: Sequence[str], several: bool) -> list[str]:
    level = ROLES.get(row["role"], row["role"]) or row["level"]
    tasks = [_number(row["tasks"].get(task)) for task in many]
    bounds = ABSENT if row["low"] is None else f"[{row['low']:.3f}, {row['high']:.3f}]"
    deltas = [_delta(results, row, against) for against in (_single(results)[0], "equal_tokens")]
    spent = [f"{row['tokens_per_query']:.0f}", f"{row['calls_per_query']:.1f}"]
    return [
        *(escape(row["label"]), escape(level), *tasks, _number(row["mean"]), bounds, *deltas, *spent),
        *([_number(row["seeds_sd"])] if several else []),
    ]


def _delta(results: Results, row: Row, against: str) -> str:
    """The paired difference, the mean over the tasks where there are several and it is known on all of them."""
    found = [c for c in results["comparisons"] if c["label"] == row["label"] and c["against"] == against]
    if row["role"] != "method" or len(found) != len(results["tasks"]):
        return ABSENT
    mark = "^*" if len(found) == 1 and found[0]["p_holm"] < SURE else ""
    return f"${sum(c['difference'] for c in found) / len(found):+.3f}{mark}$"


def _paired(results: Results) -> str:
    many = len(results["tasks"]) > 1
    lines = []
    for row in paired_rows(results):
        for c in rivals(row):
            where = [escape(c["task"])] if many else []
            rival = f"{escape(c['reference'])} ({RIVALS[c['against']]})"
            numbers = (f"${c['difference']:+.3f}$", f"$[{c['low']:+.3f}, {c['high']:+.3f}]$")
            counts = (p_value(c["p_holm"]).replace("<", "$<$"), f"{c['wins']}/{c['losses']}/{c['ties']}", str(c["n"]))
            lines.append([escape(c["label"]), *where, rival, *numbers, *counts])
    head = ["method", *(["task"] if many else []), "against", "difference", "95\\,\\%", "$p$ (Holm)", "won/lost/tied", "$n$"]
    caption = (
        f"Paired comparisons, question by question, on {_tasks(results)}, {_seeds(results)}: with the member that was best on "
        "dev (the oracle single is the best on test, shown where there are no dev questions), and with its self-consistency at "
        "equal tokens. 95\\,\\% intervals of the difference and two-sided $p$: Tango's score interval and exact McNemar where "
        "every score is right or wrong, paired bootstrap and sign flips otherwise; Holm's correction over the methods and tasks "
        "of a family."
        + (" Questions that fail for good are left out." if any(c.get("left_out") for c in results["comparisons"]) else "")
    )
    return _environment(head, [lines], caption, "moco-paired", texts=3 if many else 2, wide=many)


def _environment(
    head: Sequence[str], blocks: Sequence[Iterable[Sequence[str]]], caption: str, label: str, texts: int, wide: bool
) -> str:
    columns = "l" * texts + "r" * (len(head) - texts)
    body = "\n\\midrule\n".join("\n".join(" & ".join(row) + r" \\" for row in block) for block in blocks)
    name = "table*" if wide else "table"
    return "\n".join(
        [
            f"\\begin{{{name}}}[t]",
            "\\centering",
            "\\small",
            f"\\caption{{{caption}}}",
            f"\\label{{tab:{label}}}",
            f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            "\\toprule",
            " & ".join(head) + r" \\",
            "\\midrule",
            body,
            "\\bottomrule",
            "\\end{tabular}",
            f"\\end{{{name}}}",
        ]
    )


def _tasks(results: Results) -> str:
    return ", ".join(f"{escape(name)} ($n = {task['n']}$)" for name, task in results["tasks"].items())


def _seeds(results: Results) -> str:
    seeds = results["seeds"]
    named = ", ".join(map(str, seeds))
    return f"seed {named}" if len(seeds) == 1 else f"{len(seeds)} seeds ({named}), a question counting with its mean over them"


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3f}"


__all__ = ["as_latex", "escape"]
