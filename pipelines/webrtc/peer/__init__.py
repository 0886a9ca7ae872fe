"""Peer connections: SDP, ICE, DTLS and the repair of lost packets. Imports no other room of webrtc.

Start with `connection.py`: how a peer connection is created, answered and closed. What it changes
in aiortc and aioice is in `aiortc_internals.py`.
"""
