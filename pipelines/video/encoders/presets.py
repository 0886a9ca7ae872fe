"""Which speed presets an encoder has. They are checked before a model is loaded."""

from turbolens.filter.errors import MediaError

from .choice import CodecName, HardwareName

NAMES = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
    "placebo",
)  # fmt: skip
_NUMBERS = {"av1": range(-2, 14), "vp9": range(-8, 9)}
_NAMED = ("h264", "hevc")


def check_encoder_preset(
    codec: CodecName | HardwareName, preset: str | None, *, hardware: bool = False
) -> None:
    """Raise `MediaError` if the codec's encoder has no such preset.

    Hardware encoders check theirs themselves: they differ between drivers.
    """
    if preset is None or hardware or "_" in codec:
        return
    numbers = _NUMBERS.get(codec)
    if codec in _NAMED and preset not in NAMES:
        raise MediaError(f"the encoder preset of {codec} must be one of {', '.join(NAMES)}, "
                         f"got {preset!r}")  # fmt: skip
    if numbers is not None and preset not in map(str, numbers):
        raise MediaError(f"the encoder preset of {codec} must be a number from {numbers[0]} "
                         f"(slowest) to {numbers[-1]} (fastest), got {preset!r}")  # fmt: skip
    if codec not in _NAMED and numbers is None:
        raise MediaError(f"{codec} has no encoder presets, got {preset!r}")
