"""`turbolens video`: filter video files, pipes, images and image sequences."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from turbolens.filter import FilterSettings
from turbolens.pipelines.cli.options.panels import CLUSTER, EXPERT, INPUT, MODEL, OUTPUT, REGION
from turbolens.pipelines.cli.options.shared import with_shared_options
from turbolens.pipelines.cli.usage import usage_errors
from turbolens.pipelines.cluster.connection import Connection
from turbolens.pipelines.cluster.driver import ClusterOptions
from turbolens.pipelines.cluster.nodes import Share
from turbolens.pipelines.cluster.worker import load_chosen
from turbolens.pipelines.filter_identity import expected_identity, segmentation_for
from turbolens.pipelines.model_choice import ModelChoice, load_filter, require_looks
from turbolens.pipelines.video.encoders.choice import CodecName, HardwareName
from turbolens.pipelines.video.job import VideoJob, VideoOptions
from turbolens.pipelines.video.segments.parts import stored_dtypes
from turbolens.pipelines.video.segments.segmentation import Segmentation
from turbolens.pipelines.video.writer import Encoding

from .cluster import check_for_cluster, run_cluster
from .companions import Companions
from .inputs import arriving, check_watched, checked, checked_each, input_names, open_inputs
from .runs import Outcome, VideoRuns

LONG = 18_000  # frames, ten minutes: for longer inputs, minutes of preparation pay off
SEGMENT_LENGTH = 20.0  # seconds
Codec = Literal[CodecName, HardwareName]


@with_shared_options
def video(  # noqa: PLR0913 - each one is an option of the command
    paths: Annotated[list[str] | None, typer.Argument(
        metavar="INPUT... OUTPUT", show_default=False,
        help="Videos, images, a folder or pattern of images (frame_%04d.png, '*.png'), - for a "
             "pipe, or test-scene. Without OUTPUT: INPUT.turbolens.mp4 in the input's folder.")]
    = None,
    *,
    settings: dict[str, Any],
    choice: ModelChoice,
    control_video: Annotated[str | None, typer.Option(
        metavar="FILE", rich_help_panel=MODEL,
        help="A video of control images (depth, poses, …), one for each frame, for the "
             "ControlNet.")] = None,
    mask: Annotated[str | None, typer.Option(
        metavar="FILE", rich_help_panel=REGION,
        help="A video of masks for --region, white where a person is; by default a network finds "
             "persons.")] = None,
    output_dir: Annotated[Path | None, typer.Option(
        help="Folder for the outputs of several inputs.", rich_help_panel=OUTPUT)] = None,
    watch: Annotated[Path | None, typer.Option(
        metavar="FOLDER", rich_help_panel=INPUT,
        help="Filter the videos that are or arrive in this folder, until Ctrl-C.")] = None,
    overwrite: Annotated[bool, typer.Option(
        "--overwrite", help="Replace an existing output.", rich_help_panel=OUTPUT)] = False,
    keep_partial: Annotated[bool, typer.Option(
        "--keep-partial", help="After Ctrl-C, keep the finished part as a shorter file.",
        rich_help_panel=OUTPUT)] = False,
    resume: Annotated[bool, typer.Option(
        "--resume/--no-resume", rich_help_panel=OUTPUT,
        help="Go on where an interrupted run of the same command has stopped.")] = True,
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
        help="Speed preset of the encoder, ultrafast … veryslow [default: faster for h264, "
             "medium for hevc].",
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
        metavar="auto|N",
        help="Number of frames to filter at once. auto: on a CPU each frame overlaps its "
             "neighbours, on a GPU as many as their size allows.",
        rich_help_panel=EXPERT)] = "auto",
    segment_length: Annotated[float, typer.Option(
        min=0, metavar="SECONDS", rich_help_panel=EXPERT,
        help="Length of the segments after which an interrupted run goes on, for videos of at "
             "least three of them. 0: one piece.")] = SEGMENT_LENGTH,
    cluster: Annotated[str | None, typer.Option(
        metavar="ADDRESS|auto|local", rich_help_panel=CLUSTER,
        help="Filter on the machines of a Ray cluster; local: on all cores or GPUs of this one. "
             "Needs turbolens[cluster].")] = None,
    cluster_gpu_share: Annotated[float, typer.Option(
        min=0.05, max=1, rich_help_panel=CLUSTER, help="The part of a GPU that a worker takes.")]
    = 1.0,
    cluster_cores: Annotated[int, typer.Option(
        min=1, rich_help_panel=CLUSTER,
        help="How many cores a worker takes on a machine without a GPU.")] = 4,
    cluster_wheel: Annotated[Path | None, typer.Option(
        metavar="FILE", rich_help_panel=CLUSTER, exists=True, dir_okay=False,
        help="A wheel of Turbolens that is sent to machines on which it is not installed.")] = None,
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
    companions = Companions(control_video, mask)
    with usage_errors():
        choice.adapters.check(has_control_video=control_video is not None)
    check_for_cluster(cluster, options, companions)
    if watch is not None:
        if paths:
            raise typer.BadParameter("--watch FOLDER takes no other inputs")
        target = check_watched(watch, output_dir)
        jobs: list[VideoJob | Outcome] = []
    else:
        jobs = _jobs(input_names(paths or [], output_dir), options)
    single = len(jobs) == 1
    wanted = FilterSettings(**choice.with_look(settings))
    known = [job for job in jobs if isinstance(job, VideoJob)]
    dtypes = stored_dtypes(Path(job.destination) for job in known) if resume else {}
    if cluster is not None:
        run_cluster(
            arriving(watch, target, options) if watch is not None else jobs,
            ClusterOptions(
                Connection(cluster, cluster_wheel), partial(load_chosen, choice, wanted),
                Segmentation(_seconds(segment_length), resume),
                Share(cluster_gpu_share, cluster_cores), dtypes if choice.dtype == "auto" else {},
                expected_identity(choice),
            ),
            as_json=json_lines,
        )  # fmt: skip
        return
    choice = choice.with_dtypes(dtypes)
    require_looks(choice, wanted)
    companions.check(choice, wanted.region, single=single)
    control, masks = companions.open(options)
    frames = None if watch is not None else open_inputs(known, alone=single)
    if masks is not None:
        masks.check_duration(known[0].duration)
    frame_filter = load_filter(
        choice,
        wanted,
        control=control,
        mask=masks,
        quick=frames is not None and frames < LONG,
        frames=frames,
    )
    segmentation = segmentation_for(
        frame_filter, choice, seconds=_seconds(segment_length), resume=resume,
        files=companions.files,
    )  # fmt: skip
    runs = VideoRuns(frame_filter, segmentation, as_json=json_lines)
    if single:
        runs.run(known[0])
    elif watch is None:
        _run_all(runs, jobs)
    else:
        _run_until_interrupted(runs, arriving(watch, target, options))


def _jobs(names: list[tuple[str, str]], options: VideoOptions) -> list[VideoJob | Outcome]:
    return [checked(*names[0], options)] if len(names) == 1 else checked_each(names, options)


def _run_all(runs: VideoRuns, jobs: list[VideoJob | Outcome]) -> None:
    """Run several jobs and sum them up. Exit code 1 if one fails."""
    try:
        runs.run_all(jobs)
    finally:
        runs.sum_up()
    if runs.has_failures:
        raise typer.Exit(1)


def _run_until_interrupted(runs: VideoRuns, jobs: Iterator[VideoJob | Outcome]) -> None:
    """Run jobs as they come. Ctrl-C between two of them is the regular end."""
    try:
        runs.run_all(jobs)
    except KeyboardInterrupt:
        pass
    finally:
        runs.sum_up()
    if runs.has_failures:
        raise typer.Exit(1)


def _seconds(value: float) -> Fraction:
    return Fraction(str(value))


def _batch(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise typer.BadParameter(f"--batch must be auto or a number from 1 to 256, got {text!r}")
    return int(text)
