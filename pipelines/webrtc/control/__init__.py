"""The control data channel: JSON requests that change the settings of a running filter.

Open `channel.py` first. `messages.py` has the schema of a request, `controls.py` what a request may
do, `rate_limiter.py` how many are allowed. Imports `limits.py` and the rooms below `webrtc`.
The protocol is described in `PROTOCOL.md`.
"""
