"""The command `turbolens`. It parses first; torch is imported only where a command needs it."""

import os
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from time import monotonic
from typing import Annotated, NoReturn

import typer

import turbolens
from turbolens.filter.errors import ModelNotFoundError, SettingsError, TurbolensError

from .options.optional_values import with_values
from .signals import INTERRUPTED, Interrupted, exit_interrupted

FAILURE, USAGE = 1, 2
HELP = ["-h", "--help"]
FIRST_STEPS = """
 Start a video call:  turbolens webcam --control    # with a page to change it by
 Filter a file:       turbolens video in.mp4 out.mp4
 In the browser:      turbolens serve
 What is missing:     turbolens doctor
"""
BUSY = {"acceleration", "filter", "load model"}  # threads that may be running torch
GRACE = 3.0  # seconds for threads that prepare an acceleration to end
BROKEN = "a library that Turbolens needs is missing or cannot be loaded"
REINSTALL = "python -m pip install --force-reinstall turbolens torch"
_TRAINING = "turbolens.filter.training.command"
# Click's class, which some versions of Typer vendor.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="turbolens",
    help="A live AI video filter.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": HELP},
)


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"turbolens {turbolens.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """A live AI video filter: one step of a Turbo diffusion model for every frame."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        typer.echo(FIRST_STEPS)


def _register(name: str, help_text: str, module: str = "") -> None:
    """Add a command of another module, which is imported only when the command is called.

    module: by default the one of that name beside this file.
    """
    module = module or f"{__package__}.{name}"

    @app.command(
        name,
        help=help_text,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def call(context: typer.Context) -> None:
        loaded = import_module(module)
        single = getattr(loaded, "app", None)  # a command with subcommands
        if single is None:
            single = typer.Typer(add_completion=False, rich_markup_mode="rich")
            single.command()(getattr(loaded, name))
        code = single(
            args=context.args, prog_name=f"turbolens {name}", standalone_mode=False,
            help_option_names=HELP,
        )  # fmt: skip
        raise typer.Exit(code if isinstance(code, int) else 0)


_register(
    "video", "Filter a video. Frame count, times, audio and subtitles stay the same.",
    f"{__package__}.video.command",
)  # fmt: skip
_register(
    "stream",
    "Filter a live stream, with its audio in sync. Lost connections are opened again.",
)
_register("models", "List, download or remove models and adapters.")
_register(
    "doctor", "Show versions, devices, codecs and cameras of this machine, and what to do next."
)
_register(
    "devices",
    "List cameras with their modes and virtual cameras, and say what to do about missing ones.",
)
_register("serve", "Serve the filter to browsers, OBS and players.")
_register("bench", "Measure the filter on this machine.", f"{__package__}.bench.command")
_register("webcam", "Filter the camera into a virtual camera that a video call can use.")
if find_spec(_TRAINING) is not None:
    _register("train", "Train the embedded model again, or a Turbo model of your own.", _TRAINING)


def main() -> None:
    """Run the command. An error is one line on stderr and an exit code.

    0: done. 1: a file, device or model failed. 2: usage error. 130: interrupted.
    """
    try:
        code = app(with_values(sys.argv[1:]), standalone_mode=False, prog_name="turbolens")
    except KeyboardInterrupt:
        exit_interrupted("interrupted")
    except Interrupted as interruption:
        exit_interrupted(str(interruption))
    except UsageError as error:
        _leave(f"{_message(error)} ({_command_path(error)} --help)", USAGE)
    except (SettingsError, ModelNotFoundError) as error:
        _leave(str(error), USAGE)
    except (TurbolensError, OSError, MemoryError, ImportError) as error:
        _leave(_failure(error), FAILURE)
    except typer.Abort:
        exit_interrupted("interrupted")
    if code == INTERRUPTED:  # what Typer makes of a KeyboardInterrupt
        exit_interrupted("interrupted")
    _exit(code if isinstance(code, int) else 0)


def _exit(code: int) -> NoReturn:
    """Exit, although a thread may run torch: it cannot be stopped, and torch aborts if it goes on.

    An acceleration that takes seconds gets a moment to end, so that the next start finds it in the
    cache. On a busy machine it could take minutes.
    """
    busy = [thread for thread in threading.enumerate() if thread.name in BUSY]
    ends = monotonic() + GRACE
    for thread in busy:
        if not thread.daemon:
            thread.join(max(0.0, ends - monotonic()))
    if any(thread.is_alive() for thread in busy):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _message(error: Exception) -> str:
    formatted = getattr(error, "format_message", None)
    return str(formatted() if formatted else error).replace("Value error, ", "")


def _failure(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{BROKEN} ({error}); install it again: {REINSTALL}"
    return str(error) or type(error).__name__


def _command_path(error: Exception) -> str:
    """The command that a usage error is about: "turbolens video"."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return str(context.command_path)
    known = {command.name or command.callback.__name__ for command in app.registered_commands
             if command.callback is not None}  # fmt: skip
    known |= {str(group.name) for group in app.registered_groups}
    return " ".join(["turbolens", *[name for name in sys.argv[1:2] if name in known]])


def _leave(message: str, code: int) -> NoReturn:
    text = " ".join(message.split())
    print(f"turbolens: {text}", file=sys.stderr, flush=True)  # noqa: T201 - the command's output
    _exit(code)
