"""A synthetic scene with known motion, for tests, benchmarks and the demo.

Start with `frames.py`. `camera.py` plays the scene as a camera.
"""
