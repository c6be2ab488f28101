"""``moco methods``, ``moco tasks``, ``moco models``: what there is, and what each one is like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from moco.cli.output import as_json, console, next_steps
from moco.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table


def methods(
    name: str | None = typer.Argument(None, help="A method, for its options, presets and fidelity; or path/to/file.py:Class."),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """The methods: level, paper, cost, what they learn and need.

    Example:  moco methods majority_vote
    """
    from moco.cli.described import describe, method_class
    from moco.collab import METHODS

    if name is not None:
        about = describe(method_class(name))
        if json:
            as_json(about)
        else:
            _one_method(about)
        return
    found, broken = METHODS.whole()
    for error in broken:  # a plugin of somebody else's hides no other method
        typer.echo(f"warning: {error.what} ({error.where}); remedy: {error.remedy}", err=True)
    every = [describe(cls) for cls in found.values()]
    if json:
        as_json(every)
        return
    shown = console()
    table = table_of("method", "level", "arXiv", "fit", "needs", "cost")
    for column in table.columns[:4]:
        column.no_wrap = True
    for m in every:
        needs = "; ".join(", ".join(caps) if who == "*" else f"{who}: {', '.join(caps)}" for who, caps in m["needs"].items())
        paper = (m["paper"] or "").removeprefix("arXiv:")
        table.add_row(m["name"], m["level"], paper, m["fit"], needs, _in_short(m["cost"]))
    shown.print(table)
    shown.print("... stands for special cases, which moco methods NAME has", markup=False, style="dim")
    next_steps("moco methods majority_vote")


def _in_short(cost: str) -> str:
    """What a query costs in its plain case; ``...`` stands for the special cases after a semicolon, which NAME shows."""
    parts, depth = [""], 0
    for sign in cost:
        depth += (sign == "(") - (sign == ")")
        if sign == ";" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    per_query = [part.strip() for part in parts if not part.strip().startswith("fit:")]
    return per_query[0] + ("; ..." if len(per_query) > 1 else "") if per_query else cost


def _one_method(about: dict[str, Any]) -> None:
    shown = console()

    def say(text: str, style: str | None = None) -> None:
        shown.print(text, markup=False, style=style)

    say(f"{about['name']}  ({about['level']}, {about['paper'] or 'no paper'})", "bold")
    say(about["doc"])
    say(f"cost: {about['cost'] or 'not stated'}")
    say(f"fit: {about['fit']}; members: {about['members']}")
    if about["roles"]:
        say(f"roles: {', '.join(role if least else f'{role} (if cast)' for role, least in about['roles'].items())}")
    for who, caps in about["needs"].items():
        say(f"needs of {'every member' if who == '*' else who}: {', '.join(caps)}")
    if about["options"]:
        table = table_of("option", "type", "default", "meaning")
        for option in about["options"]:
            default = "(required)" if option["required"] else repr(option["default"])
            table.add_row(option["name"], option["type"], default, option["doc"])
        shown.print(table)
    for preset, values in about["presets"].items():
        say(f"preset {preset}: {', '.join(f'{k}={v!r}' for k, v in values.items())}")
    if about["fidelity"]:
        say("fidelity:", "bold")
        for line in about["fidelity"]:
            say(f"  - {line}")


def tasks(
    name: str | None = typer.Argument(None, help="A task, or a data file."),
    prompt: bool = typer.Option(False, "--prompt", help="Show the prompt of its first test question as a model gets it."),
    data_dir: str | None = typer.Option(None, "--data-dir", help="Original files or a released MoCo file: load them and count."),
    split: str = typer.Option("ours", "--split", help="ours, or moco for the released lists."),
    variant: str | None = typer.Option(None, "--variant", help="One of the task's variants."),
    few_shot: int | None = typer.Option(None, "--few-shot", min=0, help="With --prompt: so many worked examples before it."),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """The tasks: kind, metric, licence and where the data are; NAME shows one. Nothing is downloaded.

    Without data the prompt is that of a made-up question.

    Example:  moco tasks gsm8k --prompt
    """
    from moco.cli.tasks import all_tasks, one_task, prompt_of

    if name is None:
        options = {"--prompt": prompt, "--data-dir": data_dir, "--variant": variant, "--few-shot": few_shot is not None}
        given = next((name for name, value in options.items() if value), "--split" if split != "ours" else "")
        if given:
            raise ConfigError(f"{given} is for one task", where="moco tasks", remedy="name it: moco tasks gsm8k --prompt")
        all_tasks(json)
    elif prompt:
        prompt_of(name, data_dir, split, variant, few_shot, json)
    elif few_shot is not None:
        raise ConfigError("--few-shot goes with --prompt", where="moco tasks", remedy="add --prompt")
    else:
        one_task(name, data_dir, split, variant, json)


def models(
    name: str | None = typer.Argument(None, help="A model reference, such as playground/alpha."),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """The models that can be members: the playground's, and the ways to name others.

    Example:  moco models playground/alpha
    """
    from moco.models.member import BACKENDS, SCHEMES
    from moco.playground import MEMBERS

    if name is not None:
        _one_model(name, json)
        return
    known = [
        {"reference": f"playground/{m.name}", "role": m.role, "parameters": m.parameters, "description": m.description}
        for m in MEMBERS.values()
    ]
    if json:
        as_json({"models": known, "schemes": SCHEMES.names(), "backends": BACKENDS.names()})
        return
    table = table_of("reference", "role", "parameters", "description")
    for row in known:
        table.add_row(str(row["reference"]), str(row["role"]), f"{row['parameters']:,}", str(row["description"]))
    shown = console()
    shown.print(table)
    shown.print("also: a folder with a checkpoint, or a Hugging Face id (owner/name)", markup=False)
    shown.print(f"backends: {', '.join(BACKENDS.names())}", markup=False)
    next_steps("moco playground matrix", "moco models playground/alpha")


def _one_model(name: str, json: bool) -> None:
    from moco.models.pool import Pool
    from moco.models.store import Store

    member = Pool([name], store=Store(None))[0]
    about = {
        "reference": name,
        "description": member.description,
        "capabilities": sorted(member.model.capabilities.names),
        "fingerprint": member.model.fingerprint,
    }
    if json:
        as_json(about)
        return
    for key, value in about.items():
        console().print(f"{key}: {', '.join(value) if isinstance(value, list) else value}", markup=False)


def table_of(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("method", "option", "reference", "task"))
    return table
