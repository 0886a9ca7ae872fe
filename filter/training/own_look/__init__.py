"""`turbolens train look`: a LoRA for the embedded model from ten to fifty pictures of a look.

Open `command.py` first, then `stage.py` with the losses. Imports the files of `training`
and other rooms of the filter.
"""
