"""Cameras and virtual cameras on Linux, macOS and Windows.

Start with `camera.py` (frames from a camera) and `virtual_camera.py` (frames to other programs).
Imports only the files beside the rooms: `base.py`, `errors.py` and the like.
"""
