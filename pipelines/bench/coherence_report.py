"""What the measures of coherence give."""

from dataclasses import dataclass, field

from .coherence_rows import Pixels, RowName


@dataclass
class RowResult:
    """The measures of one row; see the names in docs/coherence.md.

    static_gain: by the deviation of the sensor noise in levels. warp_error and flicker in levels,
    flicker on the still photograph at the loudest noise. ghosting as a share of the range.
    """

    name: RowName
    static_gain: dict[float, float] = field(default_factory=dict)
    warp_error: float = float("nan")
    ghosting: float = float("nan")
    detail: float = float("nan")
    flicker: float = float("nan")
    response: int = 0
    cuts_identical: int = 0
    strip: list[Pixels] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class ReprojectionResult:
    """Of three frames one is filtered, two are shown by `FrameFilter.reproject`, or by repeating.

    error, repeated_error: distance in levels from the true result of these frames. warp_error: of
    the video that is shown. detail: of the reprojected frames, over that of the true ones.
    """

    error: float
    repeated_error: float
    warp_error: float
    repeated_warp_error: float
    detail: float


@dataclass(frozen=True)
class CoherenceReport:
    """All rows, and what is measured of ours alone.

    input_warp_error: the input's own, in levels. cuts: how many there were in the scene. found,
    false_cuts: cuts that were and were not true, of `cut_frames` frames with flashes, steps of
    exposure and pans. cost_ms, frame_ms: medians of all coherence work and of the whole frame.
    """

    rows: tuple[RowResult, ...]
    input_warp_error: float
    cuts: int
    cut_frames: int
    true_cuts: int
    found: int
    false_cuts: int
    cost_ms: float
    frame_ms: float
    reprojection: ReprojectionResult
    inputs: list[Pixels]
