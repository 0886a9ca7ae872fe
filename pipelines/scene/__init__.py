"""A synthetic scene with known motion, for tests, benchmarks and the demo.

Start with `test_scene.py`. `camera.py` plays the scene as a camera.
"""
