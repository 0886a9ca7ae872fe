"""Adversarial Diffusion Distillation: a Turbo model of your own from a diffusion model.

Sauer, Lorenz, Blattmann, Rombach: *Adversarial Diffusion Distillation* (2023), section 3, on
latents, with what a video filter needs besides: structure, and steadiness under motion.
"""
