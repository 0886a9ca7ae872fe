"""Video files, images and pipes: reading, encoding, writing, and streams that pass through.

Start with `job.py`: `filter_video` filters one input. `media.py` and `outputs.py` choose readers
and writers by name, and `pipeline.py` runs them on threads. `stream_plan.py`
decides what becomes of the streams beside the video. Imports the files beside the rooms,
and `scene` for the test scene.
"""
