"""`Exemplar`: how a material of one's own is laid over a picture, and moves with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.settings import WeightedPrompt
from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.layer import SurfaceLayer
from turbolens.filter.surface.media.colour_match import ColourMatch
from turbolens.filter.surface.media.exemplar import Exemplar, Handling
from turbolens.filter.surface.planes import Plane, blur, cv2, luma_of, noise

from .test_layer import scene

PLAIN = Handling(
    texture=1.0, size=1.0, smear=0, even=0, ink=0, colours=0, palette=0, hue=0, wander=0
)
WORDS = Vocabulary({"mine": (), "neon": ()}, surfaces={"mine": "mine"}, texts={"mine": "photo"})


def exemplar(handling: Handling = PLAIN) -> Exemplar:
    """Fine lines from left to right in the dark, dots in the light; blue and yellow."""
    lines = cv2.GaussianBlur(noise((64, 64), 0, "lines"), (0, 0), 5, sigmaY=0.7)
    dots = noise((64, 64), 1.5, "dots")
    tiles = [each[..., None].repeat(3, -1) / each.std() * 18 + 128 for each in (lines, dots)]
    ramp = np.linspace((0, 0, 0.4), (1, 0.9, 0.3), 9).astype(np.float32)
    match = ColourMatch(
        _floats([0.3, 0.3, 0.5]), np.diag(_floats([0.03, 0.02, 0.03])).copy(), ramp,
        _floats([[0.1, 0.1, 0.6], [0.9, 0.8, 0.2]]), _floats([0.5, 0.5]),
    )  # fmt: skip
    return Exemplar(np.stack(tiles).astype(np.uint8), _floats([0.5]), match, handling)


def _floats(values: list[float] | list[list[float]]) -> Plane:
    return np.array(values, np.float32)


def grey(level: float, angle: float = 0.0) -> Plane:
    """(160, 160, 3) of about one grey, with waves along `angle`."""
    y, x = np.mgrid[0:160, 0:160].astype(np.float32)
    wave = 0.18 * np.sin((y * np.cos(angle) - x * np.sin(angle)) / 5)
    return np.repeat((level + wave)[..., None], 3, -1).astype(np.float32)


def texture(picture: Plane, handling: Handling = PLAIN) -> Plane:
    difference = luma_of(exemplar(handling)(Canvas(picture)) - picture)
    return difference[16:-16, 16:-16]


def roughness(plane: Plane, axis: int) -> float:
    return float(np.abs(np.diff(plane, axis=axis)).mean())


def test_strokes_follow_the_forms() -> None:
    level, upright = texture(grey(0.3)), texture(grey(0.3, np.pi / 2))
    assert roughness(level, 0) > 1.5 * roughness(level, 1)
    assert roughness(upright, 1) > 1.5 * roughness(upright, 0)


def test_the_dark_has_another_texture_than_the_light() -> None:
    dark, light = texture(grey(0.3)), texture(grey(0.7))
    assert roughness(dark, 0) > 1.5 * roughness(dark, 1)
    assert roughness(light, 0) == pytest.approx(roughness(light, 1), rel=0.2)


def test_without_any_share_the_picture_stays() -> None:
    picture = grey(0.4)
    nothing = exemplar(replace(PLAIN, texture=0.0))(Canvas(picture))
    np.testing.assert_allclose(nothing, picture, atol=1e-3)


def test_colours_come_from_the_palette_the_ramp_or_both_figures() -> None:
    picture, plain = grey(0.3), replace(PLAIN, texture=0.0)
    for share in ({"palette": 0.9}, {"hue": 1.0}, {"colours": 1.0}):
        red, _, blue = exemplar(replace(plain, **share))(Canvas(picture)).mean((0, 1))
        assert blue > red + 0.05


def test_even_ink_and_smear_change_the_picture() -> None:
    picture: Plane = scene(160, 160).numpy().astype(np.float32) / np.float32(255)
    plain = replace(PLAIN, texture=0.0)
    for share in ({"even": 1.0}, {"smear": 4.0}):
        changed = exemplar(replace(plain, **share))(Canvas(picture))
        assert np.abs(changed - picture).mean() > 0.002, share
    edges: Plane = np.where(picture > 0.5, 0.9, 0.3).astype(np.float32)
    assert exemplar(replace(plain, ink=1.0))(Canvas(edges)).mean() < edges.mean() - 0.01


def test_the_material_of_a_look_moves_with_a_panning_picture() -> None:
    surface, step = SurfaceLayer(WORDS, {"mine": exemplar()}), 3
    results = []
    for index in range(8):
        rgb = scene(offset=step * index)
        laid = surface(rgb, [WeightedPrompt("mine")], 0.9, 1.0)
        difference = luma_of(laid.numpy().astype(np.float32) - rgb.numpy().astype(np.float32))
        results.append(difference - blur(difference, 4.0))
    inner = np.s_[16:-16, 32:-32]
    last, before = results[-1], results[-4]

    def likeness(one: Plane, other: Plane) -> float:
        return float(np.corrcoef(one[inner].ravel(), other[inner].ravel())[0, 1])

    moved = np.roll(before, -3 * step, axis=1)
    assert likeness(last, moved) > 0.5
    assert likeness(last, before) < likeness(last, moved) - 0.25


def test_it_grows_with_strength_and_texture_and_other_looks_have_none_of_it() -> None:
    rgb = scene()

    def change(prompt: str, strength: float, amount: float) -> float:
        layer = SurfaceLayer(WORDS, {"mine": exemplar()})
        result = layer(rgb, [WeightedPrompt(prompt)], strength, amount)
        return float((result.int() - rgb.int()).abs().float().mean())

    assert change("neon", 0.9, 1.0) == 0
    assert change("mine", 0.9, 0.0) == 0
    assert change("mine", 0.3, 1.0) < 0.5 * change("mine", 0.8, 1.0)
    assert change("mine", 0.9, 0.5) == pytest.approx(0.5 * change("mine", 0.9, 1.0), rel=0.15)


def test_colours_change_slowly_when_the_picture_changes_at_once() -> None:
    layer = SurfaceLayer(WORDS, {"mine": exemplar(replace(PLAIN, texture=0.0, colours=1.0))})
    rgb, mine = scene(), [WeightedPrompt("mine")]
    layer(rgb, mine, 0.9, 1.0)
    brighter = (rgb.int() + 5).clamp(0, 255).to(torch.uint8)
    step = layer(brighter, mine, 0.9, 1.0).int() - layer(rgb, mine, 0.9, 1.0).int()
    assert float(step.float().mean()) > 4  # the colours of the past are matched still
