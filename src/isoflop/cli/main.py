"""The command ``isoflop``: finds the command that was asked for, and answers for what goes wrong in it.

Only the module of the command that was asked for is imported: ``isoflop --help`` never pays for SciPy or Plotly.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from isoflop.cli.arguments import UnreadableArgument, reworded, shield_negative_number
from isoflop.cli.commands import COMMANDS
from isoflop.errors import Interrupted, IsoflopError


class Commands(TyperGroup):
    """A group whose commands are stubs with a summary until one of them is asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, stub, rest = super().resolve_command(ctx, args)
        return name, stub if name is None else _load(name), rest


def _load(name: str) -> Any:
    """The real command: what has that name in the module of that name."""
    found = getattr(import_module(f"isoflop.cli.{name}"), name)
    if isinstance(found, typer.Typer):  # a command of commands, such as sweep
        return typer.main.get_command(found)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(found)
    return typer.main.get_command(app)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"isoflop {version('isoflop')}")
        raise typer.Exit


def _isoflop(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_say_version)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    """Neural scaling laws, done carefully: runs to a law, a law to a plan.

    Results go to stdout, progress to stderr. Exit codes: 0 done, 1 unexpected, 2 unreadable input,
    3 the data cannot carry the question, 4 some runs failed, 5 a check failed under --strict,
    130 interrupted, state kept.
    """


def _app() -> typer.Typer:
    app = typer.Typer(cls=Commands, callback=_isoflop, add_completion=False, rich_markup_mode=None)
    for name, summary in COMMANDS.items():
        app.command(name, help=summary)(lambda: None)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    # A study that is terminated, or whose terminal is closed, keeps its state as after Ctrl-C; nohup's word stands.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    sys.excepthook = sys.excepthook if debug else _say_unexpected
    try:
        code = run([word for word in words if word != "--debug"], debug)
    except OSError as error:  # a full disk, a vanished folder: nothing to report to us
        said = ", ".join(filter(None, (error.strerror or str(error), error.filename)))
        code = _fail(f"the system refused: {said}.", IsoflopError.exit_code, debug)
        # Python writes out what is left for stdout as it ends, and would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)


def run(words: Sequence[str], debug: bool = False) -> int:
    """Run the command; what goes wrong becomes one sentence on stderr and an exit code."""
    command = typer.main.get_command(_app())
    shielded = [shield_negative_number(word) for word in words] or ["--help"]
    try:
        code = command.main(shielded, prog_name="isoflop", standalone_mode=False)
    except IsoflopError as error:
        return _fail(str(error), error.exit_code, debug)
    except UnreadableArgument as error:
        return _fail(reworded(error, words, COMMANDS), 2, debug)
    except (KeyboardInterrupt, typer.Abort):
        code = Interrupted.exit_code
    if code == Interrupted.exit_code:  # newer versions of typer turn Ctrl-C into the code alone
        return _fail("interrupted; a study keeps what was finished, and the same command goes on.", code, debug)
    return int(code or 0)


def _fail(sentence: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"isoflop: {sentence}", file=sys.stderr)
    return code


def _say_unexpected(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """What nobody foresaw, in one line; Python then exits with code 1."""
    first = (str(error).splitlines() or [""])[0]
    print(f"isoflop: unexpected {kind.__name__}: {first} (--debug shows where; please report it).", file=sys.stderr)
