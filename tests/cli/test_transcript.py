"""The transcript of `moco ask` shows rounds, who saw whose text, and the conversation inside a member; progress fits."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from moco.cli.ask import transcript, verdict
from moco.cli.output import console
from moco.cli.progress import Bars
from moco.core.types import Call, Completion, Tag, Usage


def call(
    id_: str, member: str, prompt: str = "What is 2 + 2?", said: str = "It is 4.", key: str | None = "4", **more: object
) -> Call:
    return Call(id_, member, prompt, said, key=key, **more)  # type: ignore[arg-type]


def shown(*calls: Call, width: int = 100) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(transcript(calls, "vote"))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_question_asked_of_all_is_shown_once() -> None:
    lines = shown(call("a", "ann"), call("b", "bob", said="5!", key="5"))
    assert [line.count("What is 2 + 2?") for line in lines].count(1) == 1
    assert any(line.endswith("1 ann  = 4") for line in lines) and any(line.endswith("2 bob  = 5") for line in lines)


def test_rounds_are_headed_and_saw_names_the_calls_seen() -> None:
    again = Tag("revise", 1, "ann", ("a", "b"))
    lines = shown(call("a", "ann"), call("b", "bob"), call("c", "ann", "Others say 4.", tag=again))
    text = "\n".join(lines)
    assert "── answer" in text and "── revise, round 1" in text
    assert any("saw" in line and "1 ann, 2 bob" in line for line in lines)


def test_a_collaboration_shows_its_own_calls_inside() -> None:
    inner = (call("x", "cem"), call("y", "dan", tag=Tag("revise", 1, "dan", ("x",))))
    lines = shown(call("a", "ann"), call("p", "panel", calls=inner))
    outer = next(i for i, line in enumerate(lines) if "2 panel" in line)
    nested = {name: next(i for i, line in enumerate(lines) if name in line) for name in ("2.1 cem", "2.2 dan", "saw")}
    assert outer < nested["2.1 cem"] < nested["2.2 dan"] < nested["saw"]
    assert "2.1 cem" in lines[nested["saw"]]
    assert lines[nested["2.1 cem"]].index("2.1") > lines[outer].index("2 panel")


def test_failures_cuts_and_draws_are_said() -> None:
    text = "\n".join(shown(call("a", "ann", finish="error", said="", key=None), call("b", "bob", finish="length", draw=(2,))))
    assert "ann  gave no answer" in text and "cut off" in text and "bob, draw 2" in text


def test_a_long_text_folds_below_itself() -> None:
    lines = shown(call("a", "ann", said="word " * 60), width=60)
    first = next(i for i, line in enumerate(lines) if "said" in line)
    assert lines[first + 1].index("word") == lines[first].index("word") and max(map(len, lines)) <= 60


def test_nothing_a_model_said_acts_on_the_terminal() -> None:
    assert "\x1b" not in "\n".join(shown(call("a", "ann\x1b[2J", said="\x1b]0;x\x07[red]hi", key="\x1b[1m4")))


@pytest.mark.parametrize("pairs", [[["4", ["ann", "cem"]]], [["4", ["ann", "cem"]], ["5", ["bob"]]]])
def test_the_verdict_says_how_and_why(pairs: list[object]) -> None:
    said = Completion(
        "It is 4.", key="4", source="ann", confidence=0.5, usage=Usage(10, 5, 2), reason={"votes": pairs, "tie": None}
    )
    first, about, why = [line.plain for line in verdict(said)]
    assert first == "It is 4." and about == "read as '4', said by ann, confidence 0.50, 2 calls, 15 tokens"
    assert why.startswith("why: votes 4 (ann, cem)") and "tie" not in why and (len(pairs) == 1 or "5 (bob)" in why)


def test_a_verdict_without_a_reading_says_so() -> None:
    lines = [line.plain for line in verdict(Completion("", finish="length", usage=Usage(1, 1, 1)))]
    assert lines == ["(an empty answer)", "no final answer could be read, cut off, 1 call, 2 tokens"]


@pytest.fixture(params=[80, 120])
def bars(request: pytest.FixtureRequest) -> Iterator[tuple[Bars, int]]:
    terminal = Console(file=io.StringIO(), width=request.param, force_terminal=True)
    with Bars(terminal) as made:
        yield made, request.param


def test_progress_fits_one_line_each(bars: tuple[Bars, int]) -> None:
    watch, width = bars
    watch.plan(12, 1200)
    watch.cell("a method with a very long label indeed", "playground/mixed", 0, 300, 20)
    watch.item(1500)
    watch.fit("evaluate", 3, 10)
    file = io.StringIO()
    Console(file=file, width=width).print(watch.progress.get_renderable())
    lines = file.getvalue().rstrip().splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= width
    assert "cell 1 of 12, 1.5 k tokens" in lines[0] and "left" in lines[0] and "21/1200" in lines[0]
    assert "21/300" in lines[1] and "left" not in lines[1] and "3/10" in lines[2]


def test_without_a_terminal_each_cell_is_a_line() -> None:
    file = io.StringIO()
    with Bars(Console(file=file, width=120)) as watch:
        watch.plan(1, 8)
        watch.cell("vote", "math", 0, 8, 3)
    assert file.getvalue() == "[1/1] vote on math, seed 0: 8 items (3 kept)\n"


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("", 120), ("wide", 120)])
def test_a_pipe_is_as_wide_as_columns_says(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert console().width == width
