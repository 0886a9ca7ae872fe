"""`turbolens train look`: the colours and the material of 1 to 50 pictures, for the embedded model.

Open `command.py` first. `material.py` learns from the pictures, with `quilting.py`; `fit.py`
searches how the material lies, by `statistics.py`. `names.py` checks the name, `pictures.py` reads
pictures, `samples.py` writes the sheet of samples. Imports the files of `training` and other rooms
of the filter.
"""
