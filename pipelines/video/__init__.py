"""Video files and pictures: reading, writing, encoders, and streams that are copied.

Start with `job.py`: `filter_video` filters one file.
"""
