"""Tracks: filtered video, delayed audio, batching of sessions, and a relay to many players.

Start with `tracks.py`: `FilteredTrack` filters another track. Imports no other room of webrtc.
"""
