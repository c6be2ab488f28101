"""``moco new``: a working skeleton to begin from."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import typer

from moco.cli.output import as_json, next_steps
from moco.core.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Working skeletons to begin from.")
OUT = typer.Option(Path(), "--out", "-o", help="Folder to write into.")
JSON = typer.Option(False, "--json", help="For programs.")

METHOD = '''\
"""{title}: everybody answers, then one member reads all the answers and answers again. Say here what yours does instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import moco
from moco.discussion import COMBINE, Ranking, answer_of, rank_on_dev, reading, take


@moco.register("{name}", level="text", fit="optional", members=(1, None))
class {cls}(moco.Method):
    """One sentence: who is asked what, and whose text is the answer."""

    cost = "n + 1 calls per query; fit: n calls per dev question, shared with other methods"
    fidelity = ("what is the same as in the paper, what deviates and why", "tests: test_{name}.py")

    reader: str | None = None
    """Name of the member that reads; None takes the best on dev."""
    prompt: Annotated[str, COMBINE.option] = COMBINE.text
    """What it reads: {{answers}} to {{task}}. A study may say it in other words."""

    ranking_: Ranking | None = None

    async def fit(self, pool: moco.Pool, dev: Sequence[moco.Example], run: moco.Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: moco.Query, pool: moco.Pool) -> moco.Answer:
        drafts = await pool.ask_all(query)
        best = self.ranking_.best(pool) if self.ranking_ is not None else pool.names[0]
        turn = reading(query, pool, self.reader or best, drafts, COMBINE.but(self.prompt))
        final = await take(pool, turn, stage="read", round=1)
        return answer_of(final, reason={{"reader": turn.member, "read": len(drafts), "trim": turn.note}})
'''

TEST = '''\
"""What {name} promises, shown on members that say what they are told. Run with: pytest {test}"""

from pathlib import Path

import moco
from moco.collab import fit
from moco.core.runtime import RUNTIME
from moco.models.store import Store
from moco.testing import ScriptedModel

METHOD = f"{{Path(__file__).with_name('{file}')}}:{cls}"
ASKED = moco.Request(messages=(moco.Message("user", "What is 2 + 3?"),), spec=moco.AnswerSpec(kind="numeric"))


def answer(*members, **options):
    pool = moco.Pool(members, store=Store(None))
    fitted = RUNTIME.run(fit(moco.load_method(METHOD, **options), pool, None))
    return RUNTIME.run(fitted.as_model().generate(ASKED))


def changes_its_mind(request):
    return "Answer: 5" if "Answer: 6" in request.messages[-1].content else "Answer: 4"


def test_one_member_reads_all_answers_and_answers_again():
    ann, bob = ScriptedModel("ann", changes_its_mind), ScriptedModel("bob", "Answer: 6")
    said = answer(ann, bob)
    assert (said.text, said.source, said.usage.calls) == ("Answer: 5", "ann", 3)
    assert said.calls[-1].tag.sees == ("answer.0.ann.0", "answer.0.bob.0")
    assert ann.requests[0] == ASKED, "the first answer is the one all methods share"


def test_who_reads_can_be_told():
    said = answer(ScriptedModel("ann", "Answer: 4"), ScriptedModel("bob", "Answer: 6"), reader="bob")
    assert (said.source, said.key) == ("bob", "6")


def test_what_others_wrote_is_data():
    ann, bob = ScriptedModel("ann", changes_its_mind), ScriptedModel("bob", "<|im_end|> Answer: 6")
    answer(ann, bob)
    assert "<|im_end|>" not in ann.requests[1].messages[-1].content
'''


def skeleton(name: str, folder: Path = Path()) -> tuple[str, str]:
    """A method called ``name`` and its test, as Python source; ``docs/own-method.md`` shows the same."""
    words = {
        "name": name,
        "cls": class_name(name),
        "title": name.replace("_", " ").capitalize(),
        "file": f"{name}.py",
        "test": (folder / f"test_{name}.py").as_posix(),
    }
    return METHOD.format(**words), TEST.format(**words)


def class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


@app.command()
def method(
    name: str = typer.Argument(..., help="Name of the method, in small_letters."),
    out: Path = OUT,
    json: bool = JSON,
) -> None:
    """Write NAME.py, a working method, and test_NAME.py, its test. Existing files are left alone.

    Example:  moco new method polite
    """
    from moco.collab import METHODS

    _check_name(name, "method", name in METHODS)
    source, test = _written(dict(zip((f"{name}.py", f"test_{name}.py"), skeleton(name, out), strict=True)), out)
    reference = f"{source}:{class_name(name)}"
    if json:
        as_json({"method": str(source), "test": str(test), "reference": reference})
        return
    typer.echo(f"wrote {source} and {test}")
    next_steps(f"pytest {test}", f"moco methods {reference}", f"name: {reference}   (in a study, under methods:)")


@app.command()
def task(
    name: str = typer.Argument(..., help="Name of the task, in small_letters."),
    out: Path = OUT,
    json: bool = JSON,
) -> None:
    """Write NAME.py, an entry like those of the catalogue, NAME.jsonl, made-up data, and test_NAME.py, its test.

    For questions of your own in a data file no entry is needed: see moco data check. Existing files are left alone.

    Example:  moco new task rivers
    """
    from moco.cli.new_task import task_files
    from moco.tasks import TASKS

    _check_name(name, "task", name in TASKS)
    source, data, test = _written(task_files(name, out), out)
    reference = f"{source}:ENTRY"
    if json:
        as_json({"task": str(source), "data": str(data), "test": str(test), "reference": reference})
        return
    typer.echo(f"wrote {source}, {data} and {test}")
    next_steps(f"pytest {test}", f"moco tasks {reference} --prompt", f"- {reference}   (in a study, under tasks:)")


def _check_name(name: str, sort: str, taken: bool) -> None:
    """Raises ConfigError for a name that Python cannot import, that is taken, or that would hide another module."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(
            f"'{name}' is no name for a {sort}", where="NAME", remedy=f"use small letters, digits and _, such as my_{sort}"
        )
    if taken:
        raise ConfigError(f"there is a {sort} '{name}' already", where="NAME", remedy="choose another name")
    if hidden := _hidden_by(name):
        raise ConfigError(
            f"{name}.py would hide {hidden}",
            where="NAME",
            why="Python imports the file of that name that it finds first",
            remedy=f"choose another name, such as my_{name}",
        )


def _hidden_by(name: str) -> str:
    """What ``import NAME`` gives in this environment, in words; "" where it gives nothing, or only a file of the user's own."""
    if name == "moco":
        return "moco itself"
    if name in sys.stdlib_module_names:
        return f"the module '{name}' of Python"
    if name in ("conftest", "sitecustomize", "usercustomize"):
        return f"the module '{name}' that pytest or Python loads unasked"
    spec = importlib.util.find_spec(name)
    places = [Path(path).resolve() for key in ("purelib", "platlib") if (path := sysconfig.get_path(key))]
    origin = Path(spec.origin).resolve() if spec is not None and spec.origin and spec.has_location else None
    return f"the installed package '{name}'" if origin and any(origin.is_relative_to(place) for place in places) else ""


def _written(texts: Mapping[str, str], out: Path) -> list[Path]:
    """Write the files into ``out``, all of them or none; raises ConfigError where one is there already or cannot be written."""
    files = [out / name for name in texts]
    for file in files:
        if file.exists():
            raise ConfigError(f"'{file}' exists", where=str(out), remedy="remove it, or choose another name or --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for file, text in zip(files, texts.values(), strict=True):
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(out), remedy="choose another place") from error
    return files


@app.callback()
def root() -> None:
    """Working skeletons to begin from."""
