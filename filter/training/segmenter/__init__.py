"""`turbolens train segmenter`: the network that finds persons, from labels of another one.

Open `command.py` first. `labels.py` reads pictures with their masks, `teacher.py` runs the network
that makes the masks, `scenes.py` composes training pictures of them (`bodies.py` paints torsos and
arms, `rooms.py` paints furniture, `light.py` changes light and sharpness; `views.py` cuts
backgrounds out of panoramas), `start.py` takes over the weights of another run, `stage.py` has the
losses. `agreement.py` compares the result with its teacher. Imports `region` and the files of
`training`.
"""
