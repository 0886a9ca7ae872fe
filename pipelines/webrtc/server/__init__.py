"""The HTTP server: sessions, WHIP, WHEP, the page, security and metrics.

Start with `server.py`: `create_app` makes an aiohttp application. `whip.py` and `whep.py` answer
publishers and players. Imports `control`, `peer` and `media`.
"""
