"""Original files of the catalogue's data sets, told by their keys, so that they are not read as files of one's own.

GSM8K's own file has the fields ``question`` and ``answer``, and would pass for ours; its answers are whole solutions.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moco.tasks.rows import Fault
from moco.tasks.strictjson import Cursor, OddJson, elements, keys

_LARGEST = 64 << 20
_ROWS: tuple[tuple[frozenset[str], str, str], ...] = tuple(
    (frozenset(names.split(",")), title, task)
    for names, title, task in (
        ("passage,question,options,label", "AGIEval", "agieval"),
        ("instruction,output,generator", "AlpacaEval", "alpacaeval"),
        ("question,choices,answerKey", "ARC", "arc_challenge"),
        ("id,answerKey", "the answers of ARC (without its questions)", "arc_challenge"),
        ("ID,Topic,Source,Question", "BLEnD", "blend"),
        ("MCQID,choices,answer_idx", "BLEnD", "blend"),
        ("category,subcategory,prompt", "CoCoNot", "coconot"),
        ("task_id,prompt,canonical_solution,test", "HumanEval", "humaneval"),
        ("task_id,completion", "answers to HumanEval (without its questions)", "humaneval"),
        ("task_id,code,test_list", "MBPP", "mbpp"),
        ("question,opa,opb,cop", "MedMCQA", "medmcqa"),
        ("question,options,answer_idx,meta_info", "MedQA", "medqa"),
        ("realidx,question,options,answer_idx", "MedMCQA (as one benchmark re-keyed it)", "medmcqa"),
        ("question,choices,error_type,correct_answer", "MMLU-Redux", "mmlu_redux"),
        ("prior_paper,new_paper,future_paper", "ScienceMeter", "sciencemeter"),
        ("Question,Answer,Answer_type", "TheoremQA", "theoremqa"),
        ("question,mc1_targets", "TruthfulQA", "truthfulqa"),
        ("Type,Category,Question,Best Answer", "TruthfulQA", "truthfulqa"),
        ("question_idx,prompt_question,prompt_option,answer", "CulturalBench-Hard", "culturalbench_hard"),
        ("Question,Correct Answer,Incorrect Answer 1", "GPQA", "gpqa_main"),
        ("subj,prop,question,possible_answers", "PopQA", "popqa"),
        ("input,output,_instance_id", "SciRIFF", "sciriff"),
        ("conversation,language,toxic,redacted", "WildChat", "wildchat"),
        ("problem,level,type,solution", "MATH", "math"),
    )
)
_OBJECTS: tuple[tuple[frozenset[str], str, str], ...] = tuple(
    (frozenset(names.split(",")), title, task)
    for names, title, task in (
        ("QUESTION,CONTEXTS,final_decision", "PubMedQA", "pubmedqa"),
        ("question,choices,table,ques_type", "TabMWP", "tablemwp_multiple_choice"),
        ("question,en_question,annotations", "BLEnD (its annotations)", "blend"),
        ("refusal,compliance", "CoCoNot (its rubric, without questions)", "coconot"),
    )
)


def recognise(path: Path) -> Fault | None:
    """The fault that ``path`` is an original file of a catalogue task, with the task that reads it; None for any other file."""
    named = _named(path)
    if named is None:
        return None
    title, task = named
    return Fault(
        0, "", f"looks like an original file of {title}", f"use the task {task}: {{name: {task}, data_dir: {path.parent}}}"
    )


def _named(path: Path) -> tuple[str, str] | None:
    text = _text(path)
    if text is None:
        return None
    suffixes = [s.lower() for s in path.suffixes]
    if ".jsonl" in suffixes:
        return _by_row(next(_json_lines(text), None), path)
    if ".csv" in suffixes or ".tsv" in suffixes:
        header = re.split(r"[\r\n]", text, maxsplit=1)[0]
        cells = header.split(max(",;\t", key=header.count))
        return _by_row(dict.fromkeys((cell.strip(' "') for cell in cells), ""), path)
    return _by_object(text, path) if ".json" in suffixes else None


def _text(path: Path) -> str | None:
    """The text that decides, None where the file is none of ours to judge; bytes that are not UTF-8 do not matter here."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                raw = file.read(1 << 20)
    except (OSError, EOFError, zlib.error):
        return None
    return raw.decode("utf-8-sig", "replace")


def _json_lines(text: str) -> Iterator[Any]:
    cursor = Cursor(text)
    try:
        while cursor.next:
            yield cursor.value()
    except OddJson:
        return


def _by_row(row: Any, path: Path) -> tuple[str, str] | None:
    if not isinstance(row, Mapping):
        return None
    if set(row) == {"question", "answer"} and re.search(r"\n#### \S+\s*$", str(row["answer"])):
        return "GSM8K", "gsm8k"
    if set(row) == {"query"}:
        return "Infinity-Chat", "infinite_chat_open"
    if "plus_input" in row:  # evalplus files are read as they are
        return None
    for names, title, task in _ROWS:
        if names <= set(row):
            if task == "gpqa_main":
                task = next((f"gpqa_{part}" for part in ("diamond", "extended") if part in path.name.lower()), task)
            return title, task
    return None


def _by_object(text: str, path: Path) -> tuple[str, str] | None:
    cursor = Cursor(text)
    try:
        if cursor.next == "[":
            _, first = next(elements(cursor), (0, None))
            return _by_row(first, path)
        return _by_keys(cursor) if cursor.next == "{" else None
    except OddJson:
        return None


def _by_keys(cursor: Cursor) -> tuple[str, str] | None:
    values: dict[str, Any] = {}
    for _, key in keys(cursor):
        values[key] = cursor.value()
        if len(values) == 3:
            break
    first = next(iter(values.values()), None)
    if isinstance(values.get("examples"), list):
        return "BIG-Bench Hard", "bbh"
    if (
        "dataset" in values
        and isinstance(values.get("dev"), list)
        and values["dev"]
        and set(values["dev"][0]) == {"prompt", "id"}
    ):
        return "Model Swarms' human interest topics", "human_interest"
    if set(values) == {"train", "dev", "test"} and all(
        isinstance(v, list) and v and isinstance(v[0], str | int) for v in values.values()
    ):
        return "TabMWP (its split, without questions)", "tablemwp_multiple_choice"
    if values and all(re.fullmatch(r"\d+", key) for key in values) and all(v in ("yes", "no", "maybe") for v in values.values()):
        return "PubMedQA (its test ids, without questions)", "pubmedqa"
    for names, title, task in _OBJECTS:
        if isinstance(first, dict) and names <= set(first):
            return title, task
    return None
