"""`turbolens train look`: a LoRA for the embedded model from 1 to 50 pictures of a look.

Open `command.py` first, then `stage.py` with the losses. `names.py` checks the name, `samples.py`
writes the sheet of samples. Imports the files of `training` and other rooms of the filter.
"""
