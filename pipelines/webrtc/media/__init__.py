"""Tracks: filtered video, delayed audio, batching of sessions, relaying to players.

Start with `tracks.py`: `FilteredTrack` is a track that filters another one.
"""
