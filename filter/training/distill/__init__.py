"""`turbolens train distill`: Adversarial Diffusion Distillation of a model of your own.

Sauer, Lorenz, Blattmann, Rombach: *Adversarial Diffusion Distillation* (2023), section 3, on
latents, with losses for video: structure, and temporal consistency. Open `command.py` first, then
`stage.py` with the losses of one step. Imports the files of `training`
and other rooms of the filter.
"""
