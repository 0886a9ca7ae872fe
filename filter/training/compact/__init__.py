"""`turbolens train compact`: a smaller model that gives the pictures of a larger one.

Open `command.py` first. `blocks.py` leaves out the blocks that hardly change a picture, `stage.py`
has the losses that bring the smaller model back to the pictures of the larger one.
"""
