"""Streams beside the video: audio, subtitles, attachments, cover art and time codes.

Start with `plan.py`: it decides for each stream whether it is copied, converted or left out.
`passthrough.py` lists the ways to carry a stream, and `muxing.py` writes the packets. Imports
no other module of `video`.
"""
