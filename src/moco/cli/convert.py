"""``moco convert``: a config of the released MoCo framework as a study file."""

from __future__ import annotations

from pathlib import Path

import typer

from moco.core.errors import ConfigError


def convert(old: Path = typer.Argument(..., metavar="OLD.json", help="An experiment config of the released framework.")) -> None:
    """Print the study that a released experiment config stands for; what has no place in it is said in comments.

    Example:  moco convert old.json > study.yaml
    """
    from moco.study.config import load_study
    from moco.study.released_config import convert_config

    try:
        text = old.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError("the config cannot be read", where=str(old), why=str(error.strerror), remedy="give a file") from error
    except UnicodeDecodeError as error:
        raise ConfigError("not UTF-8", where=str(old), remedy="save the file as UTF-8") from error
    made = convert_config(text, old).yaml(str(old))
    load_study(made)  # what is printed is a study, or the command fails
    typer.echo(made, nl=False)
