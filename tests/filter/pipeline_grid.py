"""The steps that diffusers' image-to-image pipelines run, to compare with."""

from turbolens.filter import SettingsError
from turbolens.filter.diffusion.schedule import Schedule, Step
from turbolens.filter.diffusion.timesteps import trailing_timesteps


def pipeline_steps(
    schedule: Schedule, num_inference_steps: int, strength: float
) -> tuple[Step, ...]:
    """Exactly the steps of the pipelines: trailing spacing, or LCM's own grid."""
    executed = executed_steps(num_inference_steps, strength)
    return schedule.last_pipeline_steps(num_inference_steps, executed)


def diffusers_timesteps(num_inference_steps: int, strength: float, count: int = 1000) -> list[int]:
    """The last ⌊N · strength⌋ of N timesteps in trailing spacing."""
    grid = trailing_timesteps(num_inference_steps, count)
    return grid[-executed_steps(num_inference_steps, strength) :]


def executed_steps(num_inference_steps: int, strength: float) -> int:
    """How many of N steps a pipeline runs: N · strength, truncated as a binary fraction."""
    executed = min(int(num_inference_steps * strength), num_inference_steps)
    if executed < 1:
        raise SettingsError(f"no step is left of {num_inference_steps} with strength {strength}")
    return executed
