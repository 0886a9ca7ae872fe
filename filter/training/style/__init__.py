"""The last stage of the embedded model: looks with strokes and material.

Pixel losses average strokes to a blur. Here a convolutional decoder, the UNet and the text encoder
are trained against feature statistics of paintings and of bold renderings. Open `stage.py` first;
`trunk.py` has the features, `recipes.py` the looks and their works, `references.py` the pictures.
"""
