"""A synthetic scene with known motion, for tests, benchmarks and the demo.

Start with `frames.py`: `TestScene`, a sequence of frames. It is painted by `shots.py` and
`figure.py`. `camera.py` plays the scene, or a file, as a camera; `reader.py` reads it as a file;
`people.py` writes pictures of the person with masks, for training.
Imports only the files directly in `pipelines`.
"""
