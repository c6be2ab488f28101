"""The documents of a harness task, and what its templates make of one: a question, options, the right answer.

Templates are Jinja, rendered in a sandbox in which a name that is not there is a fault. As in the harness, a template that
is the name of a field stands for that field, and a target that is a number counts the options from 0.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.tasks.read import raw_rows
from moco.tasks.rows import Fault

_LOADERS = ("json", "csv", "parquet")


@dataclass(frozen=True)
class Doc:
    """One document: the split it is from, its place there (from 1), its fields."""

    split: str
    number: int
    data: Mapping[str, Any]


def documents(keys: Mapping[str, Any], path: Path, split: str) -> list[Doc]:
    """The documents of ``split``. Raises DataError for files that are not there or are faulty, ConfigError for other sources."""
    source = str(keys["dataset_path"])
    if source not in _LOADERS:
        from moco.tasks.hub import commit_of, hub_rows

        rows = hub_rows(source, keys.get("dataset_name"), split, commit_of(source, None))
        return [Doc(split, n, row) for n, row in enumerate(rows, 1)]
    out: list[Doc] = []
    for file in _files(keys.get("dataset_kwargs") or {}, path, split):
        for row in raw_rows(file, source):
            if isinstance(row, Fault):
                raise DataError(row.what, where=f"{file}:{row.line}", remedy=row.remedy)
            out.append(Doc(split, len(out) + 1, row.data))
    return out


def _files(options: Mapping[str, Any], path: Path, split: str) -> list[Path]:
    where = f"{path}: dataset_kwargs"
    unknown = [key for key in options if key not in ("data_files", "data_dir")]
    if unknown:
        raise ConfigError(
            f"'{unknown[0]}' is not understood", where=where, remedy=did_you_mean(unknown[0], ("data_files", "data_dir"))
        )
    named = options.get("data_files")
    if isinstance(named, Mapping):
        if split not in named:
            raise ConfigError(f"data_files has no split '{split}'", where=where, remedy=did_you_mean(split, named))
        named = named[split]
    elif named is not None and split != "train":
        raise ConfigError(
            f"data_files has no split '{split}'", where=where, why="files without a split are train", remedy="write {test: FILE}"
        )
    if not named:
        raise ConfigError("no data_files are named", where=where, remedy="add dataset_kwargs: {data_files: {test: FILE}}")
    files = [named] if isinstance(named, str) else list(named)
    folder = path.parent / str(options.get("data_dir") or "")
    return [
        folder / str(file) if (folder / str(file)).exists() or not Path(str(file)).exists() else Path(str(file)) for file in files
    ]


class Templates:
    """What a task's templates make of a document; raises DataError, with the document's number, for what cannot be rendered."""

    def __init__(self, keys: Mapping[str, Any], where: str) -> None:
        self.keys, self.where = keys, where
        self.jinja = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
        self.jinja.filters["regex_replace"] = lambda text, pattern, new: re.sub(pattern, new, text)

    def text(self, doc: Doc) -> str:
        made = self._made("doc_to_text", doc)
        if not isinstance(made, str):
            raise self._fault("doc_to_text", doc, f"gives a {type(made).__name__}, not a text", "write a template")
        return made.strip()

    def target(self, doc: Doc) -> str | list[str]:
        made = self._made("doc_to_target", doc)
        if isinstance(made, list):
            return [str(one).strip() for one in made]
        return str(made).strip()

    def choices(self, doc: Doc) -> list[str]:
        given = self.keys.get("doc_to_choice")
        if given is None:
            raise ConfigError("'doc_to_choice' is missing", where=self.where, remedy="a multiple_choice task needs it")
        if isinstance(given, Mapping):
            given = list(given.values())
        if isinstance(given, list):
            return [self._rendered(str(one), doc, "doc_to_choice") for one in given]
        made = self._made("doc_to_choice", doc)
        if isinstance(made, str):
            try:
                made = ast.literal_eval(made)
            except (SyntaxError, ValueError) as error:
                raise self._fault("doc_to_choice", doc, "gives no list of options", "let it render a list") from error
        if not isinstance(made, list) or len(made) < 2:
            raise self._fault("doc_to_choice", doc, "gives no list of options", "let it render a list of at least two")
        return [str(one) for one in made]

    def right(self, doc: Doc, choices: list[str]) -> list[int]:
        """The places of the right options, from 0."""
        made = self._made("doc_to_target", doc)
        out = []
        for one in made if isinstance(made, list) else [made]:
            if isinstance(one, str):
                text = one.strip()
                one = choices.index(text) if text in choices else int(text) if re.fullmatch(r"\d+", text) else -1
            if isinstance(one, bool) or not isinstance(one, int) or not 0 <= one < len(choices):
                raise self._fault(
                    "doc_to_target",
                    doc,
                    f"{made!r} is not among the {len(choices)} options",
                    "give its number, from 0, or its text",
                )
            out.append(one)
        return out

    def _made(self, key: str, doc: Doc) -> Any:
        given = self.keys[key]
        if isinstance(given, int) and not isinstance(given, bool):
            return given
        if not isinstance(given, str):
            raise ConfigError(f"{key} is neither a field nor a template", where=f"{self.where}: {key}", remedy="write a text")
        return doc.data[given] if given in doc.data else self._rendered(given, doc, key)

    def _rendered(self, template: str, doc: Doc, key: str) -> str:
        try:
            return self.jinja.from_string(template).render(**doc.data)
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(
                f"{key} is no template: {error.message}", where=f"{self.where}: {key}", remedy="correct it"
            ) from error
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, re.error) as error:
            raise self._fault(
                key,
                doc,
                f"cannot be rendered: {error}",
                did_you_mean("".join(str(error).split("'")[1:2]), doc.data),
            ) from error

    def _fault(self, key: str, doc: Doc, what: str, remedy: str) -> DataError:
        return DataError(f"{key} {what}", where=f"{self.where}: row {doc.number} of {doc.split}", remedy=remedy)
