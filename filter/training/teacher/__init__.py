"""`turbolens train teacher`: a small diffusion model from scratch, to distil from.

Open `command.py` first, then `stage.py` with the loss. Imports the files of `training`
and other rooms of the filter.
"""
