"""A run directory made by hand: four levels, rounds, votes, routes, spans, teams in teams, failures, and hostile texts."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from moco.core.types import Call, Tag, Usage
from moco.study import RunData
from moco.study.analysis import Finished, analyse
from moco.study.cell import Cell, CellFolder, write_json, write_lines
from moco.study.outcomes import Outcome
from moco.study.summary import summarise
from moco.tasks import Task

MEMBERS = ("alpha", "beta", "gamma", "delta")
HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    '<img src=x onerror="window.hacked = 1">',
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 bell\x07",
    "abc\u202edcba\u202c \u2066isolate\u2069 \u061cmark",
    "{{ 7 * 7 }} {% raw %} ${1} &lt;b&gt; \u2028 \ud800",
    "long " * 4000,
    "javascript:window.hacked=1",
    "<!--<script>",
)
METHODS: dict[str, tuple[str, float]] = {
    "single": ("baseline", 0.0), "majority_vote": ("text", 0.08), "self_consistency": ("text", 0.03),
    "multiagent_refine": ("text", 0.12), "mixture_of_agents": ("text", 0.1), "panel_then_debate": ("text", 0.05),
    "prompt_routing": ("routing", 0.06), "cascade": ("routing", 0.09), "logit_fusion": ("logit", 0.04),
    "contrastive": ("logit", -0.06), "greedy_soup": ("weight", 0.02), "uniform_soup": ("weight", -0.15),
}  # fmt: skip
"""Level and how much better than its members."""


def said(member: str, key: str | None, stage: str = "answer", round: int = 0, sees: Sequence[str] = (), **more: Any) -> Call:
    text = more.pop("text", f"After some thought, {member} says so. Answer: {key}")
    tag = Tag(stage, round, member, tuple(sees))
    return Call(f"{stage}.{round}.{member}.0", member, "What is it?", text, tag, (), key, usage=Usage(20, 9, 1), **more)


def told(method: str, keys: Sequence[str], final: str) -> tuple[dict[str, Any], tuple[Call, ...], str]:
    """Reason, calls and source of one answer, in the form the methods give them."""
    first = [said(m, k) for m, k in zip(MEMBERS, keys, strict=True)]
    votes = {
        "votes": [[k, [m for m, v in zip(MEMBERS, keys, strict=True) if v == k]] for k in dict.fromkeys(keys)],
        "abstained": [],
    }
    if method == "majority_vote":
        return {**votes, "support": 0.5, "tie": None}, tuple(first), "beta"
    if method == "multiagent_refine":
        second = [
            said(m, final if i else keys[0], "refine", 1, [c.id for c in first if c.member != m]) for i, m in enumerate(MEMBERS)
        ]
        last = said("gamma", final, "summarise", 2, [c.id for c in second])
        return {"rounds": 2}, (*first, *second, last), "gamma"
    if method == "mixture_of_agents":
        layer = [said(m, final, "layer", 1, [c.id for c in first]) for m in MEMBERS[:3]]
        return {"layers": 2}, (*first, *layer, said("delta", final, "aggregate", 2, [c.id for c in layer])), "delta"
    if method == "panel_then_debate":
        inner = said("panel", keys[1], calls=tuple(first))
        return {"rounds": 1}, (inner, said("delta", final, "judge", 1, [inner.id])), "delta"
    if method == "prompt_routing":
        return (
            {"router": "alpha", "route": "beta", "verdict": "2"},
            (said("alpha", None, "route", text="2"), said("beta", final)),
            "beta",
        )
    if method == "cascade":
        steps = [
            {"member": "alpha", "confidence": 0.412345, "threshold": 0.6, "deferred": True},
            {"member": "panel", "confidence": 0.9, "threshold": None, "deferred": False},
        ]
        return {"steps": steps}, (said("alpha", keys[0]), said("delta", final, "answer", 1)), "delta"
    if method in ("logit_fusion", "contrastive"):
        return {"spans": [["Step one. ", "alpha"], ["Then two. ", "gamma"], [f"Answer: {final}", "alpha"]]}, (), "alpha"
    return {}, (said("gamma", final),), "gamma"


def answer(method: str, item: str, gold: str, good: bool, rng: random.Random, number: int) -> tuple[Outcome, tuple[Call, ...]]:
    keys = [gold if rng.random() < 0.45 else rng.choice("wxyz") for _ in MEMBERS]
    final = gold if good else rng.choice("wxyz")
    reason, calls, source = told(method, keys, final)
    if number == 5 and method == "cascade":
        return Outcome(item, "", None, None, parsed=False, finish="error", failed="the server said 503 <b>four</b> times"), ()
    text, extracted, parsed, finish = f"So it is. Answer: {final}", final, True, "stop"
    if number % 11 == 3:
        text, finish = text + " and then it went on and on", "length"
    if not good and number % 7 == 2:
        extracted, parsed = None, False
    if number < len(HOSTILE):
        text = HOSTILE[number]
        calls = (*calls, said("alpha", HOSTILE[number][:40], "extra", 9, text=HOSTILE[number]))
    usage = Usage(20 * max(1, len(calls)), 9 * max(1, len(calls)), max(1, len(calls)))
    return Outcome(
        item, text, extracted, float(good), "answer", parsed, finish, usage, source, round(rng.random(), 3), reason
    ), calls


def build(
    folder: Path,
    tasks: int = 4,
    seeds: Sequence[int] = (0, 1, 2),
    items: int = 40,
    methods: Sequence[str] = tuple(METHODS),
    fail: bool = True,
) -> RunData:
    """The run in ``folder``; the same arguments give the same bytes."""
    names = [f"bench/{t}" for t in ("arithmetic", "geo", "lists", "words")][:tasks]
    finished = [
        _cell(folder, role, label, level, skill, task, seed, items, fail)
        for task in names
        for seed in seeds
        for role, label, level, skill in (
            *(("member", m, "routing", -0.04 * i) for i, m in enumerate(MEMBERS)),
            *(("method", m, *METHODS[m]) for m in methods),
            ("equal_tokens", "alpha x5", "text", 0.02),
        )
    ]
    results = {
        "moco": "0.0", "tasks": {t: {"n": items, "kinds": ["short_text"]} for t in names}, "seeds": list(seeds),
        **analyse(finished, {t: dict.fromkeys(seeds, "alpha") for t in names}),
    }  # fmt: skip
    write_json(folder / "results.json", results)
    write_json(folder / "timing.json", {"cells": {}, "runs": []})
    config = {"name": "synthetic <study>", "sampling": {"temperature": 0.7, "max_tokens": None}}
    manifest = {
        "config": config, "members": {m: {"fingerprint": "f" * 64, "description": HOSTILE[0]} for m in MEMBERS},
        "tasks": {t: {"fingerprint": "e" * 64, "dev": 10, "test": items, "notes": [HOSTILE[0]]} for t in names},
        "command": ["moco", str(folder)],
    }  # fmt: skip
    write_json(folder / "manifest.json", manifest)
    questions = {t: [*HOSTILE, *(f"What is item {i} of {t}?" for i in range(len(HOSTILE), items))][:items] for t in names}
    asked = [
        {"task": task, "id": f"q/{i:03d}", "kind": "short_text", "question": question, "gold": "g"}
        for task in names
        for i, question in enumerate(questions[task])
    ]
    write_lines(folder / "items.jsonl", asked)
    return RunData(folder)


def _cell(
    folder: Path, role: str, label: str, level: str, skill: float, task: str, seed: int, items: int, fail: bool
) -> Finished:
    info = SimpleNamespace(name=label.split()[0], level=level)
    slug = f"{label}-{task}-s{seed}".replace("/", "-").replace(" ", "-")
    rivals = [m for m in METHODS if m != "single"] if role == "equal_tokens" else []
    parts = {"task": Task(task, [], []), "method": SimpleNamespace(info=info), "rivals": rivals}
    cell = cast(Cell, SimpleNamespace(id=slug, role=role, label=label, seed=seed, **parts))
    rng = random.Random(f"{slug}")
    hard = random.Random(task)
    done: list[tuple[Outcome, tuple[Call, ...]]] = []
    for i in range(items):
        chance = min(0.98, max(0.02, hard.random() * 0.9 + 0.05 + 2 * skill))
        name = "cascade_" if label == "cascade" and not fail else label
        done.append(answer(name, f"q/{i:03d}", "g", rng.random() < chance, rng, i))
    place = CellFolder(folder, slug)
    write_lines(place.answers, [o.to_json() for o, _ in done])
    write_lines(place.transcripts, [{"id": o.id, "calls": [asdict(c) for c in calls]} for o, calls in done])
    outcomes = [o for o, _ in done]
    about = {
        "id": slug,
        "label": label,
        "options": {"draws": 5, "note": HOSTILE[0]},
        "members": list(MEMBERS),
        "fit_on": task,
        "reads_dev": True,
    }
    write_json(place.summary, {**about, "summary": summarise(outcomes).to_json()})
    return Finished(cell, outcomes)


def island(page: str) -> Any:
    """The data of a rendered page, read as a browser reads it."""
    begin = page.index('<script type="application/json" id="data">') + len('<script type="application/json" id="data">')
    return json.loads(page[begin : page.index("</script>", begin)])
