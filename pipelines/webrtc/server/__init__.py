"""The HTTP server: sessions, WHIP, WHEP, the page, access control and metrics.

Start with `app.py`: `create_app` makes an aiohttp application. `negotiation.py` turns an offer into
a session; `whip.py`, `whep.py` and `api.py` are the routes that call it. Imports `control`, `peer`
and `media`.
"""
