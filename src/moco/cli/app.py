"""All commands under one roof, and what becomes of an error: what, where, why, remedy, and an exit code.

Exit codes: 0 done, 1 our fault, 2 the user's, 3 a run with failed items, 130 stopped by Ctrl-C, 143 by SIGTERM (as a batch
system sends it), 141 when whoever reads the output went away. No traceback without ``--debug`` (anywhere on the line).
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import traceback
from collections.abc import Sequence

import typer

from moco.cli import (
    ask,
    cache,
    catalogue,
    comparing,
    convert,
    data,
    doctor,
    grade,
    new,
    playground,
    reporting,
    rescore,
    running,
    serving,
)
from moco.cli.ending import ENDING
from moco.core.errors import DataError, MocoError, in_a_line

INTERRUPTED, READER_GONE = 130, 141

app = typer.Typer(name="moco", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


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
    comparing.compare,
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
    code = _run(arguments)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # told already: the interpreter would try again at exit, and end with a code of its own
        _drop_output()
    return code


def _run(arguments: Sequence[str] | None) -> int:
    line = list(sys.argv[1:] if arguments is None else arguments)
    end = line.index("--") if "--" in line else len(line)
    debug = "--debug" in line[:end]
    kept = [a for a in line[:end] if a != "--debug"] + line[end:]
    _write_anything()
    try:
        code = typer.main.get_command(app).main(kept, prog_name="moco", standalone_mode=False)
        if sys.stdout is not None:  # it is where the shell closed it
            sys.stdout.flush()  # a reader that is gone shall be noticed here, not at exit
    except MocoError as error:
        if debug:
            traceback.print_exc()
        show(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) went away: nothing is left to say
        _drop_output()
        return READER_GONE
    except SystemExit as ended:  # so ends completion, and so, with a code, do rich and click when the reader went away
        return READER_GONE if ended.code else 0
    except Exception as error:  # noqa: BLE001  the last resort of the program
        return _unexpected(error, debug)
    if code == INTERRUPTED:
        typer.echo(f"\nstopped; what was finished is kept. Continue with: moco {shlex.join(kept)}", err=True)
        return ENDING.code
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """What is still to be written to stdout goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_anything() -> None:
    """What the terminal's encoding cannot show is escaped, and never ends a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
    trouble = _of_the_disk(error)
    if trouble is not None:
        show(trouble)
        return trouble.exit_code
    if debug:
        return 1
    typer.echo(f"error: {in_a_line(error)}", err=True)
    typer.echo("  remedy: this is a fault of moco; run with --debug and report what it prints", err=True)
    return 1


def _of_the_disk(error: Exception) -> MocoError | None:
    """A full disk or one that cannot be written, wherever it was met; None if ``error`` is something else."""
    from moco.study.folder import OF_THE_DISK

    if not isinstance(error, OSError) or error.errno not in OF_THE_DISK:
        return None
    where = os.fsdecode(error.filename) if error.filename is not None else ""
    return DataError(f"cannot write: {error.strerror}", where=where, remedy="free some space, or write to another place")
