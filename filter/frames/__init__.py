"""`av.VideoFrame` or RGB array to image tensor and back.

Start with `conversion.py`. `geometry.py` computes sizes, `pixel_formats.py` reads formats and tags;
no other room knows pixel formats. Imports no other room, only `settings.py` and `errors.py`.
"""
