"""Strength → timesteps: the direct dial, and the grids that diffusers' pipelines use. Pure."""

import math

import numpy as np

from turbolens.filter.errors import SettingsError


def timestep_from_strength(strength: float, count: int = 1000) -> int:
    """Strength 0…1 → timestep 0…count-1: a continuous dial, which the pipelines do not have."""
    return min(max(round(strength * count) - 1, 0), count - 1)


def direct_timesteps(strength: float, steps: int = 1, count: int = 1000) -> list[int]:
    """`steps` timesteps, descending evenly from that of strength; fewer where there are no more."""
    first = timestep_from_strength(strength, count) + 1
    steps = min(steps, first)
    return [round(first * (steps - index) / steps) - 1 for index in range(steps)]


def trailing_timesteps(num_inference_steps: int, count: int = 1000) -> list[int]:
    """The timesteps of trailing spacing as diffusers computes them.

    Raises `SettingsError` for the lengths whose rounding gives one entry too many, ending in -1
    (61, 103, 121, … of count 1000): diffusers runs them, with a table read from its end.
    """
    if not 1 <= num_inference_steps <= count:
        raise SettingsError(
            f"num_inference_steps must be between 1 and {count}, got {num_inference_steps}"
        )
    if not _is_usable(num_inference_steps, count):
        raise SettingsError(
            f"num_inference_steps {num_inference_steps} breaks trailing spacing by rounding; "
            f"use {num_inference_steps - 1} or {num_inference_steps + 1}"
        )
    grid = np.round(np.arange(count, 0, -count / num_inference_steps)) - 1
    return [int(timestep) for timestep in grid]


def diffusers_timesteps(num_inference_steps: int, strength: float, count: int = 1000) -> list[int]:
    """The timesteps that an image-to-image pipeline runs: the last ⌊N·strength⌋ of N, trailing.

    ⌊100 · 0.29⌋ is 28, there as here. Raises `SettingsError` where none is left to run, or the
    length is not usable.
    """
    grid = trailing_timesteps(num_inference_steps, count)
    return grid[-executed_steps(num_inference_steps, strength) :]


def lcm_timesteps(
    num_inference_steps: int, count: int = 1000, original_steps: int = 50
) -> list[int]:
    """The grid of LCM: N of `original_steps` timesteps, whatever spacing its config names."""
    if not 1 <= num_inference_steps <= original_steps:
        raise SettingsError(
            f"num_inference_steps must be between 1 and {original_steps} for LCM, "
            f"got {num_inference_steps}"
        )
    stride = count // original_steps
    chosen = np.linspace(0, original_steps, num_inference_steps, endpoint=False)
    return [stride * (original_steps - math.floor(index)) - 1 for index in chosen]


def executed_steps(num_inference_steps: int, strength: float) -> int:
    """How many of N steps a pipeline runs: N·strength truncated as a binary fraction, as there.

    Raises `SettingsError` where none is left.
    """
    executed = min(int(num_inference_steps * strength), num_inference_steps)
    if executed < 1:
        raise SettingsError(
            "num_inference_steps · strength must be at least 1, "
            f"got {num_inference_steps} · {strength}"
        )
    return executed


def shortest_number(strength: float, steps: int, longest: int, count: int | None = None) -> int:
    """The smallest N of which strength leaves this many steps; `longest` where there is none.

    With `count`, lengths that break trailing spacing are passed over.
    """
    for number in range(min(steps, longest), longest + 1):
        if int(number * strength) == steps and (count is None or _is_usable(number, count)):
            return number
    return longest


def _is_usable(num_inference_steps: int, count: int) -> bool:
    grid = np.round(np.arange(count, 0, -count / num_inference_steps))
    return len(grid) == num_inference_steps and bool(grid[-1] >= 1)
