"""``moco new``: a working skeleton to begin from."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import typer

from moco.cli.output import as_json, next_steps
from moco.core.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Working skeletons to begin from.")

METHOD = '''"""{title}: every member answers, the answer given most often wins. Say here what yours does instead."""

from __future__ import annotations

import moco
from moco.discussion import Ranking, plurality, rank_on_dev


@moco.register("{name}", level="text", fit="optional", members=(1, None))
class {cls}(moco.Method):
    """One sentence: who is asked what, and whose text is the answer."""

    cost = "n calls per query"
    fidelity = ("say what is the same as in the paper, what deviates and why",)

    draws: int = 1
    """How often each member answers. Options are typed attributes; unknown ones are refused."""

    ranking_: Ranking | None = None  # what `fit` learns ends in an underscore; None when unfitted

    async def fit(self, pool, dev, run):
        """Learn from labelled dev examples; the only place where right answers are seen."""
        self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query, pool):
        """Answer one query. Batching, caching, retries and the transcript are not your business."""
        drafts = await pool.ask_all(query, draws=self.draws)
        return await plurality(query, drafts, ranking=self.ranking_)
'''

TEST = '''"""What {name} promises. Run with: pytest {test}"""

from pathlib import Path

import moco
from moco.collab import fit
from moco.core.runtime import RUNTIME
from moco.models.store import Store
from moco.testing import ScriptedModel

METHOD = f"{{Path(__file__).with_name('{file}')}}:{cls}"


def test_the_answer_given_most_often_wins():
    said = {{"ann": "Answer: 4", "bob": "Answer: 5", "cem": "I think it is 4. Answer: 4"}}
    pool = moco.Pool([ScriptedModel(name, text) for name, text in said.items()], store=Store(None))
    team = RUNTIME.run(fit(moco.load_method(METHOD), pool, None)).as_model()
    request = moco.Request(messages=(moco.Message("user", "What is 2 + 2?"),), spec=moco.AnswerSpec(kind="numeric"))
    found = RUNTIME.run(team.generate(request))
    assert found.key == "4"
    assert found.usage.calls == 3
'''


@app.command()
def method(
    name: str = typer.Argument(..., help="Name of the method, in small_letters."),
    out: Path = typer.Option(Path(), "--out", "-o", help="Folder to write into."),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """Write NAME.py, a working method, and test_NAME.py, its test. Existing files are left alone.

    Example:  moco new method polite
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(
            f"'{name}' is no name for a method", where="NAME", remedy="use small letters, digits and _, such as my_method"
        )
    from moco.collab import METHODS

    if name in METHODS:
        raise ConfigError(f"there is a method '{name}' already", where="NAME", remedy="choose another name")
    source, test = out / f"{name}.py", out / f"test_{name}.py"
    for file in (source, test):
        if file.exists():
            raise ConfigError(f"'{file}' exists", where=str(out), remedy="remove it, or choose another name or --out")
    cls = "".join(part.capitalize() for part in name.split("_"))
    words = {"name": name, "cls": cls, "title": name.replace("_", " ").capitalize(), "file": source.name, "test": test}
    out.mkdir(parents=True, exist_ok=True)
    source.write_text(METHOD.format(**words), encoding="utf-8")
    test.write_text(TEST.format(**words), encoding="utf-8")
    if json:
        as_json({"method": str(source), "test": str(test), "reference": f"{source}:{cls}"})
        return
    typer.echo(f"wrote {source} and {test}")
    next_steps(f"pytest {test}", f"moco methods {source}:{cls}", f"name: {source}:{cls}   (in a study, under methods:)")


@app.callback()
def root() -> None:
    """Working skeletons to begin from."""
