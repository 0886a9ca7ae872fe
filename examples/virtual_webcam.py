"""Your camera, restyled, as a camera for any program: python examples/virtual_webcam.py [prompt].

Without a camera: python examples/virtual_webcam.py neon test-scene. Ctrl-C ends it.
"""

import sys
from fractions import Fraction

from turbolens.filter import FrameFilter, TurboModel
from turbolens.pipelines import Camera, SceneCamera, Stats, VirtualCamera, run


def show(stats: Stats) -> None:
    delay = stats.latency_p50_ms or 0.0
    print(f"\r{stats.fps_out:.0f} fps, {stats.fps_filtered:.0f} filtered, {delay:.0f} ms", end="")


def main() -> None:
    prompt = sys.argv[1] if len(sys.argv) > 1 else "oil painting"
    name = sys.argv[2] if len(sys.argv) > 2 else None
    scene = SceneCamera(320, 180, rate=Fraction(30), frames=60)
    camera = scene if name == "test-scene" else Camera(name)
    virtual_camera = VirtualCamera(width=camera.width, height=camera.height, rate=camera.rate)
    frame_filter = FrameFilter(TurboModel.load("embedded"), prompt=prompt, size=384)
    try:
        run(camera, frame_filter, virtual_camera, on_stats=show, on_notice=print)
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main()
