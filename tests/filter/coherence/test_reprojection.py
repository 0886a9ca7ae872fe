"""The last result, reprojected to a newer frame of a scene with known motion."""

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings
from turbolens.filter.coherence.change import InputView
from turbolens.filter.coherence.reprojection import Reprojection
from turbolens.filter.frames.conversion import working_geometry
from turbolens.filter.frames.luma import luma_of
from turbolens.pipelines.scene.frames import TestScene

WIDTH, HEIGHT = 256, 160


def _styled(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A look that matched colours can follow but not copy: inverted, with more contrast."""
    return np.asarray(np.clip(255 - 1.3 * (picture.astype(np.float32) - 20), 0, 255), np.uint8)


def _shown(first: NDArray[np.uint8], now: NDArray[np.uint8]) -> NDArray[np.uint8]:
    settings = FilterSettings()
    geometry = working_geometry(WIDTH, HEIGHT, settings, native_size=256, multiple=8)
    reprojection = Reprojection()
    picture = torch.from_numpy(first)
    view = InputView(luma_of(picture), torch.device("cpu"))
    reprojection.remember(geometry, picture, torch.from_numpy(_styled(first)), view)
    shown = reprojection.reproject(now, geometry, settings)
    assert shown is not None
    return shown


def _apart(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.abs(first.astype(float) - second.astype(float)).mean())


def test_it_is_nearer_to_the_true_result_than_the_last_one_is() -> None:
    scene = TestScene(WIDTH, HEIGHT, cuts=False, seed=4)
    first, now = scene[0].picture, scene[3].picture
    truth = _styled(now)
    assert _apart(_shown(first, now), truth) < 0.5 * _apart(_styled(first), truth)


def test_what_is_new_is_shown_in_matched_colours() -> None:
    scene = TestScene(WIDTH, HEIGHT, cuts=False, seed=4)
    first = scene[0].picture
    now = first.copy()
    now[60:100, 100:160] = 255 - now[60:100, 100:160]
    shown = _shown(first, now)[66:94, 106:154]
    untouched = now[66:94, 106:154]
    assert _apart(shown, _styled(now)[66:94, 106:154]) < 0.5 * _apart(shown, untouched)


def test_it_is_as_sharp_as_the_result() -> None:
    scene = TestScene(WIDTH, HEIGHT, cuts=False, seed=4)
    first, now = scene[0].picture, scene[2].picture

    def energy(picture: NDArray[np.uint8]) -> float:
        return float(np.square(np.diff(picture.astype(float).mean(axis=-1), n=2, axis=1)).mean())

    assert energy(_shown(first, now)) > 0.6 * energy(_styled(now))
