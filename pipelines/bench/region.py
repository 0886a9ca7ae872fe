"""Measure the network that finds persons: agreement with exact masks, jitter of edges, time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.region.finder import PersonFinder
from turbolens.pipelines.scene.frames import TestScene

Array = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Find = Callable[[Array], NDArray[np.float32]]

SIZE = 640, 360
SCENE_SEEDS, SCENE_FRAMES = (0, 1, 2), (10, 45, 110, 150, 200, 250, 290, 340)
NOISE = 3.0  # levels of a camera's noise, standard deviation
STILL_FRAMES, TIMED = 8, 30


@dataclass(frozen=True)
class RegionResult:
    """What was measured.

    agreement, worst_agreement: intersection over union with the exact masks of the test scene,
    median and worst. jitter_px: how far the edge moves between two frames of a still and noisy
    camera, in pixels of the frame, the mean along the edge. milliseconds: of one mask. backend:
    what ran the network.
    """

    agreement: float
    worst_agreement: float
    jitter_px: float
    milliseconds: float
    backend: str


def measure_region(finder: PersonFinder, pictures: Sequence[Array] = ()) -> RegionResult:
    """Measure with the test scene. pictures: RGB (H, W, 3) with persons, for the jitter, too."""
    scenes = [TestScene(*SIZE, seed=seed) for seed in SCENE_SEEDS]
    frames = [scene[index] for scene in scenes for index in SCENE_FRAMES]
    agreements = [overlap(finder(each.picture) > 0.5, halved(each.person)) for each in frames]
    still = [*pictures, *(each.picture for each in frames[:2])]
    times = [_timed(finder, frames[0].picture) for _ in range(TIMED)]
    return RegionResult(
        median(agreements), min(agreements), mean(jitter(finder, each) for each in still),
        median(times), finder.backend,
    )  # fmt: skip


def halved(mask: NDArray[np.float32], side: int = 256) -> Mask:
    """A mask in the network's size: True where it is at least one half."""
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA) > 0.5)


def overlap(first: Mask, second: Mask) -> float:
    """Intersection over union, 1 for two empty masks."""
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else 1.0


def jitter(find: Find, picture: Array) -> float:
    """How far the edge moves between frames of a still and noisy camera, in pixels of the frame.

    The area between two edges, divided by their length. 0 without any person.
    """
    height, width = picture.shape[:2]
    masks = [_enlarged(find(each), width, height) for each in noisy(picture, STILL_FRAMES)]
    moved = [int((a ^ b).sum()) for a, b in pairwise(masks)]
    length = mean(_edge_length(each) for each in masks)
    return mean(moved) / length if length else 0.0


def noisy(picture: Array, count: int) -> Iterator[Array]:
    """The picture as a still camera sees it, with new noise in each frame."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(NOISE)
        yield (picture + noise).clip(0, 255).astype(np.uint8)


def _enlarged(mask: NDArray[np.float32], width: int, height: int) -> Mask:
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5)


def _edge_length(mask: Mask) -> float:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return float(sum(cv2.arcLength(each, closed=True) for each in contours))


def _timed(find: Find, picture: Array) -> float:
    began = perf_counter()
    find(picture)
    return 1000 * (perf_counter() - began)
