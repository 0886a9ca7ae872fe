"""Threads stay ordinary ones, whatever an encoder does."""

import os
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from turbolens.pipelines import VideoOptions, filter_video
from turbolens.pipelines.video.thread_scheduling import ordinary_scheduling
from turbolens.pipelines.video.writer import Encoding

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="scheduling of Linux")


def policies() -> set[int]:
    """The scheduling policies of this program's threads."""
    return {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}


def svt_context() -> av.VideoCodecContext:
    context = av.CodecContext.create("libsvtav1", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 128, 128, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {"preset": "12"}
    return context


def test_an_encoder_gets_no_real_time_threads() -> None:
    context = svt_context()
    with ordinary_scheduling():
        context.open()
    assert policies() == {os.SCHED_OTHER}


def test_a_filtered_av1_file_leaves_ordinary_threads(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(source, "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 128, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((128, 128, 3), np.uint8), "rgb24")
        container.mux([*stream.encode(frame.reformat(format="yuv420p")), *stream.encode(None)])
    options = VideoOptions(encoding=Encoding(codec="av1"))
    report = filter_video(str(source), str(tmp_path / "out.mkv"), lambda each: each, options)
    assert report.frames == 1
    assert policies() == {os.SCHED_OTHER}
