"""``moco ask``: one question to a collaboration, with the transcript of who was asked what and who saw whose text."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from moco.cli.output import as_json, console, next_steps, open_store
from moco.core.errors import ConfigError, ContextOverflow

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

    from moco.core.types import Call, Completion

ASKED, SAID = 240, 400
"""Characters of a prompt and of a reply that are shown; ``--json`` has them whole."""


def ask(
    source: Path = typer.Argument(..., help="A study.yaml, a finished run's folder, or a finished cell runs/NAME/cells/ID."),
    question: str = typer.Argument(..., help="What to ask."),
    method: str | None = typer.Option(None, "--method", help="Label of a method in the study or run; default: its first."),
    spec: str | None = typer.Option(None, "--kind", help="Kind of answer (numeric, short_text, ...); default: the task's."),
    store: Path | None = typer.Option(None, "--store", help="Cache file instead of the one under $MOCO_HOME."),
    json: bool = typer.Option(False, "--json", help="Answer and transcript as JSON."),
) -> None:
    """Ask a collaboration one question; see who said what.

    The transcript is a tree in the order of asking: rounds, what each member was asked, whose texts it saw, what it said. A
    member that is a collaboration shows its own conversation below it.

    Example:  moco ask study.yaml "What is 17 + 25?" --method majority_vote --kind numeric
    """
    from dataclasses import replace

    if not question.strip():
        raise ConfigError("the question is empty", where="command line", remedy='ask something, such as "What is 17 + 25?"')
    from moco.cli.sources import load_source
    from moco.core.answering import KINDS
    from moco.core.runtime import RUNTIME
    from moco.core.types import AnswerSpec, Request, messages_of

    if spec is not None:
        KINDS.get(spec)
    opened = open_store(store)
    with _waiting("loading; a study's method is fitted first"):
        found = load_source(source, method, opened)
    read_as = AnswerSpec(kind=spec) if spec is not None else found.spec
    asked = Request(
        messages=messages_of(question), sampling=found.sampling, spec=replace(read_as, question=question) if read_as else None
    )
    with _waiting(f"asking {found.name}"):
        try:
            said = RUNTIME.run(found.team.generate(asked))
        except ContextOverflow as error:  # here the question is the user's, and so is the fault
            raise ConfigError(error.what, where=error.where, why=error.why, remedy=error.remedy) from error
    opened.flush()
    if json:
        answer = {k: getattr(said, k) for k in ("text", "key", "source", "confidence", "finish")}
        as_json({**answer, "reason": dict(said.reason), "usage": asdict(said.usage), "calls": [asdict(c) for c in said.calls]})
        return
    from rich.text import Text

    shown = console()
    for line in verdict(said):
        shown.print(line)
    shown.print(Text())
    shown.print(transcript(said.calls, found.name))
    next_steps(f"moco serve {shlex.quote(str(source))}")


@contextmanager
def _waiting(text: str) -> Iterator[None]:
    """A spinner on stderr while something is done; nothing where that is no terminal."""
    waiting = console(err=True)
    if not waiting.is_terminal:
        yield
        return
    with waiting.status(text):
        yield


def verdict(said: Completion) -> Iterator[Text]:
    """The answer itself, then what is known of it: how it was read, who said it, how sure, at what cost, for what reason."""
    from rich.text import Text

    from moco.report.terminal import clean, shorten

    yield Text(clean(said.text) or "(an empty answer)", style="bold")
    tokens = said.usage.prompt_tokens + said.usage.completion_tokens
    about = [
        f"read as {clean(said.key)!r}" if said.key is not None else "no final answer could be read",
        f"said by {clean(said.source)}" if said.source else "",
        f"confidence {said.confidence:.2f}" if said.confidence is not None else "",
        "cut off" if said.finish == "length" else "",
        f"{said.usage.calls} call{'s' if said.usage.calls != 1 else ''}",
        f"{tokens} tokens",
    ]
    yield Text(", ".join(a for a in about if a), style="dim")
    known = {name: value for name, value in said.reason.items() if value is not None and value is not False and value != []}
    tables = {name: value for name, value in known.items() if _is_table(value)}
    words = "; ".join(f"{name} {_plain(value)}" for name, value in known.items() if name not in tables)
    if words:
        yield Text(f"why: {shorten(words, ASKED)}", style="dim")
    for name, rows in tables.items():  # a line per step
        yield Text(f"{clean(name)}:", style="dim")
        yield from (Text(f"  {n} {shorten(_plain(row), ASKED)}", style="dim") for n, row in enumerate(rows, 1))


def _is_table(value: object) -> bool:
    """Whether a reason is a list of things of several parts, which is read line by line."""
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(row, dict) for row in value)


def _plain(value: object) -> str:
    """A reason's value as words: tables and lists without quotes, ``[x, [a, b]]`` as ``x (a, b)``, nothing that is not there."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items() if v is not None) or "none"
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (list, tuple)):
            return f"{_plain(value[0])} ({_plain(value[1])})"
        return ", ".join(f"({_plain(v)})" if isinstance(v, dict) else _plain(v) for v in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def transcript(calls: Iterable[Call], title: str) -> Tree:
    """The calls of an answer as a tree. Calls are numbered in order of asking, inner ones 3.1, 3.2; ``sees`` names numbers."""
    from rich.text import Text
    from rich.tree import Tree

    from moco.report.terminal import clean

    tree = Tree(Text(clean(title), style="bold"), guide_style="bright_black")
    _grow(tree, list(calls), "")
    return tree


def _grow(tree: Tree, calls: list[Call], above: str) -> None:
    """Hang ``calls`` below ``tree``, by stage and round; ``above`` is the number of the call they happened inside."""
    from rich.text import Text

    from moco.report.terminal import clean, shorten

    numbers = {call.id: f"{above}{n}" for n, call in enumerate(calls, 1)}
    names = {call.id: f"{numbers[call.id]} {clean(call.member)}" for call in calls}
    groups = [(at, list(together)) for at, together in groupby(calls, key=lambda c: (c.tag.stage, c.tag.round))]
    for (stage, round_), together in groups:
        below = tree
        if len(groups) > 1:
            below = tree.add(Text(f"{clean(stage)}, round {round_}" if round_ else clean(stage), style="bold blue"))
        prompts = {call.prompt for call in together}
        shared = len(together) > 1 and len(prompts) == 1
        if shared:  # everybody was asked the same: said once
            below.add(_line("asked", shorten(together[0].prompt, ASKED), "dim"))
        for call in together:
            branch = below.add(_heading(call, numbers[call.id]))
            if not shared:
                branch.add(_line("asked", shorten(call.prompt, ASKED), "dim"))
            if call.tag.sees:
                branch.add(_line("saw", ", ".join(names.get(seen, clean(seen)) for seen in call.tag.sees), "blue"))
            if call.calls:
                _grow(branch.add(Text("inside", style="bold blue")), list(call.calls), f"{numbers[call.id]}.")
            if call.finish != "error":
                branch.add(_line("said", shorten(call.text, SAID) or "(nothing)", ""))


def _heading(call: Call, number: str) -> Text:
    """Number, member, draw, what the reply was read as, and what was wrong with it."""
    from rich.text import Text

    from moco.report.terminal import clean

    line = Text.assemble((number, "cyan"), " ", (clean(call.member), "bold"))
    draw = [n for n in call.draw if n]
    if draw:
        line.append(f", draw {'.'.join(map(str, call.draw))}", style="dim")
    if call.key is not None:
        line.append(f"  = {clean(call.key)}", style="green")
    if call.finish != "stop":
        line.append("  gave no answer" if call.finish == "error" else "  cut off", style="yellow")
    return line


def _line(name: str, text: str, style: str) -> Table:
    """``name`` in a column of its own, so that a long text folds below itself."""
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 1))
    line.add_column(width=5, no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(Text(name, style=style or "dim"), Text(text, style=style))
    return line
