"""What ``moco tasks`` prints: the catalogue, one entry, its prompt. Entries are read, data only where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from moco.cli.catalogue import table_of
from moco.cli.output import as_json, console, next_steps
from moco.core.errors import ConfigError
from moco.tasks import TASKS, Source, Task, load_task
from moco.tasks.catalogue import Entry
from moco.tasks.load import entry_of


def about(name: str) -> dict[str, Any]:
    """What the entry called ``name`` says of itself, without any data."""
    entry = entry_of(name) or TASKS.get(name)
    if isinstance(entry, Entry):
        return entry.about()
    return {
        "name": entry.name,
        "kind": entry.kind,
        "metric": "accuracy",
        "measures": entry.description,
        "licence": entry.licence,
        "paper": None,
        "sources": {"package": entry.source},
        "gated": None,
    }


def all_tasks(json: bool) -> None:
    found, broken = TASKS.whole()
    for error in broken:  # a plugin of somebody else's hides no other task
        typer.echo(f"warning: {error.what} ({error.where}); remedy: {error.remedy}", err=True)
    every = [about(name) for name in found]
    if json:
        as_json(every)
        return
    table = table_of("task", "kind", "metric", "licence", "source", "gated")
    for one in every:
        sources = one["sources"]
        where = sources["hub"]["dataset"] if "hub" in sources else "files" if "files" in sources else next(iter(sources.values()))
        table.add_row(one["name"], one["kind"], one["metric"], one["licence"], where, "yes" if one["gated"] else "")
    console().print(table)
    next_steps("moco tasks gsm8k", "moco tasks gsm8k --prompt")


def one_task(name: str, data_dir: str | None, split: str, variant: str | None, json: bool) -> None:
    """The entry; with ``data_dir`` (and for tasks that need no data) also what is loaded, counted."""
    from moco.tasks.catalogue.loading import chosen

    source, entry = source_of(data_dir, split, variant), entry_of(name)
    if isinstance(entry, Entry):
        chosen(entry, variant)
        _check_split(entry, split, data_dir)
    known = about(name) if entry is not None else {}
    loads = data_dir is not None or not isinstance(entry, Entry) or entry.beside is not None
    task = load_task(name, source=source) if loads else None
    told = {**known, **(counts(task) if task else {})}
    if json:
        as_json(told)
        return
    shown = console()
    for key, value in told.items():
        for line in lines_of(key, value):
            shown.print(line, markup=False, highlight=False, soft_wrap=True)
    next_steps(f"moco tasks {name} --prompt" + (f" --data-dir {data_dir}" if data_dir else ""))


def counts(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "kind": task.kind,
        "dev": len(task.dev),
        "test": len(task.test),
        "fingerprint": task.fingerprint,
        "loaded_from": task.source,
        "notes": list(task.notes),
    }


def lines_of(key: str, value: Any) -> list[str]:
    """``value`` in lines a person reads; nothing for what is empty."""
    label = key.replace("_", " ")
    if value in (None, "", [], {}, False):
        return []
    if isinstance(value, dict):
        return [f"{label}:", *(f"  {inner}: {_in_words(what)}" for inner, what in value.items() if what not in (None, "", []))]
    if isinstance(value, list):
        return [f"{label}:", *(f"  - {_in_words(one)}" for one in value)]
    text = str(value)
    return [f"{label}: {text}"] if "\n" not in text else [f"{label}:", *(f"  | {line}" for line in text.split("\n"))]


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_words(inner)}" for key, inner in value.items() if inner not in (None, "", []))
    if isinstance(value, list):
        return " ".join(str(one) for one in value)
    return str(value)


def prompt_of(name: str, data_dir: str | None, split: str, variant: str | None, few_shot: int | None, json: bool) -> None:
    """The chat of the first test question: of the data where they are at hand, else of the entry's made-up example."""
    from moco.tasks.catalogue.loading import example

    source, entry = source_of(data_dir, split, variant), entry_of(name)
    made_up = isinstance(entry, Entry) and data_dir is None and entry.beside is None
    if isinstance(entry, Entry) and made_up:
        _check_split(entry, split, data_dir)
        if few_shot is not None:
            raise ConfigError("worked examples are chosen from the data", where="--few-shot", remedy="add --data-dir")
        task = example(entry, variant)
    else:
        task = load_task(name, source=source, few_shot=few_shot)
    record = (task.test or task.dev)[0]
    turns = [{"role": m.role, "content": m.content} for m in task.messages(record)]
    if json:
        as_json({"name": task.name, "kind": task.kind, "id": record.id, "made_up": made_up, "messages": turns})
        return
    shown = console()
    if made_up:
        shots = f"; {entry.shots.count} worked examples come before it" if isinstance(entry, Entry) and entry.shots else ""
        shown.print(f"a made-up question; --data-dir shows a real one{shots}", markup=False, style="dim")
    for turn in turns:
        shown.print(f"--- {turn['role']} ({task.name}, {record.id})", markup=False, style="dim")
        shown.print(turn["content"], markup=False, highlight=False)


def _check_split(entry: Entry, split: str, data_dir: str | None) -> None:
    if split == "moco" and data_dir is None:
        raise ConfigError(
            f"--split moco needs the released {entry.released_name or entry.name}.json",
            where="--split",
            why="the split is that file's two lists",
            remedy="add --data-dir with the file, or its folder",
        )


def source_of(data_dir: str | None, split: str, variant: str | None) -> Source:
    if split not in ("ours", "moco"):
        raise ConfigError(f"there is no split '{split}'", where="--split", remedy="write ours or moco")
    if data_dir == "":
        raise ConfigError("--data-dir is empty", where="--data-dir", remedy="name a folder or a file, or leave it out")
    return Source(Path(data_dir) if data_dir else None, "moco" if split == "moco" else "ours", variant)
