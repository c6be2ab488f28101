"""A slip in a method that a user wrote is told as his, with file and line, and fails its question, not the study."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import moco
from moco.collab import Fitted, Method, fit, load_method
from moco.core.errors import BackendError, ConfigError, MethodError, Transient
from moco.core.types import Sampling
from moco.study.outcomes import answer_all
from tests.methods.helpers import pool_of, request, task_of

HEAD = """import moco

@moco.register("slip_of_the_tests", level="text")
class Slip(moco.Method):
    async def answer(self, query, pool):
        return moco.Answer(await self.say(query, pool))
    async def say(self, query, pool):
"""


def slip(folder: Path, *lines: str, name: str = "slip", file: str | Path = "slip.py") -> Method:
    file = folder / file
    file.write_text(HEAD.replace("slip_of", f"{name}_of") + "".join(f"        {line}\n" for line in lines))
    return load_method(f"{file}:Slip")


@pytest.mark.parametrize(
    "lines, what, line, remedy",
    [
        (("drafts = await pool.ask_all(query)", "return drafts[7].text"), "IndexError: list index out of range", 9, "repair"),
        (("return pool.ask_all(query)[0].text",), "TypeError: 'coroutine' object", 8, "write await"),
        (("return int(", "  'x')"), "ValueError: invalid literal", 8, "repair"),
        (("import json", "return json.loads('{')"), "JSONDecodeError", 9, "repair"),
        (("return pool.role(3, 4)",), "TypeError", 8, "repair"),
        (("raise OSError(2, 'gone', 'x')",), "FileNotFoundError", 8, "repair"),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_slip_names_file_and_line(lines: tuple[str, ...], what: str, line: int, remedy: str, tmp_path: Path) -> None:
    model = Fitted(slip(tmp_path, *lines), pool_of("Answer: A")).as_model()
    with pytest.raises(MethodError, match=what) as caught:
        asyncio.run(model.generate(request()))
    assert caught.value.where == f"slip.py:{line} in say", "the same wherever it lies"
    assert caught.value.exit_code == 2 and remedy in caught.value.remedy and caught.value.__cause__ is not None


def test_a_slip_in_fit_and_in_check_is_told_too(tmp_path: Path) -> None:
    file = tmp_path / "slip.py"
    body = HEAD + "        return ''\n    async def fit(self, pool, dev, run):\n        return dev[99]\n"
    file.write_text(body)
    with pytest.raises(MethodError, match=r"slip\.py:10 in fit.*IndexError"):
        asyncio.run(fit(load_method(f"{file}:Slip"), pool_of("x"), task_of("A", dev="A"), sampling=Sampling()))
    other = tmp_path / "other.py"
    other.write_text(body.replace("slip_of", "other_of") + "    def check(self, pool):\n        return pool.size\n")
    with pytest.raises(MethodError, match=r"other\.py:12 in check.*AttributeError"):
        asyncio.run(fit(load_method(f"{other}:Slip"), pool_of("x"), None))


def test_what_moco_raises_on_purpose_stays_what_it_is(tmp_path: Path) -> None:
    def down(r: moco.Request) -> str:
        raise Transient("down")

    asking = slip(tmp_path, "return (await pool.ask(0, query)).text")
    with pytest.raises(Transient, match="down"):
        asyncio.run(Fitted(asking, pool_of(down)).as_model().generate(request()))
    together = ("import asyncio", "async with asyncio.TaskGroup() as group:", "    group.create_task(pool.ask(0, query))")
    (tmp_path / "many").mkdir()
    with pytest.raises(Transient, match="down"):
        asyncio.run(Fitted(slip(tmp_path / "many", *together, name="many"), pool_of(down)).as_model().generate(request()))
    third = slip(tmp_path / "many", *together[:2], "    group.create_task(pool.ask(9, query))", name="third", file="third.py")
    with pytest.raises(MethodError, match=r"IndexError.*raised at pool\.py:\d+ in __getitem__"):
        asyncio.run(Fitted(third, pool_of("x")).as_model().generate(request()))


def test_a_fault_of_a_method_of_ours_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: Method, query: moco.Query, pool: moco.Pool) -> moco.Answer:
        raise ZeroDivisionError("surprise")

    vote = load_method("majority_vote")
    monkeypatch.setattr(type(vote), "answer", broken)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Fitted(vote, pool_of("Answer: A")).as_model().generate(request()))


def test_in_a_study_a_slip_fails_its_question_and_elsewhere_it_is_raised(tmp_path: Path) -> None:
    only_b = "if 'second' in query.question: raise KeyError('b')"
    method = slip(tmp_path, only_b, "return (await pool.ask(0, query)).text")
    task = task_of("AB")
    task.test[1] = moco.tasks.Record(id="t1", question="the second", choices=task.test[1].choices, answer="B")
    model = Fitted(method, pool_of("Answer: A")).as_model()

    def asked(*failures: type) -> list[str]:
        run = answer_all(model, task, task.test, Sampling(), 0, lambda o, c: None, failures=failures)  # type: ignore[arg-type]
        return [o.failed for o in asyncio.run(run)]

    first, second = asked(BackendError, MethodError)
    assert first == "" and second.startswith("slip.py:8 in say: slip_of_the_tests: KeyError")
    with pytest.raises(MethodError, match="KeyError"):
        asked(BackendError)


@pytest.mark.parametrize(
    "text, what, line, remedy",
    [
        ("import moco\n\ndef f(:\n", "SyntaxError", 3, "repair the file"),
        ("x = 1\nimport no_such_module_here\n", "No module named 'no_such_module_here'", 2, "beside slip.py"),
        ("def f():\n    return 1 / 0\n\nf()\n", "ZeroDivisionError", 2, "repair the file"),
        ("import moco\n\n@moco.register('x', level='tex')\nclass X(moco.Method):\n    pass\n", "unknown level", 3, "'text'"),
    ],
)
def test_a_file_that_cannot_be_executed_names_the_line(text: str, what: str, line: int, remedy: str, tmp_path: Path) -> None:
    file = tmp_path / "slip.py"
    file.write_text(text)
    for _ in range(2):  # it is not half loaded afterwards
        with pytest.raises(ConfigError, match=what) as caught:
            load_method(f"{file}:X")
        assert caught.value.where.startswith(f"{file}:{line}") and remedy in caught.value.remedy
