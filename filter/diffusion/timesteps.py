"""From strength to timesteps: directly, or on the grids of diffusers' pipelines."""

import math

import numpy as np

from turbolens.filter.errors import SettingsError


def timestep_from_strength(strength: float, count: int = 1000) -> int:
    """Strength 0…1 → timestep 0…count-1, a continuous control that the pipelines do not have."""
    return min(max(round(strength * count) - 1, 0), count - 1)


def direct_timesteps(strength: float, steps: int = 1, count: int = 1000) -> list[int]:
    """`steps` timesteps, evenly descending from that of strength; fewer if there are no more."""
    first = timestep_from_strength(strength, count) + 1
    steps = min(steps, first)
    return [round(first * (steps - index) / steps) - 1 for index in range(steps)]


def trailing_timesteps(num_inference_steps: int, count: int = 1000) -> list[int]:
    """The timesteps of trailing spacing, as diffusers computes them.

    Raises `SettingsError` for lengths whose rounding gives an extra entry of -1 (61, 103, 121, … of
    count 1000). diffusers runs these, with the last entry of the schedule.
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


def lcm_timesteps(
    num_inference_steps: int, count: int = 1000, original_steps: int = 50
) -> list[int]:
    """The grid of LCM: N of `original_steps` timesteps, whatever spacing the config names."""
    if not 1 <= num_inference_steps <= original_steps:
        raise SettingsError(
            f"num_inference_steps must be between 1 and {original_steps} for LCM, "
            f"got {num_inference_steps}"
        )
    stride = count // original_steps
    chosen = np.linspace(0, original_steps, num_inference_steps, endpoint=False)
    return [stride * (original_steps - math.floor(index)) - 1 for index in chosen]


def shortest_number(strength: float, steps: int, longest: int, count: int | None = None) -> int:
    """The smallest N for which a pipeline runs `steps` steps at this strength, else `longest`.

    With `count`, lengths that break trailing spacing are skipped.
    """
    for number in range(min(steps, longest), longest + 1):
        if int(number * strength) == steps and (count is None or _is_usable(number, count)):
            return number
    return longest


def _is_usable(num_inference_steps: int, count: int) -> bool:
    grid = np.round(np.arange(count, 0, -count / num_inference_steps))
    return len(grid) == num_inference_steps and bool(grid[-1] >= 1)
