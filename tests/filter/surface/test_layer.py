"""`SurfaceLayer`: which surfaces a result gets, how much of them, and how they move."""

import json
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from av import VideoFrame

from turbolens.filter import FrameFilter, TurboModel
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.errors import ModelError
from turbolens.filter.loading.looks import load_vocabulary
from turbolens.filter.settings import WeightedPrompt
from turbolens.filter.surface.layer import SurfaceLayer
from turbolens.filter.surface.planes import Plane, blur, luma_of, noise
from turbolens.filter.surface.seen import Seen
from turbolens.filter.surface.shift import TextureShift

OIL, PENCIL = WeightedPrompt("oil painting"), WeightedPrompt("pencil sketch")
VOCABULARY = Vocabulary(
    {"oil painting": ("oil", "impasto"), "pencil sketch": ("pencil",), "neon": ("neon",)},
    surfaces={"oil painting": "oil painting", "pencil sketch": "pencil sketch"},
)


def scene(height: int = 128, width: int = 160, offset: int = 0) -> torch.Tensor:
    """A part of a soft random picture, RGB uint8; `offset`: pixels that it has panned."""
    wide = np.dstack([noise((height, 512), 9.0, channel) for channel in "rgb"])
    part = wide[:, offset : offset + width] * 0.16 + 0.5
    return torch.from_numpy((np.clip(part, 0, 1) * 255).astype(np.uint8))


def layer(vocabulary: Vocabulary | None = VOCABULARY) -> SurfaceLayer:
    return SurfaceLayer(vocabulary)


def test_a_look_gets_its_surface() -> None:
    rgb = scene()
    result = layer()(rgb, [OIL], 0.9, 1.0)
    assert result.shape == rgb.shape
    assert result.dtype == torch.uint8
    assert (result.int() - rgb.int()).abs().float().mean() > 3
    assert torch.equal(rgb, scene())


@pytest.mark.parametrize(
    ("prompt", "strength", "amount"),
    [(OIL, 0.9, 0.0), (OIL, 0.0, 1.0), (WeightedPrompt("neon"), 0.9, 1.0)],
)
def test_nothing_is_laid_over_without_amount_strength_or_surface(
    prompt: WeightedPrompt, strength: float, amount: float
) -> None:
    rgb = scene()
    assert torch.equal(layer()(rgb, [prompt], strength, amount), rgb)


def test_a_model_that_takes_any_prompt_has_no_surfaces() -> None:
    rgb = scene()
    assert torch.equal(layer(None)(rgb, [OIL], 0.9, 1.0), rgb)


def test_the_surface_grows_with_strength_and_amount() -> None:
    rgb = scene()

    def change(strength: float, amount: float) -> float:
        result = layer()(rgb, [OIL], strength, amount)
        return float((result.int() - rgb.int()).abs().float().mean())

    assert change(0.1, 1.0) < 1.0
    grown = [change(strength, 1.0) for strength in (0.1, 0.3, 0.5, 0.7)]
    assert grown == sorted(grown)
    assert change(0.9, 0.5) == pytest.approx(0.5 * change(0.9, 1.0), rel=0.15)


def test_a_mixture_has_a_share_of_each_surface() -> None:
    mixture = [OIL._replace(weight=3.0), PENCIL._replace(weight=1.0)]
    assert layer().shares(mixture) == pytest.approx({"oil painting": 0.75, "pencil sketch": 0.25})
    half = [OIL, WeightedPrompt("neon")]
    assert layer().shares(half) == pytest.approx({"oil painting": 0.5})
    assert layer().shares([WeightedPrompt("oil, pencil")]) == pytest.approx(
        {"oil painting": 0.5, "pencil sketch": 0.5}
    )


def _strokes(result: torch.Tensor, rgb: torch.Tensor) -> Plane:
    difference = luma_of(result.numpy().astype(np.float32) - rgb.numpy().astype(np.float32))
    return difference - blur(difference, 4.0)


def _likeness(one: Plane, other: Plane) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_strokes_travel_with_a_panning_picture() -> None:
    surface, step, frames = layer(), 3, 8
    results = []
    for index in range(frames):
        rgb = scene(offset=step * index)
        results.append(_strokes(surface(rgb, [PENCIL], 0.9, 1.0), rgb))
    inner = np.s_[16:-16, 32:-32]
    last, before = results[-1], results[-4]
    moved = np.roll(before, -3 * step, axis=1)
    assert _likeness(last[inner], moved[inner]) > 0.6
    assert _likeness(last[inner], before[inner]) < _likeness(last[inner], moved[inner]) - 0.25


def test_a_picture_that_does_not_move_keeps_its_strokes() -> None:
    surface, rgb = layer(), scene()
    first = surface(rgb, [OIL], 0.9, 1.0)
    assert torch.equal(surface(rgb, [OIL], 0.9, 1.0), first)


def test_after_a_scene_cut_strokes_are_those_of_a_new_stream() -> None:
    other = scene(offset=340)
    surface = layer()
    for offset in range(0, 24, 3):
        surface(scene(offset=offset), [OIL], 0.9, 1.0)
    assert torch.equal(surface(other, [OIL], 0.9, 1.0), layer()(other, [OIL], 0.9, 1.0))


def test_strokes_can_be_placed_where_those_of_another_stream_are() -> None:
    one, other, anew = layer(), layer(), layer()
    for offset in range(0, 24, 3):
        one(scene(offset=offset), [PENCIL], 0.9, 1.0)
    assert one.shift is not None
    assert one.shift.x == pytest.approx(21 / 160, rel=0.1)
    for each in (other, anew):
        each(scene(offset=21), [PENCIL], 0.9, 1.0)
    assert other.shift is None
    other.place(one.shift)
    for offset in (24, 27):
        expected, placed, begun = (
            _strokes(each(rgb, [PENCIL], 0.9, 1.0), rgb)
            for rgb in [scene(offset=offset)] for each in (one, other, anew)
        )  # fmt: skip
    assert _likeness(placed, expected) > 0.85
    assert _likeness(begun, expected) < 0.6


def test_strokes_that_are_placed_begin_anew_at_a_scene_cut() -> None:
    surface, other = layer(), scene(offset=340)
    surface(scene(), [OIL], 0.9, 1.0)
    surface.place(TextureShift(0.3, 0.1))
    assert torch.equal(surface(other, [OIL], 0.9, 1.0), layer()(other, [OIL], 0.9, 1.0))


def test_strokes_travel_as_the_frames_flow_says() -> None:
    surface, rgb, step = layer(), scene(), 5.0
    flow = np.zeros((2, 64, 80), np.float32)
    flow[0] = step
    luma = luma_of(rgb.numpy().astype(np.float32) * np.float32(1 / 255))
    moved, moved_luma = rgb.roll(-int(step), 1), np.roll(luma, -int(step), 1)
    first = surface(rgb, [PENCIL], 0.9, 1.0, lambda: Seen(rgb.numpy(), luma))
    second = surface(moved, [PENCIL], 0.9, 1.0, lambda: Seen(moved.numpy(), moved_luma, flow))
    one, other = _strokes(first, rgb), _strokes(second, moved)
    inner = np.s_[16:-16, 16:-16]
    assert _likeness(np.roll(one, -int(step), axis=1)[inner], other[inner]) > 0.5
    cut = surface(rgb, [PENCIL], 0.9, 1.0, lambda: Seen(rgb.numpy(), luma, flow, is_cut=True))
    assert torch.equal(cut, first)


def test_the_embedded_model_has_surfaces_that_texture_dials() -> None:
    frame = scene().numpy()
    with_strokes = FrameFilter(TurboModel.load(), prompt="oil painting", size=128)
    without = FrameFilter(TurboModel.load(), prompt="oil painting", size=128, texture=0.0)
    difference = with_strokes(frame).astype(int) - without(frame).astype(int)
    assert np.abs(difference).mean() > 2


def test_a_surface_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "looks.json").write_text(json.dumps({"oil": ["oil"]}))
    (tmp_path / "surfaces.json").write_text(json.dumps({"oil": {"surface": "chocolate"}}))
    with pytest.raises(ModelError, match="must map looks to objects with a surface"):
        load_vocabulary(tmp_path)


def test_a_look_may_be_another_one_with_its_own_surface() -> None:
    vocabulary = Vocabulary(
        {"oil painting": ("oil",), "munch": ("the scream",)},
        surfaces={"oil painting": "oil painting", "munch": "munch"},
        texts={"munch": "oil painting"},
    )
    reading = vocabulary.read("(the scream:1.2)")
    assert reading.looks == ("munch",)
    assert reading.encoded == "(oil painting:1.2)"
    assert layer(vocabulary).shares([WeightedPrompt("the scream")]) == {"munch": 1.0}


def test_every_look_of_the_embedded_model_that_has_a_surface_exists() -> None:
    vocabulary = TurboModel.load().vocabulary
    assert vocabulary is not None
    assert set(vocabulary.surfaces) <= set(vocabulary.looks)
    assert set(vocabulary.texts.values()) <= set(vocabulary.looks)


@pytest.mark.parametrize(("look", "expected"), [("mine", 0.5), ("oil painting", 0.25)])
def test_faces_keep_half_of_the_result_or_what_the_surface_leaves_of_it(
    look: str, expected: float
) -> None:
    vocabulary = Vocabulary({look: (look,)}, surfaces={look: look})
    own = {"mine": lambda canvas: np.zeros_like(canvas.picture)}
    rgb = scene()
    change = []
    for colour in ((90, 110, 130), (205, 150, 125)):  # a wall, and skin
        frame = np.full(rgb.shape, (90, 110, 130), np.uint8)
        height, width = frame.shape[:2]
        middle = np.s_[height // 4 : -height // 4, width // 4 : -width // 4]
        frame[middle] = colour
        frame[: height // 8], frame[-height // 8 :] = 10, 245  # so that contrast is not stretched
        seen = partial(Seen, frame, luma_of(np.float32(1 / 255) * frame))
        lay = SurfaceLayer(vocabulary, own)
        result = lay(rgb, [WeightedPrompt(look)], 0.9, 1.0, seen)
        within = np.s_[height // 3 : -height // 3, width // 3 : -width // 3]
        change.append(float((result.float() - rgb)[within].abs().mean()))
    assert change[1] / change[0] == pytest.approx(expected, abs=0.06)


def test_the_noise_of_a_camera_does_not_make_lines_flicker() -> None:
    vocabulary = Vocabulary({"comic": ("comic",)}, surfaces={"comic": "comic"})
    lay, random = layer(vocabulary), np.random.default_rng(3)
    still, results = scene().numpy().astype(np.float32), []
    for _ in range(20):
        noisy = np.clip(still + random.normal(0, 0.4, still.shape), 0, 255).astype(np.uint8)
        result = lay(torch.from_numpy(noisy), [WeightedPrompt("comic")], 0.9, 1.0)
        results.append(result.numpy().astype(np.float32))
    flicker = np.diff(results[10:], axis=0)
    assert np.sqrt(np.square(flicker).mean()) < 0.8


def test_a_filter_places_its_textures_when_the_frame_comes() -> None:
    model = TurboModel.load(dtype="float32")
    one, other = (FrameFilter(model, prompt="mosaic", size=128) for _ in range(2))
    frames = [VideoFrame.from_ndarray(scene(offset=3 * index).numpy()) for index in range(10)]
    for index, frame in enumerate(frames):
        frame.pts, frame.time_base = index, Fraction(1, 25)
    one.batch(frames[:7])
    shift = one.texture_shift
    assert shift is not None
    other.place_textures(shift, begin=7)
    other.batch(frames[5:7])
    assert other.texture_shift != shift
    for each in (one, other):
        each.batch(frames[7:])
    assert other.texture_shift == pytest.approx(one.texture_shift, abs=0.003)
    other.place_textures(shift, begin=0)
    other.reset()
    other.batch(frames[:2])
    assert other.texture_shift is not None
    assert other.texture_shift.x < 0.05
