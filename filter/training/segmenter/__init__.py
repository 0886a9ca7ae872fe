"""`turbolens train segmenter`: the network that finds persons, from labels of another one.

Open `command.py` first. `labels.py` reads pictures with their masks, `teacher.py` runs the network
that makes the masks, `scenes.py` composes training pictures of them (`bodies.py` paints torsos and
arms, `light.py` changes light and sharpness), `stage.py` has the losses. `agreement.py` compares
the result with its teacher. Imports `region` and the files of `training`.
"""
