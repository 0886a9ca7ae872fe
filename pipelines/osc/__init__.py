"""Control surfaces: the settings of a running filter by OSC over UDP (`--osc PORT`).

Start with `server.py`: `OscServer` receives and answers messages. `messages.py` turns their
addresses and values into settings. Imports `webrtc` for the controls and the limits of rates.
"""
