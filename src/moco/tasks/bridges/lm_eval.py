"""Tasks of the lm-evaluation-harness: a local YAML file over local data (or a hub id) as a task of ours.

Read are ``doc_to_text``, ``doc_to_target`` and ``doc_to_choice`` (field names or templates, rendered in a sandbox),
``description``, ``include``, the splits, and few-shot examples. ``multiple_choice`` tasks are asked and read, where the harness
compares log-likelihoods; ``generate_until`` tasks are graded as numbers or short texts. Both is said in the task's notes.

Invariant: nothing is executed (``!function`` is refused), and every key is understood or refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moco.core.errors import ConfigError, DataError
from moco.tasks.bridges.lm_eval_docs import Doc, Templates, documents
from moco.tasks.bridges.lm_eval_yaml import read_task_yaml
from moco.tasks.read import Table
from moco.tasks.record import Prompt, Record, Shot, inferred_kind, literal
from moco.tasks.rows import Fault, Row

_CHOICE_METRICS = frozenset({"acc", "acc_norm", "acc_mutual_info", "acc_bytes"})
_TEXT_METRICS = {"exact_match": "em", "f1": "f1", "acc": "em"}
_OF_METRICS = frozenset({"metric", "aggregation", "higher_is_better"})
_DELIMITERS = ("target_delimiter", "fewshot_delimiter")
_FILTERS = frozenset({"take_first", "remove_whitespace", "lowercase"})


def read_lm_eval(path: Path) -> Table:
    """The task in the YAML file at ``path``. Raises DataError for what it names and is not there, ConfigError for what of it
    cannot be done faithfully."""
    keys = read_task_yaml(path)
    task = _Spec.of(keys, path)
    templates = Templates(keys, str(path))
    splits = task.splits
    rows: list[Row | Fault] = []
    for split, name in (("dev", splits.get("dev")), ("test", splits["test"])):
        skip = task.shots if name is not None and name == splits.get("shots") else 0
        for doc in documents(keys, path, name)[skip:] if name else ():
            rows.append(_record(doc, split, task, templates))
    taught: list[Shot] = []
    if task.shots:
        for doc in documents(keys, path, splits["shots"])[: task.shots]:
            row = _record(doc, "dev", task, templates)
            if isinstance(row, Row):
                taught.append(_shot(Record.model_validate(row.data)))
    prompt = _prompt(str(keys.get("description") or ""), [row for row in rows if isinstance(row, Row)], tuple(taught))
    if task.kind != "multiple_choice":
        _settle_kind(rows, task)
    notes = [*task.notes]
    if taught:
        notes.append(f"its {len(taught)} examples are the first rows of '{splits['shots']}'; lm-eval may draw others")
    return Table(rows, unit="row", name=str(keys.get("task") or path.stem), prompt=prompt, metric=task.metric, notes=tuple(notes))


@dataclass
class _Spec:
    """What of a task decides how its answers are read."""

    kind: str
    splits: dict[str, str]
    shots: int
    metric: str
    notes: list[str]
    patterns: list[str]
    where: str

    @classmethod
    def of(cls, keys: dict[str, Any], path: Path) -> _Spec:
        where = str(path)
        output = keys.get("output_type", "generate_until")
        if output not in ("multiple_choice", "generate_until"):
            raise ConfigError(
                f"output_type '{output}' is not one that moco reads", where=f"{where}: output_type",
                why="it scores given texts by their log-likelihood" if "loglikelihood" in str(output) else "",
                remedy="use a task of multiple_choice or generate_until",
            )  # fmt: skip
        metrics = _metrics(keys, where)
        notes = ["read from lm-evaluation-harness"]
        patterns: list[str] = []
        if output == "multiple_choice":
            metric = ""
            refused = [name for name in metrics if name not in _CHOICE_METRICS]
            notes.append("options are asked for and read from the reply; lm-eval compares their log-likelihoods")
        else:
            refused = [name for name in metrics if name not in _TEXT_METRICS]
            metric = next((_TEXT_METRICS[name] for name in metrics if name in _TEXT_METRICS), "")
            patterns = _filters(keys, where)
        if refused:
            known = sorted(_CHOICE_METRICS if output == "multiple_choice" else _TEXT_METRICS)
            raise ConfigError(
                f"metric '{refused[0]}' is not one that moco computes for {output}", where=f"{where}: metric_list",
                remedy="remove it; known: " + ", ".join(known),
            )  # fmt: skip
        if keys.get("generation_kwargs"):
            notes.append(f"generation_kwargs is left to the study's sampling: {keys['generation_kwargs']}")
        notes += [f"{key} is left to moco's prompt: {keys[key]!r}" for key in _DELIMITERS if keys.get(key) is not None]
        for entry in keys.get("metric_list") or []:
            notes += [
                f"{entry['metric']}: {key} is left to moco's grader: {entry[key]}" for key in entry if key not in _OF_METRICS
            ]
        return cls(
            output if output == "multiple_choice" else "",
            _splits(keys, where),
            _shots(keys, where),
            metric,
            notes,
            patterns,
            where,
        )


def _metrics(keys: dict[str, Any], where: str) -> list[str]:
    out = []
    for entry in keys.get("metric_list") or []:
        name = entry.get("metric") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise ConfigError(
                "an entry of metric_list names no metric", where=f"{where}: metric_list", remedy="write - metric: NAME"
            )
        out.append(name)
    return out


def _filters(keys: dict[str, Any], where: str) -> list[str]:
    """The patterns of regex filters; filters that do anything else are refused by name."""
    patterns = []
    for entry in keys.get("filter_list") or []:
        for step in entry.get("filter") or []:
            name = step.get("function")
            if name == "regex":
                patterns.append(str(step.get("regex_pattern", "")))
            elif name not in _FILTERS:
                raise ConfigError(
                    f"filter '{name}' is not one that moco can stand in for", where=f"{where}: filter_list",
                    remedy="remove it; known: regex, " + ", ".join(sorted(_FILTERS)),
                )  # fmt: skip
    return patterns


def _splits(keys: dict[str, Any], where: str) -> dict[str, str]:
    """Which of the data's splits is test, dev and the source of examples; the harness scores test, else validation."""
    named = {name: keys.get(f"{name}_split") for name in ("test", "validation", "training", "fewshot")}
    order = [str(named[name]) for name in ("test", "validation", "training") if named[name]]
    if not order:
        raise ConfigError("the task names no split", where=where, remedy="add test_split: NAME")
    out = {"test": order[0], "shots": str(named["fewshot"] or named["training"] or named["validation"] or "")}
    if len(order) > 1:
        out["dev"] = order[1]
    return out


def _shots(keys: dict[str, Any], where: str) -> int:
    number = keys.get("num_fewshot") or 0
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ConfigError(f"num_fewshot is {number!r}", where=f"{where}: num_fewshot", remedy="write a whole number")
    splits = _splits(keys, where)
    if number and (not splits["shots"] or splits["shots"] == splits["test"]):
        raise ConfigError(
            "examples would be taken from the questions that are scored",
            where=f"{where}: num_fewshot",
            remedy="name a training_split",
        )
    return number


def _record(doc: Doc, split: str, task: _Spec, templates: Templates) -> Row | Fault:
    try:
        data: dict[str, Any] = {"id": f"{split}/{doc.split}/{doc.number}", "split": split, "question": templates.text(doc)}
        if task.kind == "multiple_choice":
            choices = templates.choices(doc)
            labels = [chr(65 + i) if i < 26 else str(i + 1) for i in range(len(choices))]
            data["choices"] = dict(zip(labels, choices, strict=True))
            right = [labels[i] for i in templates.right(doc, choices)]
            data |= {"answer": right[0]} if len(right) == 1 else {"labels": right}
        else:
            data["answer"] = templates.target(doc)
    except DataError as error:
        return Fault(doc.number, "", error.what, error.remedy)
    return Row(doc.number, data)


def _prompt(description: str, rows: list[Row], shots: tuple[Shot, ...]) -> Prompt:
    """Options are shown where the question does not show them already."""
    shown = all(
        all(text in row.data["question"] for text in row.data["choices"].values())
        for row in rows
        if row.data.get("choices") is not None
    )
    head = f"{literal(description.strip(chr(10)))}\n" if description.strip() else ""
    return Prompt(
        template=head + ("{question}\n{answer_format}" if shown else "{question}\n{choices}\n{answer_format}"), shots=shots
    )


def _shot(record: Record) -> Shot:
    gold = record.gold if isinstance(record.gold, str) else record.gold[0]
    return Shot(record, f"Answer: {gold}")


def _settle_kind(rows: list[Row | Fault], task: _Spec) -> None:
    """Numbers where every target is one, else short texts; a regex that picks something else out of a reply is refused."""
    data = [row.data for row in rows if isinstance(row, Row)]
    numbers = bool(data) and all(
        isinstance(one["answer"], str) and inferred_kind(Record(id="x", question="x", answer=one["answer"])) == "numeric"
        for one in data
        if one.get("answer")
    )
    if task.patterns and not numbers:
        raise ConfigError(
            f"filter regex '{task.patterns[0]}' is not one that moco can stand in for", where=f"{task.where}: filter_list",
            why="targets are not numbers, and moco reads short texts by its own rules",
            remedy="remove the filter, and let the prompt ask for 'Answer: '",
        )  # fmt: skip
    for one in data:
        one["kind"] = "numeric" if numbers else "short_text"
    if task.patterns:
        task.notes.append("numbers are read by moco's rules instead of the filters " + ", ".join(map(repr, task.patterns)))
