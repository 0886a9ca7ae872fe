"""The built-in scene in one look after the other: python examples/looping_picture.py loop.webp."""

import sys
from fractions import Fraction

import av

from turbolens.filter import FrameFilter, TurboModel
from turbolens.pipelines import TestScene

LOOKS = ("oil painting", "comic", "neon", "van gogh", "pop art", "stained glass")
WIDTH, HEIGHT, RATE = 480, 272, 12
SECONDS_EACH = 1


def main() -> None:
    frames = len(LOOKS) * SECONDS_EACH * RATE
    scene = TestScene(WIDTH, HEIGHT, frames=frames)
    frame_filter = FrameFilter(TurboModel.load("embedded"), strength=0.85, size=WIDTH)
    with av.open(sys.argv[1], "w", format="webp", options={"loop": "0"}) as container:
        stream = container.add_stream("libwebp_anim", rate=RATE, options={"quality": "50"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            frame_filter.update(prompt=LOOKS[index // (SECONDS_EACH * RATE)])
            styled = frame_filter(scene[index].frame).reformat(format="yuv420p")
            styled.pts, styled.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(styled))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
