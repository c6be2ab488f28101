"""``moco ask``: one question to a collaboration, with the transcript of who was asked what and who saw whose text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from moco.cli.output import as_json, console, next_steps, open_store

if TYPE_CHECKING:
    from rich.tree import Tree

    from moco.core.types import Call


def ask(
    source: Path = typer.Argument(..., help="A study.yaml, or a finished cell runs/NAME/cells/ID."),
    question: str = typer.Argument(..., help="What to ask."),
    method: str | None = typer.Option(None, "--method", help="Label of a method in the study; default: its first."),
    spec: str | None = typer.Option(None, "--kind", help="Kind of answer (numeric, short_text, ...); default: the task's."),
    store: Path | None = typer.Option(None, "--store", help="Cache file instead of the one under $MOCO_HOME."),
    json: bool = typer.Option(False, "--json", help="Answer and transcript as JSON."),
) -> None:
    """Ask a collaboration one question and see how it came to its answer.

    Example:  moco ask study.yaml "What is 17 + 25?" --method majority_vote --kind numeric
    """
    from dataclasses import replace

    from moco.cli.sources import load_source
    from moco.core.answering import KINDS
    from moco.core.runtime import RUNTIME
    from moco.core.types import AnswerSpec, Request, messages_of

    if spec is not None:
        KINDS.get(spec)
    opened = open_store(store)
    found = load_source(source, method, opened)
    read_as = AnswerSpec(kind=spec) if spec is not None else found.spec
    asked = Request(
        messages=messages_of(question), sampling=found.sampling, spec=replace(read_as, question=question) if read_as else None
    )
    said = RUNTIME.run(found.team.generate(asked))
    opened.flush()
    if json:
        answer = {k: getattr(said, k) for k in ("text", "key", "source", "confidence", "finish")}
        as_json({**answer, "reason": dict(said.reason), "usage": asdict(said.usage), "calls": [asdict(c) for c in said.calls]})
        return
    from moco.report.terminal import clean

    shown = console()
    shown.print(clean(said.text) or "(an empty answer)", markup=False)
    about = [f"read as {said.key!r}" if said.key is not None else "", f"said by {said.source}" if said.source else ""]
    about += [f"confidence {said.confidence:.2f}" if said.confidence is not None else "", f"{said.usage.calls} calls"]
    shown.print(f"({', '.join(clean(a) for a in about if a)})\n", markup=False, style="dim")
    shown.print(transcript(said.calls, found.name))
    next_steps(f"moco serve {source}")


def transcript(calls: Sequence[Call], title: str) -> Tree:
    """The calls of an answer as a tree; a collaboration's own calls hang below it."""
    from rich.text import Text
    from rich.tree import Tree

    from moco.report.terminal import clean, shorten

    tree = Tree(Text(clean(title), style="bold"))
    for call in calls:
        line = Text.assemble((clean(call.id), "cyan"), "  ", (clean(call.member), "bold"))
        if call.key is not None:
            line.append(f"  = {clean(call.key)}", style="green")
        if call.finish != "stop":
            line.append(f"  ({call.finish})", style="yellow")
        branch = tree.add(line)
        branch.add(Text(f"asked  {shorten(call.prompt, 160)}", style="dim"))
        if call.tag.sees:
            branch.add(Text(f"sees   {', '.join(clean(s) for s in call.tag.sees)}", style="dim"))
        branch.add(Text(f"said   {shorten(call.text, 400)}"))
        if call.calls:
            branch.add(transcript(call.calls, "inside"))
    return tree
