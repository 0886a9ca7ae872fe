"""Your own loop: frames from anywhere in, restyled frames of the same size and time out.

python examples/own_loop.py clip.mp4
"""

import sys

import av

from turbolens.filter import FilterSettings, FrameFilter, TurboModel


def main(path: str) -> None:
    """Filter a clip, and change the look after two seconds."""
    model = TurboModel.load("embedded")
    frame_filter = FrameFilter(model, FilterSettings(prompt="oil painting", strength=0.5))
    changed = False
    with av.open(path) as clip:
        for frame in clip.decode(video=0):
            if not changed and (frame.time or 0.0) >= 2.0:
                frame_filter.update(prompt="pencil sketch", strength=0.4)  # from this frame on
                changed = True
            styled = frame_filter(frame)
            sys.stdout.write(f"{styled.time} {styled.width}×{styled.height}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
