"""The mathematics of one diffusion step: schedule, timesteps, prompts, autoencoder.

Start with `schedule.py`: it adds noise to clean latents and removes it again. `timesteps.py` turns
strength into timesteps, `prompts.py` encodes text, `vocabulary.py` finds the looks in it for a
model with a fixed list of them, and `autoencoder.py` is the embedded model's autoencoder. Imports
no other room, only `settings.py` and `errors.py`.
"""
