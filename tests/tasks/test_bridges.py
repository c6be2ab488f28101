"""Tasks in the formats of other projects: evalplus problems with their oracles, and YAML tasks of the lm-evaluation-harness.

All files are made up. That the tests of a problem pass its reference and fail a wrong solution is shown by executing them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError, DataError, MocoError, SandboxError
from moco.core.runtime import RUNTIME
from moco.tasks import check_file, load_task
from moco.tasks.bridges.evalplus import checks_of, restored
from moco.tasks.converting import convert_data
from moco.tasks.sandbox import Program, Sandbox

PROBLEM = {
    "task_id": "HumanEval/9000",
    "prompt": "def third(x):\n    '''A third of x.'''\n",
    "entry_point": "third",
    "canonical_solution": "    return x / 3\n",
    "base_input": [[3], [1]],
    "plus_input": [[10.0], [-2]],
    "contract": "    assert isinstance(x, (int, float))\n",
    "atol": 0,
}


def problem(tmp_path: Path, **changed: Any) -> Path:
    path = tmp_path / "HumanEvalPlus.jsonl"
    path.write_text(json.dumps({**PROBLEM, **changed}) + "\n", encoding="utf-8")
    return path


def passes(tests: str, solution: str, name: str) -> bool:
    scope: dict[str, Any] = {}
    exec(solution, scope)
    candidate = scope[name]
    exec(tests, scope)
    try:
        scope["check"](candidate)
    except AssertionError:
        return False
    return True


def test_a_problem_of_evalplus_is_a_code_record(tmp_path: Path) -> None:
    task = load_task(problem(tmp_path))
    [record] = task.test
    assert (record.id, record.entry_point, record.effective_kind) == ("HumanEval/9000", "third", "code")
    assert record.question == PROBLEM["prompt"] and record.meta == {"contract": PROBLEM["contract"]}
    assert "canonical" not in task.messages(record)[0].content and "return x / 3" not in task.messages(record)[0].content
    tests = record.tests or ""
    assert passes(tests, "def third(x): return x / 3", "third")
    assert passes(tests, "def third(x): return x / 3 + 1e-9", "third")  # floats: 1e-6 where atol is 0
    assert not passes(tests, "def third(x): return x / 3 + 1e-3", "third")
    assert not passes(tests, "def third(x): return x // 3", "third")
    assert not passes(tests, "def third(x): return str(x / 3)", "third")


def test_a_problem_in_the_sandbox(tmp_path: Path) -> None:
    record = load_task(problem(tmp_path)).test[0]

    async def run(solution: str) -> str:
        verdict = await Sandbox().run(Program(solution, record.tests or "", record.entry_point or ""))
        return str(verdict.status)

    try:
        assert RUNTIME.run(run("def third(x):\n    return x / 3")) == "passed"
    except SandboxError as error:
        pytest.skip(f"no sandbox here: {error.what}")
    always = "class Same:\n    def __eq__(self, other): return True\n\ndef third(x):\n    return Same()"
    for wrong in ("def third(x):\n    return x // 3", "import sys\ndef third(x):\n    sys.exit(0)", always):
        assert RUNTIME.run(run(wrong)) == "failed"


@pytest.mark.parametrize(
    ("task_id", "name", "reference", "inputs", "right", "wrong"),
    [
        ("Mbpp/1", "f", "def f(x): return sorted(x)", [[[2, 1]]], "def f(x): x.sort(); return x", "def f(x): return x"),
        ("Mbpp/1", "f", "def f(x): return (x, 1)", [[1]], "def f(x): return (x, 1)", "def f(x): return [x, 1]"),
        ("Mbpp/1", "f", "def f(x): return [x / 3, 2.0]", [[1]], "def f(x): return [x * (1 / 3), 2.0]", "def f(x): return [x]"),
        ("Mbpp/1", "f", "def f(x): return x is None", [[1]], "def f(x): return False", "def f(x): return None"),
        ("Mbpp/2", "similar_elements", "def similar_elements(a, b): return tuple(set(a) & set(b))", [[[1, 2, 3], [2, 3]]],
         "def similar_elements(a, b): return [3, 2, 2]", "def similar_elements(a, b): return [3]"),
        ("Mbpp/164", "are_equivalent", "def are_equivalent(a, b): return a == b", [[1, 2]],
         "def are_equivalent(a, b): return True", ""),
        ("Mbpp/295", "sum_div", "def sum_div(n): return sum(d for d in range(1, n) if n % d == 0)", [[6]],
         "def sum_div(n): return 0", "def sum_div(n): return 7"),
        ("Mbpp/581", "surface_Area", "def surface_Area(b, s): return 2 * b * s + b * b", [[3, 4]],
         "def surface_Area(b, h): return round(b * b + 2 * b * (b * b / 4 + h * h) ** 0.5)", "def surface_Area(b, s): return 1"),
        ("Mbpp/558", "digit_distance_nums", "def digit_distance_nums(a, b): return sum(map(int, str(abs(a - b))))", [[1, 256]],
         "def digit_distance_nums(a, b): return sum(abs(int(x) - int(y)) for x, y in zip(str(a).zfill(3), str(b).zfill(3)))",
         "def digit_distance_nums(a, b): return 0"),
        ("Mbpp/9", "check_str", "def check_str(s): return s or None", [["a"], [""]],
         "def check_str(s): return bool(s)", "def check_str(s): return None"),
        ("HumanEval/32", "find_zero", "def find_zero(xs): return 0", [[[-2, 1]], [[-4, 0, 1]]],
         "def find_zero(xs): return -2 if len(xs) == 3 else 2", "def find_zero(xs): return 3"),
    ],
)  # fmt: skip
def test_the_oracles(task_id: str, name: str, reference: str, inputs: list[Any], right: str, wrong: str) -> None:
    tests = checks_of(task_id, name, reference, inputs, 1e-4 if name in ("find_zero", "surface_Area") else 0)
    assert passes(tests, right, name)
    if name != "find_zero":
        assert passes(tests, reference, name)
    if wrong:
        assert not passes(tests, wrong, name)


def test_values_that_json_cannot_hold() -> None:
    assert restored("Mbpp/2", [[[3, 4], [5]]]) == [[(3, 4), (5,)]]
    assert restored("Mbpp/106", [[[1], [2, 3]]]) == [[[1], (2, 3)]]
    assert restored("Mbpp/115", [[[[1, 2], []]]]) == [[[{1, 2}, {}]]]
    assert restored("Mbpp/124", [["1", "2j"]]) == [[1.0, 2j]]
    assert restored("Mbpp/580", [[[1, [2, [3]]]]]) == [[(1, (2, (3,)))]]
    assert restored("Mbpp/9999", [[[1]]]) == [[[1]]] == restored("HumanEval/2", [[[1]]])
    tests = checks_of("Mbpp/1", "f", "def f(x): return x", [[float("inf")], [{1}], [2j]], 0)
    assert passes(tests, "def f(x): return x", "f")


@pytest.mark.parametrize(
    ("changed", "field", "what"),
    [
        ({"canonical_solution": 3}, "canonical_solution", "is not a text"),
        ({"entry_point": "f(x)"}, "entry_point", "'f(x)' is not the name of a function"),
        ({"atol": "small"}, "atol", "is not a number of 0 or more"),
        ({"base_input": [3]}, "base_input", "is not a list of argument lists"),
        ({"base_input": [], "plus_input": []}, "base_input", "holds no inputs, so that anything would pass"),
        ({"task_id": "Mbpp/106", "base_input": [[1]]}, "base_input", "has not the form of Mbpp/106: list index out of range"),
        ({"prompt": " "}, "prompt", "is empty and there are no messages"),
    ],
)
def test_faulty_problems(changed: dict[str, Any], field: str, what: str, tmp_path: Path) -> None:
    [fault] = check_file(problem(tmp_path, **changed)).faults
    assert (fault.line, fault.field, fault.what) == (1, field, what) and fault.remedy


# the lm-evaluation-harness

CHOICE = """\
task: made_up
dataset_path: json
dataset_kwargs: {data_files: {test: test.jsonl, train: train.jsonl}}
training_split: train
test_split: test
output_type: multiple_choice
doc_to_text: "Question: {{stem}}\\nAnswer:"
doc_to_choice: "{{options}}"
doc_to_target: gold
metric_list: [{metric: acc, aggregation: mean}]
metadata: {version: 1.0}
"""
NUMBER = """\
dataset_path: json
dataset_kwargs: {data_files: {test: test.jsonl, train: train.jsonl}}
training_split: train
test_split: test
doc_to_text: "{{stem}}"
doc_to_target: "{{solution.split('=>')[-1]}}"
generation_kwargs: {until: ["Q:"], do_sample: false}
filter_list:
  - {name: strict, filter: [{function: regex, regex_pattern: "=> (\\\\d+)"}, {function: take_first}]}
metric_list: [{metric: exact_match, ignore_case: true}]
"""
TEST = [
    {"stem": "A fruit?", "options": ["stone", "pear"], "gold": 1, "solution": "two and two => 4"},
    {"stem": "A stone?", "options": ["pear", "flint"], "gold": 1, "solution": "=> 1,000"},
]
TRAIN = [{"stem": "A tree?", "options": ["oak", "wool"], "gold": 0, "solution": "=> 7"}, {**TEST[0], "stem": "Fruit"}]


def yaml_task(tmp_path: Path, text: str, *, rows: list[dict[str, Any]] = TEST) -> Path:
    for name, docs in (("test", rows), ("train", TRAIN)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs), encoding="utf-8")
    path = tmp_path / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_multiple_choice_task(tmp_path: Path) -> None:
    task = load_task(yaml_task(tmp_path, CHOICE))
    assert (task.name, task.kind, len(task.dev), len(task.test)) == ("made_up", "multiple_choice", 2, 2)
    assert [record.answer for record in task.test] == ["B", "B"]
    shown = task.messages(task.test[0])[-1].content
    assert shown.startswith("Question: A fruit?\nAnswer:\nA. stone\nB. pear\n")
    assert any("log-likelihoods" in note for note in task.notes)
    assert task.grade(task.test[0], "Answer: B").score == 1 and task.grade(task.test[0], "Answer: A").score == 0


def test_options_in_the_question_are_not_shown_twice(tmp_path: Path) -> None:
    text = CHOICE.replace('"Question: {{stem}}\\nAnswer:"', '"{{stem}} A. {{options[0]}} B. {{options[1]}}"')
    text = text.replace('"{{options}}"', '["A", "B"]')
    task = load_task(yaml_task(tmp_path, text))
    assert "A. stone B. pear\n" in task.messages(task.test[0])[-1].content
    assert task.messages(task.test[0])[-1].content.count("stone") == 1


def test_targets_may_be_texts_or_several(tmp_path: Path) -> None:
    rows = [{**TEST[0], "gold": "pear"}, {**TEST[1], "gold": [0, 1]}]
    task = load_task(yaml_task(tmp_path, CHOICE, rows=rows))
    assert task.test[0].answer == "B" and task.test[1].labels == ["A", "B"]


def test_numbers_with_filters_and_examples(tmp_path: Path) -> None:
    path = yaml_task(tmp_path, NUMBER + 'num_fewshot: 1\ndescription: "Think.\\n\\n"\n')
    task = load_task(path)
    assert (task.kind, task.metric, task.name) == ("numeric", "em", "task")
    assert [record.answer for record in task.test] == ["4", "1,000"]
    turns = task.messages(task.test[0])
    assert [turn.role for turn in turns] == ["user", "assistant", "user"]
    assert turns[0].content.startswith("Think.\nA tree?") and turns[1].content == "Answer: 7"
    assert [record.question for record in task.dev] == ["Fruit"]  # the example is never in dev
    assert task.grade(task.test[1], "Answer: 1000").score == 1
    notes = " ".join(task.notes)
    assert "exact_match: ignore_case is left to moco's grader: True" in notes
    assert "generation_kwargs" in notes and "=> (\\\\d+)" in notes and "first rows of 'train'" in notes


def test_include_and_field_names(tmp_path: Path) -> None:
    yaml_task(tmp_path, CHOICE)
    (tmp_path / "child.yaml").write_text("include: task.yaml\ntask: child\ndoc_to_text: stem\n", encoding="utf-8")
    task = load_task(tmp_path / "child.yaml")
    assert task.name == "child" and task.test[0].question == "A fruit?"


def test_a_converted_task_asks_the_same(tmp_path: Path) -> None:
    path = yaml_task(tmp_path, NUMBER + "num_fewshot: 1\n")
    convert_data(path, tmp_path / "out.jsonl")
    before, after = load_task(path), load_task(tmp_path / "out.jsonl")
    assert [before.messages(r) for r in before.test] == [after.messages(r) for r in after.test]
    assert [r.answer for r in before.test] == [r.answer for r in after.test]


REFUSED: dict[str, tuple[str, str]] = {
    "function": (CHOICE.replace('doc_to_text: "Question: {{stem}}\\nAnswer:"', "doc_to_text: !function utils.text"),
                 "'doc_to_text: !function utils.text' is code"),
    "process_docs": (CHOICE + "process_docs: !function utils.docs\n", "'process_docs: !function utils.docs' is code"),
    "a function deep inside": (CHOICE + "fewshot_config: {samples: !function utils.shots}\n", "!function utils.shots' is code"),
    "unknown key": (CHOICE.replace("doc_to_choice", "doc_to_choices"), "key 'doc_to_choices' is not understood"),
    "repeats": (CHOICE + "repeats: 4\n", "key 'repeats' is not understood"),
    "output type": (CHOICE.replace("multiple_choice", "loglikelihood_rolling"), "output_type 'loglikelihood_rolling' is not one"),
    "metric": (CHOICE.replace("metric: acc", "metric: brier_score"), "metric 'brier_score' is not one"),
    "filter": (NUMBER.replace("take_first", "majority_vote"), "filter 'majority_vote' is not one"),
    "regex over words": (NUMBER.replace("solution.split('=>')[-1]", "stem"), "is not one that moco can stand in for"),
    "no choices": (CHOICE.replace('doc_to_choice: "{{options}}"\n', ""), "'doc_to_choice' is missing"),
    "no text": (CHOICE.replace("doc_to_text", "description"), "'doc_to_text' is missing"),
    "no split": (CHOICE.replace("test_split: test\n", "").replace("training_split: train\n", ""), "the task names no split"),
    "split without files": (CHOICE.replace("test_split: test", "test_split: tset"), "data_files has no split 'tset'"),
    "no files": (CHOICE.replace("dataset_kwargs: {data_files: {test: test.jsonl, train: train.jsonl}}\n", ""),
                 "no data_files are named"),
    "missing file": (CHOICE.replace("test: test.jsonl", "test: gone.jsonl"), "there is no such file"),
    "template": (CHOICE.replace("{{stem}}", "{{stem"), "doc_to_text is no template"),
    "undefined": (CHOICE.replace("{{stem}}", "{{stam}}"), "doc_to_text cannot be rendered: 'stam' is undefined"),
    "sandbox": (CHOICE.replace("{{stem}}", "{{''.__class__.__mro__}}"), "doc_to_text cannot be rendered"),
    "gold out of range": (CHOICE.replace("doc_to_target: gold", "doc_to_target: 7"), "7 is not among the 2 options"),
    "examples from the test": (CHOICE.replace("training_split: train\n", "") + "num_fewshot: 1\n", "questions that are scored"),
    "few-shot sampler": (CHOICE + "fewshot_config: {sampler: mine}\n", "only the sampler first_n is understood"),
    "not yaml": ("a: [", "is not YAML"),
    "another yaml": ("- 1\n", "is not a task of lm-evaluation-harness"),
    "circle": (CHOICE + "include: task.yaml\n", "include goes in a circle"),
    "other tag": (CHOICE + "tag: !!python/object:os.system x\n", "is not YAML"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_refused_by_name(name: str, tmp_path: Path) -> None:
    text, words = REFUSED[name]
    path = yaml_task(tmp_path, text)
    with pytest.raises(MocoError) as caught:
        load_task(path)
    assert isinstance(caught.value, ConfigError | DataError)
    assert words in str(caught.value) and caught.value.remedy
    assert "task.yaml" in caught.value.where or "jsonl" in caught.value.where
