"""Video files, images and pipes: reading, encoding, writing, and streams that pass through.

Start with `job.py`: `filter_video` filters one input. `media.py` and `outputs.py` choose readers
and writers by name, and `pipeline.py` runs them on threads. `side_streams/` carries audio,
subtitles and other streams; `encoders/` says which encoder writes a codec; `images/` reads and
writes images, and `segments/` resumes long videos. Imports the files beside the rooms, and `scene`
for the test scene.
"""
