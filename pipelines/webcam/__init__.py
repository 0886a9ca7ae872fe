"""A video call: keys, presets, preview and control page around a live filter.

Start with `call.py`; `setup.py` prepares a call from the options of the command (`options.py`).
Imports `live`, `camera`, `scene`, `video`, `osc`, and `webrtc` for the control page.
"""
