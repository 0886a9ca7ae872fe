"""Peer connections: ICE, DTLS, SDP and repair of lost packets.

Start with `peers.py`.
"""
