"""Mathematics: own rules first, math-verify for the rest, in processes that may be slow, die or be missing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.errors import ConfigError
from moco.core.query import Query
from moco.core.types import AnswerSpec, Request, messages_of
from moco.tasks.graders import Item, assess, grade, math_pool
from moco.tasks.graders.math import KIND, canonical, find
from moco.tasks.graders.math_pool import Workers
from moco.tasks.graders.math_text import normal

SPEC = AnswerSpec(kind="math")
verify = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("math_verify") is None, reason="math-verify is not installed"
)

OWN = [  # decided without math-verify
    ("\\boxed{\\dfrac{5}{8}}", "\\frac{5}{8}", 1),
    ("\\boxed{\\frac58}", "\\frac{5}{8}", 1),
    ("\\boxed{\\frac{8}{5}}", "\\frac{5}{8}", 0),
    ("\\boxed{58}", "\\frac{5}{8}", 0),
    ("\\boxed{-\\frac{5}{8}}", "\\frac{5}{8}", 0),
    ("\\boxed{\\frac{10}{16}}", "\\frac{5}{8}", 1),
    ("\\boxed{\\frac{\\sqrt{5}}{8}}", "\\frac{\\sqrt5}{8}", 1),
    ("\\boxed{4} is wrong, so \\boxed{9}", "9", 1),
    ("\\boxed{4} is wrong, so \\boxed{9}", "4", 0),
    ("\\boxed{x=4} and \\boxed{x=9}", "9, 4", 1),
    ("\\fbox{9}", "9", 1),
    ("\\boxed 9", "9", 1),
    ("\\boxed{\\frac{5}{8}", "\\frac{5}{8}", 1),
    ("\\boxed{23}", "23_5", 0),
    ("\\boxed{23_{5}}", "23_5", 1),
    ("\\boxed{2^{6}}", "64", 1),
    ("\\boxed{26}", "2^6", 0),
    ("6.1e-4", "6.1\\times10^{-4}", 1),
    ("6.1e-4", "6.1e4", 0),
    ("[2, 7]", "[2,7]", 1),
    ("(2, 7)", "[2,7]", 0),
    ("\\boxed{(7,2)}", "(2,7)", 0),
    ("\\boxed{7, 2}", "2,7", 1),
    ("\\boxed{x<7}", "(-\\infty,7)", 1),
    ("$2 \\le y < 7$", "[2,7)", 1),
    ("\\boxed{x = 2, y = 7}", "(2,7)", 1),
    ("\\boxed{12\\%}", "12", 1),
    ("12%", "0.12", 1),
    ("\\$12.50", "12.5", 1),
    ("\\boxed{45^\\circ}", "45", 1),
    ("\\boxed{45\\text{ cm}^2}", "45", 1),
    ("\\boxed{\\text{(C)}}", "\\text{C}", 1),
    ("\\boxed{\\text{Odile}}", "\\text{Odile}", 1),
    ("\\boxed{\\text{even}}", "\\text{odd}", 0),
    ("\\boxed{y=9}", "9", 1),
    ("so $a=2$ and \\boxed{a+b=9}", "9", 1),
    ("The final answer is $9$. I hope it is correct.", "9", 1),
    ("Thus \\[z = \\frac{5}{8}\\]", "\\frac58", 1),
    ("−9", "-9", 1),
    ("٩", "9", 1),
    ("答案是 9。", "9", 1),
    ("\\boxed{9}\n\nQuestion: and now?\n\\boxed{4}", "9", 1),
    ("<think>\\boxed{9}", "9", 0),
    ("We count 4 and 5, which makes 9.", "9", 1),
    ("\\boxed{1{,}234}", "1234", 1),
    ("\\boxed{0.1\\overline{6}}", "\\frac16", 1),
    ('{"answer": "\\\\frac{5}{8}"}', "5/8", 1),
    ("", "9", 0),
    ("The answer is.", "\\text{(C)}", 0),
]


@pytest.mark.parametrize(("reply", "gold", "score"), OWN)
def test_own_rules(reply: str, gold: str, score: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(a: str, b: str) -> bool:
        raise AssertionError(f"asked about {a} and {b}")

    monkeypatch.setattr(math_pool.WORKERS, "same", never)
    assert grade("math", reply, gold, SPEC).score == score


@verify
@pytest.mark.parametrize(
    ("reply", "gold", "score"),
    [
        ("\\boxed{x^2+6x+9}", "(x+3)^2", 1),
        ("\\boxed{x^2+6x-9}", "(x+3)^2", 0),
        ("\\boxed{2i+5}", "5+2i", 1),
        ("Answer: sqrt(5)/8", "\\frac{\\sqrt{5}}{8}", 1),
        ("$\\sqrt{20}$", "2\\sqrt5", 1),
        ("\\boxed{(-\\infty,2)\\cup(3,\\infty)}", "(3,\\infty)\\cup(-\\infty,2)", 1),
        ("\\boxed{\\begin{pmatrix}1\\\\2\\end{pmatrix}}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", 1),
        ("\\boxed{\\begin{pmatrix}2\\\\1\\end{pmatrix}}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", 0),
        ("\\boxed{\\frac{\\pi}{4}}", "0.79", 0),
    ],
)
def test_math_verify_decides_the_rest(reply: str, gold: str, score: int) -> None:
    assert grade("math", reply, gold, SPEC).score == score


@verify
def test_comparing_is_symmetric_and_serves_votes() -> None:
    keys = [find(f"\\boxed{{{one}}}", SPEC).key for one in ("(x+3)^2", "x^2+6x+9", "9+x^2+6x", "x^2")]
    assert all(KIND.same(a, b, SPEC) == KIND.same(b, a, SPEC) for a in keys for b in keys)
    query = Query.of(Request(messages_of("?"), spec=SPEC))
    assert asyncio.run(query.same_many([*keys, None])) == [[0, 1, 2], [3]]


@verify
def test_async_code_and_threads() -> None:
    async def many() -> list[float]:
        item = Item(SPEC, "(x+5)^2")
        return [g.score for g in await asyncio.gather(*(assess("math", f"\\boxed{{x^2+10x+{n}}}", item) for n in (25, 24)))]

    assert asyncio.run(many()) == [1.0, 0.0]
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(KIND.same("a+b", "b+a", SPEC)))
    thread.start()
    thread.join()
    assert found == [True]


@verify
def test_a_comparison_that_hangs_is_cut_short_and_the_next_one_works() -> None:
    pool = Workers(1, cpu_s=1, wall_s=20)
    try:
        assert not pool.same("9^{9^{9^9}}", "\\sqrt{7}") and pool.cut_short == 1
        assert pool.same("p+q", "q+p")
        worker = pool._idle[0]
        os.kill(worker._child.pid, signal.SIGKILL)
        worker._child.wait()
        assert pool.same("p+2q", "2q+p") and pool.cut_short == 1
    finally:
        pool.close()


@verify
def test_workers_end_with_their_parent() -> None:
    code = (
        "from moco.tasks.graders.math_pool import WORKERS\n"
        "WORKERS.same('a+b', 'b+a')\n"
        "import os\nprint(WORKERS._idle[0]._child.pid, flush=True)\nos._exit(0)"
    )
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_without_the_extra_own_rules_decide_and_the_rest_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math_pool, "find_spec", lambda name: None)
    assert grade("math", "\\boxed{\\frac12}", "0.5", SPEC).score == 1
    with pytest.raises(ConfigError, match=r"mocolab\[eval\]"):
        KIND.ready()
    with pytest.raises(ConfigError, match=r"mocolab\[eval\]"):
        grade("math", "\\boxed{x+y+z+w}", "w+x+z+y", SPEC)


def test_gold_may_be_a_worked_solution_or_carry_currency() -> None:
    assert canonical("We get $x=\\boxed{\\frac{5}{8}}$.") == normal("\\frac58") == "0.625"
    assert canonical("\\$4.50") == "4.5"


LATEX = ("\\frac", "\\sqrt", "\\text", "\\cup", "and", "17", *"{}()[],=xy2.-^_ $%<e")
PIECES = st.sampled_from(LATEX)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_normalising_is_idempotent_and_any_text_is_read(text: str) -> None:
    assert normal(normal(text)) == normal(text)
    found = find(text, SPEC)
    assert (found.key is None) == (found.rule == "none")


@settings(max_examples=150, deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(1, 999))
def test_a_value_is_itself_and_no_other(over: int, under: int) -> None:
    gold = f"\\frac{{{over}}}{{{under}}}"
    assert grade("math", f"\\boxed{{{gold}}}", gold, SPEC).score == 1
    if over:
        for other in (f"\\frac{{{-over}}}{{{under}}}", f"\\frac{{{10 * over}}}{{{under}}}", f"\\frac{{{over}}}{{{10 * under}}}"):
            assert grade("math", f"\\boxed{{{other}}}", gold, SPEC).score == 0
