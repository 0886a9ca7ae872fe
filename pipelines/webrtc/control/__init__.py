"""The control data channel: its messages, and the settings that they change.

Start with `channel.py`; `messages.py` has the schema. Imports no other room of webrtc.
"""
