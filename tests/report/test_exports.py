"""Tables for spreadsheets, pages and papers: every column, numbers as the run has them, and no label that acts."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from moco.cli import main
from moco.report.exports import as_csv, as_markdown
from moco.report.latex import as_latex, escape
from moco.study import RunData
from tests.report.synthetic import build


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def same(written: str, value: Any) -> bool:
    return written == ("" if value is None else str(value))


def test_csv_has_every_number_of_the_results_in_full(run: RunData) -> None:
    board = rows_of(as_csv(run.results))
    assert [r["label"] for r in board] == [r["label"] for r in run.results["leaderboard"]]
    for written, row in zip(board, run.results["leaderboard"], strict=True):
        assert all(same(written[k], row[k]) for k in row if k != "tasks")
        assert all(same(written[f"task:{t}"], row["tasks"].get(t)) for t in run.results["tasks"])
    paired = rows_of(as_csv(run.results, "paired"))
    assert len(paired) == len(run.results["comparisons"]) > 0
    for written, row in zip(paired, run.results["comparisons"], strict=True):
        assert list(written)[:4] == ["label", "task", "against", "reference"] and all(same(written[k], row[k]) for k in row)
    cells = rows_of(as_csv(run.results, "cells"))
    for written, cell in zip(cells, run.results["cells"], strict=True):
        assert written["id"] == cell["id"]
        assert all(same(written[k], v) for k, v in cell["summary"].items() if not isinstance(v, dict))


def test_figures_of_some_cells_are_columns_of_all() -> None:
    def cell(name: str, **figures: float) -> dict[str, Any]:
        place = {"id": name, "label": "=a", "method": "m", "level": "text", "role": "method", "task": "t", "seed": 0}
        return {**place, "summary": {"n": 1, "mean": 0.5, "figures": figures, "rules": {"answer": 1}}}

    first, second = rows_of(as_csv({"cells": [cell("x", em=0.25), cell("y", f1=0.125)]}, "cells"))
    assert (first["figure:em"], first["figure:f1"], second["figure:f1"]) == ("0.25", "", "0.125")
    assert first["label"] == "'=a", "a spreadsheet must not compute a label"


def test_markdown_has_tasks_calls_and_seed_deviation(run: RunData) -> None:
    lines = as_markdown(run.results).split("\n\n")[1].splitlines()
    head = [c.strip() for c in lines[0].strip("|").split("|")]
    assert head[3:5] == list(run.results["tasks"]) and head[-2:] == ["calls/query", "seed sd"]
    best = run.results["leaderboard"][0]
    row = dict(zip(head, (c.strip() for c in lines[2].strip("|").split("|")), strict=True))
    assert row["seed sd"] == f"{best['seeds_sd']:.3f}" and row["calls/query"] == f"{best['calls_per_query']:.1f}"
    assert row[head[3]] == f"{best['tasks'][head[3]]:.3f}"


@pytest.mark.parametrize(("text", "written"), [
    ("a_b & 50 %", r"a\_b \& 50 \%"), ("$x^2$ #1", r"\$x\textasciicircum{}2\$ \#1"), ("{\\input}", r"\{\textbackslash{}input\}"),
    ("a\n\x1b[31mb\x1b[0m", "a b"), ("<|eot|>", r"\textless{}\textbar{}eot\textbar{}\textgreater{}"), ("~", r"\textasciitilde{}"),
    ("[7pt] x", "{}[7pt] x"), ("*", "{}*"),
])  # fmt: skip
def test_no_name_is_a_command(text: str, written: str) -> None:
    assert escape(text) == written


@pytest.mark.parametrize(("tasks", "seeds"), [(1, (0,)), (1, (0, 1)), (3, (0, 1, 2))])
def test_latex_tables_are_whole_and_say_what_they_hold(tasks: int, seeds: tuple[int, ...], tmp_path: Path) -> None:
    run = build(tmp_path, tasks=tasks, seeds=seeds, items=8, methods=("majority_vote", "cascade", "single"))
    text = as_latex(run.results)
    assert text.count("\\begin{") == text.count("\\end{") == 4 and text.count("\\toprule") == text.count("\\bottomrule") == 2
    plain = re.sub(r"\\[{}&%$#_]", "", text)
    depth = [plain[:i].count("{") - plain[:i].count("}") for i in range(len(plain) + 1)]
    assert min(depth) == 0 and depth[-1] == 0 and plain.count("$") % 2 == 0
    for table in text.split("\\begin{tabular}")[1:]:
        columns = len(re.findall("[lr]", table.splitlines()[0].replace("@{}", "")))
        lines = [line for line in table.splitlines() if line.endswith("\\\\")]
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {columns}
    caption = text.split("\\caption{")[1].split("\\label")[0]
    assert "$n = 8$" in caption and "95\\,\\%" in caption and "Wilson" in caption
    assert (f"{len(seeds)} seeds (0, 1" if len(seeds) > 1 else "seed 0") in caption
    assert "majority\\_vote & text" in text and "alpha & alone" in text and "alpha x5 & equal tok." in text


def test_the_marks_are_the_significant_differences(tmp_path: Path) -> None:
    run = build(tmp_path, tasks=1, seeds=(0, 1), items=40)
    board = as_latex(run.results).split("\\bottomrule")[0]
    for row in run.results["leaderboard"]:
        found = [c for c in run.results["comparisons"] if c["label"] == row["label"] and c["against"] == "best_single_on_dev"]
        if row["role"] == "method" and found:
            line = next(line for line in board.splitlines() if line.startswith(escape(row["label"]) + " &"))
            shown = f"${found[0]['difference']:+.3f}{'^*' if found[0]['p_holm'] < 0.05 else ''}$"
            assert line.split(" & ")[4] == shown
    assert "^*" in board.split("\\midrule", 1)[1]


def test_without_dev_questions_the_oracle_single_stands_in(tmp_path: Path) -> None:
    run = build(tmp_path, tasks=1, seeds=(0, 1), items=12, methods=("majority_vote", "cascade"), fail=False)
    results = {**run.results, "comparisons": [c for c in run.results["comparisons"] if c["against"] == "oracle_single"]}
    oracle = results["comparisons"][0]["reference"]
    assert f"| {oracle} (oracle single) |" in as_markdown(results) and "best single on dev) |" not in as_markdown(results)
    text = as_latex(results)
    assert (
        f"{oracle} (oracle single) &" in text and "$\\Delta$ oracle single &" in text and "best on test (there are no dev" in text
    )
    with_dev = as_latex(run.results)
    assert "$\\Delta$ best single &" in with_dev and "(oracle single) &" not in with_dev


def test_a_run_that_is_not_whole_says_so_in_its_caption(run: RunData) -> None:
    assert "Incomplete: " in as_latex({**run.results, "complete": False, "failed_items": 3})
    assert "Unfinished: 5 of 10 cells so far" in as_latex({**run.results, "unfinished": {"cells": 5, "of": 10}})


def test_the_command_gives_each_format_and_refuses_a_table_without_csv(run: RunData, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, expected in (
        (["--csv", "--table", "paired"], as_csv(run.results, "paired")),
        (["--csv"], as_csv(run.results)),
        (["--latex"], as_latex(run.results) + "\n"),
    ):
        assert main(["report", str(run.path), *arguments]) == 0
        assert capsys.readouterr().out == expected
    assert main(["report", str(run.path), "--table", "cells"]) == 2
    assert "add --csv" in capsys.readouterr().err
    assert main(["report", str(run.path), "--latex", "--md"]) == 2
