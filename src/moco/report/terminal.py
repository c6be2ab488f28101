"""The leaderboard of a run: scores with intervals and n, paired differences with adjusted p, and what may mislead.

Pure functions of ``results.json``; nothing is computed here that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from moco.report.columns import BAR, Column, fitted, span
from moco.report.readings import readings, table
from moco.report.text import clean, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

Results = Mapping[str, Any]
Row = Mapping[str, Any]

COLORS = {"baseline": "white", "routing": "cyan", "text": "green", "logit": "magenta", "weight": "yellow"}
MANY = 0.1
"""From this share on, unparsed and truncated answers are warned of."""
SURE = 0.05
"""Adjusted p below which a difference is coloured."""
FAULTS = {"unparsed": 70, "truncated": 65}
"""Shares of answers that say more about the prompt than about the method, with the rank of their columns."""
DRAWN = (14, 32)
"""Fewest and most characters of the picture of the intervals."""
STANDINS = {
    "rules": "no judge is named, so a rule set decides what is a refusal; it errs more often than a judge (aux: {judge: MODEL})",
    "hashed n-grams": "no embedder is named, so distances are of hashed n-grams, which see wording alone (aux: {embedder: ...})",
}
"""Graders that stand in for a better one that the study did not name, by their rule."""
ROLES = {"method": "", "member": "alone", "equal_tokens": "equal tok.", "reference": "reference"}


def render(results: Results, width: int = 120, brief: bool = False) -> list[RenderableType]:
    """What a terminal of ``width`` characters shows of a run, in order; ``brief``: without other figures of the same answers."""
    from rich.text import Text

    out: list[RenderableType] = [Text(header(results), style="bold"), "", _leaderboard(results, width), ""]
    rows = paired_rows(results)
    if rows:
        out += [Text("paired, question by question; p adjusted by Holm", style="bold"), "", _paired(results, rows, width), ""]
    if not brief and (others := readings(results)):
        out += [Text("other figures of the same answers", style="bold"), "", table(others, width), ""]
    if hidden := len(results["leaderboard"]) - len(on_every_task(results)):
        out += [
            Text(
                f"{hidden} equal-token baselines of single tasks are left out above: they are the rivals here, and rows of --csv"
            ),
            "",
        ]
    never = [name for name in FAULTS if not _occurs(results, name)]
    out += [Text(line) for line in (*notes(results), *([f"no answer was {' or '.join(never)}"] if never else []))]
    out += [Text(f"warning: {line}", style="yellow") for line in warnings(results)]
    return out


def header(results: Results) -> str:
    """What was measured, in one line."""
    tasks = ", ".join(f"{clean(name)} (n={t['n']})" for name, t in results["tasks"].items())
    seeds = results["seeds"]
    return f"{tasks}; {len(seeds)} seed{'s' if len(seeds) != 1 else ''} ({', '.join(map(str, seeds))}); 95 % intervals"


def _leaderboard(results: Results, width: int) -> Table:
    """Every row of the run; where ``width`` is short, the columns that matter least are left out (--csv has them all)."""
    rows = on_every_task(results)
    many = list(results["tasks"]) if len(results["tasks"]) > 1 else []
    columns: list[Column[Row]] = [
        Column("", lambda r: _colored(clean(r["label"]), r), 100, left=True),
        Column("level", lambda r: _colored(ROLES.get(r["role"], r["role"]) or r["level"], r), 60, left=True),
        Column("score", score, 99),
        *(Column(clean(t).rsplit("/", 1)[-1], partial(_on_task, task=t), 55) for t in many),
        Column("n", lambda r: str(r["n"]), 80),
        Column("vs best single", partial(_difference, results), 90),
        *(_share(name, rank) for name, rank in FAULTS.items() if _occurs(results, name)),
        Column("tokens/\nquery", lambda r: f"{r['tokens_per_query']:.0f}", 75),
        Column("calls/\nquery", lambda r: f"{r['calls_per_query']:.1f}", 50),
    ]
    if len(results["seeds"]) > 1:
        columns.append(Column("seed\nsd", lambda r: "-" if r["seeds_sd"] is None else f"{r['seeds_sd']:.3f}", 45))
    return fitted(columns, rows, width, partial(_drawn, results))


def on_every_task(results: Results) -> list[Row]:
    """The rows whose means can be compared: those on every task. How many tokens are equal differs by method and task, so most
    equal-token baselines were run on one task only; they stand in the paired comparison."""
    return [r for r in results["leaderboard"] if r["role"] != "equal_tokens" or len(r["tasks"]) == len(results["tasks"])]


def _share(name: str, rank: int) -> Column[Row]:
    return Column(f"{name}\n%", lambda r: f"{100 * r[name]:.1f}", rank)


def _occurs(results: Results, name: str) -> bool:
    return any(row[name] for row in results["leaderboard"])


def _colored(text: str, row: Row) -> Text:
    from rich.text import Text

    return Text(text, style=COLORS.get(row["level"], "white") if row["role"] == "method" else "bright_black")


def _drawn(results: Results, room: int) -> Column[Row] | None:
    """The intervals as a picture of ``room`` characters with a bar at the best single on dev; None where there is no room."""
    known = [r for r in on_every_task(results) if r["low"] is not None]
    if not known or room < DRAWN[0]:
        return None
    room = min(room, DRAWN[1])
    axis = (min(r["low"] for r in known), max(r["high"] for r in known))
    mark = best_single_mean(results)

    def draw(row: Row) -> Text | str:
        if row["low"] is None:
            return ""
        drawn = _colored(span(row["low"], row["mean"], row["high"], axis, mark, room), row)
        drawn.highlight_words(BAR, "bright_black")
        return drawn

    return Column(f"{axis[0]:.2f}{axis[1]:>{room - 4}.2f}", draw, 0, left=True)


def best_single_mean(results: Results) -> float | None:
    """Mean over the tasks of the best single on dev, as a method on every task was compared with it; None without one."""
    for row in results["leaderboard"]:
        found = _against(results, row["label"], "best_single_on_dev") if row["role"] == "method" else []
        if found and len(found) == len(results["tasks"]) and row["mean"] is not None:
            return float(row["mean"] - sum(c["difference"] for c in found) / len(found))
    return None


def _on_task(row: Row, task: str) -> str:
    return f"{row['tasks'][task]:.3f}" if task in row["tasks"] else "-"


def _difference(results: Results, row: Row) -> Text:
    from rich.text import Text

    found = _against(results, row["label"], "best_single_on_dev") if row["role"] == "method" else []
    return Text(versus(results, row), style=_verdict(found[0]) if len(found) == 1 else "")


def _verdict(comparison: Row) -> str:
    """Green for better, red for worse, where chance is an unlikely reason."""
    if comparison["p_holm"] >= SURE:
        return ""
    return "green" if comparison["difference"] > 0 else "red"


def paired_rows(results: Results) -> list[dict[str, Any]]:
    """One row per method and task with its comparisons by what it is compared with; None where there is none."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for c in results["comparisons"]:
        empty = {"label": c["label"], "task": c["task"], **dict.fromkeys(("best_single_on_dev", "equal_tokens", "oracle_single"))}
        rows.setdefault((c["label"], c["task"]), empty)[c["against"]] = c
    return list(rows.values())


def _paired(results: Results, rows: Sequence[dict[str, Any]], width: int) -> Table:
    """Each method beside the best single on dev (the oracle where no task has dev questions) and its equal-token baseline."""
    from rich.text import Text

    def of(against: str, show: Any, colored: bool = False) -> Any:
        def cell(row: dict[str, Any]) -> Text:
            c = row[against]
            return Text("-") if c is None else Text(show(c), style=_verdict(c) if colored else "")

        return cell

    colors = {r["label"]: COLORS.get(r["level"], "white") for r in results["leaderboard"] if r["role"] == "method"}
    columns: list[Column[dict[str, Any]]] = [
        Column("", lambda r: Text(clean(r["label"]), style=colors.get(r["label"], "")), 100, left=True)
    ]
    if len(results["tasks"]) > 1:
        columns.append(Column("task", lambda r: clean(r["task"]), 98, left=True))
    known = {against for row in rows for against, c in row.items() if c is not None}
    first = ("best_single_on_dev", "vs best single", 6)
    if first[0] not in known:
        first = ("oracle_single", "vs oracle single", 6)
    equal = [("equal_tokens", "vs equal tokens", 0)] if "equal_tokens" in known else []
    rows = [
        row for row in rows if row[first[0]] is not None or row["equal_tokens"] is not None
    ]  # tasks without dev have no rival
    for against, title, rank in (first, *equal):
        columns += [
            Column(title, of(against, lambda c: f"{c['difference']:+.3f}", colored=True), 90 + rank),
            Column("95 %", of(against, lambda c: f"[{c['low']:+.3f}, {c['high']:+.3f}]"), 50 + rank),
            Column("p", of(against, lambda c: p_value(c["p_holm"])), 80 + rank),
            Column("won/lost\n/tied", of(against, lambda c: f"{c['wins']}/{c['losses']}/{c['ties']}"), 30 + rank),
        ]
    if equal:
        columns.append(Column("the rival", of("equal_tokens", lambda c: shorten(c["reference"], 36)), 20, left=True))
    columns.append(Column("n", of(first[0], lambda c: str(c["n"])), 25))
    return fitted(columns, rows, width)


def _against(results: Results, label: str, against: str) -> list[Row]:
    return [c for c in results["comparisons"] if c["label"] == label and c["against"] == against]


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
    found = _against(results, row["label"], "best_single_on_dev")
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
    """The lines below the tables: the references and the share of settings won."""
    out = []
    for task in results["tasks"]:
        chosen = results["best_on_dev"].get(task)
        if chosen:
            names = sorted(set(chosen.values()))
            out.append(f"best single on dev, {clean(task)}: {', '.join(map(clean, names))}")
        elif "dev" in results["tasks"][task] and "unfinished" not in results and _members(results):
            none = "no dev question that every member can read" if results["tasks"][task]["dev"] else "no dev questions"
            out.append(f"best single on dev, {clean(task)}: none, for it has {none}; no equal-token baselines either")
        oracle = [r for r in results["leaderboard"] if r["role"] == "member" and task in r["tasks"]]
        if oracle:
            best = max(oracle, key=lambda r: r["tasks"][task])
            out.append(f"oracle single (best on test), {clean(task)}: {clean(best['label'])}, {best['tasks'][task]:.3f}")
    won = results["share_won"]
    if won is not None and won["n"]:
        ties, untied = (f", {won['ties']} tied" if won["ties"] else ""), won["n"] - won["ties"]
        test = f"; sign test over the {untied}{' untied' if ties else ''}: p {p_value(won['p'])}" if untied else ""
        out.append(
            f"settings (method x task) that beat the best single on dev: {won['won']} of {won['n']} ({percent(won['share'])}"
            f"{ties}), exact 95 % interval {percent(won['low'])} to {percent(won['high'])}{test}"
        )
    drawn = {r["label"].rpartition(" (temperature ")[2].rstrip(")") for r in results["leaderboard"] if _redrawn(r)}
    if drawn:
        out.append(
            f"equal-token baselines draw at temperature {', '.join(sorted(drawn))}: at the study's 0 all draws would be the same"
        )
    if left_out := sorted({(c["task"], c["left_out"], c["n"]) for c in results["comparisons"] if c.get("left_out")}):
        out += [
            f"{clean(task)}: {count} question{'s fail' if count > 1 else ' fails'} for good; paired tests without"
            f" {'them' if count > 1 else 'it'} stand on {n}"
            for task, count, n in left_out
        ]
    return out


def _members(results: Results) -> bool:
    return any(r["role"] == "member" for r in results["leaderboard"])


def _redrawn(row: Row) -> bool:
    """Whether an equal-token baseline has a temperature of its own, as its label says."""
    return row["role"] == "equal_tokens" and " (temperature " in row["label"]


def warnings(results: Results) -> list[str]:
    """What a reader should know before believing the table."""
    out = []
    if so_far := results.get("unfinished"):
        out.append(f"unfinished: {so_far['cells']} of {so_far['of']} cells so far; tests come with the whole run")
    lasting = results.get("failed_for_good", 0)
    if passing := results.get("failed_items", 0) - lasting:
        out.append(f"incomplete: {passing} items failed; cells with such items are left out of all tests; run the study again")
    if lasting:
        out.append(
            f"incomplete: {lasting} items fail for good (asked again, they fail alike); paired tests leave these questions out"
        )
    out += [f"{f['n']} failed: {clean(f['reason'])}" for f in results.get("failures", [])[:3]]
    for task in dict.fromkeys(cell["task"] for cell in results["cells"]):
        used = {rule for cell in results["cells"] if cell["task"] == task for rule in cell["summary"].get("rules", {})}
        out += [f"{clean(task)}: {said}" for rule, said in STANDINS.items() if rule in used]
    for row in results["leaderboard"]:
        for name, remedy in (("unparsed", "check the answer format of the prompt"), ("truncated", "raise sampling.max_tokens")):
            if row[name] >= MANY:
                out.append(f"{percent(row[name])} of the answers of {clean(row['label'])} are {name}; {remedy}")
    return out


__all__ = ["clean", "header", "notes", "render", "shorten", "warnings"]
