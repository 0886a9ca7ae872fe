"""Filter a video file from Python: python examples/video_file.py in.mp4 out.mp4 "oil painting"."""

import sys

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.pipelines import Progress, VideoOptions, filter_video


def show(progress: Progress) -> None:
    total = progress.total_frames or "?"
    print(f"\r{progress.frames} of {total} frames, {progress.fps:.1f} fps", end="", file=sys.stderr)


def main(source: str, destination: str, prompt: str) -> None:
    model = TurboModel.load("embedded")  # or "sd-turbo", "sdxl-turbo", a folder, a hub id
    frame_filter = FrameFilter(model, FilterSettings(prompt=prompt, strength=0.5))
    options = VideoOptions(compare=True, sheet=6, overwrite=True)
    report = filter_video(source, destination, frame_filter, options, on_progress=show)
    print(f"\n{report.frames} frames in {report.seconds:.1f} s: {report.destination}")
    for notice in report.notices:
        print(notice)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
