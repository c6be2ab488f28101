"""Writes docs/methods.md and docs/tasks.md (from the registries), docs/study-file.md and docs/cli.md; ``--check`` only compares.

Run from anywhere: ``.venv/bin/python docs/generate.py``. Exit code 1 of ``--check`` means that a page is not up to date.
"""

from __future__ import annotations

import html
import json
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from moco.cli.app import app
from moco.cli.described import attribute_docs, describe, method_class, type_name
from moco.cli.new import skeleton
from moco.collab import METHODS
from moco.study.config import MemberConfig, MethodConfig, PromptConfig, SamplingConfig, StudyConfig, TaskConfig
from moco.study.prompting import FewShotConfig
from moco.tasks import TASKS
from moco.tasks.catalogue import Entry

DOCS = Path(__file__).parent
COMMAND = ".venv/bin/python docs/generate.py"
WIDTH = 88
LEVELS = ("baseline", "routing", "text", "logit", "weight")

METHODS_HEAD = f"""\
# Methods

*This page is written by `{COMMAND}` from what the methods say of themselves; `moco methods NAME` prints the same.*

*Level* is the level of collaboration: a baseline, routing (who speaks), text (exchanged messages), logit (combined next-token
distributions) or weight (combined parameters). *Cost* is what one query costs, for n members. *Fit* says whether a method
learns from labelled dev questions: never, optionally (without them it falls back to a stated rule), or by need. Options are
given at the method's entry in a [study](first-study.md), or to `moco.load_method`; unknown options are refused. A *preset* is
a set of values: `default` (ours), `paper` (the original's) or `moco` (the released MoCo code's); a method that lists none of a
name has the defaults there, and an option that is given goes over its [preset](concepts.md#presets).
"""
TASKS_HEAD = f"""\
# Tasks

*This page is written by `{COMMAND}` from the catalogue; `moco tasks NAME` prints the same, with `--prompt` the prompt.*

A catalogue task is named in a [study](first-study.md), or given to `moco.load_task`. moco ships no data. It reads, in this order:

1. with `data_dir`, the original files of the data set in that folder, or in a folder there named after the task, as they are;
2. else a released MoCo data file there (`{{"name", "task_type", "dev", "test"}}`), as it is;
3. else a copy of the hub's repository there;
4. without `data_dir`, the Hugging Face hub, with the extra `data` (`pip install "mocolab[data]"`). The newest commit is looked up
   and recorded in `source` unless `revision` pins one. Nothing of a repository is executed. Gated sets say what to accept.

```yaml
tasks:
  - {{name: gsm8k, data_dir: data/gsm8k, limit: 200}}
  - {{name: mmlu_redux, data_dir: data/mmlu_redux, variant: corrected}}
  - {{name: popqa, data_dir: moco/data, split: moco}}
  - {{name: bbh, data_dir: data/bbh, prompt: {{few_shot: 3}}}}
  - {{name: truthfulqa, data_dir: data/truthfulqa, variant: mc2}}
```

**Splits.** Official splits are kept. Where there is only one part, dev is where sha256(id) mod 100 < 20; a group (the four
judgements of one question, its variants) is never cut, and equal questions stand on one side. Where official dev and test share
a question it leaves dev. Of large training parts the records with the lowest sha256(id) are kept. `split: moco` takes the dev
and test lists of a released file as they are.

**Worked examples.** A task is asked as its section says; `few_shot` puts so many [worked examples](own-data.md#the-prompt) of
dev before every question, of its own subtask (bbh), subject (mmlu_redux) or subset (agieval).

**Records.** Options are lettered A, B, C by position and gold is a list of labels; the native label is in `meta`. A row that
cannot be graded rightly (no gold, gold not among the options, an empty option, two equal options of which one is gold) is
dropped, and a row that could be read rightly is mended; both are counted, with their ids, in the task's notes, which the
manifest of a run keeps.

"""
STUDY_HEAD = f"""\
# The study file

*This page is written by `{COMMAND}` from the classes that read the file.*

Every key of a study and what it may hold; [A first study](first-study.md) explains them at an example. A value means what it
says or is refused: unknown keys, keys given twice, values of another type and keys that do not go together end with exit code 2,
the line and the remedy, before anything runs. `moco run STUDY --dry-run` checks a study and generates nothing. Any value can be
changed on the command line by its path: `moco run study.yaml sampling.temperature=0 tasks.gsm8k.limit=20`.
"""
SECTIONS = (
    ("", StudyConfig),
    ("pool and aux", MemberConfig),
    ("tasks", TaskConfig),
    ("prompt of a task", PromptConfig),
    ("worked examples of a prompt", FewShotConfig),
    ("methods", MethodConfig),
    ("sampling", SamplingConfig),
)
CLI_HEAD = f"""\
# Commands

*This page is written by `{COMMAND}` from the commands themselves; `moco COMMAND --help` prints the same.*

Exit codes: 0 done; 1 a fault of moco or of a backend; 2 a fault of the command line, the study, the data or the disk; 3 a run
that ended with failed items; 130 stopped by Ctrl-C, 143 by SIGTERM (once: what is in flight is finished and saved; twice: at
once); 141 when whoever reads the output went away. Errors go to stderr as what, where, why and remedy; `--debug`, anywhere on
the line, adds the traceback. The cache is under `$MOCO_HOME` (default `~/.cache/moco`).
"""


def paper(reference: str | None) -> str:
    """A link where the paper is on arXiv."""
    if reference is None:
        return "none"
    number = reference.removeprefix("arXiv:")
    return f"[{reference}](https://arxiv.org/abs/{number})" if number != reference else reference


def cell(text: Any) -> str:
    """Text of a table's cell; a bar in it ends the cell for neither of the two renderers (GitHub's and MkDocs')."""
    plain = str(text).replace("\n", " ")
    return re.sub(r"`([^`]*\|[^`]*)`", lambda found: code(found[1]), plain).replace("|", "&#124;")


def code(text: str) -> str:
    """Text as code; with a bar in it as HTML, since inside backticks neither a backslash nor an entity is undone by all."""
    return f"<code>{html.escape(text, quote=False)}</code>".replace("|", "&#124;") if "|" in text else f"`{text}`"


def choices(type_shown: str) -> str:
    """A type as the values one may write, one code span each: a bar outside brackets stands between two."""
    parts, depth = [""], 0
    for word in re.split(r"( \| )", type_shown):
        if word == " | " and depth == 0:
            parts.append("")
            continue
        parts[-1] += word
        depth += word.count("[") + word.count("(") - word.count("]") - word.count(")")
    *most, last = (code(part) for part in parts)
    return f"{', '.join(most)} or {last}" if most else last


def methods_page() -> str:
    """The package's own methods, by level and name; what other packages or a user's files register is not documented here."""
    classes = [method_class(name) for name in METHODS.names()]
    found = [describe(cls) for cls in classes if cls.__module__.startswith("moco.methods.")]
    found.sort(key=lambda m: (LEVELS.index(m["level"]), m["name"]))
    lines = [METHODS_HEAD, "| method | level | paper | fit | members | cost |", "|---|---|---|---|---|---|"]
    for m in found:
        about = (f"[{m['name']}](#{m['name']})", m["level"], paper(m["paper"]), m["fit"], m["members"], m["cost"] or "not stated")
        lines.append("| " + " | ".join(cell(a) for a in about) + " |")
    for m in found:
        lines += ["", *one_method(m)]
    return "\n".join(lines) + "\n"


def one_method(m: dict[str, Any]) -> Iterator[str]:
    """A section: what it does, options, presets, fidelity."""
    yield f"## {m['name']} {{#{m['name']}}}"
    yield ""
    yield m["doc"]
    yield ""
    yield f"*Level* {m['level']}; *paper* {paper(m['paper'])}; *fit* {m['fit']}; *members* {m['members']}."
    if m["roles"]:
        yield f"*Roles* {', '.join(role if least else f'{role} (if cast)' for role, least in m['roles'].items())}."
    for who, caps in m["needs"].items():
        yield f"*Needs* {', '.join(caps)} of {'every member' if who == '*' else f'the role {who}'}."
    if m["cost"]:
        yield f"*Cost* {m['cost']}."
    if m["options"]:
        yield ""
        yield from ("| option | values | default | meaning |", "|---|---|---|---|")
        for o in m["options"]:
            default = "must be given" if o["required"] else code(repr(o["default"]))
            yield f"| `{o['name']}` | {choices(o['type'])} | {default} | {cell(o['doc'])} |"
    if m["presets"]:
        yield ""
        for name, values in m["presets"].items():
            yield f"- preset `{name}`: " + (", ".join(f"`{k}={v!r}`" for k, v in values.items()) or "the defaults")
    if m["fidelity"]:
        yield ""
        yield "Fidelity:"
        yield ""
        yield from (f"- {line}" for line in m["fidelity"])


def tasks_page() -> str:
    """The package's own catalogue of data sets; the playground's tasks are made, not loaded, and have their own page."""
    entries = [entry for name in TASKS.names() if isinstance(entry := TASKS.get(name), Entry)]
    lines = [TASKS_HEAD, "| task | kind | metric | licence | hub | gated |", "|---|---|---|---|---|---|"]
    for e in entries:
        gated = "yes" if e.hub and e.hub.gated else ""
        about = (f"[{e.name}](#{e.name})", e.kind, e.metric, e.licence, e.hub.dataset if e.hub else "no", gated)
        lines.append("| " + " | ".join(cell(a) for a in about) + " |")
    for e in entries:
        lines += ["", *one_task(e.about())]
    return "\n".join(lines) + "\n"


def one_task(t: dict[str, Any]) -> Iterator[str]:
    """A section: what it measures, where the data are, splits, variants, notes."""
    yield f"## {t['name']} {{#{t['name']}}}"
    yield ""
    yield f"{t['measures'][0].upper()}{t['measures'][1:]}."
    yield ""
    yield f"*Kind* {t['kind']}; *metric* {t['metric']}; *paper* {paper(t['paper'])}; *licence* {t['licence']}."
    sources = t["sources"]
    if "hub" in sources:
        yield f"*Hub* `{sources['hub']['dataset']}`" + (f"; gated: {t['gated']}." if t["gated"] else ".")
    if "files" in sources:
        shown = sources["files"]["patterns"]
        names = ", ".join(f"`{p}`" for p in shown[:6]) + (", ..." if len(shown) > 6 else "")
        yield f"*Files* {names}, from {sources['files']['from']}."
    yield f"*Released file* `{sources['released']}`."
    sides = [f"{s['split']}: {s['side']}" + (f", {s['keep']:,} kept" if s["keep"] else "") for s in t["splits"]]
    yield f"*Splits* {'; '.join(sides)}." + (f" *Macro mean over* {t['macro']}." if t["macro"] else "")
    if t["shots"]["count"]:
        yield f"*Worked examples before the question* {t['shots']['count']}, from {t['shots']['from']}."
    if t["variants"] or t["notes"]:
        yield ""
    for name, what in t["variants"].items():
        yield f"- variant `{name}`: {what}"
    yield from (f"- {note}" for note in t["notes"])


def study_page() -> str:
    """Every key of a study, section by section."""
    lines = [STUDY_HEAD]
    for title, model in SECTIONS:
        lines += [f"## {title[0].upper()}{title[1:]}", ""] if title else []
        lines += [
            " ".join((model.__doc__ or "").split()).replace("``", "`"),
            "",
            "| key | values | default | meaning |",
            "|---|---|---|---|",
        ]
        lines += [*keys_of(model), ""]
    return "\n".join(lines)


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """A row per key; raises SystemExit for a key that says nothing of itself."""
    meanings, hints = attribute_docs(model, BaseModel), typing.get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        if name not in meanings:
            raise SystemExit(f"{model.__name__}.{name} has no docstring")
        default = field.get_default(call_default_factory=True)
        plain = default is None or isinstance(default, BaseModel) or default in ("", {}, ())
        shown = "must be given" if field.is_required() else "" if plain else f"`{json.dumps(default)}`"
        meaning = meanings[name].replace("``", "`")
        yield f"| `{name}` | {cell(values_of(hints[name]))} | {cell(shown)} | {cell(meaning)} |"


def values_of(hint: Any) -> str:
    """A type of a key as a user writes values of it in YAML."""
    origin, arguments = typing.get_origin(hint), [a for a in typing.get_args(hint) if a is not type(None)]
    if origin is typing.Annotated:
        bounds = type_name(hint).removeprefix(type_name(arguments[0])).strip()
        return f"{values_of(arguments[0])} {bounds}".strip()
    if origin is typing.Literal:
        return ", ".join(f"`{a}`" for a in arguments)
    if origin is tuple:
        return "a list of " + re.sub(r"^(a|an) (whole number|number)", r"\2s", values_of(arguments[0])).replace("text", "texts")
    if origin is dict:
        return "keys and values" if arguments[1] is Any else f"keys with {values_of(arguments[1])}"
    if origin is not None:
        return " or ".join(values_of(a) for a in arguments)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        title = next(title for title, model in SECTIONS if model is hint)
        return f"[{'entries' if title in ('pool and aux', 'tasks', 'methods') else 'keys'}](#{title.replace(' ', '-')})"
    return {str: "text", int: "a whole number", float: "a number", bool: "`true`, `false`"}[hint]


def cli_page() -> str:
    """Every command with its help."""
    root = typer.main.get_command(app)
    lines = [CLI_HEAD]
    for depth, name, text in walk(root, "moco", None, 2):
        lines += [f"{'#' * depth} `{name}`", "", "```text", text, "```", ""]
    return "\n".join(lines)


def walk(command: Any, name: str, above: Any, depth: int) -> Iterator[tuple[int, str, str]]:
    """(heading depth, command line, help), groups before what they hold."""
    context = command.context_class(command, info_name=name, parent=above, terminal_width=WIDTH, max_content_width=WIDTH)
    yield depth, context.command_path, "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())
    for inner in getattr(command, "commands", {}):
        yield from walk(command.commands[inner], inner, context, 2 if above is None else 3)


def own_method_page() -> str:
    """The page on writing a method: written by hand, but the code in it is what ``moco new method`` writes."""
    text = (DOCS / "own-method.md").read_text(encoding="utf-8")
    for part, code in zip(("method", "test"), skeleton("second_look", Path("mine")), strict=True):
        fence = re.compile(rf"(<!-- docs: [^\n]*\bskeleton={part}\b[^\n]* -->\n```python\n).*?(^```$)", re.DOTALL | re.MULTILINE)
        text, found = fence.subn(lambda m, code=code: m[1] + code + m[2], text)  # type: ignore[misc]
        if found != 1:
            raise SystemExit(f"docs/own-method.md has {found} places for the skeleton's {part}")
    return text


def pages() -> dict[Path, str]:
    """The generated pages by path."""
    return {
        DOCS / "methods.md": methods_page(),
        DOCS / "tasks.md": tasks_page(),
        DOCS / "study-file.md": study_page(),
        DOCS / "cli.md": cli_page(),
        DOCS / "own-method.md": own_method_page(),
    }


def main() -> int:
    stale = [p for p, text in pages().items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(f"docs/{path.name} is not up to date; write it again with: {COMMAND}\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages()[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
