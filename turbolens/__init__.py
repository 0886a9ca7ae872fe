"""Turbolens: a live video filter, one step of a Turbo diffusion model for every frame."""

__version__ = "0.2.0"
