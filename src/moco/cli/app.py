"""All commands under one roof, and what becomes of an error: what, where, why, remedy, and an exit code.

Exit codes: 0 done, 1 our fault, 2 the user's, 3 a run with failed items, 130 stopped by Ctrl-C. No traceback without
``--debug`` (anywhere on the line).
"""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from collections.abc import Sequence

import typer

from moco.cli import ask, cache, catalogue, convert, data, doctor, grade, new, playground, reporting, rescore, running, serving
from moco.core.errors import MocoError

INTERRUPTED = 130

app = typer.Typer(name="moco", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _version(value: bool) -> None:
    if value:
        from moco._version import __version__

        typer.echo(f"moco {__version__}")
        raise typer.Exit()


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks; may stand anywhere on the line."),
) -> None:
    """Language models answering together: run, compare, ask and serve model collaborations.

    Begin with:  moco demo
    """


for command in (
    running.demo,
    running.run,
    reporting.report,
    ask.ask,
    serving.serve,
    catalogue.methods,
    catalogue.tasks,
    catalogue.models,
    grade.grade,
    rescore.rescore,
    convert.convert,
    doctor.doctor,
):
    app.command()(command)
app.add_typer(data.app, name="data")
app.add_typer(playground.app, name="playground")
app.add_typer(cache.app, name="cache")
app.add_typer(new.app, name="new")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; errors are shown, never raised."""
    line = list(sys.argv[1:] if arguments is None else arguments)
    end = line.index("--") if "--" in line else len(line)
    debug = "--debug" in line[:end]
    kept = [a for a in line[:end] if a != "--debug"] + line[end:]
    try:
        code = typer.main.get_command(app).main(kept, prog_name="moco", standalone_mode=False)
    except MocoError as error:
        if debug:
            traceback.print_exc()
        show(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) went away: nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  the last resort of the program
        return _unexpected(error, debug)
    if code == INTERRUPTED:
        typer.echo(f"\nstopped; what was finished is kept. Continue with: moco {shlex.join(kept)}", err=True)
    return code if isinstance(code, int) else 0


def show(error: MocoError) -> None:
    """The error as four lines on stderr; lines with nothing to say are left out."""
    typer.echo(f"error: {error.what}", err=True)
    for name in ("where", "why", "remedy"):
        if text := getattr(error, name):
            typer.echo(f"  {name}: {text}", err=True)


def _unexpected(error: Exception, debug: bool) -> int:
    usage = getattr(error, "show", None)  # a mistyped command or option: typer says which
    if usage is not None and hasattr(error, "exit_code"):
        usage()
        return int(error.exit_code)
    if debug:
        traceback.print_exc()
        return 1
    said = str(error).splitlines()
    typer.echo(f"error: {type(error).__name__}: {said[0] if said else '(no message)'}", err=True)
    typer.echo("  remedy: this is a fault of moco; run with --debug and report what it prints", err=True)
    return 1
