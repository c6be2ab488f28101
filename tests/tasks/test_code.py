"""Programs: where they are found in a reply, and that right ones pass and wrong ones do not."""

from __future__ import annotations

import ast
import asyncio
import gzip
import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.errors import DataError, SandboxError
from moco.core.types import AnswerSpec
from moco.tasks.graders.base import Grade
from moco.tasks.graders.code import KIND
from moco.tasks.graders.code_extraction import extract_program
from moco.tasks.graders.item import Helpers, Item
from moco.tasks.sandbox import Limits, Program, Sandbox

SHARED = Path(__file__).parents[2].parent / "shared"
PROMPT = '''from typing import List

def double(v):
    return 2 * v


def total(values: List[int]) -> int:
    """The doubled sum."""
'''
BODY = "    found = 0\n    for value in values:\n        found += double(value)\n    return found\n"
WHOLE = PROMPT + BODY
ALONE = WHOLE[WHOLE.index("def total") :]
TESTS = "def check(candidate):\n    assert candidate([1, 2]) == 6\n    assert candidate([]) == 0\n"

RIGHT = {
    "fence": (f"Here:\n```python\n{WHOLE}```\nDone.", "fence"),
    "function only": (f"```python\n{ALONE}```", "fence"),
    "py": (f"```py\n{WHOLE}```", "fence"),
    "tilde": (f"~~~python3\n{WHOLE}~~~", "fence"),
    "untagged": (f"```\n{WHOLE}```", "fence"),
    "attributes": (f"```python title='a.py'\n{WHOLE}```", "fence"),
    "unclosed": (f"Sure.\n```python\n{WHOLE}", "fence"),
    "usage fence": (f"```python\n{WHOLE}```\nUse it:\n```python\nn = total([1])\nprint(n)\nassert n == 0\n```", "fence"),
    "shell fence": (f"```bash\npip install x\n```\n```python\n{WHOLE}```\n```text\n6\n```", "fence"),
    "two fences": (f"```python\nimport math\n```\nand\n```python\n{ALONE}```", "fence"),
    "empty fence": (f"```python\n{WHOLE}```\n```python\n```", "fence"),
    "in a list": ("1. So:\n\n" + textwrap.indent(f"```python\n{WHOLE}```\n", "   "), "fence"),
    "quoted": ("\n".join(f"> {line}" for line in f"```python\n{WHOLE}```".split("\n")), "fence"),
    "windows lines": (f"```python\n{WHOLE}```".replace("\n", "\r\n"), "fence"),
    "future": (f"```python\nfrom __future__ import annotations\n{ALONE}```", "fence"),
    "thinking": (f"<think>\n```python\ndef total(v):\n    return 0\n```\n</think>\n```python\n{WHOLE}```", "fence"),
    "the last one counts": (f"```python\ndef total(v):\n    return 0\n```\nBetter:\n```python\n{ALONE}```", "fence"),
    "a lambda": ("```python\ntotal = lambda v: 2 * sum(v)\n```", "fence"),
    "below try": (f"```python\ntry:\n    import nothing_such\nexcept ImportError:\n    pass\n{ALONE}```", "fence"),
    "nothing else": (WHOLE, "bare"),
    "end marker": (f"{ALONE}[DONE]\nYou are an expert", "bare"),
    "tags": (f"[PYTHON]\n{ALONE}[/PYTHON]", "bare"),
    "prose around": (f"The solution:\n\n{ALONE}\n\nIt's simple: we add.\n", "span"),
    "body": (BODY, "completion"),
    "body, fenced": (f"```python\n{BODY}```", "completion"),
    "body, dedented": (f"```\n{textwrap.dedent(BODY)}```", "completion"),
    "body, first line stripped": (BODY.strip(), "completion"),
    "body, and it goes on": (f"{BODY}\n\nprint(1 / 0)\n# Test\nassert False\n", "completion"),
}
WRONG = {
    "wrong": "```python\ndef total(v):\n    return 7\n```",
    "wrong, then exits": "```python\nimport sys\ndef total(v):\n    return 7\nsys.exit(0)\n```",
    "another name": "```python\ndef tot(v):\n    return 2 * sum(v)\n```",
    "a method": "```python\nclass S:\n    def total(self, v):\n        return 2 * sum(v)\n```",
    "equal to everything": "```python\nclass A:\n    def __eq__(self, o):\n        return True\ntotal = lambda v: A()\n```",
}
NONE = {"prose": "The function `total` should double.", "empty": "", "never began": "<think>def total(v): ...", "one word": "Yes"}


def item(prompt: str = PROMPT, tests: str = TESTS, entry_point: str = "total", **meta: Any) -> Item:
    return Item(AnswerSpec(kind="code", question=prompt), tests=tests, entry_point=entry_point, meta=meta)


@pytest.fixture(scope="module")
def judge() -> Iterator[Callable[[list[tuple[str, Item]]], list[Grade]]]:
    """Grades for replies; skips where this machine has no sandbox."""
    sandbox = Sandbox(workers=2)
    try:
        _ = sandbox.level
    except SandboxError as error:
        pytest.skip(str(error))

    def grades(asked: list[tuple[str, Item]]) -> list[Grade]:
        async def every() -> list[Grade]:
            return await asyncio.gather(*(KIND.assess(text, one, Helpers(sandbox=sandbox)) for text, one in asked))

        return asyncio.run(every())

    yield grades
    sandbox.close()


Judge = Callable[[list[tuple[str, Item]]], list[Grade]]


def test_right_programs_pass_however_they_are_written(judge: Judge) -> None:
    found = judge([(text, item()) for text, _ in RIGHT.values()])
    got = {name: (one.score, one.rule) for name, one in zip(RIGHT, found, strict=True)}
    assert got == {name: (1.0, rule) for name, (_, rule) in RIGHT.items()}


def test_wrong_programs_do_not(judge: Judge) -> None:
    found = judge([(text, item()) for text in WRONG.values()])
    assert {name: one.score for name, one in zip(WRONG, found, strict=True)} == dict.fromkeys(WRONG, 0.0)
    assert all(one.parsed for one in found)


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_program_is_unparsed(name: str) -> None:
    got = asyncio.run(KIND.assess(NONE[name], item(), Helpers()))
    assert (got.score, got.extracted, got.parsed) == (0.0, None, False)


def test_a_time_out_is_told(judge: Judge) -> None:
    loop = "```python\ndef total(v):\n    while True:\n        pass\n```"
    (got,) = judge([(loop, item(time_limit=0.3))])
    assert (got.score, got.metrics["timeout"]) == (0.0, 1.0)


def test_tests_that_cannot_be_used_are_a_fault_of_the_data(judge: Judge) -> None:
    with pytest.raises(DataError, match="tests"):
        judge([(WHOLE, item(tests="def check(candidate:"))])


def test_the_key_ignores_layout_and_comments() -> None:
    spec = AnswerSpec(kind="code", question=PROMPT)
    assert KIND.extract(f"```python\n{WHOLE}```", spec) == KIND.extract(f"# mine\n{WHOLE}\n\n", spec)
    assert KIND.extract("no idea", spec) is None


PIECES = [
    "```python\n",
    "```\n",
    "def total(v):\n",
    "    return v\n",
    "x = (\n",
    "'''\n",
    "[DONE]\n",
    "It's so.\n",
    "if x:\n",
    "@\n",
    "\t",
    "> ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=200))
def test_no_reply_is_too_broken_to_read(text: str) -> None:
    found = extract_program(text, PROMPT, "total")
    assert found.key is None or ast.parse(found.key)


@pytest.mark.parametrize(
    "text",
    ["(" * 50000, "x=" + "-" * 50000 + "1", "x=a" + ".b" * 25000, "x = (\n" * 9000, "def f():\n" * 6000, "'''\n" * 14000]
    + ["if x:\n pass\n" + "elif x:\n pass\n" * 4000, "x=" + "1+" * 25000 + "1", "def f():\n    return 1\nprose here.\n" * 1300],
    ids=["brackets", "signs", "attributes", "open", "heads", "quotes", "elif", "sum", "prose"],
)
def test_text_made_to_be_slow_is_read_and_survived(text: str) -> None:
    KIND.extract(text, AnswerSpec(kind="code", question=PROMPT))
    KIND.extract(f"```python\n{text}\n```", AnswerSpec(kind="code", question=PROMPT))


# -- real data, where it lies beside the repository ------------------------------------------------------------------


def shared(*names: str) -> Path:
    path = SHARED.joinpath(*names)
    if not path.is_file():
        pytest.skip(f"{path.name} is not here; the project's own cases still run")
    return path


def test_the_collected_cases(judge: Judge) -> None:
    cases = [c for c in json.loads(shared("tasks", "grader_cases.json").read_text(encoding="utf-8")) if c["kind"] == "code"]
    asked = [(c["output"], item(c["gold"]["prompt"], c["gold"]["test"], c["gold"]["entry_point"], time_limit=1.5)) for c in cases]
    wrong = [c["id"] for c, got in zip(cases, judge(asked), strict=True) if got.score != c["should_be"]]
    assert len(cases) >= 40 and not wrong


def human_eval() -> list[dict[str, str]]:
    with gzip.open(shared("data", "raw", "humaneval", "HumanEval.jsonl.gz"), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def mbpp() -> list[dict[str, Any]]:
    return [json.loads(line) for line in shared("data", "raw", "mbpp", "mbpp.jsonl").read_text(encoding="utf-8").splitlines()]


PHRASINGS: dict[str, Callable[[dict[str, str]], str]] = {
    "fence": lambda r: f"```python\n{r['prompt']}{r['canonical_solution']}\n```",
    "usage": lambda r: f"```py\n{r['prompt']}{r['canonical_solution']}\n```\n```python\nprint({r['entry_point']}())\n```",
    "unclosed": lambda r: f"Sure!\n```\n{r['prompt']}{r['canonical_solution']}",
    "future": lambda r: f"```python\nfrom __future__ import annotations\n{r['prompt']}{r['canonical_solution']}\n```",
    "body": lambda r: r["canonical_solution"],
    "body stripped": lambda r: r["canonical_solution"].strip(),
    "body and more": lambda r: r["canonical_solution"] + "\n\nprint(1 / 0)\n",
    "prose": lambda r: f"Here it is:\n\n{r['prompt']}{r['canonical_solution']}\n\nIt's right.",
}


def graded(judge: Judge, records: list[dict[str, str]], phrase: Callable[[dict[str, str]], str]) -> list[float]:
    return [g.score for g in judge([(phrase(r), item(r["prompt"], r["test"], r["entry_point"])) for r in records])]


def test_a_sample_of_canonical_solutions(judge: Judge) -> None:
    records = [r for n, r in enumerate(human_eval()) if n % 20 == 0 or n in (10, 32, 38, 50)]
    for name, phrase in PHRASINGS.items():
        assert graded(judge, records, phrase) == [1.0] * len(records), name


@pytest.mark.slow
@pytest.mark.parametrize("name", PHRASINGS)
def test_every_canonical_solution(name: str, judge: Judge) -> None:
    assert graded(judge, human_eval(), PHRASINGS[name]) == [1.0] * 164


@pytest.mark.slow
def test_a_wrong_function_that_exits_never_passes(judge: Judge) -> None:
    wrong = "```python\nimport sys\ndef {}(*args):\n    return object()\nsys.exit(0)\n```"
    assert graded(judge, human_eval(), lambda r: wrong.format(r["entry_point"])) == [0.0] * 164


@pytest.mark.slow
@pytest.mark.parametrize("apart", [True, False])
def test_every_reference_of_mbpp(apart: bool) -> None:
    sandbox = Sandbox(workers=2)
    programs = [
        Program(r["code"], "\n".join([r["test_setup_code"], *r["test_list"]]), limits=Limits(seconds=15), apart=apart)
        for r in mbpp()
    ]
    found = sandbox.judge_all(programs)
    sandbox.close()
    assert [v.status for v in found] == ["passed"] * 974


def test_a_sample_of_references_of_mbpp(judge: Judge) -> None:
    records = [r for n, r in enumerate(mbpp()) if n % 40 == 0 or r["task_id"] in (126, 367, 927)]
    asked = [
        (f"```python\n{r['code']}\n```", item(r["text"], "\n".join([r["test_setup_code"], *r["test_list"]]), "")) for r in records
    ]
    assert [g.score for g in judge(asked)] == [1.0] * len(records)
