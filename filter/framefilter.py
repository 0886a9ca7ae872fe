"""`FrameFilter`: one video stream."""


class FrameFilter:
    """To be written."""
