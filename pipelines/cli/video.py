"""`turbolens video`: filter video files, pipes, images and image sequences."""

import sys
from contextlib import nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from turbolens.filter import FilterSettings, MediaError, TurbolensError
from turbolens.pipelines.adapter_pictures import ControlVideo
from turbolens.pipelines.model_choice import ModelChoice, load_filter
from turbolens.pipelines.video.destination import is_piped
from turbolens.pipelines.video.encoders import CodecName, HardwareName
from turbolens.pipelines.video.images.files import IMAGE_CODECS
from turbolens.pipelines.video.images.sequences import is_image, is_sequence
from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.media import MediaOptions, check_exists, is_stream
from turbolens.pipelines.video.outputs import CONTAINERS
from turbolens.pipelines.video.writer import Encoding

from .panels import EXPERT, INPUT, MODEL, OUTPUT
from .reporting import VideoReporter, counted
from .shared_options import with_shared_options
from .signals import Interrupted
from .usage import usage_errors

LONG = 18_000  # frames, ten minutes: for longer inputs, minutes of preparation pay off
MAX_OPEN = 16  # inputs kept open until their turn; later ones are opened again then
Codec = Literal[CodecName, HardwareName]


@with_shared_options
def video(  # noqa: PLR0913 - each one is an option of the command
    paths: Annotated[list[str], typer.Argument(
        metavar="INPUT... OUTPUT", show_default=False,
        help="Videos, images, a folder or pattern of images (frame_%04d.png, '*.png'), - for a "
             "pipe, or test-scene. Without OUTPUT: INPUT.turbolens.mp4 in the input's folder.")],
    *,
    settings: dict[str, Any],
    choice: ModelChoice,
    control_video: Annotated[str | None, typer.Option(
        metavar="FILE", rich_help_panel=MODEL,
        help="A video of control images (depth, poses, …), one for each frame, for the "
             "ControlNet.")] = None,
    output_dir: Annotated[Path | None, typer.Option(
        help="Folder for the outputs of several inputs.", rich_help_panel=OUTPUT)] = None,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace an existing output.", rich_help_panel=OUTPUT)] = False,
    keep_partial: Annotated[bool, typer.Option(
        "--keep-partial", help="After Ctrl-C, keep the finished part as a shorter file.",
        rich_help_panel=OUTPUT)] = False,
    start: Annotated[float, typer.Option(
        min=0, help="Start this many seconds into the input.", rich_help_panel=INPUT)] = 0,
    duration: Annotated[float | None, typer.Option(
        min=0.001, help="Filter only this many seconds.", rich_help_panel=INPUT)] = None,
    rate: Annotated[float | None, typer.Option(
        min=0.01, max=1000, help="Frames per second of an image sequence [default: 25].",
        rich_help_panel=INPUT)] = None,
    input_format: Annotated[str | None, typer.Option(
        help="Container format of the input, by FFmpeg's name [default: detected].",
        rich_help_panel=INPUT)] = None,
    compare: Annotated[bool, typer.Option(
        "--compare", help="Write input and result side by side.", rich_help_panel=OUTPUT)] = False,
    preview: Annotated[int, typer.Option(
        min=0, max=60, metavar="N", rich_help_panel=OUTPUT,
        help="Also write N frames, input above result, to OUTPUT.png.")] = 0,
    codec: Annotated[Codec | None, typer.Option(
        help="Video codec [default: h264; vp9 for .webm].", rich_help_panel=OUTPUT)] = None,
    hardware: Annotated[bool, typer.Option(
        "--hardware", help="Encode on the GPU.", rich_help_panel=OUTPUT)] = False,
    crf: Annotated[int | None, typer.Option(
        min=0, max=63,
        help="Quality: lower is better [default: depends on the codec, 20 for h264].",
        rich_help_panel=OUTPUT)] = None,
    encoder_preset: Annotated[str | None, typer.Option(
        help="Speed preset of the encoder, ultrafast … veryslow [default: medium].",
        rich_help_panel=EXPERT)] = None,
    pixel_format: Annotated[str | None, typer.Option(
        help="Pixel format of the output, for example yuv444p or yuv420p10le [default: one that "
             "players support].",
        rich_help_panel=EXPERT)] = None,
    output_format: Annotated[str | None, typer.Option(
        "--format",
        help="Container format of the output [default: from the file name; nut on a pipe].",
        rich_help_panel=OUTPUT)] = None,
    batch: Annotated[str, typer.Option(
        metavar="auto|N", help="Number of frames to filter at once.",
        rich_help_panel=EXPERT)] = "auto",
    json_lines: Annotated[bool, typer.Option(
        "--json", rich_help_panel=OUTPUT,
        help="Print progress and result as JSON lines (on stderr if the output is a pipe).")]
    = False,
) -> None:  # fmt: skip
    """Filter a video. Frame count, times, audio and subtitles stay the same.

    Examples:
    turbolens video in.mp4 out.mp4 -p "oil painting"
    turbolens video *.mov --output-dir styled -p neon:0.3 -p "ink and wash:0.7"
    ffmpeg -i in.mkv -c copy -f nut - | turbolens video - - | ffmpeg -i - out.mp4
    """
    encoding = Encoding(codec=codec, crf=crf, preset=encoder_preset, pixel_format=pixel_format,
                        hardware=hardware, format_name=output_format)  # fmt: skip
    options = VideoOptions(
        encoding=encoding, start=_seconds(start), input_format=input_format,
        duration=None if duration is None else _seconds(duration),
        rate=None if rate is None else _seconds(rate), overwrite=overwrite, compare=compare,
        sheet=preview, batch=_batch(batch), keep_partial=keep_partial,
    )  # fmt: skip
    jobs = [_checked(*names, options) for names in _names(paths, output_dir)]
    with usage_errors():
        choice.adapters.check(has_control_video=control_video is not None)
    if control_video is not None and (len(jobs) > 1 or choice.adapters.control is not None):
        raise typer.BadParameter("--control-video is for one input, and takes --control's place")
    wanted = FilterSettings(**choice.with_look(settings))
    beside = None
    if control_video is not None:
        beside = ControlVideo(
            control_video, MediaOptions(start=options.start, duration=options.duration)
        )
    frames = open_inputs(jobs)
    frame_filter = load_filter(choice, wanted, control=beside, quick=frames < LONG, frames=frames)
    if len(jobs) == 1:
        _run(jobs[0], frame_filter, as_json=json_lines)
        return
    failed = [job for job in jobs if not _runs(job, frame_filter, as_json=json_lines)]
    if failed:
        raise typer.Exit(1)


def _runs(job: VideoJob, frame_filter: Any, *, as_json: bool) -> bool:
    """True if the job succeeds. If not, a line says why, and the other inputs go on."""
    try:
        _run(job, frame_filter, as_json=as_json)
    except (TurbolensError, OSError) as error:
        typer.echo(f"turbolens: {error}", err=True)
        return False
    return True


def _run(job: VideoJob, frame_filter: Any, *, as_json: bool) -> None:
    stream = sys.stderr if is_piped(job.destination) else sys.stdout
    frame_filter.reset()
    try:
        with VideoReporter(job.source, as_json=as_json, stream=stream) as reporter:
            report = job.run(frame_filter, on_progress=reporter.progress, on_notice=reporter.notice)
    except KeyboardInterrupt:
        raise Interrupted(_what_is_left(job, reporter.frames)) from None
    reporter.done(report)
    if not report.complete:
        raise Interrupted


def _what_is_left(job: VideoJob, frames: int) -> str:
    """What Ctrl-C has left of the output. frames: how many were filtered."""
    done = f"interrupted after {counted(frames, 'frame')}"
    if is_piped(job.destination):
        return f"{done}; the output on the pipe ends early"
    if is_sequence(job.destination):
        return f"{done}; the finished images are kept"
    left = "is unchanged" if Path(job.destination).exists() else "was not written"
    advice = "; to keep the finished part next time, add --keep-partial" if frames else ""
    return f"{done}: {job.destination} {left}{advice}"


def _seconds(value: float) -> Fraction:
    return Fraction(str(value))


def _batch(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise typer.BadParameter(f"--batch must be auto or a number from 1 to 256, got {text!r}")
    return int(text)


def _names(paths: list[str], output_dir: Path | None) -> list[tuple[str, str]]:
    """Every input with its output."""
    if output_dir is None:
        if len(paths) > 2:
            raise typer.BadParameter("several inputs need --output-dir FOLDER")
        return [(paths[0], paths[1] if len(paths) > 1 else _beside(paths[0]))]
    names = [(source, str(output_dir / _name_of_result(source))) for source in paths]
    if len({target for _, target in names}) < len(names):
        raise typer.BadParameter("two inputs have the same name; filter them one by one")
    if output_dir.exists() and not output_dir.is_dir():
        raise typer.BadParameter(f"--output-dir {output_dir} is not a folder")
    _make_folder(output_dir)
    return names


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


def open_inputs(jobs: list[VideoJob]) -> int:
    """Open the inputs before the model is loaded. Returns their number of frames, as far as known.

    Pipes and URLs are left until their turn: they might end while the model is loaded. Of several
    inputs, those that cannot be opened fail at their turn. Raises `MediaError` for a single one.
    """
    frames = 0
    for index, job in enumerate(jobs):
        if is_stream(job.source):
            continue
        with suppress(TurbolensError) if len(jobs) > 1 else nullcontext():
            frames += job.open() or 0
        if index >= MAX_OPEN:
            job.close()
    return frames


def _checked(source: str, destination: str, options: VideoOptions) -> VideoJob:
    """Refuse what cannot work: a bad output is a usage error, a missing input a failure."""
    try:
        job = VideoJob.prepare(source, destination, options)
    except MediaError as error:
        raise typer.BadParameter(str(error)) from error
    check_exists(source)
    return job
