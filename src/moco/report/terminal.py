"""The leaderboard of a run: scores with intervals and n, paired differences with adjusted p, and what may mislead.

Pure functions of ``results.json``; nothing is computed here that is not there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from moco.report.text import clean, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Results = Mapping[str, Any]
Row = Mapping[str, Any]

COLORS = {"baseline": "white", "routing": "cyan", "text": "green", "logit": "magenta", "weight": "yellow"}
MANY = 0.1
"""From this share on, unparsed and truncated answers are warned of."""
ROLES = {"method": "", "member": "alone", "equal_tokens": "equal tok."}


def render(results: Results, width: int = 120) -> list[RenderableType]:
    """What a terminal of ``width`` characters shows of a run, in order."""
    from rich.text import Text

    out: list[RenderableType] = [_table(results, width)]
    if len(results["tasks"]) > 1 and results["comparisons"]:
        out.append(_comparisons(results))
    out += [Text(line) for line in notes(results)]
    out += [Text(f"warning: {line}", style="yellow") for line in warnings(results)]
    return out


def header(results: Results) -> str:
    """What was measured, in one line."""
    tasks = ", ".join(f"{clean(name)} (n={t['n']})" for name, t in results["tasks"].items())
    seeds = results["seeds"]
    return f"{tasks}; {len(seeds)} seed{'s' if len(seeds) != 1 else ''} ({', '.join(map(str, seeds))}); 95 % intervals"


def _table(results: Results, width: int) -> Table:
    """The leaderboard; where ``width`` is short, the columns that matter least are left out (--csv has them all)."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    many = list(results["tasks"]) if len(results["tasks"]) > 1 else []
    wide, roomy = width >= 110 + 9 * len(many), width >= 95
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("score", score),
        *((clean(t).rsplit("/", 1)[-1], partial(_on_task, task=t)) for t in many if wide),
        ("n", lambda r: str(r["n"])),
        ("vs best single", partial(versus, results)),
        ("unparsed\n%", lambda r: f"{100 * r['unparsed']:.1f}"),
        *([("truncated\n%", lambda r: f"{100 * r['truncated']:.1f}")] if roomy else []),
        ("tokens/\nquery", lambda r: f"{r['tokens_per_query']:.0f}"),
    ]
    if wide:
        columns.append(("calls/\nquery", lambda r: f"{r['calls_per_query']:.1f}"))
        if len(results["seeds"]) > 1:
            columns.append(("seed\nsd", lambda r: "-" if r["seeds_sd"] is None else f"{r['seeds_sd']:.3f}"))
    table = Table(title=header(results), box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title_justify="left")
    table.add_column("", overflow="fold", min_width=14)
    if roomy:
        table.add_column("level", no_wrap=True)
    for title, _ in columns:
        table.add_column(Text(title), justify="right", no_wrap=True)
    for row in results["leaderboard"]:
        color = COLORS.get(row["level"], "white") if row["role"] == "method" else "bright_black"
        level = [Text(ROLES.get(row["role"], row["role"]) or row["level"], style=color)] if roomy else []
        table.add_row(Text(clean(row["label"]), style=color), *level, *(Text(show(row)) for _, show in columns))
    return table


def _on_task(row: Row, task: str) -> str:
    return f"{row['tasks'][task]:.3f}" if task in row["tasks"] else "-"


def _comparisons(results: Results) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title="paired with the best single on dev, task by task", box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left"
    )
    for title in ("method", "task", "reference"):
        table.add_column(title, overflow="fold")
    for title in ("difference", "p (Holm)", "won/lost/tied", "n"):
        table.add_column(title, justify="right", no_wrap=True)
    for c in results["comparisons"]:
        if c["against"] == "best_single_on_dev":
            difference = f"{c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}]"
            counts = f"{c['wins']}/{c['losses']}/{c['ties']}"
            names = [clean(c[k]) for k in ("label", "task", "reference")]
            table.add_row(*names, difference, p_value(c["p_holm"]), counts, str(c["n"]))
    return table


def score(row: Row) -> str:
    """Mean with its interval."""
    if row["mean"] is None:
        return "no answers"
    if row["low"] is None or row["high"] is None:
        return f"{row['mean']:.3f}"
    return f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def versus(results: Results, row: Row) -> str:
    """The difference to the best single on dev: with its adjusted p on one task, the mean over several."""
    if row["role"] != "method":
        return ""
    found = [c for c in results["comparisons"] if c["label"] == row["label"] and c["against"] == "best_single_on_dev"]
    if not found:
        return ""
    if len(found) == 1:
        return f"{found[0]['difference']:+.3f} (p {p_value(found[0]['p_holm'])})"
    mean = sum(c["difference"] for c in found) / len(found)
    return f"{mean:+.3f} ({sum(c['difference'] > 0 for c in found)}/{len(found)} up)"


def p_value(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def notes(results: Results) -> list[str]:
    """The lines below the table: the references, the equal-token baseline, the share of settings won."""
    out = []
    for task in results["tasks"]:
        chosen = results["best_on_dev"].get(task)
        if chosen:
            names = sorted(set(chosen.values()))
            out.append(f"best single on dev, {clean(task)}: {', '.join(map(clean, names))}")
        oracle = [r for r in results["leaderboard"] if r["role"] == "member" and task in r["tasks"]]
        if oracle:
            best = max(oracle, key=lambda r: r["tasks"][task])
            out.append(f"oracle single (best on test), {clean(task)}: {clean(best['label'])}, {best['tasks'][task]:.3f}")
    for c in results["comparisons"]:
        if c["against"] == "equal_tokens":
            out.append(
                f"{clean(c['label'])} vs {clean(c['reference'])} (equal tokens) on {clean(c['task'])}: {c['difference']:+.3f} "
                f"[{c['low']:+.3f}, {c['high']:+.3f}], p {p_value(c['p_holm'])} (Holm), n={c['n']}"
            )
    won = results["share_won"]
    if won is not None and won["n"]:
        ties = f", {won['ties']} tied" if won["ties"] else ""
        out.append(
            f"settings (method x task) that beat the best single on dev: {won['won']} of {won['n']} ({percent(won['share'])}"
            f"{ties}), exact 95 % interval {percent(won['low'])} to {percent(won['high'])}, p {p_value(won['p'])}"
        )
    return out


def warnings(results: Results) -> list[str]:
    """What a reader should know before believing the table."""
    out = []
    if not results["complete"]:
        failed = results.get("failed_items", 0)
        out.append(f"incomplete: {failed} items failed; cells with failed items are left out of all tests; run the study again")
    for row in results["leaderboard"]:
        for name, remedy in (("unparsed", "check the answer format of the prompt"), ("truncated", "raise sampling.max_tokens")):
            if row[name] >= MANY:
                out.append(f"{percent(row[name])} of the answers of {clean(row['label'])} are {name}; {remedy}")
    return out


COLUMNS = (
    "label",
    "role",
    "level",
    "mean",
    "low",
    "high",
    "n",
    "unparsed",
    "truncated",
    "tokens_per_query",
    "calls_per_query",
    "seeds_sd",
)


def as_csv(results: Results) -> str:
    """The leaderboard, one row each, tasks as columns of their own; full precision."""
    tasks = list(results["tasks"])
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"task:{t}" for t in tasks), "difference_to_best_single", "p_holm"])
    for row in results["leaderboard"]:
        found = [c for c in results["comparisons"] if c["label"] == row["label"] and c["against"] == "best_single_on_dev"]
        own = found if row["role"] == "method" and len(found) == 1 else []
        paired = [own[0]["difference"], own[0]["p_holm"]] if own else ["", ""]
        values = ["" if row[c] is None else _plain(row[c]) for c in COLUMNS]
        writer.writerow([*values, *(row["tasks"].get(t, "") for t in tasks), *paired])
    return file.getvalue()


def _plain(value: Any) -> Any:
    """A spreadsheet must not read a label as a formula."""
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def as_markdown(results: Results) -> str:
    """The leaderboard as a Markdown table with the lines below it."""
    head = ["method", "level", "score", "n", "vs best single", "unparsed", "truncated", "tokens/query"]
    rows: list[Sequence[str]] = [head, ["---", "---", *["---:"] * 6]]
    for r in results["leaderboard"]:
        level = ROLES.get(r["role"], r["role"]) or r["level"]
        rates = [percent(r["unparsed"]), percent(r["truncated"]), f"{r['tokens_per_query']:.0f}"]
        rows.append([_cell(r["label"]), level, score(r), str(r["n"]), versus(results, r), *rates])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    lines = [f"- {line}" for line in (*notes(results), *(f"warning: {w}" for w in warnings(results)))]
    return "\n".join([header(results), "", table, "", *lines])


def _cell(text: str) -> str:
    return clean(text).replace("|", "\\|").replace("\n", " ")


__all__ = ["as_csv", "as_markdown", "clean", "header", "notes", "render", "shorten", "warnings"]
