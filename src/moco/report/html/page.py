"""The page: the numbers and drawings of a run put into the template, under a policy that runs only this page's own script.

Invariant: a function of the run directory's deterministic files and, for a study without a name, of the folder's. No clock,
host or command enters, so the same results give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from moco.report.html.board import board, comparisons, headline, heat_map
from moco.report.html.curves import curves
from moco.report.html.evidence import CellEvidence, Evidence, gather
from moco.report.html.figures import marks, runs, scatter
from moco.report.html.measures import Strip, baselines, emergence, full_rows, pareto, strips
from moco.report.html.options import changed
from moco.report.html.packing import pack
from moco.report.html.texts import address, safe, safe_deep
from moco.report.terminal import p_value, percent, warnings
from moco.report.text import clean
from moco.study import RunData
from moco.study.cell import write_text
from moco.study.config import SamplingConfig

SCRIPTS = ("dom.js", "graph.js", "answer.js", "app.js")
USUAL = ("max_tokens", "temperature", "top_p")
"""Sampling that is shown whether the study sets it or not."""
PARTS = ("report.html", "marks.html", "board.html", "plots.html", "curves.html", "tables.html")


def write_report(run: RunData, path: Path) -> Path:
    """Write the report of ``run`` to ``path``, replacing the file as a whole; returns the path."""
    write_text(path, render_report(run))
    return path


def render_report(run: RunData) -> str:
    """The report of ``run`` as one HTML text; the same results give the same text."""
    evidence = gather(run)
    solved = strips(run.results, evidence)
    style, script = _asset("report.css"), "\n".join(_asset(name) for name in SCRIPTS)
    wrapped = f'"use strict";\n(() => {{\n{script}\n}})();\n'
    island = _island(_data(run, evidence, solved))
    config = run.manifest["config"]
    page = _environment().get_template("report.html")
    return page.render(
        title=config.get("name") or run.path.resolve().name,
        results=run.results,
        manifest=run.manifest,
        policy=_policy(style, wrapped),
        style=Markup(style),
        script=Markup(wrapped),
        island=Markup(island),
        headline=headline(run.results),
        warnings=warnings(run.results),
        board=board(run.results),
        heat=heat_map(run.results),
        plots=_plots(run.results),
        curves=curves(run, evidence),
        strips=solved,
        emergence=emergence(run.results, evidence),
        comparisons=comparisons(run.results),
        cells=sorted(run.results["cells"], key=lambda c: (c["task"], c["role"] != "method", c["role"], c["label"], c["seed"])),
        sampling=_sampling(config.get("sampling") or {}),
    )


def _plots(results: Any) -> list[Any]:
    """The cost plot twice: for wide and for narrow windows."""
    rows = full_rows(results)
    front = pareto(rows)
    lines = [(line.key, line.name, line.value) for line in baselines(results)]
    return [scatter(rows, front, lines, *size) for size in ((920, 440), (360, 400))]


def _data(run: RunData, evidence: Evidence, solved: list[Strip]) -> dict[str, Any]:
    """What the script needs: who the cells are, and the packed answers."""
    about = [_about(cell) for cell in evidence.cells]
    orders = {s.task: [safe(item) for item in s.items] for s in solved}
    totals = {task: len(items) for task, items in evidence.items.items()}
    return safe_deep({"about": about, "orders": orders, "totals": totals}) | pack(run, evidence)  # type: ignore[no-any-return]


def _sampling(chosen: dict[str, Any]) -> list[tuple[str, Any, bool]]:
    """How tokens were drawn unless a method says otherwise: name, value, and whether the study set it."""
    values = SamplingConfig.model_validate(chosen).over()
    shown = [
        n for n in ("max_tokens", "temperature", "top_p", "top_k", "min_p", "stop") if n in USUAL or chosen.get(n) is not None
    ]
    found = {name: getattr(values, name) for name in shown}
    return [(n, f"{v:g}" if isinstance(v, float) else v, chosen.get(n) is not None) for n, v in found.items()]


def _about(cell: CellEvidence) -> dict[str, Any]:
    more = {k: cell.more.get(k) for k in ("options", "members", "fit_on", "reads_dev")} | {"changed": changed(cell.more)}
    return {k: cell.about[k] for k in ("id", "label", "method", "level", "role", "task", "seed", "summary")} | more


def _island(data: Any) -> str:
    """JSON that no text in it can leave: HTML sees neither a tag nor an entity."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(style: str, script: str) -> str:
    """The content security policy: nothing is loaded, one style and one script run, texts never become markup."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(name: str) -> str:
    return files("moco.report.html").joinpath("assets", name).read_text(encoding="utf-8")


def _environment() -> Environment:
    made = Environment(
        loader=DictLoader({name: _asset(name) for name in PARTS}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    made.filters |= {"p": p_value, "percent": percent, "score": _score, "signed": _signed, "amount": _amount, "short": safe_deep}
    made.globals |= {"address": address, "runs": runs, "marks": marks}
    return made


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    """A difference with a real minus sign."""
    return "–" if value is None else f"{value:+.3f}".replace("-", "−")


def _amount(value: float) -> str:
    """A count of tokens or calls, three digits or so."""
    return f"{value:,.0f}".replace(",", "\u202f") if value >= 100 else f"{value:.1f}"
