"""Two labels of a run against each other, in a terminal: the paired test by task, and the questions that flipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from moco.report.columns import Column, fitted
from moco.report.terminal import p_value
from moco.report.text import clean, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType

    from moco.study.contest import Contest, Flip, OnTask, Said

TESTS = {"mcnemar": "exact McNemar", "sign_flip": "sign flips"}
NOWHERE = "-"
SHORTEST = 40
"""Characters of a question or an answer that are shown however narrow the terminal is."""


def render(found: Contest, width: int = 120, limit: int | None = 5) -> list[RenderableType]:
    """What a terminal of ``width`` characters shows, in order; ``limit`` flipped questions each way, None: all."""
    from rich.text import Text

    a, b = clean(found.a.label), clean(found.b.label)
    out: list[RenderableType] = [Text(headline(found), style="bold"), "", _table(found, width), ""]
    seeds = ", ".join(map(str, found.seeds))
    mean = f"; questions count with their mean over the seeds {seeds}" if len(found.seeds) > 1 else f"; seed {seeds}"
    out += [Text(f"difference is {a} minus {b} on the same questions, with its 95 % interval, p two-sided{mean}"), ""]
    for better, other, flips in (
        (a, b, [f for f in found.flips if f.a_score > f.b_score]),
        (b, a, [f for f in found.flips if f.b_score > f.a_score]),
    ):
        shown = flips if limit is None else flips[:limit]
        more = f", {len(shown)} of them shown (--all shows all)" if len(shown) < len(flips) else ""
        questions = "question" if len(flips) == 1 else "questions"
        out += [Text(f"{len(flips)} {questions} where {better} does better than {other}{more}", style="bold"), ""]
        out += [line for flip in shown for line in (*_lines(found, flip, width), "")]
    return out


def headline(found: Contest) -> str:
    """The whole in one line."""
    if found.overall is not None:
        o = found.overall
        where, numbers = (
            f"over {o.tasks} tasks",
            f"{o.difference:+.3f} [{o.low:+.3f}, {o.high:+.3f}], p {p_value(o.p)}, sign flips",
        )
    else:
        t = found.tasks[0]
        where, r = f"on {clean(t.task)}", t.result
        numbers = f"{r.difference:+.3f} [{r.low:+.3f}, {r.high:+.3f}], p {p_value(r.p)}, {TESTS[r.test]}, n={r.n}"
    return f"{clean(found.a.label)} against {clean(found.b.label)} {where}: {numbers}"


def _table(found: Contest, width: int) -> RenderableType:
    several = len(found.tasks) > 1
    columns: list[Column[OnTask]] = [
        Column("task", lambda t: clean(t.task), 100, left=True),
        Column(shorten(found.a.label, 20), lambda t: f"{t.a:.3f}", 85),
        Column(shorten(found.b.label, 20), lambda t: f"{t.b:.3f}", 84),
        Column("difference", lambda t: f"{t.result.difference:+.3f}", 99),
        Column("95 %", lambda t: f"[{t.result.low:+.3f}, {t.result.high:+.3f}]", 90),
        Column("p", lambda t: p_value(t.result.p), 95),
        *([Column("p\n(Holm)", lambda t: p_value(t.p_holm), 92)] if several else []),
        Column("won/lost/tied", lambda t: f"{t.result.wins}/{t.result.losses}/{t.result.ties}", 80),
        Column("n", lambda t: str(t.result.n), 82),
        *([Column("left\nout", lambda t: str(t.left_out), 70)] if any(t.left_out for t in found.tasks) else []),
        Column("test", lambda t: TESTS[t.result.test], 50, left=True),
    ]
    return fitted(columns, found.tasks, width)


def _lines(found: Contest, flip: Flip, width: int) -> list[RenderableType]:
    from rich.text import Text

    place = f"{clean(flip.task)} · {clean(flip.id)}" if len(found.tasks) > 1 else clean(flip.id)
    names = [shorten(found.a.label, 30), shorten(found.b.label, 30)]
    wide = max(len("gold"), *map(len, names))
    room = max(SHORTEST, width - wide - 10)
    lines: list[RenderableType] = [
        Text(f"  {place}", style="bright_black"),
        Text(f"  {'':{wide}}  {shorten(flip.question, room) or NOWHERE}"),
        Text(f"  {'gold':{wide}}  {shorten(flip.gold, room) or NOWHERE}"),
    ]
    for name, score, said in ((names[0], flip.a_score, flip.a), (names[1], flip.b_score, flip.b)):
        style = "green" if score == max(flip.a_score, flip.b_score) else "red"
        lines.append(Text(f"  {name:{wide}}  {score:.2f}  {_answers(said, room)}", style=style))
    return lines


def _answers(said: Sequence[Said], room: int) -> str:
    """What was read in each seed, equal ones once; the end of the text where nothing was read."""
    counted: dict[str, int] = {}
    for one in said:
        shown = (
            shorten(one.extracted, room)
            if one.extracted is not None
            else f"(nothing read) {shorten(one.text, room - 20)}".strip()
        )
        counted[shown] = counted.get(shown, 0) + 1
    return ", ".join(
        text if n == len(said) or len(said) == 1 else f"{text} ({n} of {len(said)} seeds)" for text, n in counted.items()
    )


__all__ = ["headline", "render"]
