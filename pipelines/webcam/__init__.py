"""A video call: keys, presets, preview and control page around a live filter.

Start with `call.py`. Imports `live`, `camera` and `webrtc` (for the control page).
"""
