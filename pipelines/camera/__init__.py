"""Cameras and virtual cameras on Linux, macOS and Windows.

Start with `camera.py` (frames from a camera) and `virtual_camera.py` (frames to other programs).
Imports only the files directly in `pipelines`, as `base.py` and `letterbox.py`.
"""
