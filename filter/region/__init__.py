"""The person in a frame: the network that finds it, its mask over time, and the composition.

Open `tracking.py` first: the region of one stream. `finder.py` runs the network of `network.py`,
whose weights `weights.py` loads from `embedded/segmenter`. `masks.py` reads masks and says if one
is sure, `edges.py` moves their edges to those of the picture, `coverage.py` makes soft edges,
`composition.py` joins result and frame. Imports `acceleration`, `coherence` and `frames`.
"""
