"""The results of the coherence benchmark."""

from dataclasses import dataclass, field

from .coherence_methods import MethodName, Rgb


@dataclass
class MethodResult:
    """The measures of one method. docs/coherence.md explains each measure.

    static_gain: by the standard deviation of the sensor noise, in levels. warp_error, flicker: in
    levels, flicker on the still image with the strongest noise. ghosting: as a share of the range,
    0…1. response: in frames.
    """

    name: MethodName
    static_gain: dict[float, float] = field(default_factory=dict)
    warp_error: float = float("nan")
    ghosting: float = float("nan")
    detail: float = float("nan")
    flicker: float = float("nan")
    response: int = 0
    cuts_identical: int = 0
    strip: list[Rgb] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class ReprojectionResult:
    """Every third frame is filtered. The others are reprojected, or the last result is repeated.

    error, repeated_error: mean difference from the true result of these frames, in levels.
    warp_error, repeated_warp_error: of the whole video, in levels. detail: of the reprojected
    frames, relative to the true results.
    """

    error: float
    repeated_error: float
    warp_error: float
    repeated_warp_error: float
    detail: float


@dataclass(frozen=True)
class CoherenceReport:
    """The results of all methods, and measures of Turbolens alone.

    rows: one for each method. input_warp_error: of the unfiltered input, in levels. cuts: the
    number of cuts compared with a fresh stream. true_cuts, found, false_cuts: cuts in `cut_frames`
    frames with flashes, exposure steps and pans, how many of them were detected, and how many
    detections were wrong. cost_ms, frame_ms: medians of the coherence work and of a whole frame.
    """

    rows: tuple[MethodResult, ...]
    input_warp_error: float
    cuts: int
    cut_frames: int
    true_cuts: int
    found: int
    false_cuts: int
    cost_ms: float
    frame_ms: float
    reprojection: ReprojectionResult
    inputs: list[Rgb]
