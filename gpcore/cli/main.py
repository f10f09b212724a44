"""All commands, and how an error ends one."""

import io
import sys

import typer

from gpcore.cli.result_commands import calibrate, check, classify, evaluate, export, features, maps, report, runs
from gpcore.cli.store_commands import delete, doctor, rename, stop
from gpcore.cli.training_commands import queue, seal, study, train, worker
from gpcore.errors import OUT_OF_MEMORY, GpcoreError, ran_out_of_memory

app = typer.Typer(
    help="See what global pooling does to a convolutional network, and decide which pooling to use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
TRAINING = (train, queue, worker, study)
RESULTS = (runs, report, evaluate, classify, check, calibrate, features, maps, export)
for command in (*TRAINING, *RESULTS, stop, delete, rename, seal, doctor):
    app.command()(command)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; a user's mistake is one line on standard error and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal in Latin-1 has no “–”
    command = typer.main.get_command(app)
    try:
        return command.main(arguments, prog_name="python -m gpcore", standalone_mode=False) or 0
    except GpcoreError as error:
        message = " ".join(str(error).split())
    except Exception as error:
        if ran_out_of_memory(error):
            message = OUT_OF_MEMORY
        elif hasattr(error, "format_message"):  # click's own, whichever copy of click typer uses
            message = error.format_message()
        else:
            raise
    print(f"Error: {message}", file=sys.stderr)
    return 2
