"""Masks over time: held where the picture stands still, moved with it, forgotten if unknown."""

import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter import FilterSettings
from turbolens.filter.acceleration.coherence import AcceleratedCoherence
from turbolens.filter.coherence.change import Change, InputView
from turbolens.filter.region.finder import PersonFinder
from turbolens.filter.region.tracking import FoundMask, RegionTracker

SIZE = (256, 256)
CPU = torch.device("cpu")


def tracker() -> RegionTracker:
    return RegionTracker(lambda: PersonFinder(CPU, "none"))


def square(left: int) -> NDArray[np.float32]:
    mask = np.zeros((256, 256), np.float32)
    mask[80:180, left : left + 100] = 1
    return mask


def change(shift: int) -> Change:
    """Between two pictures of which the newer one is moved to the right by some pixels."""
    noise = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    past = torch.nn.functional.interpolate(noise, size=(256, 256), mode="bicubic")
    estimate = AcceleratedCoherence(CPU).estimate_motion
    now = InputView(past.roll(shift, -1).contiguous(), CPU, estimate)
    return now.change_from(InputView(past, CPU, estimate), 0.5)


def test_a_mask_that_flickers_is_held_but_the_background_is_covered_at_once() -> None:
    flickering, still = square(80), change(0)
    flickering[:, 170:] = 0
    shown = {}
    for region in ("person", "background"):
        settings, region_tracker = FilterSettings(region=region, feather=0.0), tracker()
        region_tracker.held(FoundMask(square(80), SIZE), None, settings)
        shown[region] = region_tracker.held(FoundMask(flickering, SIZE), still, settings)
    assert shown["person"][130, 175] == 255  # still a person
    assert shown["background"][130, 175] == 255  # and yet not shown


def test_a_held_mask_moves_with_the_picture() -> None:
    settings, region_tracker = FilterSettings(region="person", feather=0.0), tracker()
    region_tracker.held(FoundMask(square(80), SIZE), None, settings)
    coverage = region_tracker.held(FoundMask(square(88), SIZE), change(8), settings)
    expected = square(88) * 255
    assert (np.abs(coverage.astype(int) - expected) > 60).mean() < 0.01


def test_an_unknown_mask_covers_everything_and_forgets_the_last_one() -> None:
    settings, region_tracker = FilterSettings(region="person", feather=0.0), tracker()
    region_tracker.held(FoundMask(square(80), SIZE), None, settings)
    assert region_tracker.held(FoundMask(None, SIZE), change(0), settings).min() == 255
    coverage = region_tracker.held(FoundMask(square(150), SIZE), change(0), settings)
    assert coverage[130, 100] == 0
