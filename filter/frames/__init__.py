"""`av.VideoFrame` or RGB array to image tensor and back.

Start with `conversion.py`. No other room knows pixel formats. Imports none of the other rooms.
"""
