"""The mathematics of one diffusion step: schedule, timesteps, prompts, autoencoder.

Start with `schedule.py`: it adds noise to clean latents and removes it again. `timesteps.py` turns
strength into timesteps, `prompts.py` encodes text. Imports none of the other rooms.
"""
