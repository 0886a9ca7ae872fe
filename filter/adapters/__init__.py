"""LoRA, ControlNet and IP-Adapter: what is loaded beside a model and changes its UNet.

Open `adapters.py` first: `Adapters` is what a model holds. `lora.py`, `control.py` and
`image_prompt.py` are the three kinds, `files.py` finds their files, and `control_images.py` makes
the input of a ControlNet. Imports `loading`, `diffusion`, `frames` and the files of
`turbolens.filter` below them.
"""
