"""Your own OpenCV loop: python examples/opencv_loop.py clip.mp4 styled.mp4 [prompt].

OpenCV holds pictures as BGR, the filter as RGB; size and number of the pictures stay.
"""

import sys

import cv2
import numpy as np

from turbolens.filter import FrameFilter, TurboModel


def main(source: str, target: str, prompt: str = "watercolour") -> None:
    """Filter a clip, or what a camera of this number gives."""
    frame_filter = FrameFilter(TurboModel.load("embedded"), prompt=prompt, size=384)
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not capture.isOpened():
        sys.exit(f"cannot read {source}")
    rate = capture.get(cv2.CAP_PROP_FPS) or 30
    writer = None
    while True:
        there, picture = capture.read()
        if not there:
            break
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        styled = cv2.cvtColor(frame_filter(rgb.astype(np.uint8)), cv2.COLOR_RGB2BGR)
        if writer is None:
            size = styled.shape[1], styled.shape[0]
            writer = cv2.VideoWriter(target, cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        writer.write(styled)
    if writer is not None:
        writer.release()
    capture.release()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
