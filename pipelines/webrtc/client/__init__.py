"""A client of `turbolens serve`: frames go there by WebRTC, filtered frames come back.

Start with `connection.py`: `ServerConnection` keeps one session open, and connects again when it is
lost. `session.py` is one session, `api.py` its HTTP requests, `control.py` its data channel.
Imports `control`, `peer` and `media`; never `server`.
"""
