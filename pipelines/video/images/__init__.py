"""Images, numbered image sequences and animations.

Start with `files.py`: reading and saving one image. `sequences.py` makes a video source and sink of
many. Imports the modules of `video` that open and prepare frames, not those that run a job.
"""
