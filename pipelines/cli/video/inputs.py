"""The inputs of `turbolens video`: their outputs, and which of them can be opened."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import typer

from turbolens.filter import MediaError, TurbolensError
from turbolens.pipelines.video.destination import is_piped
from turbolens.pipelines.video.images.files import IMAGE_CODECS
from turbolens.pipelines.video.images.sequences import is_image
from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.media import check_exists, is_stream
from turbolens.pipelines.video.outputs import CONTAINERS
from turbolens.pipelines.video.segments.parts import has_partial_output

from .runs import Outcome, failure
from .watch import FolderWatch

MAX_OPEN = 16  # inputs kept open until their turn; later ones are opened again then


def input_names(paths: list[str], output_dir: Path | None) -> list[tuple[str, str]]:
    """Every input with its output."""
    if not paths:
        raise typer.BadParameter("name an INPUT, or --watch FOLDER")
    if output_dir is None:
        if len(paths) > 2:
            raise typer.BadParameter("several inputs need --output-dir FOLDER")
        return [(paths[0], paths[1] if len(paths) > 1 else _beside(paths[0]))]
    names = [(source, str(output_dir / _name_of_result(source))) for source in paths]
    _refuse_common_outputs(names)
    if output_dir.exists() and not output_dir.is_dir():
        raise typer.BadParameter(f"--output-dir {output_dir} is not a folder")
    _make_folder(output_dir)
    return names


def _refuse_common_outputs(names: list[tuple[str, str]]) -> None:
    sources: dict[str, str] = {}
    for source, target in names:
        if target in sources:
            raise typer.BadParameter(
                f"{sources[target]} and {source} would both become {target}; filter one of them by "
                "itself"
            )
        sources[target] = source


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(
            f"--output-dir {folder} cannot be created: {error.strerror or error}"
        ) from error


def _name_of_result(source: str) -> str:
    if is_piped(source):
        return "pipe.mkv"
    path = Path(source)
    if is_image(source):
        return path.name if path.suffix.lower() in IMAGE_CODECS else (
            f"{path.stem}.png")  # fmt: skip
    if path.suffix.lower() in CONTAINERS:
        return path.name
    stem = path.stem.partition("%")[0].rstrip("_-.") or "pictures"
    return f"{stem if '*' not in stem else 'pictures'}.mp4"


def _beside(source: str) -> str:
    if is_piped(source):
        return "-"
    path = Path(_name_of_result(source))
    return str(Path(source).parent / f"{path.stem}.turbolens{path.suffix}")


def check_watched(folder: Path, output_dir: Path | None) -> Path:
    """The folder for the outputs of a watched one. Raises `typer.BadParameter`."""
    if not folder.is_dir():
        raise typer.BadParameter(f"--watch {folder} is not a folder")
    if output_dir is None:
        raise typer.BadParameter("--watch needs --output-dir FOLDER")
    _make_folder(output_dir)
    if output_dir.resolve() == folder.resolve():
        raise typer.BadParameter("--output-dir must not be the folder that is watched")
    return output_dir


def arriving(folder: Path, output_dir: Path, options: VideoOptions) -> Iterator[VideoJob | Outcome]:
    """The jobs for files that are or arrive in a folder, without end."""
    for path in FolderWatch(folder).files():
        yield _checked_one(str(path), str(output_dir / _name_of_result(str(path))), options)


def open_inputs(jobs: Sequence[VideoJob], *, alone: bool) -> int:
    """Open the inputs before the model is loaded. Returns their number of frames, as far as known.

    Pipes and URLs are left until their turn: they might end while the model is loaded. Those that
    cannot be opened fail at their turn. alone: raise `MediaError` for one at once.
    """
    frames = 0
    for index, job in enumerate(jobs):
        if is_stream(job.source):
            continue
        with nullcontext() if alone else suppress(TurbolensError):
            frames += job.open() or 0
        if index >= MAX_OPEN:
            job.close()
    return frames


def checked(source: str, destination: str, options: VideoOptions) -> VideoJob:
    """Refuse what cannot work: a bad output is a usage error, a missing input a failure."""
    try:
        job = VideoJob.prepare(source, destination, options)
    except MediaError as error:
        raise typer.BadParameter(str(error)) from error
    check_exists(source)
    return job


def checked_each(
    names: Sequence[tuple[str, str]], options: VideoOptions
) -> list[VideoJob | Outcome]:
    """The job of each input, or why it is not run.

    An output that exists is kept: the inputs of an interrupted command are given again as they
    were. If no output can be written, that is a usage error.
    """
    each = [_checked_one(source, destination, options) for source, destination in names]
    failed = [outcome for outcome in each if isinstance(outcome, Outcome)]
    if len(failed) == len(each) and all(outcome.state == "failed" for outcome in failed):
        raise typer.BadParameter(failed[0].reason)
    return each


def _checked_one(source: str, destination: str, options: VideoOptions) -> VideoJob | Outcome:
    try:
        check_exists(source)
        if _is_kept(destination, options):
            reason = f"{destination} exists; --overwrite replaces it"
            return Outcome(source, destination, "kept", reason=reason)
        return VideoJob.prepare(source, destination, options)
    except (MediaError, OSError) as error:
        typer.echo(f"turbolens: {error}", err=True)
        return failure(source, destination, error)


def _is_kept(destination: str, options: VideoOptions) -> bool:
    path = Path(destination)
    return path.is_file() and not options.overwrite and not has_partial_output(path)
